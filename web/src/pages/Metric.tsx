// One metric: trend, comparison, breakdown, what it is, its formula with the numbers put in, what was left
// out, and the records behind it.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import type { Definition, MetricAnswer } from '../lib/api';
import { askQuery, useCatalogue, useLabel } from '../lib/data';
import { useFormat } from '../lib/format';
import type { PeriodSearch } from '../lib/period';
import { Chart, Legend } from '../ui/Chart';
import { Delta, Failure, Loading, Panel, Select, Table } from '../ui/Parts';
import { PeriodPicker } from '../ui/PeriodPicker';
import { Page } from '../ui/Shell';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import { Behind } from './Behind';
import { Cohorts } from './Cohorts';
import { Purchases, Unallocated } from './Notes';
import { Bars, CompareSelect, usePeriod } from './Overview';
import css from './metric.module.css';

export interface MetricSearch extends PeriodSearch { by?: string; variant?: string; grain?: string; side?: string }
const GRAINS = ['day', 'week', 'month', 'quarter', 'year'];

export function Metric() {
  const intl = useIntl();
  const label = useLabel();
  const navigate = useNavigate();
  const { id } = useParams({ strict: false }) as { id: string };
  const search = useSearch({ strict: false }) as MetricSearch;
  const period = usePeriod();
  const { range, calendar, compare } = period;
  const grain = search.grain ?? period.grain;
  const definition = useCatalogue()?.find((m) => m.id === id);
  const asked = { ...range, calendar, metrics: id, variant: search.variant };
  const trend = useQuery(askQuery({ ...asked, grain, compare }));
  const change = (next: MetricSearch) => void navigate({ to: '/metrics/$id', params: { id }, search: next });
  const metric = trend.data?.metrics[0];
  const option = (value: string, text: string) => ({ value, label: text });
  return (
    <Page title={definition?.name ?? label(`metric.${id}`)} controls={
      <>
        <CompareSelect value={compare} onChange={(v) => change({ ...search, compare: v })} />
        <PeriodPicker search={search} onChange={(next) => change({ ...search, ...next })} />
      </>
    }>
      {trend.error ? <Failure error={trend.error} retry={() => void trend.refetch()} /> : !metric || !definition ? <Loading /> : (
        <>
          <Panel title={intl.formatMessage({ id: 'metric.trend' })} aside={
            <div className={ui.legend}>
              {definition.variants.length > 0 && (
                <Select label={intl.formatMessage({ id: 'variant.label' })} value={search.variant ?? ''} onChange={(v) => change({ ...search, variant: v || undefined })}
                  options={[option('', intl.formatMessage({ id: 'variant.default' })), ...definition.variants.map((v) => option(v, intl.messages[`variant.${v}`] ? intl.formatMessage({ id: `variant.${v}` }) : v))]} />
              )}
              <Select label={intl.formatMessage({ id: 'grain.label' })} value={grain} onChange={(v) => change({ ...search, grain: v })} options={GRAINS.map((g) => option(g, intl.formatMessage({ id: `grain.${g}` })))} />
            </div>
          }>
            <Head metric={metric} />
            <Chart buckets={metric.buckets} unit={metric.unit} grain={grain} label={label(`metric.${id}`)} />
            <Legend compared={compare !== 'none'} />
          </Panel>
          <div className={css.two}>
            <About definition={{ ...definition, ...(definition.readings?.[search.variant ?? ''] ?? {}), explanation: definition.explanation }} metric={metric} />
            <Split definition={definition} asked={{ ...asked, compare }} by={search.by} onChange={(by) => change({ ...search, by })} />
          </div>
          {definition.dims.includes('segment') && <Cohorts key={id} definition={definition} asked={asked} grain={grain} />}
          <Behind key={`${id} ${search.variant ?? ''}`} definition={definition} metric={metric} asked={asked} first={search.side} />
        </>
      )}
    </Page>
  );
}

function Head({ metric }: { metric: MetricAnswer }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const { total } = metric;
  const show = (v: number) => format.value(metric.unit, v);
  return (
    <div className={css.top}>
      <div className={css.figure}>
        <span className={`${css.value} num`}>{total.value === null ? intl.formatMessage({ id: 'metric.none' }) : show(total.value)}</span>
        <Delta bucket={total} unit={metric.unit} good={metric.good} />
        {total.compare?.value !== null && total.compare?.value !== undefined && <span className={ui.quiet}>{intl.formatMessage({ id: 'chart.before' })}: <span className="num">{show(total.compare.value)}</span></span>}
      </div>
      <div className={css.notes}>
        {total.value === null && <span>{label(`reason.${total.reason ?? 'no_data'}`)}</span>}
        <span>{intl.formatMessage({ id: 'cell.n' }, { count: total.n })}</span>
        {total.median !== undefined && <span>{intl.formatMessage({ id: 'cell.median' }, { value: show(total.median) })}</span>}
        {total.interval && <span>{intl.formatMessage({ id: 'cell.interval' }, { low: show(total.interval[0]), high: show(total.interval[1]) })}</span>}
        {total.change && total.change.certain !== null && <span>{intl.formatMessage({ id: total.change.certain ? 'delta.real' : 'delta.noise' })}</span>}
        {!total.complete && <span>{intl.formatMessage({ id: 'chart.running' })}</span>}
        {!total.mature && total.mature_share !== undefined && <span>{intl.formatMessage({ id: 'cell.immature' }, { share: format.percent(total.mature_share, 0) })}</span>}
        {total.low_n && <span>{intl.formatMessage({ id: 'cell.low' })}</span>}
        {total.flags?.map((f) => <span key={f}>{label(`flag.${f}`)}</span>)}
      </div>
    </div>
  );
}

function About({ definition, metric }: { definition: Definition; metric: MetricAnswer }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const { total } = metric;
  const value = total.value === null ? '–' : format.value(metric.unit, total.value);
  const part = (side: string) => definition.measures.filter((m) => m.side === side);
  const words = (m: Definition['measures'][number]) => `${m.minus ? '− ' : ''}${m.agg}(${m.from}${m.value ? `.${m.value}` : ''}) · ${m.time}${m.where ? ` · ${m.where}` : ''}`;
  const parts = Object.entries(total.parts ?? {});
  return (
    <Panel title={intl.formatMessage({ id: 'metric.definition' })}>
      <p>{definition.explanation}</p>
      {definition.measures.some((m) => m.from === 'purchase') && <Purchases />}
      <h3 className={css.h3}>{intl.formatMessage({ id: 'metric.formula' })}</h3>
      <div className={`${css.formula} num`}>
        {parts.length > 0 ? <span>{definition.formula}</span> : total.denominator !== null ? (
          <span className={css.fraction}><span>{format.plain(total.numerator ?? 0)}</span><span>{format.plain(total.denominator)}</span></span>
        ) : <span>{format.plain(total.numerator ?? 0)}</span>}
        <span>= {value}</span>
      </div>
      {parts.length > 0 && (
        <ul className={css.list}>
          {parts.map(([name, v]) => {
            const input = definition.inputs.find(([n]) => n === name)?.[1] ?? name;
            const title = input.startsWith('setting:') ? label(`field.${input.slice(8)}`) : input.startsWith('period:') ? intl.formatMessage({ id: `period.${input.slice(7)}` }) : input === name ? name : label(`metric.${input}`);
            return <li key={name}>{input.includes(':') || input === name ? title : <Link to="/metrics/$id" params={{ id: input }}>{title}</Link>} {input !== name && <span className={css.code}>({name})</span>} = <span className="num">{v === null ? '–' : format.plain(v)}</span></li>;
          })}
        </ul>
      )}
      <div className={css.list}>
        {[...part('num'), ...part('state'), ...part('den')].map((m, i) => <div key={i} className={css.code}>{words(m)}</div>)}
      </div>
      {definition.differs.length > 0 && (
        <>
          <h3 className={css.h3}>{intl.formatMessage({ id: 'metric.differs' })}</h3>
          <ul className={css.list}>{definition.differs.map((d) => <li key={d}>{label(`differs.${d}`)}</li>)}</ul>
        </>
      )}
      {definition.sources.length > 0 && <p className={ui.quiet}>{intl.formatMessage({ id: 'metric.sources' })}: {definition.sources.map((s) => label(`source.${s}`)).join(' · ')}</p>}
      {Object.keys(total.excluded).length > 0 && (
        <>
          <h3 className={css.h3}>{intl.formatMessage({ id: 'metric.leftout' })}</h3>
          <ul className={css.list}>{Object.entries(total.excluded).map(([reason, n]) => <li key={reason}><span className="num">{format.number(n)}</span> {label(`reason.${reason}`)}</li>)}</ul>
        </>
      )}
    </Panel>
  );
}

function Split({ definition, asked, by, onChange }: { definition: Definition; asked: { from: string; to: string; calendar: string; metrics: string; variant?: string; compare?: string }; by?: string; onChange(by?: string): void }) {
  const intl = useIntl();
  const label = useLabel();
  const chosen = by ?? definition.dims[0] ?? '';
  const { data, error } = useQuery({ ...askQuery({ ...asked, by: chosen }), enabled: !!chosen });
  const metric = data?.metrics[0];
  return (
    <Panel title={intl.formatMessage({ id: 'by.title' }, { dimension: label(`field.${chosen}`) })} aside={
      <Select hideLabel label={intl.formatMessage({ id: 'by.label' })} value={chosen} onChange={(v) => onChange(v)} options={definition.dims.map((d) => ({ value: d, label: label(`field.${d}`) }))} />
    }>
      {error ? <Failure error={error} /> : metric ? <><Unallocated buckets={metric.buckets} /><Bars metric={metric} by={chosen} most={15} /><Changed metric={metric} by={chosen} /></> : <Loading />}
    </Panel>
  );
}

/** What each part adds to the change of the whole; for ratios how much of it is mix and how much the part's own rate. */
function Changed({ metric, by }: { metric: MetricAnswer; by: string }) {
  const intl = useIntl();
  const format = useFormat();
  const parts = metric.buckets.filter((b) => b.contribution).sort((a, b) => Math.abs(b.contribution!.total) - Math.abs(a.contribution!.total)).slice(0, 12);
  if (parts.length === 0 || !metric.total.change) return null;
  const rates = parts.some((b) => b.contribution!.rate !== undefined);
  const show = (v?: number) => (v === undefined ? '' : format.part(metric.unit, v));
  return (
    <>
      <h3 className={css.h3}>{intl.formatMessage({ id: 'changed.title' }, { change: show(metric.total.change.absolute) })}</h3>
      <Table label={intl.formatMessage({ id: 'changed.label' })}>
        <thead><tr><th>{intl.formatMessage({ id: 'changed.part' })}</th><th className={table.right}>{intl.formatMessage({ id: 'changed.adds' })}</th>{rates && <><th className={table.right}>{intl.formatMessage({ id: 'changed.mix' })}</th><th className={table.right}>{intl.formatMessage({ id: 'changed.rate' })}</th></>}</tr></thead>
        <tbody>
          {parts.map((b) => (
            <tr key={b.by[by]}><td>{b.by[by]}</td><td className={`${table.right} num`}>{show(b.contribution!.total)}</td>{rates && <><td className={`${table.right} num`}>{show(b.contribution!.mix)}</td><td className={`${table.right} num`}>{show(b.contribution!.rate)}</td></>}</tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}
