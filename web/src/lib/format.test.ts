import { beforeEach, describe, expect, it, vi } from 'vitest';
import { rangeOf } from './period';
import { LANGUAGES } from './prefs';

const chosen = { lang: 'en', calendar: 'gregorian' };
vi.mock('./data', () => ({ useSession: () => ({ workspace: { calendar: chosen.calendar, zone: 'Europe/Warsaw', currency: 'EUR' } }) }));
vi.mock('./prefs', async (original) => ({ ...(await original<typeof import('./prefs')>()), usePrefs: () => ({ lang: chosen.lang }) }));

const { useCalendar } = await import('./format');

describe('N14: a language', () => {
  beforeEach(() => Object.assign(chosen, { lang: 'en', calendar: 'gregorian' }));

  it.each(Object.keys(LANGUAGES))('%s asks for the periods of the business', (lang) => {
    chosen.lang = lang;
    expect(rangeOf({ p: 'month' }, '2026-03-18', useCalendar())).toEqual({ from: '2026-03-01', to: '2026-04-01' });
    chosen.calendar = 'solar_hijri';
    expect(rangeOf({ p: 'month' }, '2026-03-18', useCalendar())).toEqual({ from: '2026-02-20', to: '2026-03-21' });
  });
});
