import { expect, test } from 'vitest';
import { instantOn, monthsOn, renewed, repeated } from './Again';

test('months are counted as a calendar does', () => {
  expect(monthsOn('2026-01-31', 1)).toBe('2026-02-28');
  expect(monthsOn('2026-01-31', 2)).toBe('2026-03-31');
  expect(monthsOn(undefined, 2)).toBe(null);
  // Midnight in Warsaw is another hour of UTC in summer.
  expect(instantOn('2026-01-31T23:00:00Z', 6, 'Europe/Warsaw')).toBe('2026-07-31T22:00:00.000Z');
});

test('an expense comes again with all that it is for', () => {
  const item = { id: 'e', version: 3, titles: {}, fields: { name: 'Office', amount: { amount: '900.00', currency: 'EUR' }, incurred_on: '2026-01-31', service_from: '2026-01-01', service_to: '2026-01-31', purposes: { overhead: 100 }, external_id: 'x', created_at: '2026-01-31T00:00:00Z' } };
  const made = repeated(item, 3);
  expect(made.map((c) => c.fields?.incurred_on)).toEqual(['2026-02-28', '2026-03-31', '2026-04-30']);
  expect(made[0]?.fields).toEqual({ name: 'Office', amount: item.fields.amount, purposes: { overhead: 100 }, incurred_on: '2026-02-28', service_from: '2026-02-01', service_to: '2026-02-28' });
});

test('a contract is followed by one that begins where it ends', () => {
  const item = { id: 'c', version: 2, titles: {}, fields: { plan: 'Care', customer: 'k', value: { amount: '10.00', currency: 'EUR' }, value_months: 1, starts_at: '2025-06-30T22:00:00Z', term_end: '2026-06-30T22:00:00Z' } };
  const [next, old] = renewed(item, 12, 'Europe/Warsaw');
  expect(next?.fields).toMatchObject({ plan: 'Care', customer: 'k', starts_at: '2026-06-30T22:00:00Z', term_end: '2027-06-30T22:00:00.000Z' });
  expect(old).toMatchObject({ op: 'update', id: 'c', version: 2, fields: { successor: 'new:next' } });
});
