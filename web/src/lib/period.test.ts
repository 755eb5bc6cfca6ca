import { describe, expect, it } from 'vitest';
import { IntlMessageFormat } from 'intl-messageformat';
import { daysSince, grainOf, rangeOf, searchOf } from './period';
import pl from '../locales/pl.json';
import en from '../locales/en.json';
import fa from '../locales/fa.json';

describe('periods', () => {
  it('begin and end with the months of the calendar', () => {
    expect(rangeOf({ p: 'month' }, '2026-03-18', 'gregorian')).toEqual({ from: '2026-03-01', to: '2026-04-01' });
    // 27 Esfand 1404: the month began on 20 February 2026, the next year begins on 21 March.
    expect(rangeOf({ p: 'month' }, '2026-03-18', 'solar_hijri')).toEqual({ from: '2026-02-20', to: '2026-03-21' });
    expect(rangeOf({ p: 'quarter' }, '2026-02-10', 'gregorian')).toEqual({ from: '2026-01-01', to: '2026-04-01' });
    expect(rangeOf({}, '2026-03-18', 'gregorian')).toEqual({ from: '2025-04-01', to: '2026-04-01' });
  });
  it('are cut into neither too many nor too few pieces', () => {
    expect(grainOf({ from: '2026-03-01', to: '2026-04-01' })).toBe('day');
    expect(grainOf({ from: '2025-04-01', to: '2026-04-01' })).toBe('month');
  });
  it('come out of an address only when they are well formed', () => {
    expect(searchOf({ p: 'nonsense', from: '<script>', compare: 'year' })).toEqual({ compare: 'year' });
  });
});

describe('days', () => {
  it('are counted where the business is, not where the clock stands', () => {
    expect(daysSince('2026-11-22T23:51:00Z', 'Europe/Warsaw', '2026-11-23')).toBe(0);
    expect(daysSince('2026-11-22T22:51:00Z', 'Europe/Warsaw', '2026-11-23')).toBe(1);
    expect(daysSince('2026-11-22T23:51:00Z', 'UTC', '2026-11-23')).toBe(1);
    expect(daysSince('2026-02-27T12:00:00Z', 'Asia/Tehran', '2026-03-02')).toBe(3);
    expect(daysSince('2026-11-25T12:00:00Z', 'UTC', '2026-11-23')).toBe(-2);
  });
});

describe('words', () => {
  it('know Polish plurals', () => {
    const text = (count: number) => new IntlMessageFormat(pl['records.count'], 'pl').format({ count });
    expect([1, 3, 5, 22].map(text)).toEqual(['1 rekord', '3 rekordy', '5 rekordów', '22 rekordy']);
  });
  it('exist in every language', () => {
    expect(Object.keys(fa)).toEqual(Object.keys(en));
    expect(Object.keys(pl)).toEqual(Object.keys(en));
  });
});
