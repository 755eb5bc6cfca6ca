import { expect, test } from 'vitest';
import { daysOf, lineOf, read, spansOf } from './hours';

test('hours as people write them', () => {
  expect(spansOf('9-12, 13:00 – 17:30')).toEqual([['09:00', '12:00'], ['13:00', '17:30']]);
  expect(spansOf('')).toEqual([]);
  expect(spansOf('0-24')).toEqual([['00:00', '24:00']]);
  for (const wrong of ['nine to five', '17-9', '9-12, 11-13', '9-25', '9:70-10', '9']) expect(spansOf(wrong), wrong).toBe(undefined);
  expect(spansOf(lineOf([['09:00', '12:00'], ['13:00', '17:00']]))).toEqual([['09:00', '12:00'], ['13:00', '17:00']]);
});

test('days with other hours', () => {
  expect(daysOf('2026-12-24 9-12\n\n2026-12-25')).toEqual({ '2026-12-24': [['09:00', '12:00']], '2026-12-25': [] });
  expect(daysOf('Christmas')).toBe(undefined);
  expect(daysOf('2026-13-40')).toBe(undefined);
});

test('what is kept is read, and nothing else', () => {
  expect(read('{"mon":[["09:00","17:00"]]}')).toEqual({ mon: [['09:00', '17:00']] });
  expect(read('[1]')).toEqual({});
  expect(read('oops')).toEqual({});
});
