// Conditions on a list, one a line, all of which must hold; they live in the address, so a list can be passed on.
import { Plus, X } from 'lucide-react';
import { useIntl } from 'react-intl';
import { Figure } from './Figure';
import { Length } from './Length';
import { Moment } from './Moment';
import { Pick } from './Pick';
import type { FieldInfo, ObjectInfo } from '../lib/api';
import { useLabel } from '../lib/data';
import { conditionOf, OPERATORS, operatorsOf, type Condition } from '../lib/filter';
import ui from '../ui/ui.module.css';
import css from './filters.module.css';

interface Props { object: ObjectInfo; conditions: Condition[]; onChange(next: Condition[]): void }

export function Filters({ object, conditions, onChange }: Props) {
  const intl = useIntl();
  const fields = object.fields.filter((f) => f.filterable && operatorsOf(f).length > 0);
  const set = (i: number, next: Condition) => onChange(conditions.map((c, k) => (k === i ? next : c)));
  return (
    <div className={css.filters}>
      {conditions.map((c, i) => {
        const field = fields.find((f) => f.name === c.field);
        return (
          <div key={i} className={css.row} role="group" aria-label={intl.formatMessage({ id: 'filter.condition' }, { number: i + 1 })}>
            <select className={ui.field} aria-label={intl.formatMessage({ id: 'filter.field' })} value={c.field}
              onChange={(e) => { const f = fields.find((x) => x.name === e.target.value); if (f) set(i, { field: f.name, op: operatorsOf(f)[0] ?? 'is', value: '' }); }}>
              {fields.map((f) => <option key={f.name} value={f.name}>{f.label}</option>)}
            </select>
            <select className={ui.field} aria-label={intl.formatMessage({ id: 'filter.operator' })} value={c.op} onChange={(e) => set(i, { ...c, op: e.target.value as Condition['op'] })}>
              {(field ? operatorsOf(field) : OPERATORS).map((op) => <option key={op} value={op}>{intl.formatMessage({ id: `filter.${op}` })}</option>)}
            </select>
            {field && c.op !== 'empty' && c.op !== 'given' && <Value field={field} condition={c} onChange={(value, title) => set(i, { ...c, value, title })} />}
            <button type="button" className={ui.button} aria-label={intl.formatMessage({ id: 'filter.remove' })} onClick={() => onChange(conditions.filter((_, k) => k !== i))}><X size={14} aria-hidden /></button>
            {field && c.value && !conditionOf(field, c) && <span className={css.wrong} role="alert">{intl.formatMessage({ id: 'filter.unclear' })}</span>}
          </div>
        );
      })}
      <button type="button" className={ui.button} onClick={() => { const f = fields[0]; if (f) onChange([...conditions, { field: f.name, op: operatorsOf(f)[0] ?? 'is', value: '' }]); }}><Plus size={14} aria-hidden />{intl.formatMessage({ id: 'filter.add' })}</button>
    </div>
  );
}

function Value({ field, condition, onChange }: { field: FieldInfo; condition: Condition; onChange(value: string, title?: string): void }) {
  const intl = useIntl();
  const label = useLabel();
  const name = intl.formatMessage({ id: 'filter.value' });
  const id = `filter-${field.name}`;
  switch (field.type) {
    case 'choice': case 'bool': {
      const options = field.type === 'bool' ? ['true', 'false'] : field.options;
      return (
        <select className={ui.field} aria-label={name} value={condition.value} onChange={(e) => onChange(e.target.value)}>
          <option value="" />
          {options.map((o) => <option key={o} value={o}>{label(`option.${o}`, o)}</option>)}
        </select>
      );
    }
    case 'ref': return <span className={css.pick}><span id={id} className="sr">{name}</span><Pick labelled={id} to={field.to ?? ''} value={condition.value || null} title={condition.title} onChange={(value, title) => onChange(value ?? '', title)} /></span>;
    case 'date': case 'datetime': return <span className={css.pick}><span id={id} className="sr">{name}</span><Moment labelled={id} day value={condition.value} onChange={(day) => onChange(day ?? '')} /></span>;
    case 'duration': return <span className={css.pick}><label htmlFor={id} className="sr">{name}</label><Length id={id} value={condition.value ? Number(condition.value) : null} onChange={(seconds) => onChange(seconds === null ? '' : String(seconds))} /></span>;
    case 'int': case 'percent': case 'decimal': case 'money': return <Figure aria-label={name} value={condition.value} onChange={onChange} />;
    default: return <input className={ui.field} dir="auto" aria-label={name} value={condition.value} onChange={(e) => onChange(e.target.value)} />;
  }
}
