// Why a form was not saved: how many of its fields are at fault and which, each a way to it, or what is wrong with the whole.
import { useIntl } from 'react-intl';
import type { FieldInfo } from '../lib/api';
import css from './forms.module.css';

interface Props { tries: number; whole?: string; fields: FieldInfo[]; onGo(name: string): void }

export function Troubles({ tries, whole, fields, onGo }: Props) {
  const intl = useIntl();
  if (!whole && fields.length === 0) return null;
  return (
    // Another refusal is said anew, though its words may be the same.
    <div key={tries} className={css.problem} role="alert">
      {whole ?? intl.formatMessage({ id: 'form.troubles' }, { count: fields.length })}
      {fields.length > 0 && <span className={css.ways}>{fields.map((f) => <button key={f.name} type="button" onClick={() => onGo(f.name)}>{f.label}</button>)}</span>}
    </div>
  );
}
