// Small parts that every page uses: delta, select, states.
import type { ReactNode } from 'react';
import { ArrowDown, ArrowUp, Minus } from 'lucide-react';
import { useIntl } from 'react-intl';
import { ApiError, type Bucket, type Good, type Unit } from '../lib/api';
import { toneOf, useFormat } from '../lib/format';
import table from './table.module.css';
import css from './ui.module.css';

export function Delta({ bucket, unit, good }: { bucket: Bucket; unit: Unit; good: Good }) {
  const intl = useIntl();
  const format = useFormat();
  const { change } = bucket;
  if (!change) return null;
  const certainty = change.certain === null ? undefined : intl.formatMessage({ id: change.certain ? 'delta.real' : 'delta.noise' });
  const Arrow = change.absolute > 0 ? ArrowUp : change.absolute < 0 ? ArrowDown : Minus;
  return (
    <span className={`${css.delta} ${css[toneOf(good, change)]}`} title={certainty}>
      <Arrow size={11} aria-hidden />
      <span className="num">{format.delta(unit, change)}</span>
      {certainty && <span className="sr">{certainty}</span>}
    </span>
  );
}

interface Option { value: string; label: string }
/** `anyScript`: what it offers is written in many scripts, in letters of the system, so that no fonts are fetched for them. */
export function Select({ label, value, options, onChange, hideLabel, anyScript }: { label: string; value: string; options: Option[]; onChange(value: string): void; hideLabel?: boolean; anyScript?: boolean }) {
  return (
    <label className={css.select}>
      <span className={hideLabel ? 'sr' : undefined}>{label}</span>
      <select className={anyScript ? css.system : undefined} value={value} onChange={(e) => onChange(e.target.value)}>
        {options.map((o) => <option key={o.value} value={o.value}>{o.label}</option>)}
      </select>
    </label>
  );
}

export function Loading() {
  const intl = useIntl();
  return <div className={css.state} role="status">{intl.formatMessage({ id: 'loading' })}</div>;
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const intl = useIntl();
  const offline = error instanceof ApiError && error.problem.status === 0;
  const detail = offline ? intl.formatMessage({ id: 'error.offline' }) : error instanceof ApiError ? error.problem.detail || error.problem.title : '';
  return (
    <div className={css.state} role="alert">
      <strong>{intl.formatMessage({ id: 'error.title' })}</strong>
      {detail && <span>{detail}</span>}
      {retry && <button type="button" className={css.button} onClick={retry}>{intl.formatMessage({ id: 'error.retry' })}</button>}
    </div>
  );
}

export function Panel({ title, aside, children, className = '' }: { title?: ReactNode; aside?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`${css.panel} ${css.pad} ${className}`}>
      {(title || aside) && <div className={css.head}>{title && <h2 className={css.title}>{title}</h2>}{aside}</div>}
      {children}
    </section>
  );
}

/** A table that scrolls by itself where it is wider than the page; `label` tells it from the others. */
export function Table({ label, className = '', children }: { label: string; className?: string; children: ReactNode }) {
  return <div className={table.scroll} tabIndex={0} role="region" aria-label={label}><table className={`${table.table} ${className}`}>{children}</table></div>;
}
