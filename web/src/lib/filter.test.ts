import { describe, expect, it } from 'vitest';
import type { FieldInfo, ObjectInfo } from './api';
import { conditionOf, conditionsOf, filterOf, type Condition } from './filter';

const field = (name: string, type: string): FieldInfo => ({ name, label: name, type, to: null, default: null, suggest: null, required: false, derived: false, filterable: true, dimension: true, options: [] });
const object = { name: 'deal', fields: [field('name', 'text'), field('amount', 'money'), field('closed_at', 'datetime'), field('active', 'bool')] } as unknown as ObjectInfo;
const of = (name: string, op: Condition['op'], value: string) => conditionOf(object.fields.find((f) => f.name === name)!, { field: name, op, value });

describe('filter', () => {
  it('quotes what was typed', () => {
    expect(of('name', 'contains', "O'Neil' or 1=1 --")).toBe("contains(name, 'O''Neil'' or 1=1 --')");
  });
  it('takes numbers, days and flags only as such', () => {
    expect(of('amount', 'atleast', '1000,5')).toBe('amount >= 1000.5');
    expect(of('amount', 'atleast', '1 or true')).toBeUndefined();
    expect(of('closed_at', 'before', '2026-01-31')).toBe("closed_at < '2026-01-31'");
    expect(of('closed_at', 'before', "x' or 'y")).toBeUndefined();
    expect(of('active', 'is', 'false')).toBe('not active');
  });
  it('joins complete conditions', () => {
    expect(filterOf(object, [{ field: 'name', op: 'given', value: '' }, { field: 'amount', op: 'atmost', value: '' }, { field: 'gone', op: 'is', value: 'x' }])).toBe('(name is not null)');
  });
  it('reads an address that somebody else wrote', () => {
    expect(conditionsOf('[{"field":"name","op":"is","value":"A"},{"op":"drop"},7]')).toEqual([{ field: 'name', op: 'is', value: 'A' }]);
    expect(conditionsOf('not json')).toEqual([]);
  });
});
