// Opening hours as people write them, `09:00-12:00, 13:00-17:00`, and as a schedule keeps them.
export type Spans = [string, string][];
export const WEEK = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const SPAN = /^(\d{1,2})(?::(\d{2}))?\s*[-–—]\s*(\d{1,2})(?::(\d{2}))?$/;

/** The spans of a line, in order; nothing when it cannot be understood or they overlap. An empty line is closed. */
export function spansOf(line: string): Spans | undefined {
  const found: Spans = [];
  let end = -1;
  for (const part of line.split(/[,;،]/).map((p) => p.trim()).filter(Boolean)) {
    const m = SPAN.exec(part);
    if (!m) return undefined;
    const [from, to] = [Number(m[1]) * 60 + Number(m[2] ?? 0), Number(m[3]) * 60 + Number(m[4] ?? 0)];
    if (Number(m[2] ?? 0) > 59 || Number(m[4] ?? 0) > 59 || from < end || to <= from || to > 1440) return undefined;
    const clock = (n: number) => `${String(Math.floor(n / 60)).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}`;
    found.push([clock(from), clock(to)]);
    end = to;
  }
  return found;
}

export const lineOf = (spans: unknown): string => (Array.isArray(spans) ? spans.map((s: unknown) => (Array.isArray(s) ? s.join('-') : '')).filter(Boolean).sort().join(', ') : '');

/** Days with other hours, one a line: `2026-12-24 09:00-12:00`; a day alone is closed. */
export function daysOf(text: string): Record<string, Spans> | undefined {
  const days: Record<string, Spans> = {};
  for (const line of text.split('\n').map((l) => l.trim()).filter(Boolean)) {
    const m = /^(\d{4}-\d{2}-\d{2})(?:\s+(.*))?$/.exec(line);
    const spans = spansOf(m?.[2] ?? '');
    if (!m?.[1] || !spans || Number.isNaN(Date.parse(m[1]))) return undefined;
    days[m[1]] = spans;
  }
  return days;
}

export function read(value: unknown): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(typeof value === 'string' && value ? value : '{}');
    return found && typeof found === 'object' && !Array.isArray(found) ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
