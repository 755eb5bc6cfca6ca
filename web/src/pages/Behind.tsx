// The records behind a number. What is made of other numbers shows those first; each can be looked into, down to records.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { get, type Definition, type Drill, type DrillPart, type MetricAnswer } from '../lib/api';
import { useLabel, useModel } from '../lib/data';
import { useFormat } from '../lib/format';
import { Failure, Loading, Panel, Table } from '../ui/Parts';
import table from '../ui/table.module.css';
import ui from '../ui/ui.module.css';
import css from './metric.module.css';

type Asked = { from: string; to: string; metrics: string; variant?: string };

export function Behind({ definition, metric, asked, first = 'numerator' }: { definition: Definition; metric: MetricAnswer; asked: Asked; first?: string }) {
  const intl = useIntl();
  const label = useLabel();
  const [side, setSide] = useState(first);
  const [part, setPart] = useState('');
  const [limit, setLimit] = useState(20);
  const query = { from: asked.from, to: asked.to, variant: asked.variant, side, part: part || undefined, limit };
  const { data, error } = useQuery({ queryKey: ['live', 'drill', definition.id, query], queryFn: () => get<Drill>(`/api/metrics/${definition.id}/drill`, query) });
  const excluded = part ? [] : Object.keys(metric.total.excluded).map((r) => `excluded:${r}`);
  const sides = ['numerator', ...(part || metric.total.denominator !== null ? ['denominator'] : []), ...excluded];
  const name = (s: string) => (s.startsWith('excluded:') ? `${intl.formatMessage({ id: 'metric.leftout' })}: ${label(`reason.${s.slice(9)}`)}` : intl.formatMessage({ id: `metric.${s}` }));
  const look = (next: string, at = 'numerator') => { setPart(next); setSide(at); setLimit(20); };
  const made = (data?.parts?.length ?? 0) > 0;
  return (
    <Panel title={intl.formatMessage({ id: 'metric.records' })} aside={
      data && sides.length > 1 && (!made || excluded.length > 0) ? <div className={css.tabs}>{sides.map((s) => <button key={s} type="button" className={css.tab} aria-pressed={s === side} onClick={() => { setSide(s); setLimit(20); }}>{name(s)}</button>)}</div> : null
    }>
      {part && <Way part={part} onChange={look} />}
      {error ? <Failure error={error} /> : !data ? <Loading /> : made ? <Parts drill={data} onLook={look} /> : <Rows drill={data} side={side} metric={metric} whole={!part} onLook={look} onMore={() => setLimit((n) => Math.min(1000, n * 4))} />}
    </Panel>
  );
}

/** The way down to a part, each step of which leads back up. */
function Way({ part, onChange }: { part: string; onChange(part: string): void }) {
  const intl = useIntl();
  const steps = part.split('.');
  return (
    <p className={css.tabs}>
      <button type="button" className={ui.button} onClick={() => onChange('')}>{intl.formatMessage({ id: 'metric.whole' })}</button>
      {steps.map((step, i) => <button key={i} type="button" className={ui.button} aria-current={i + 1 === steps.length ? 'page' : undefined} onClick={() => onChange(steps.slice(0, i + 1).join('.'))}>{/^[0-9a-f-]{36}$/.test(step) ? intl.formatMessage({ id: 'metric.goal' }) : step}</button>)}
    </p>
  );
}

function Parts({ drill, onLook }: { drill: Drill; onLook(part: string, side?: string): void }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const is = (p: DrillPart) => {
    const [kind, name] = p.metric.split(':');
    if (kind === 'setting') return label(`field.${name}`);
    if (kind === 'period') return intl.formatMessage({ id: `period.${name}` });
    if (kind === 'group') return p.name;
    const variant = p.variant && intl.messages[`variant.${p.variant}`] ? ` (${intl.formatMessage({ id: `variant.${p.variant}` })})` : '';
    return `${label(`metric.${p.metric}`)}${variant}${p.side ? `: ${intl.formatMessage({ id: `metric.${p.side}` })}` : ''}`;
  };
  const value = (p: DrillPart) => (p.value === null ? label(`reason.${p.reason ?? 'no_data'}`) : p.unit && !p.side ? format.value(p.unit, p.value) : format.plain(p.value));
  return (
    <>
      <p className={ui.quiet}>{intl.formatMessage({ id: 'metric.inputs' })}{drill.formula ? <>: <span className={css.code}>{drill.formula}</span></> : null}</p>
      <Table label={intl.formatMessage({ id: 'metric.inputs' })}>
        <tbody>
          {drill.parts?.map((p) => (
            <tr key={p.name}>
              <td>{is(p)} <span className={css.code}>({p.name})</span></td>
              <td className="num">{p.start && p.end ? `${format.instant(p.start)} – ${format.instant(p.end)}` : ''}</td>
              <td className={`${table.right} num`}>{value(p)}</td>
              <td className={table.right}>{p.part && <button type="button" className={ui.button} onClick={() => onLook(p.part!, p.side ?? 'numerator')}>{intl.formatMessage({ id: 'metric.look' })}</button>}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}

function Rows({ drill, side, metric, whole, onLook, onMore }: { drill: Drill; side: string; metric: MetricAnswer; whole: boolean; onLook(part: string): void; onMore(): void }) {
  const intl = useIntl();
  const label = useLabel();
  const format = useFormat();
  const model = useModel();
  const plural = (object: string) => model?.objects.find((o) => o.name === object)?.plural ?? object;
  const unknown = whole && side === 'numerator' && metric.total.numerator === null;
  return (
    <>
      <p className={ui.quiet}>{unknown ? label(`reason.${metric.total.reason ?? 'no_data'}`) : intl.formatMessage({ id: 'metric.sum' }, { count: format.number(drill.total), sum: format.plain(drill.sum) })}</p>
      <Table label={intl.formatMessage({ id: 'metric.records' })}>
        <thead><tr><th>{label('field.name')}</th><th>{label('field.at')}</th><th className={table.right}>{intl.formatMessage({ id: 'metric.adds' })}</th></tr></thead>
        <tbody>
          {drill.rows.map((r, i) => (
            <tr key={`${r.id}-${i}`}>
              <td><Link className={table.link} to="/records/$object/$id" params={{ object: plural(r.object), id: r.id }}>{r.title}</Link> <span className={ui.quiet}>{label(`object.${r.object}`)}</span> {r.part && <button type="button" className={ui.button} onClick={() => onLook(r.part!)}>{intl.formatMessage({ id: 'metric.look' })}</button>}</td>
              <td className="num">{r.at ? format.instant(r.at) : ''}</td>
              <td className={`${table.right} num`}>{format.plain(r.adds)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
      {drill.rows.length < drill.total && <button type="button" className={ui.button} onClick={onMore}>{intl.formatMessage({ id: 'records.more' })}</button>}
    </>
  );
}
