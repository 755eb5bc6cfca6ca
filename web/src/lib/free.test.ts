import { describe, expect, it } from 'vitest';
import { starts } from './free';

const local = (iso: string) => ({ day: iso.slice(0, 10), minute: Number(iso.slice(11, 13)) * 60 + Number(iso.slice(14, 16)) });
const times = (hours: boolean, free: [string, string][], minutes: number, now = '2026-11-22T00:00:00Z') => starts({ hours, free }, minutes * 60_000, Date.parse(now), local).map((s) => s.at.slice(11, 16));

describe('times that are free', () => {
  it('fit into what is free and lie on the quarter', () => {
    expect(times(true, [['2026-11-23T09:05:00Z', '2026-11-23T10:30:00Z']], 30)).toEqual(['09:15', '09:45']);
    expect(times(true, [['2026-11-23T09:00:00Z', '2026-11-23T09:30:00Z'], ['2026-11-23T22:00:00Z', '2026-11-23T22:30:00Z']], 15)).toEqual(['09:00', '09:15', '22:00', '22:15']);
    expect(times(true, [['2026-11-23T09:00:00Z', '2026-11-23T09:30:00Z']], 45)).toEqual([]);
  });
  it('are not past, and not at night without hours', () => {
    expect(times(true, [['2026-11-23T09:00:00Z', '2026-11-23T11:00:00Z']], 60, '2026-11-23T09:31:00Z')).toEqual(['09:45']);
    expect(times(false, [['2026-11-23T00:00:00Z', '2026-11-24T00:00:00Z']], 240)).toEqual(Array.from({ length: 17 }, (_, i) => `${String(7 + Math.floor(i / 2)).padStart(2, '0')}:${i % 2 ? '30' : '00'}`));
  });
});
