// Data quality: for every metric how many records could not be used, why, and the way to them.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import { askQuery, useCatalogue, useLabel } from '../lib/data';
import { useFormat } from '../lib/format';
import { Failure, Loading, Panel, Table } from '../ui/Parts';
import { PeriodPicker } from '../ui/PeriodPicker';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { usePeriod } from './Overview';

export function Quality() {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const navigate = useNavigate();
  const { search, range, calendar } = usePeriod();
  const catalogue = useCatalogue();
  const { data, error, refetch } = useQuery({ ...askQuery({ ...range, calendar, metrics: catalogue?.map((m) => m.id).join(',') ?? '' }), enabled: !!catalogue });
  const rows = (data?.metrics ?? []).flatMap((m) => Object.entries(m.total.excluded).map(([reason, n]) => ({ id: m.id, reason, n, share: n / (n + m.total.n) })));
  rows.sort((a, b) => b.share - a.share);
  const names = new Map(catalogue?.map((m) => [m.id, m.name]));
  const heading = (id: string) => intl.formatMessage({ id });
  return (
    <Page title={heading('quality.title')} controls={<PeriodPicker search={search} onChange={(next) => void navigate({ to: '/quality', search: next })} />}>
      <p className={ui.quiet}>{heading('quality.note')}</p>
      {error ? <Failure error={error} retry={() => void refetch()} /> : !data ? <Loading /> : (
        <Panel title={intl.formatMessage({ id: 'quality.found' }, { count: rows.length })}>
          <Table label={heading('quality.title')}>
            <thead><tr><th>{heading('quality.metric')}</th><th>{heading('quality.reason')}</th><th className={table.right}>{heading('quality.records')}</th><th className={table.right}>{heading('quality.share')}</th></tr></thead>
            <tbody>
              {rows.map((r) => (
                <tr key={`${r.id} ${r.reason}`}>
                  <td><Link className={table.link} to="/metrics/$id" params={{ id: r.id }} search={{ ...search, side: `excluded:${r.reason}` }}>{names.get(r.id) ?? r.id}</Link></td>
                  <td>{label(`reason.${r.reason}`)}</td>
                  <td className={`${table.right} num`}>{format.number(r.n)}</td>
                  <td className={`${table.right} num`}>{format.percent(r.share)}</td>
                </tr>
              ))}
            </tbody>
          </Table>
        </Panel>
      )}
    </Page>
  );
}
