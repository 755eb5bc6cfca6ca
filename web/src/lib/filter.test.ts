import { describe, expect, it } from 'vitest';
import type { FieldInfo, ObjectInfo } from './api';
import { conditionOf, conditionsIn, conditionsOf, filterOf, type Condition } from './filter';

const field = (name: string, type: string): FieldInfo => ({ name, label: name, type, to: null, default: null, suggest: null, condition_on: null, required: false, derived: false, filterable: true, dimension: true, options: [] });
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
  it('reads what it has written, and nothing else', () => {
    const made: Condition[] = [{ field: 'name', op: 'is', value: "O'Neil (and ) and 'x' = 'y" }, { field: 'name', op: 'contains', value: "') or (" }, { field: 'amount', op: 'atleast', value: '-10.5' }, { field: 'closed_at', op: 'before', value: '2026-01-31' }, { field: 'active', op: 'is', value: 'false' }, { field: 'name', op: 'given', value: '' }];
    for (let n = 1; n <= made.length; n++) expect(conditionsIn(object, filterOf(object, made.slice(0, n)) ?? '')).toEqual(made.slice(0, n));
    expect(conditionsIn(object, "name = 'A' and active")).toEqual([{ field: 'name', op: 'is', value: 'A' }, { field: 'active', op: 'is', value: 'true' }]);
    for (const other of ['', "name = 'A' or active", "(name = 'A') and (amount > 5)", "name = 'A' and other = 'B'", "lower(name) = 'a'", "name = 'A'B'"]) expect(conditionsIn(object, other)).toBeUndefined();
  });
  it('reads an address that somebody else wrote', () => {
    expect(conditionsOf('[{"field":"name","op":"is","value":"A"},{"op":"drop"},7]')).toEqual([{ field: 'name', op: 'is', value: 'A' }]);
    expect(conditionsOf('not json')).toEqual([]);
  });
});
