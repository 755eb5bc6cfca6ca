// One field of one record, by its type.
import { Link } from '@tanstack/react-router';
import type { FieldInfo, Item } from './api';
import { useLabel, useModel } from './data';
import { useFormat } from './format';

export const isNumeric = (field: FieldInfo) => ['money', 'int', 'decimal', 'percent', 'duration'].includes(field.type);

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
      case 'bool': return label(`option.${String(value)}`);
      case 'choice': return label(`option.${String(value)}`, String(value));
      case 'tags': case 'refs': return (value as string[]).join(', ');
      case 'shares': return Object.entries(value as Record<string, number>).map(([k, v]) => `${label(`option.${k}`)} ${format.percent(v / 100, 0)}`).join(', ');
      default: return String(value);
    }
  };
}
