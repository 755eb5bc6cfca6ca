import { expect, test } from 'vitest';
import { sightOf } from './window';

test('short lists are drawn where they are', () => {
  const s = sightOf(1_000, 36, 3_600, 720);
  expect(s.first).toBe(92);
  expect(s.before).toBe(92 * 36);
  expect(s.before + s.count * 36 + s.after).toBe(36_000);
});

test('every row of a million can be reached, the first and the last exactly', () => {
  const total = 1_000_000;
  expect(sightOf(total, 36, 0, 720).first).toBe(0);
  const end = sightOf(total, 36, 8_000_000 - 720, 720);
  expect(end.first + end.count).toBe(total);
  expect(end.after).toBeLessThan(40);
  let last = -1;
  for (let top = 0; top <= 8_000_000 - 720; top += 9_973) {
    const s = sightOf(total, 36, top, 720);
    expect(s.first).toBeGreaterThanOrEqual(last);
    // What is drawn covers what is in sight.
    expect(s.before).toBeLessThanOrEqual(top);
    expect(s.before + s.count * 36).toBeGreaterThanOrEqual(Math.min(top + 720, 8_000_000) - 36);
    last = s.first;
  }
});

test('nothing is nothing', () => {
  expect(sightOf(0, 36, 0, 720)).toEqual({ first: 0, count: 0, before: 0, after: 0 });
});
