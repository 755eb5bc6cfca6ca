// A metric by when customers first bought: one row a period, one column for each period since.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { get, type Cohorts as Answer, type Definition } from '../lib/api';
import { useFormat } from '../lib/format';
import { Failure, Loading, Panel, Select, Table } from '../ui/Parts';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import css from './cohorts.module.css';

type Asked = { from: string; to: string; calendar: string; variant?: string };

export function Cohorts({ definition, asked, grain }: { definition: Definition; asked: Asked; grain: string }) {
  const intl = useIntl();
  const [open, setOpen] = useState(false);
  const [share, setShare] = useState(true);
  const summed = definition.unit === 'money' || definition.unit === 'count';
  const query = { from: asked.from, to: asked.to, calendar: asked.calendar, variant: asked.variant, grain: grain === 'day' || grain === 'week' ? 'month' : grain };
  const { data, error } = useQuery({ queryKey: ['live', 'cohorts', definition.id, query], queryFn: () => get<Answer>(`/api/metrics/${definition.id}/cohorts`, query), enabled: open });
  return (
    <Panel title={intl.formatMessage({ id: 'cohort.title' })} aside={
      open ? summed && <Select hideLabel label={intl.formatMessage({ id: 'cohort.show' })} value={share ? 'share' : 'value'} onChange={(v) => setShare(v === 'share')}
        options={[{ value: 'share', label: intl.formatMessage({ id: 'cohort.share' }) }, { value: 'value', label: intl.formatMessage({ id: 'cohort.value' }) }]} />
        : <button type="button" className={ui.button} onClick={() => setOpen(true)}>{intl.formatMessage({ id: 'cohort.open' })}</button>
    }>
      {!open ? <p className={ui.quiet}>{intl.formatMessage({ id: 'cohort.about' })}</p> : error ? <Failure error={error} /> : !data ? <Loading /> : <Triangle data={data} share={summed && share} grain={query.grain} />}
    </Panel>
  );
}

function Triangle({ data, share, grain }: { data: Answer; share: boolean; grain: string }) {
  const intl = useIntl();
  const format = useFormat();
  const rows = data.rows.filter((r) => r.customers > 0);
  const value = (row: Answer['rows'][number], k: number) => {
    const [cell, first] = [row.cells[k]?.value ?? null, row.cells[0]?.value ?? null];
    return share ? (cell === null || !first ? null : cell / first) : cell;
  };
  // Shades run over what lies after the first period: that one is the whole.
  const after = rows.flatMap((r) => r.cells.map((_, k) => (k > 0 ? value(r, k) : null))).filter((v): v is number => v !== null);
  const most = Math.max(...after, 0);
  const shade = (v: number | null, k: number) => (v === null || k === 0 || most <= 0 ? 0 : Math.min(6, Math.ceil((Math.max(v, 0) / most) * 6)));
  const show = (v: number) => (share ? format.percent(v, 0) : format.value(data.unit, v, true));
  const options: Intl.DateTimeFormatOptions = grain === 'year' ? { year: 'numeric' } : { month: 'short', year: 'numeric' };
  if (rows.length === 0) return <p className={ui.quiet}>{intl.formatMessage({ id: 'cohort.none' })}</p>;
  return (
    <Table label={intl.formatMessage({ id: 'cohort.title' })} className={css.triangle}>
      <thead><tr><th scope="col">{intl.formatMessage({ id: 'cohort.first' })}</th><th scope="col" className={table.right}>{intl.formatMessage({ id: 'cohort.customers' })}</th>{rows[0]!.cells.map((_, k) => <th key={k} scope="col" className={`${table.right} num`}>{format.number(k, { signDisplay: 'exceptZero' })}</th>)}</tr></thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.start}>
            <th scope="row">{format.day(row.start, options)}</th>
            <td className={`${table.right} num`}>{format.number(row.customers)}</td>
            {row.cells.map((cell, k) => {
              const v = value(row, k);
              return <td key={k} className={`${table.right} num ${css[`s${shade(v, k)}`] ?? ''} ${cell.complete ? '' : css.running}`}>{v === null ? '–' : show(v)}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
