// Times at which something of a given length can begin, out of the spans in which somebody is free.
import type { Free } from './api';

const QUARTER = 900_000;
/** Without working hours of their own nobody is asked to come at night: minutes of the day from and to. */
const USUAL = [7 * 60, 19 * 60] as const;

export interface Start { at: string; day: string; minute: number }

/** On quarters of an hour, every half hour for what takes that long; none that has passed. `local` tells a day and its minute. */
export function starts(person: Pick<Free, 'hours' | 'free'>, length: number, now: number, local: (iso: string) => { day: string; minute: number }): Start[] {
  const found: Start[] = [];
  const step = length >= 2 * QUARTER ? 2 * QUARTER : QUARTER;
  for (const [from, to] of person.free) {
    const [begin, end] = [Math.max(Date.parse(from), now), Date.parse(to)];
    for (let at = Math.ceil(begin / QUARTER) * QUARTER; at + length <= end; at += step) {
      const iso = new Date(at).toISOString().replace('.000Z', 'Z');
      const place = local(iso);
      if (person.hours || (place.minute >= USUAL[0] && place.minute + length / 60_000 <= USUAL[1])) found.push({ at: iso, ...place });
    }
  }
  return found;
}
