// The overview: tiles with change, line and certainty; trend; funnel; breakdown. All of one snapshot.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useIntl } from 'react-intl';
import type { MetricAnswer } from '../lib/api';
import { askQuery, useLabel, useModel, useSession } from '../lib/data';
import { toneOf, useCalendar, useFormat } from '../lib/format';
import { grainOf, rangeOf, type PeriodSearch } from '../lib/period';
import { Chart, Legend, Spark, Track } from '../ui/Chart';
import { Delta, Failure, Loading, Panel, Select } from '../ui/Parts';
import { PeriodPicker } from '../ui/PeriodPicker';
import { Page } from '../ui/Shell';
import ui from '../ui/ui.module.css';
import css from './overview.module.css';

export function usePeriod() {
  const search = useSearch({ strict: false }) as PeriodSearch;
  const { workspace } = useSession();
  const calendar = useCalendar();
  const range = rangeOf(search, workspace.today, calendar);
  const compare = search.compare ?? 'previous';
  return { search, range, calendar, compare, grain: grainOf(range) };
}

export function CompareSelect({ value, onChange }: { value: string; onChange(value: 'previous' | 'year' | 'none'): void }) {
  const intl = useIntl();
  return (
    <Select hideLabel label={intl.formatMessage({ id: 'compare.label' })} value={value} onChange={(v) => onChange(v as 'previous')}
      options={(['previous', 'year', 'none'] as const).map((v) => ({ value: v, label: intl.formatMessage({ id: `compare.${v}` }) }))} />
  );
}

export function Overview() {
  const intl = useIntl();
  const model = useModel();
  const navigate = useNavigate();
  const { search, range, calendar, compare, grain } = usePeriod();
  const board = model?.dashboards.overview;
  const base = { ...range, calendar };
  const tiles = useQuery({ ...askQuery({ ...base, metrics: [...new Set([...(board?.tiles ?? []), board?.trend ?? 'revenue'])].join(','), grain, compare }), enabled: !!board });
  const change = (next: PeriodSearch) => void navigate({ to: '/', search: next });
  const controls = (
    <>
      <CompareSelect value={compare} onChange={(v) => change({ ...search, compare: v })} />
      <PeriodPicker search={search} onChange={change} />
    </>
  );
  const find = (id?: string) => tiles.data?.metrics.find((m) => m.id === id);
  return (
    <Page title={intl.formatMessage({ id: 'nav.overview' })} controls={controls}>
      {tiles.error ? <Failure error={tiles.error} retry={() => void tiles.refetch()} /> : !tiles.data || !board ? <Loading /> : (
        <>
          <div className={`${ui.panel} ${css.tiles}`}>{board.tiles.map((id) => { const m = find(id); return m && <Tile key={id} metric={m} search={search} />; })}</div>
          <div className={css.two}>
            <Trend metric={find(board.trend)} grain={grain} compared={compare !== 'none'} />
            <Funnel ids={board.funnel} base={base} />
          </div>
          <Breakdown id={board.breakdown} by={board.breakdown_by} base={base} search={search} />
        </>
      )}
    </Page>
  );
}

function Tile({ metric, search }: { metric: MetricAnswer; search: PeriodSearch }) {
  const label = useLabel();
  const intl = useIntl();
  const format = useFormat();
  const { total } = metric;
  const bad = total.change ? toneOf(metric.good, total.change) === 'bad' : false;
  const notes = [
    !total.mature && total.mature_share !== undefined && intl.formatMessage({ id: 'cell.immature' }, { share: format.percent(total.mature_share, 0) }),
    total.low_n && intl.formatMessage({ id: 'cell.low' }),
    total.value === null && label(`reason.${total.reason ?? 'no_data'}`),
    ...(total.flags ?? []).map((f) => label(`flag.${f}`)),
    intl.formatMessage({ id: 'cell.n' }, { count: total.n }),
  ].filter(Boolean);
  return (
    <Link to="/metrics/$id" params={{ id: metric.id }} search={search} className={css.tile}>
      <span className={css.name}>{label(`metric.${metric.id}`)}</span>
      <span className={css.figure}>
        <span className={`${css.value} num`}>{total.value === null ? '–' : format.value(metric.unit, total.value, true)}</span>
        <Delta bucket={total} unit={metric.unit} good={metric.good} />
      </span>
      <Spark buckets={metric.buckets} bad={bad} />
      <span className={css.sure}>{notes.join(' · ')}</span>
    </Link>
  );
}

function Trend({ metric, grain, compared }: { metric?: MetricAnswer; grain: string; compared: boolean }) {
  const label = useLabel();
  const format = useFormat();
  if (!metric) return null;
  const name = label(`metric.${metric.id}`);
  return (
    <Panel title={name} aside={<Legend compared={compared} />}>
      <div className={css.figure}>
        <span className={`${css.value} num`}>{metric.total.value === null ? '–' : format.value(metric.unit, metric.total.value)}</span>
        <Delta bucket={metric.total} unit={metric.unit} good={metric.good} />
      </div>
      <Chart buckets={metric.buckets} unit={metric.unit} grain={grain} label={name} />
    </Panel>
  );
}

type Base = { from: string; to: string; calendar: string };

function Funnel({ ids, base }: { ids: string[]; base: Base }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const { data } = useQuery(askQuery({ ...base, metrics: ids.join(',') }));
  // The first is the whole, and all others are counted of it.
  const steps = ids.map((step) => {
    const [id = '', variant] = step.split(':');
    const cell = data?.metrics.find((m) => m.id === id && (m.variant ?? undefined) === variant)?.total;
    return { id, variant, cell, count: cell?.denominator == null ? cell?.value ?? 0 : cell.numerator ?? 0 };
  });
  const whole = steps[0]?.count ?? 0;
  const last = steps.at(-1)?.cell;
  const open = last?.mature_share === undefined ? 0 : Math.round(whole * (1 - last.mature_share));
  return (
    <Panel title={intl.formatMessage({ id: 'funnel.title' })}>
      <div className={css.funnel}>
        {steps.map((step, i) => {
          const before = steps[i - 1]?.count;
          return (
            <div key={ids[i]} className={ui.step}>
              <div><span>{step.variant ? intl.formatMessage({ id: `variant.${step.variant}` }) : label(`metric.${step.id}`)}</span><span className="num">{format.number(step.count)}{i > 0 && whole > 0 ? ` · ${format.percent(step.count / whole, 0)}` : ''}</span></div>
              <Track share={whole ? step.count / whole : 0} />
              {before ? <span className={ui.quiet}>{intl.formatMessage({ id: 'funnel.step' }, { share: format.percent(step.count / before, 0) })}</span> : null}
            </div>
          );
        })}
        {open > 0 && <span className={ui.quiet}>{intl.formatMessage({ id: 'funnel.open' }, { count: open })}</span>}
      </div>
    </Panel>
  );
}

function Breakdown({ id, by, base, search }: { id: string; by: string; base: Base; search: PeriodSearch }) {
  const intl = useIntl();
  const label = useLabel();
  const { data } = useQuery(askQuery({ ...base, metrics: id, by }));
  const metric = data?.metrics[0];
  const title = `${label(`metric.${id}`)} – ${intl.formatMessage({ id: 'by.title' }, { dimension: label(`field.${by}`) })}`;
  return (
    <Panel title={<Link to="/metrics/$id" params={{ id }} search={{ ...search, by }}>{title}</Link>}>
      {metric ? <Bars metric={metric} by={by} /> : <Loading />}
    </Panel>
  );
}

/** Values of a breakdown, largest first. */
export function Bars({ metric, by, most = 12 }: { metric: MetricAnswer; by: string; most?: number }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const sorted = [...metric.buckets].sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
  const top = Math.max(...sorted.map((b) => Math.abs(b.value ?? 0)), 0);
  const name = (text = '') => (text === '(none)' ? intl.formatMessage({ id: 'none' }) : label(`option.${text}`, text));
  return (
    <div className={ui.bars}>
      {sorted.slice(0, most).map((b) => (
        <div key={b.by_id?.[by] ?? b.by[by]} className={ui.bar}>
          <span title={b.by[by]}>{name(b.by[by])}</span>
          <Track share={top ? Math.abs(b.value ?? 0) / top : 0} />
          <span className="num">{b.value === null ? '–' : format.value(metric.unit, b.value, true)} <span className={ui.quiet}>n {format.number(b.n)}</span></span>
        </div>
      ))}
      {sorted.length > most && <span className={ui.quiet}>{intl.formatMessage({ id: 'by.rest' }, { count: sorted.length - most })}</span>}
    </div>
  );
}
