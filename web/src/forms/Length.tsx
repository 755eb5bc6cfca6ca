// How long something takes, as hours and minutes; kept in seconds.
import { useState } from 'react';
import { latin } from '../lib/digits';
import ui from '../ui/ui.module.css';

/** `1:30` for 5400, with seconds only where there are some. */
export function written(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return [h, ...(s ? [m, s] : [m])].map((n, i) => (i ? String(n).padStart(2, '0') : String(n))).join(':');
}

/** Hours and minutes, or minutes alone; digits of any script. Null for nothing, undefined for what is no length. */
export function read(text: string): number | null | undefined {
  const plain = latin(text).trim();
  if (!plain) return null;
  if (/^\d{1,6}$/.test(plain)) return Number(plain) * 60;
  const [, h, m, s] = /^(\d{1,5}):([0-5]\d)(?::([0-5]\d))?$/.exec(plain) ?? [];
  return h === undefined ? undefined : Number(h) * 3600 + Number(m) * 60 + Number(s ?? 0);
}

interface Props { id: string; wrong?: string; required?: boolean; autoFocus?: boolean; value: unknown; onChange(value: unknown): void }

export function Length({ id, wrong, required, autoFocus, value, onChange }: Props) {
  const [text, setText] = useState(value === null || value === undefined ? '' : written(Number(value)));
  const odd = read(text) === undefined;
  return <input id={id} className={`${ui.field} num`} inputMode="text" placeholder="0:45" required={required} autoFocus={autoFocus} aria-describedby={wrong} aria-invalid={!!wrong || odd} value={text}
    onChange={(e) => { setText(e.target.value); const seconds = read(e.target.value); onChange(seconds === undefined ? e.target.value : seconds); }} />;
}
