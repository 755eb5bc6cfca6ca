// Records that may be the same, side by side, to be made one; what was merged can be parted again.
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Merge } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { merge } from '../forms/Merge';
import { get, type FieldInfo, type Item } from '../lib/api';
import { Opening, titleOf, useCell } from '../lib/cell';
import { useLabel, useModel, useSession } from '../lib/data';
import { Failure, Loading, Panel, Select, Table } from '../ui/Parts';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';

interface Group { field: string; items: Item[] }
export const MERGED = ['customer', 'contact', 'lead'];
/** What tells two records apart, as far as the object has it. */
const TELLING = ['email', 'phone', 'customer', 'city', 'owner', 'created_at', 'purchases'];

export function Duplicates() {
  const intl = useIntl();
  const label = useLabel();
  const cell = useCell();
  const client = useQueryClient();
  const navigate = useNavigate();
  const { may } = useSession();
  const model = useModel();
  const { of = 'customers' } = useSearch({ strict: false }) as { of?: string };
  const [keep, setKeep] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<unknown>();
  const t = (id: string, values?: Record<string, string | number>) => intl.formatMessage({ id }, values);
  const objects = (model?.objects ?? []).filter((o) => MERGED.includes(o.name) && o.name in may);
  const object = objects.find((o) => o.plural === of) ?? objects[0];
  // Not with every change that arrives: all records are compared, and who looks through groups wants them to stay.
  const found = useQuery({ queryKey: ['twins', object?.plural], queryFn: () => get<{ groups: Group[] }>(`/api/records/${object?.plural}/twins`), enabled: !!object, placeholderData: keepPreviousData });
  const columns = object ? [object.title, ...TELLING].map((name) => object.fields.find((f) => f.name === name)).filter((f): f is FieldInfo => !!f) : [];
  const join = async (group: Group, into: Item) => {
    if (!object) return;
    for (const item of group.items) if (item.id !== into.id) await merge(object, item, into.id);
    await Promise.all([client.invalidateQueries({ queryKey: ['live'] }), client.invalidateQueries({ queryKey: ['twins'] })]);
  };
  return (
    <Page title={t('nav.duplicates')} note={found.data && <span className={ui.quiet}>{t('twins.count', { count: found.data.groups.length })}</span>}
      controls={<Select hideLabel label={t('twins.of')} value={object?.plural ?? ''} onChange={(next) => void navigate({ to: '/duplicates', search: { of: next } })} options={objects.map((o) => ({ value: o.plural, label: o.label }))} />}>
      {!!problem && <Failure error={problem} />}
      {found.error ? <Failure error={found.error} /> : !found.data || !object ? <Loading /> : found.data.groups.length === 0 ? <div className={ui.state}>{t('twins.none')}</div> : found.data.groups.map((group, n) => {
        const key = group.items.map((i) => i.id).join();
        // The older one mostly has more to keep.
        const into = group.items.find((i) => i.id === keep[key]) ?? group.items[0];
        return (
          <Panel key={key} title={t('twins.same', { field: label(`field.${group.field}`) })} aside={may[object.name]?.change && into && <button type="button" className={ui.button} onClick={() => void join(group, into).catch(setProblem)}><Merge size={14} aria-hidden />{t('twins.join', { title: titleOf(object, into) })}</button>}>
            <Table label={`${n + 1}. ${t('twins.same', { field: label(`field.${group.field}`) })}`}>
              <thead><tr><th>{t('twins.keep')}</th>{columns.map((f) => <th key={f.name}>{f.label}</th>)}</tr></thead>
              <tbody>
                {group.items.map((item) => (
                  <tr key={item.id}>
                    <td className={table.pick}><label><input type="radio" name={key} checked={item.id === into?.id} aria-label={t('twins.into', { title: titleOf(object, item) })} onChange={() => setKeep({ ...keep, [key]: item.id })} /></label></td>
                    {columns.map((f, i) => <td key={f.name}>{i === 0 ? <Opening object={object} field={f} item={item} /> : cell(f, item)}</td>)}
                  </tr>
                ))}
              </tbody>
            </Table>
          </Panel>
        );
      })}
    </Page>
  );
}
