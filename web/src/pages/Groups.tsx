// What a list holds, by one of its fields: how many of each, with the sums of the columns that are shown. A press on one
// leaves only its records.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { get, type FieldInfo, type Item, type ObjectInfo } from '../lib/api';
import { useCell } from '../lib/cell';
import { operatorsOf, type Condition } from '../lib/filter';
import { useFormat } from '../lib/format';
import { Panel, Table } from '../ui/Parts';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';

interface Group { value: unknown; title: string | null; count: number; sums: Record<string, unknown> }

const SHOWN = 8;
const SUMS = ['money', 'int', 'decimal', 'duration'];

interface Props { object: ObjectInfo; by: FieldInfo; columns: FieldInfo[]; filter?: string; total: number; onOnly(condition: Condition): void }

export function Groups({ object, by, columns, filter, total, onOnly }: Props) {
  const intl = useIntl();
  const cell = useCell();
  const format = useFormat();
  const [all, setAll] = useState(false);
  const summed = columns.filter((f) => SUMS.includes(f.type) && f.filterable);
  const sums = summed.map((f) => f.name).join(',');
  const { data } = useQuery({ queryKey: ['live', 'groups', object.plural, by.name, filter, sums], queryFn: () => get<{ total: number; groups: Group[] }>(`/api/records/${object.plural}/groups`, { by: by.name, filter, sums }), placeholderData: keepPreviousData });
  if (!data?.groups.length) return null;
  const shown = all ? data.groups : data.groups.slice(0, SHOWN);
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  // A value as lists show it, and a sum as its column does.
  const as = (field: FieldInfo, value: unknown, title: string | null) => cell(field, { id: '', version: 0, fields: { [field.name]: value }, titles: title === null ? {} : { [field.name]: title } } as Item);
  const only = (group: Group): Condition | undefined => {
    const missing = group.value === null;
    const operators = operatorsOf(by);
    if (missing) return operators.includes('empty') ? { field: by.name, op: 'empty', value: '' } : undefined;
    return operators.includes('is') && typeof group.value !== 'object' ? { field: by.name, op: 'is', value: String(group.value), ...(group.title !== null && { title: group.title }) } : undefined;
  };
  return (
    <Panel title={t('groups.title', { field: by.label })} aside={data.total > SHOWN && <button type="button" className={ui.button} onClick={() => setAll(!all)}>{t(all ? 'groups.fewer' : 'groups.all', { count: data.total })}</button>}>
      <Table label={t('groups.title', { field: by.label })}>
        <thead><tr><th>{by.label}</th><th className={table.right}>{t('groups.count')}</th><th className={table.right}>{t('groups.share')}</th>{summed.map((f) => <th key={f.name} className={table.right}>{f.label}</th>)}</tr></thead>
        <tbody>
          {shown.map((group) => {
            const condition = only(group);
            const name = by.type === 'ref' ? group.title ?? '–' : as(by, group.value, group.title) ?? '–';
            return (
              <tr key={JSON.stringify(group.value)}>
                <td dir="auto">{condition ? <button type="button" className={table.link} onClick={() => onOnly(condition)}>{name}</button> : name}</td>
                <td className={`${table.right} num`}>{format.number(group.count)}</td>
                <td className={`${table.right} num`}>{format.percent(total > 0 ? group.count / total : 0)}</td>
                {summed.map((f) => <td key={f.name} className={table.right}>{as(f, group.sums[f.name], null) ?? '–'}</td>)}
              </tr>
            );
          })}
        </tbody>
      </Table>
    </Panel>
  );
}
