// One field of one record, by its type.
import { Link } from '@tanstack/react-router';
import type { FieldInfo, Item, ObjectInfo } from './api';
import { useLabel, useModel } from './data';
import { useFormat } from './format';
import { RightsWords } from '../forms/RightsWords';
import table from '../ui/table.module.css';

export const isNumeric = (field: FieldInfo) => ['money', 'int', 'decimal', 'percent', 'duration'].includes(field.type);

/** What a record is called. */
export const titleOf = (object: ObjectInfo, item: Item): string => item.titles[object.title] ?? String(item.fields[object.title] ?? '…');

/** The first cell of a row: what it shows opens the record. */
export function Opening({ object, field, item }: { object: ObjectInfo; field: FieldInfo; item: Item }) {
  const cell = useCell();
  // A reference names another record, but here it is this one that opens.
  const shown = field.type === 'ref' ? item.titles[field.name] : cell(field, item);
  return <Link className={table.link} to="/records/$object/$id" params={{ object: object.plural, id: item.id }}>{shown ?? '…'}</Link>;
}

export function useCell() {
  const label = useLabel();
  const format = useFormat();
  const model = useModel();
  return (field: FieldInfo, item: Item) => {
    const value = item.fields[field.name];
    if (value === undefined || value === null) return null;
    switch (field.type) {
      case 'ref': {
        const plural = model?.objects.find((o) => o.name === field.to)?.plural ?? '';
        return <Link to="/records/$object/$id" params={{ object: plural, id: String(value) }}>{item.titles[field.name] ?? String(value)}</Link>;
      }
      case 'money': {
        const { amount, currency } = value as { amount: string; currency: string };
        return <span className="num">{format.number(Number(amount), { style: 'currency', currency, currencyDisplay: 'narrowSymbol' })}</span>;
      }
      case 'datetime': return <span className="num">{format.instant(String(value))}</span>;
      case 'date': return <span className="num">{format.day(String(value))}</span>;
      case 'duration': return <span className="num">{format.duration(Number(value))}</span>;
      case 'int': case 'percent': case 'decimal': return <span className="num">{format.plain(Number(value))}</span>;
      case 'json': return field.name === 'rights' ? <RightsWords value={String(value)} /> : String(value);
      case 'bool': return label(`option.${String(value)}`);
      case 'choice': return label(`option.${String(value)}`, String(value));
      case 'tags': case 'refs': return (value as string[]).join(', ');
      case 'shares': return Object.entries(value as Record<string, number>).map(([k, v]) => `${label(`option.${k}`)} ${format.percent(v / 100, 0)}`).join(', ');
      default: return String(value);
    }
  };
}
