// Conditions in the product's expression language, with texts quoted: nothing typed is ever taken for a condition.
import type { FieldInfo, ObjectInfo } from './api';

export const OPERATORS = ['contains', 'is', 'isnt', 'atleast', 'atmost', 'from', 'before', 'empty', 'given'] as const;
export type Operator = (typeof OPERATORS)[number];
export interface Condition { field: string; op: Operator; value: string; title?: string }

const TEXTS = ['text', 'label', 'email', 'phone', 'url'];
const NUMBERS = ['int', 'decimal', 'percent', 'duration', 'money'];

export const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** What can be asked of a field, the likeliest first. */
export function operatorsOf(field: FieldInfo): Operator[] {
  if (TEXTS.includes(field.type)) return ['contains', 'is', 'isnt', 'empty', 'given'];
  if (NUMBERS.includes(field.type)) return ['atleast', 'atmost', 'is', 'empty', 'given'];
  if (field.type === 'date' || field.type === 'datetime') return ['from', 'before', 'empty', 'given'];
  if (field.type === 'choice' || field.type === 'ref' || field.type === 'currency') return ['is', 'isnt', 'empty', 'given'];
  if (field.type === 'bool') return ['is'];
  return [];
}

/** A condition as an expression; nothing while it is not complete. */
export function conditionOf(field: FieldInfo, { op, value }: Condition): string | undefined {
  if (op === 'empty') return `${field.name} is null`;
  if (op === 'given') return `${field.name} is not null`;
  const text = value.trim();
  if (!text) return undefined;
  if (NUMBERS.includes(field.type)) {
    const number = text.replace(',', '.');
    if (!/^-?\d{1,15}(\.\d{1,4})?$/.test(number)) return undefined;
    return `${field.name} ${op === 'atleast' ? '>=' : op === 'atmost' ? '<=' : '='} ${number}`;
  }
  if (field.type === 'date' || field.type === 'datetime') return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${field.name} ${op === 'from' ? '>=' : '<'} ${quote(text)}` : undefined;
  if (field.type === 'bool') return text === 'true' ? field.name : `not ${field.name}`;
  if (op === 'contains') return `contains(${field.name}, ${quote(text)})`;
  return `${field.name} ${op === 'isnt' ? '<>' : '='} ${quote(text)}`;
}

/** All complete conditions, each of which must hold. */
export function filterOf(object: ObjectInfo, conditions: Condition[]): string | undefined {
  const parts = conditions.map((c) => { const field = object.fields.find((f) => f.name === c.field && f.filterable); return field && conditionOf(field, c); });
  const whole = parts.filter((p): p is string => !!p);
  return whole.length > 0 ? whole.map((p) => `(${p})`).join(' and ') : undefined;
}

/** Parts of an expression between the `and`s that stand neither in brackets nor in a text. */
function partsOf(text: string): string[] {
  const parts = [''];
  let [depth, quoted] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === "'") quoted = !quoted;
    else if (!quoted && c === '(') depth++;
    else if (!quoted && c === ')') depth--;
    if (!quoted && depth === 0 && /^ and /i.test(text.slice(i, i + 5))) { parts.push(''); i += 4; } else parts[parts.length - 1] += c;
  }
  return parts.map((p) => p.trim()).map((p) => (/^\(.*\)$/s.test(p) ? p.slice(1, -1) : p));
}

const SHAPES: [RegExp, (match: string[]) => [op: Operator, value: string]][] = [
  [/^(\w+) is null$/, () => ['empty', '']],
  [/^(\w+) is not null$/, () => ['given', '']],
  [/^contains\((\w+), '(.*)'\)$/s, ([value = '']) => ['contains', value.replaceAll("''", "'")]],
  [/^(\w+) (=|<>|>=|<) '(.*)'$/s, ([sign = '', value = '']) => [{ '=': 'is' as const, '<>': 'isnt' as const, '>=': 'from' as const, '<': 'before' as const }[sign] ?? 'is', value.replaceAll("''", "'")]],
  [/^(\w+) (=|>=|<=) (-?[\d.]+)$/, ([sign = '', value = '']) => [sign === '=' ? 'is' : sign === '>=' ? 'atleast' : 'atmost', value]],
  [/^not (\w+)$/, () => ['is', 'false']],
  [/^(\w+)$/, () => ['is', 'true']],
];

/** The conditions that an expression says, if they are such as `filterOf` makes; each must give the same part again. */
export function conditionsIn(object: ObjectInfo, text: string): Condition[] | undefined {
  const found = partsOf(text).map((part): Condition | undefined => {
    for (const [shape, read] of SHAPES) {
      const match = shape.exec(part);
      const field = match && object.fields.find((f) => f.name === match[1] && f.filterable);
      if (!field) continue;
      const [op, value] = read(match.slice(2));
      const condition = { field: field.name, op, value };
      if (operatorsOf(field).includes(op) && conditionOf(field, condition) === part) return condition;
    }
    return undefined;
  });
  return found.every((c) => c !== undefined) ? found : undefined;
}

/** Conditions out of an address; what is not one is left out. */
export function conditionsOf(text: string | undefined): Condition[] {
  try {
    const list = JSON.parse(text ?? '[]') as unknown;
    return Array.isArray(list) ? list.filter((c): c is Condition => typeof c === 'object' && c !== null && typeof (c as Condition).field === 'string' && OPERATORS.includes((c as Condition).op) && typeof (c as Condition).value === 'string').slice(0, 20) : [];
  } catch {
    return [];
  }
}

/** Records whose title contains a text, where the title can be searched. */
export function containing(object: ObjectInfo, text: string): string | undefined {
  const title = object.fields.find((f) => f.name === object.title);
  return title?.filterable && ['text', 'label', 'email'].includes(title.type) ? `contains(${title.name}, ${quote(text)})` : undefined;
}
