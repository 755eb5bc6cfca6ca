// Periods as people choose them, as days that the server understands. The server cuts them into buckets.
import { fromDate, GregorianCalendar, PersianCalendar, parseDate, startOfMonth, startOfYear, toCalendar, toCalendarDate, type CalendarDate } from '@internationalized/date';

export const PRESETS = ['month', 'last_month', 'quarter', 'ytd', '12m', '24m'] as const;
export type Preset = (typeof PRESETS)[number];
export interface PeriodSearch { p?: Preset; from?: string; to?: string; compare?: 'previous' | 'year' | 'none' }
export interface Range { from: string; to: string }

const iso = (date: CalendarDate) => toCalendar(date, new GregorianCalendar()).toString();

export const addDays = (day: string, n: number) => parseDate(day).add({ days: n }).toString();

/** Days from the day of an instant, where the business is, to another day; negative before it. */
export const daysSince = (instant: string, zone: string, day: string) => parseDate(day).compare(toCalendarDate(fromDate(new Date(instant), zone)));

export function rangeOf(search: PeriodSearch, today: string, calendar: 'gregorian' | 'solar_hijri'): Range {
  if (search.from && search.to) return { from: search.from, to: search.to };
  const now = toCalendar(parseDate(today), calendar === 'solar_hijri' ? new PersianCalendar() : new GregorianCalendar());
  const month = startOfMonth(now);
  const to = iso(now.add({ days: 1 }));
  switch (search.p ?? '12m') {
    case 'month': return { from: iso(month), to: iso(month.add({ months: 1 })) };
    case 'last_month': return { from: iso(month.subtract({ months: 1 })), to: iso(month) };
    case 'quarter': {
      const start = month.subtract({ months: (now.month - 1) % 3 });
      return { from: iso(start), to: iso(start.add({ months: 3 })) };
    }
    case 'ytd': return { from: iso(startOfYear(now)), to };
    case '24m': return { from: iso(month.subtract({ months: 23 })), to: iso(month.add({ months: 1 })) };
    default: return { from: iso(month.subtract({ months: 11 })), to: iso(month.add({ months: 1 })) };
  }
}

/** A grain with neither too many nor too few points. */
export function grainOf(range: Range): string {
  const days = (Date.parse(range.to) - Date.parse(range.from)) / 86_400_000;
  return days <= 45 ? 'day' : days <= 190 ? 'week' : days <= 1_200 ? 'month' : 'quarter';
}

export function searchOf(input: Record<string, unknown>): PeriodSearch {
  const text = (key: string) => (typeof input[key] === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(input[key]) ? input[key] : undefined);
  const preset = PRESETS.find((p) => p === input.p);
  const compare = (['previous', 'year', 'none'] as const).find((c) => c === input.compare);
  return { ...(preset && { p: preset }), ...(text('from') && { from: text('from') }), ...(text('to') && { to: text('to') }), ...(compare && { compare }) };
}
