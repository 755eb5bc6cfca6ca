import { expect, it } from 'vitest';
import { typeOf } from './newfield';

it('U19: a new field has the type that its values look like', () => {
  const cases: [string[], string][] = [
    [['1', '20', ''], 'int'], [['1,5', '2.25'], 'decimal'], [['$5.00', '$7'], 'money'], [['12 PLN', '5 EUR'], 'money'], [['2024-01-02', '2024-02-03'], 'date'], [['15.04.2021'], 'date'], [['2024-01-02 10:00'], 'datetime'], [['a@b.co'], 'email'],
    [['https://a.b'], 'url'], [['tak', 'nie'], 'bool'], [['007', '012'], 'text'], [['red', 'blue', 'red', 'red', 'blue', 'red'], 'label'], [['Anything'], 'text'], [['x'.repeat(130)], 'long_text'], [[], 'text'],
  ];
  for (const [values, type] of cases) expect(typeOf(values), values.join('|')).toBe(type);
});
