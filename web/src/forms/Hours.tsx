// The opening hours of a week, or of single days, in lines instead of JSON.
import { useId, useState } from 'react';
import { useIntl } from 'react-intl';
import { useFormat } from '../lib/format';
import { daysOf, lineOf, read, spansOf, WEEK } from '../lib/hours';
import ui from '../ui/ui.module.css';
import css from './forms.module.css';

interface Props { labelled: string; wrong?: string; value: unknown; onChange(value: string | null): void }

export function Week({ labelled, wrong: refused, value, onChange }: Props) {
  const intl = useIntl();
  const format = useFormat();
  const id = useId();
  const [lines, setLines] = useState(() => { const kept = read(value); return WEEK.map((day) => lineOf(kept[day])); });
  const set = (i: number, line: string) => {
    const next = lines.map((l, k) => (k === i ? line : l));
    setLines(next);
    const spans = next.map(spansOf);
    if (spans.every((s) => s !== undefined)) onChange(JSON.stringify(Object.fromEntries(WEEK.map((day, k) => [day, spans[k]]).filter(([, s]) => s && s.length > 0))));
  };
  return (
    <div role="group" aria-labelledby={labelled} aria-describedby={refused} className={css.shares}>
      {WEEK.map((day, i) => {
        const wrong = spansOf(lines[i] ?? '') === undefined;
        return (
          <label key={day} className={css.hours}>
            {/* The first of January 2024 was a Monday. */}
            <span>{format.day(`2024-01-0${i + 1}`, { weekday: 'long' })}</span>
            <input className={`${ui.field} num`} dir="ltr" placeholder={intl.formatMessage({ id: 'hours.closed' })} aria-invalid={wrong} aria-describedby={wrong ? `${id}-${i}` : undefined} ref={(el) => el?.setCustomValidity(wrong ? intl.formatMessage({ id: 'hours.wrong' }) : '')} value={lines[i]} onChange={(e) => set(i, e.target.value)} />
            {wrong && <span id={`${id}-${i}`} role="alert" className={css.wrong}>{intl.formatMessage({ id: 'hours.wrong' })}</span>}
          </label>
        );
      })}
    </div>
  );
}

export function Days({ labelled, wrong: refused, value, onChange }: Props) {
  const intl = useIntl();
  const [text, setText] = useState(() => Object.entries(read(value)).map(([day, spans]) => `${day} ${lineOf(spans)}`.trim()).sort().join('\n'));
  const wrong = daysOf(text) === undefined;
  const set = (next: string) => {
    setText(next);
    const days = daysOf(next);
    if (days) onChange(Object.keys(days).length > 0 ? JSON.stringify(days) : null);
  };
  return (
    <>
      <textarea className={`${ui.field} ${css.area} num`} dir="ltr" rows={5} aria-labelledby={labelled} aria-describedby={refused} aria-invalid={wrong || !!refused} ref={(el) => el?.setCustomValidity(wrong ? intl.formatMessage({ id: 'hours.days' }) : '')} placeholder={'2026-12-24 09:00-12:00\n2026-12-25'} value={text} onChange={(e) => set(e.target.value)} />
      {wrong && <span role="alert" className={css.wrong}>{intl.formatMessage({ id: 'hours.days' })}</span>}
    </>
  );
}
