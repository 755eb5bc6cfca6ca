// One field of a form, by its type: the same for every object. It speaks in the values that the server reads.
import { useId } from 'react';
import { useIntl } from 'react-intl';
import type { FieldInfo } from '../lib/api';
import { useLabel, useSession } from '../lib/data';
import { Figure } from './Figure';
import { Days, Week } from './Hours';
import { Length } from './Length';
import { Moment } from './Moment';
import { Pick } from './Pick';
import { Rights } from './Rights';
import { Rule } from './Rule';
import { Several } from './Several';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

export interface FieldProps { field: FieldInfo; value: unknown; title?: string; error?: string; autoFocus?: boolean; onChange(value: unknown): void }

export function Field({ field, value, title, error, autoFocus, onChange }: FieldProps) {
  const id = useId();
  const wrong = error ? `${id}-error` : undefined;
  return (
    <div className={css.field} data-field={field.name}>
      <label htmlFor={id} id={`${id}-label`}>{field.label}{field.required && <span aria-hidden> *</span>}</label>
      <Control id={id} labelled={`${id}-label`} wrong={wrong} field={field} value={value} title={title} autoFocus={autoFocus} onChange={onChange} />
      {error && <span id={wrong} className={css.wrong}>{error}</span>}
    </div>
  );
}

type ControlProps = Omit<FieldProps, 'error'> & { id: string; labelled: string; wrong?: string };

function Control({ id, labelled, wrong, field, value, title, autoFocus, onChange }: ControlProps) {
  const intl = useIntl();
  const label = useLabel();
  const { workspace } = useSession();
  const text = value === null || value === undefined ? '' : String(value);
  const common = { id, className: ui.field, 'aria-describedby': wrong, 'aria-invalid': !!wrong, required: field.required, autoFocus } as const;
  const plain = <input {...common} type={field.type === 'email' ? 'email' : field.type === 'url' ? 'url' : field.type === 'phone' ? 'tel' : 'text'} dir="auto" value={text} onChange={(e) => onChange(e.target.value)} />;
  if (field.condition_on) return <Rule on={field.condition_on} labelled={labelled} wrong={wrong} value={text} onChange={onChange}>{plain}</Rule>;
  switch (field.type) {
    case 'ref': return <Pick id={id} labelled={labelled} to={field.to ?? ''} value={text || null} title={title} required={field.required} wrong={wrong} onChange={onChange} />;
    case 'choice': return (
      <select {...common} value={text} onChange={(e) => onChange(e.target.value || null)}>
        {(!field.required || !text) && <option value="">{intl.formatMessage({ id: 'form.none' })}</option>}
        {field.options.map((o) => <option key={o} value={o}>{label(`option.${o}`, o)}</option>)}
      </select>
    );
    case 'bool': return <input id={id} type="checkbox" className={css.check} aria-describedby={wrong} aria-invalid={!!wrong} checked={value === true} onChange={(e) => onChange(e.target.checked)} />;
    case 'json':
      if (field.name === 'rights') return <Rights labelled={labelled} wrong={wrong} value={text} onChange={onChange} />;
      if (field.name === 'hours') return <Week labelled={labelled} wrong={wrong} value={text} onChange={onChange} />;
      if (field.name === 'holidays') return <Days labelled={labelled} wrong={wrong} value={text} onChange={onChange} />;
    // eslint-disable-next-line no-fallthrough -- other JSON is text
    case 'long_text': return <textarea {...common} className={`${ui.field} ${css.area}`} rows={4} value={text} onChange={(e) => onChange(e.target.value)} />;
    case 'duration': return <Length id={id} wrong={wrong} required={field.required} autoFocus={autoFocus} value={value} onChange={onChange} />;
    case 'refs': return <Several labelled={labelled} wrong={wrong} to={field.to ?? ''} value={Array.isArray(value) ? (value as string[]) : []} onChange={onChange} />;
    case 'int': case 'percent': return <Figure {...common} inputMode="numeric" value={text} onChange={onChange} />;
    case 'decimal': return <Figure {...common} value={text} onChange={onChange} />;
    case 'money': {
      const { amount = '', currency = workspace.currency } = (value ?? {}) as { amount?: string; currency?: string };
      const set = (next: { amount: string; currency: string }) => onChange(next.amount.trim() ? next : null);
      return (
        <span className={css.pair}>
          <Figure {...common} value={amount} onChange={(next) => set({ amount: next, currency })} />
          <input className={`${ui.field} ${css.code}`} aria-label={intl.formatMessage({ id: 'form.currency' })} maxLength={3} value={currency} onChange={(e) => set({ amount, currency: e.target.value.toUpperCase() })} />
        </span>
      );
    }
    case 'date': case 'datetime': return <Moment labelled={labelled} wrong={wrong} day={field.type === 'date'} value={text} onChange={onChange} />;
    case 'tags': return <input {...common} value={Array.isArray(value) ? value.join(', ') : text} placeholder={intl.formatMessage({ id: 'form.commas' })} onChange={(e) => onChange(e.target.value.split(',').map((t) => t.trimStart()).filter((t, i, all) => t || i === all.length - 1))} />;
    case 'shares': {
      const shares = (value ?? {}) as Record<string, number>;
      return (
        <span className={css.shares} role="group" aria-labelledby={labelled} aria-describedby={wrong}>
          {field.options.map((o) => (
            <label key={o}>
              <span>{label(`option.${o}`, o)}</span>
              <Figure inputMode="numeric" value={String(shares[o] ?? '')} onChange={(typed) => {
                const { [o]: _, ...rest } = shares;
                const n = Number(typed);
                const next = n > 0 ? { ...rest, [o]: n } : rest;
                onChange(Object.keys(next).length > 0 ? next : null);
              }} />
            </label>
          ))}
        </span>
      );
    }
    default: return plain;
  }
}
