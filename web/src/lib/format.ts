// Numbers, money, durations and dates in the reader's language and the workspace's currency, zone and calendar.
import { useMemo } from 'react';
import { useIntl } from 'react-intl';
import type { Bucket, Good, Unit } from './api';
import { useSession } from './data';
import { LOCALES, usePrefs } from './prefs';

/** Arabic letter mark: keeps a percent sign on its side in Persian. */
const ALM = '\u061c';

export type Tone = 'good' | 'bad' | 'plain';

export function useFormat() {
  const { lang } = usePrefs();
  const intl = useIntl();
  const { workspace } = useSession();
  const calendar = useCalendar();
  return useMemo(() => {
    const locale = LOCALES[lang];
    const dates = `${locale}-u-ca-${calendar === 'solar_hijri' ? 'persian' : 'gregory'}`;
    const number = (value: number, options: Intl.NumberFormatOptions = {}) => new Intl.NumberFormat(locale, options).format(value);
    const percent = (value: number, digits = 1) => {
      const text = number(value, { style: 'percent', maximumFractionDigits: digits }).replaceAll('\u200e', '');
      return lang === 'fa' ? ALM + text : text;
    };
    const money = (value: number, compact = false) =>
      number(value, {
        style: 'currency', currency: workspace.currency, currencyDisplay: 'narrowSymbol',
        ...(compact && Math.abs(value) >= 10_000 ? { notation: 'compact', maximumFractionDigits: 1 } : { maximumFractionDigits: Math.abs(value) >= 1000 || Number.isInteger(value) ? 0 : 2 }),
      });
    const duration = (seconds: number) => {
      const size = Math.abs(seconds);
      const [amount, unit] = size >= 172_800 ? [seconds / 86_400, 'day'] : size >= 5_400 ? [seconds / 3_600, 'hour'] : size >= 60 ? [seconds / 60, 'minute'] : [seconds, 'second'];
      return number(amount as number, { style: 'unit', unit: unit as string, unitDisplay: 'short', maximumFractionDigits: 1 });
    };
    const value = (unit: Unit, v: number, compact = false): string => {
      switch (unit) {
        case 'money': case 'money_per_year': case 'money_per_day': return money(v, compact);
        case 'ratio': return percent(v);
        case 'duration': return duration(v);
        case 'years': return number(v, { style: 'unit', unit: 'year', unitDisplay: 'short', maximumFractionDigits: 1 });
        case 'hours_per_week': return number(v, { style: 'unit', unit: 'hour', unitDisplay: 'short', maximumFractionDigits: 2 });
        case 'times': return `${number(v, { maximumFractionDigits: 1 })}×`;
        case 'count': return number(v, compact && v >= 100_000 ? { notation: 'compact', maximumFractionDigits: 1 } : { maximumFractionDigits: 0 });
        default: return number(v, { maximumFractionDigits: 1 });
      }
    };
    const plain = (v: number) => number(v, { maximumFractionDigits: 2 });
    const day = (iso: string, options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', year: 'numeric' }) =>
      new Intl.DateTimeFormat(dates, { timeZone: 'UTC', ...options }).format(new Date(`${iso}T00:00:00Z`));
    const instant = (iso: string) => new Intl.DateTimeFormat(dates, { timeZone: workspace.zone, dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
    const time = (iso: string) => new Intl.DateTimeFormat(dates, { timeZone: workspace.zone, timeStyle: 'short' }).format(new Date(iso));
    const hour = (h: number) => new Intl.DateTimeFormat(locale, { timeZone: 'UTC', hour: '2-digit', minute: '2-digit' }).format(new Date(h * 3_600_000));
    /** How far an instant is from now, in words. */
    const relative = (iso: string) => {
      const seconds = (Date.parse(iso) - Date.now()) / 1000;
      const size = Math.abs(seconds);
      const [amount, unit] = size >= 129_600 ? [seconds / 86_400, 'day' as const] : size >= 5_400 ? [seconds / 3_600, 'hour' as const] : [seconds / 60, 'minute' as const];
      return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(Math.round(amount), unit);
    };
    /** [start, end) as people write a range: both days included. */
    const range = (start: string, end: string) => {
      const last = new Date(Date.parse(`${end}T00:00:00Z`) - 86_400_000);
      const format = new Intl.DateTimeFormat(dates, { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' });
      return format.formatRange(new Date(`${start}T00:00:00Z`), last);
    };
    const delta = (unit: Unit, change: NonNullable<Bucket['change']>) => {
      const sign = { signDisplay: 'exceptZero' } as const;
      if (unit === 'ratio') return `${number(change.absolute * 100, { maximumFractionDigits: 1, ...sign })} ${intl.formatMessage({ id: 'delta.points' })}`;
      if (change.relative === null) return unit === 'duration' ? duration(change.absolute) : number(change.absolute, { maximumFractionDigits: 1, ...sign });
      const text = number(change.relative, { style: 'percent', maximumFractionDigits: 1, ...sign }).replaceAll('\u200e', '');
      return lang === 'fa' ? ALM + text : text;
    };
    /** A part of a difference, with its sign; shares in points. */
    const part = (unit: Unit, v: number) => {
      if (unit === 'ratio') return `${number(v * 100, { maximumFractionDigits: 2, signDisplay: 'exceptZero' })} ${intl.formatMessage({ id: 'delta.points' })}`;
      return (v > 0 ? '+' : '') + value(unit, v);
    };
    return { locale, dates, number, percent, money, duration, value, part, plain, day, instant, time, hour, relative, range, delta };
  }, [lang, calendar, workspace.currency, workspace.zone, intl]);
}

/** Better, worse or neither; what chance explains is neither. */
export function toneOf(good: Good, change: NonNullable<Bucket['change']>): Tone {
  if (good === 'neutral' || change.absolute === 0 || change.certain === false) return 'plain';
  return change.absolute > 0 === (good === 'up') ? 'good' : 'bad';
}

/** The months of the business: the same numbers for every reader, whatever language they read them in. */
export function useCalendar(): 'gregorian' | 'solar_hijri' {
  return useSession().workspace.calendar === 'solar_hijri' ? 'solar_hijri' : 'gregorian';
}
