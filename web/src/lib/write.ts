// Several changes together or not at all; open screens ask again after it.
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { send, type Item } from './api';

export interface Change { op: 'create' | 'update' | 'delete' | 'restore'; object: string; id?: string; fields?: Record<string, unknown>; version?: number }

export function useWrite() {
  const client = useQueryClient();
  return async (changes: Change[]) => {
    const done = await send<{ seq: number; records: { id: string; version: number }[]; new: Record<string, string> }>('/api/changes', 'POST', { changes });
    await client.invalidateQueries({ queryKey: ['live'] });
    return done;
  };
}

type Held = { id?: string; fields?: Record<string, unknown>; items?: Held[]; pages?: Held[] };

function patched(data: Held | undefined, id: string, fields: Record<string, unknown>): Held | undefined {
  if (!data || typeof data !== 'object') return data;
  if (data.id === id && data.fields) return { ...data, fields: { ...data.fields, ...fields } };
  if (data.items) return { ...data, items: data.items.map((x) => patched(x, id, fields) ?? x) };
  if (data.pages) return { ...data, pages: data.pages.map((x) => patched(x, id, fields) ?? x) };
  return data;
}

/** Shows a change wherever the record is on screen, before the server has answered. */
export function show(client: QueryClient, item: Item, fields: Record<string, unknown>) {
  client.setQueriesData<Held>({ queryKey: ['live'] }, (data) => patched(data, item.id, fields));
}
