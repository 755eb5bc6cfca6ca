import { describe, expect, it } from 'vitest';
import type { FieldInfo } from '../lib/api';
import { wrongWith } from './check';

const field = (type: string, required = false) => ({ name: 'x', label: 'X', type, required, options: [] }) as unknown as FieldInfo;

describe('U4: what is wrong with a field is known before it is sent', () => {
  it('U4: what is required and empty is missing', () => {
    for (const value of ['', '  ', null, undefined, []]) expect(wrongWith(field('text', true), value)).toBe('missing');
    for (const type of ['text', 'ref', 'date', 'money', 'choice', 'refs']) expect([wrongWith(field(type, true), null), wrongWith(field(type), null)]).toEqual(['missing', undefined]);
    // A box that is not ticked says no.
    expect(wrongWith(field('bool', true), null)).toBeUndefined();
  });

  it('U4: what cannot be read as what it should be is said to be so, and what the server reads is not', () => {
    for (const [type, value, wrong] of [
      ['email', 'ada', 'email'], ['email', 'a@b', 'email'], ['email', 'ada@example.org', undefined], ['email', 'a b@c.d', 'email'],
      ['url', 'example.org', 'url'], ['url', 'https://example.org/x', undefined], ['url', 'javascript:alert(1)', 'url'],
      ['int', 'seven', 'number'], ['int', '7', undefined], ['int', 7, undefined], ['decimal', '-1.5', undefined], ['decimal', '1.5.1', 'number'], ['percent', '12%', undefined],
      ['money', { amount: '12.50', currency: 'EUR' }, undefined], ['money', { amount: 'twelve', currency: 'EUR' }, 'number'],
      ['duration', 5400, undefined], ['duration', 'soon', 'length'], ['text', 'anything', undefined], ['phone', '—', undefined],
    ] as const) expect(wrongWith(field(type), value), `${type} ${JSON.stringify(value)}`).toBe(wrong);
  });
});
