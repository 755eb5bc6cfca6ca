// A customer's own numbers: the same metrics as everywhere, for this customer alone.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import { askQuery, useLabel, useSession } from '../lib/data';
import { quote } from '../lib/filter';
import { useCalendar, useFormat } from '../lib/format';
import { rangeOf } from '../lib/period';
import { Delta, Failure, Panel } from '../ui/Parts';
import ui from '../ui/ui.module.css';
import css from './own.module.css';

const METRICS = ['revenue', 'average_purchase_value', 'purchase_frequency', 'pipeline_value', 'open_tickets', 'customer_health_score', 'csat', 'predicted_clv'];

export function Own({ id }: { id: string }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const calendar = useCalendar();
  const { workspace } = useSession();
  const range = rangeOf({ p: '12m' }, workspace.today, calendar);
  const { data, error } = useQuery(askQuery({ ...range, calendar, compare: 'previous', metrics: METRICS.join(','), where: `customer = ${quote(id)}` }));
  if (error) return <Panel title={intl.formatMessage({ id: 'own.title' })}><Failure error={error} /></Panel>;
  return (
    <Panel title={intl.formatMessage({ id: 'own.title' })} aside={<span className={`${ui.quiet} num`}>{format.range(range.from, range.to)}</span>}>
      <div className={css.own}>
        {(data?.metrics ?? METRICS.map((m) => ({ id: m, total: undefined, unit: 'count' as const, good: 'neutral' as const }))).map((m) => (
          <Link key={m.id} to="/metrics/$id" params={{ id: m.id }} className={css.tile}>
            <span className={ui.quiet}>{label(`metric.${m.id}`)}</span>
            <span className={`${css.value} num`}>{!m.total ? '…' : m.total.value === null ? '–' : format.value(m.unit, m.total.value, true)}</span>
            {m.total?.value === null ? <span className={ui.quiet}>{label(`reason.${m.total.reason ?? 'no_data'}`)}</span> : m.total && <Delta bucket={m.total} unit={m.unit} good={m.good} />}
          </Link>
        ))}
      </div>
    </Panel>
  );
}
