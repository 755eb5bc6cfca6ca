// One field of one record, by its type.
import { useQueries } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { get, type FieldInfo, type Item, type ObjectInfo } from './api';
import { useLabel, useModel } from './data';
import { useFormat } from './format';
import { lineOf, read, WEEK } from './hours';
import { RightsWords } from '../forms/RightsWords';
import table from '../ui/table.module.css';

/** Weekdays in their order, then days. */
const place = (day: string) => { const at = (WEEK as readonly string[]).indexOf(day); return at < 0 ? 7 + Date.parse(day) / 86_400_000 : at; };

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

/** What records are called, by their ids. */
export function useTitles(to: string, ids: string[]): Record<string, string> {
  const object = useModel()?.objects.find((o) => o.name === to);
  const found = useQueries({ queries: ids.map((id) => ({ queryKey: ['live', 'record', object?.plural, id], queryFn: () => get<Item>(`/api/records/${object?.plural}/${id}`), enabled: !!object, retry: false })) });
  return Object.fromEntries(ids.map((id, i) => [id, object && found[i]?.data ? titleOf(object, found[i].data) : '…']));
}

function Names({ to, ids }: { to: string; ids: string[] }) {
  const plural = useModel()?.objects.find((o) => o.name === to)?.plural ?? '';
  const titles = useTitles(to, ids);
  return ids.map((id, i) => <span key={id}>{i > 0 && ', '}<Link to="/records/$object/$id" params={{ object: plural, id }}>{titles[id]}</Link></span>);
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
      case 'json': {
        if (field.name === 'rights') return <RightsWords value={String(value)} />;
        if (field.name !== 'hours' && field.name !== 'holidays') return String(value);
        const days = Object.entries(read(value)).sort(([a], [b]) => place(a) - place(b));
        const name = (day: string) => (place(day) < 7 ? format.day(`2024-01-0${place(day) + 1}`, { weekday: 'short' }) : format.day(day));
        return days.map(([day, spans]) => `${name(day)} ${lineOf(spans) || '–'}`).join(' · ');
      }
      case 'bool': return label(`option.${String(value)}`);
      case 'choice': return label(`option.${String(value)}`, String(value));
      case 'tags': return (value as string[]).join(', ');
      case 'refs': return <Names to={field.to ?? ''} ids={value as string[]} />;
      case 'shares': return Object.entries(value as Record<string, number>).map(([k, v]) => `${label(`option.${k}`)} ${format.percent(v / 100, 0)}`).join(', ');
      default: return String(value);
    }
  };
}
