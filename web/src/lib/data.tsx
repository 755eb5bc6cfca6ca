// What every screen reads: the session, the model with its words, and live invalidation.
import { keepPreviousData, queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useIntl } from 'react-intl';
import { get, type Answer, type Definition, type Item, type ModelInfo, type Page, type Session } from './api';
import { usePrefs, type Language } from './prefs';

export const sessionQuery = queryOptions({ queryKey: ['session'], queryFn: () => get<Session>('/api/session'), staleTime: 60_000, retry: false });
/** What is declared, asked for once an edition: the session says which is in force, and live changes tell it of the next. */
function declared<T>(path: string, lang: Language, edition: string) {
  return queryOptions({ queryKey: [path, lang, edition], queryFn: () => get<T>(path, { lang }), staleTime: Infinity, placeholderData: keepPreviousData });
}

export interface Asked { metrics: string; from: string; to: string; grain?: string; by?: string; compare?: string; variant?: string; calendar?: string; where?: string }
export const askQuery = (asked: Asked) =>
  queryOptions({ queryKey: ['live', 'ask', asked], queryFn: () => get<Answer>('/api/ask', { ...asked }), placeholderData: keepPreviousData });

export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error('no session here');
  return data;
}

const NOTHING = { create: false, change: false, delete: false, export: false, read_only: [] as string[] };
/** Somebody's name, by the one under which they act if they have no other. */
export function useActor() {
  const intl = useIntl();
  return (name: string | null, actor: string) => name ?? (`actor.${actor}` in intl.messages ? intl.formatMessage({ id: `actor.${actor}` }) : actor);
}

/** What the signed-in person may do with records of an object. */
export function useMay(object = '') {
  return useSession().may[object] ?? NOTHING;
}

/** Who works here, by name. */
export function useUsers(): Item[] {
  const { may } = useSession();
  return useQuery({ queryKey: ['live', 'staff'], queryFn: () => get<Page>('/api/records/users', { sort: 'name', limit: 200 }), enabled: 'user' in may }).data?.items ?? [];
}

export function useModel() {
  const { lang } = usePrefs();
  const { data } = useQuery(declared<ModelInfo>('/api/model', lang, useSession().model));
  return data;
}

/** The word for a key such as `option.won`; unknown values are shown as they are. */
export function useLabel() {
  const model = useModel();
  return (key: string, fallback?: string) => model?.labels[key] ?? fallback ?? key.split('.').at(-1)?.replaceAll('_', ' ') ?? key;
}

export function useCatalogue() {
  const { lang } = usePrefs();
  const { data } = useQuery(declared<{ metrics: Definition[] }>('/api/metrics', lang, useSession().model));
  return data?.metrics;
}

/** Whether changes arrive, and in percent how far the server is with working everything out anew. */
export interface Liveness { on: boolean; work: number | null }

/** Every change makes open screens ask again. */
export function useLive(): Liveness {
  const client = useQueryClient();
  const [connected, setConnected] = useState(false);
  const [work, setWork] = useState<number | null>(null);
  useEffect(() => {
    const source = new EventSource('/api/events');
    let seen = -1;
    source.addEventListener('open', () => setConnected(true));
    source.addEventListener('error', () => setConnected(false));
    source.addEventListener('work', (event) => setWork((JSON.parse((event as MessageEvent<string>).data) as { percent: number | null }).percent));
    source.addEventListener('alarm', () => void client.invalidateQueries({ queryKey: ['outflow'] }));
    source.addEventListener('seq', (event) => {
      const { seq, model } = JSON.parse((event as MessageEvent<string>).data) as { seq: number; model: string };
      if (client.getQueryData(sessionQuery.queryKey)?.model !== model) {
        client.setQueryData(sessionQuery.queryKey, (was) => was && { ...was, model });
        void client.invalidateQueries(sessionQuery);
      }
      if (seen >= 0 && seq !== seen) void client.invalidateQueries({ queryKey: ['live'] });
      seen = seq;
    });
    return () => source.close();
  }, [client]);
  return { on: connected, work: connected ? work : null };
}
