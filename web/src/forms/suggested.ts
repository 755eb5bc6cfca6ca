// What a form for a new record begins with where the model suggests it: whoever makes the record, or the first of a list.
import { useQueries } from '@tanstack/react-query';
import { get, type FieldInfo, type ObjectInfo, type Page } from '../lib/api';
import { titleOf } from '../lib/cell';
import { useModel, useSession } from '../lib/data';

/** By field: the record's id and what it is called. */
export function useSuggested(object: ObjectInfo, wanted: boolean): Record<string, { id: string; title: string }> {
  const { user, name } = useSession();
  const objects = useModel()?.objects ?? [];
  const target = (field: FieldInfo) => objects.find((o) => o.name === field.to);
  const firsts = object.fields.filter((f) => wanted && f.suggest === 'first');
  const pages = useQueries({ queries: firsts.map((f) => ({ queryKey: ['live', 'first', f.to], queryFn: () => get<Page>(`/api/records/${target(f)?.plural}`, { limit: 1 }), enabled: !!target(f) })) });
  const first = (field: FieldInfo, i: number) => {
    const [item, to] = [pages[i]?.data?.items[0], target(field)];
    return item && to ? [[field.name, { id: item.id, title: titleOf(to, item) }] as const] : [];
  };
  const me = object.fields.filter((f) => wanted && user && f.suggest === 'me').map((f) => [f.name, { id: user ?? '', title: name }] as const);
  return Object.fromEntries([...me, ...firsts.flatMap(first)]);
}
