// Several other records, each chosen by what it is called.
import { X } from 'lucide-react';
import { useState } from 'react';
import { useIntl } from 'react-intl';
import { useTitles } from '../lib/cell';
import { Pick } from './Pick';
import css from './forms.module.css';

export function Several({ labelled, wrong, to, value, onChange }: { labelled: string; wrong?: string; to: string; value: string[]; onChange(value: unknown): void }) {
  const intl = useIntl();
  const titles = useTitles(to, value);
  const [round, setRound] = useState(0);
  const set = (next: string[]) => onChange(next.length > 0 ? next : null);
  return (
    <span className={css.several}>
      {value.map((id) => (
        <span key={id} className={css.chip}>{titles[id]}<button type="button" aria-label={intl.formatMessage({ id: 'form.without' }, { name: titles[id] ?? '' })} onClick={() => set(value.filter((v) => v !== id))}><X size={12} aria-hidden /></button></span>
      ))}
      <Pick key={round} labelled={labelled} wrong={wrong} to={to} value={null} onChange={(id) => { if (id) { set([...new Set([...value, id])]); setRound(round + 1); } }} />
    </span>
  );
}
