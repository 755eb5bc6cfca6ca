// What every screen reads: the session, the model with its words, and live invalidation.
import { keepPreviousData, queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useIntl } from 'react-intl';
import { ApiError, get, type Answer, type Definition, type Item, type ModelInfo, type Page, type Session } from './api';
import { signInAnew } from './place';
import { usePrefs, type Language } from './prefs';
import { browser, listen } from './stream';

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

/** Every change makes open screens ask again. All tabs of a browser share one stream; hidden ones catch up when they are shown. */
export function useLive(): Liveness {
  const client = useQueryClient();
  const [connected, setConnected] = useState(false);
  const [work, setWork] = useState<number | null>(null);
  useEffect(() => {
    let seen = -1;
    return listen(browser(), (news) => {
      if (news.on !== undefined) setConnected(news.on);
      if (news.work !== undefined) setWork(news.work);
      if (news.alarm) void client.invalidateQueries({ queryKey: ['outflow'] });
      if (news.refused) void client.fetchQuery({ ...sessionQuery, staleTime: 0 }).catch((error: unknown) => { if (error instanceof ApiError && error.problem.status === 401) signInAnew(); });
      if (news.seq === undefined) return;
      const session = client.getQueryData(sessionQuery.queryKey);
      // Somebody else signed in in another tab: nothing of who was here stays on the screen.
      if (session && news.actor !== undefined && session.actor !== news.actor) { location.reload(); return; }
      if (session?.model !== news.model) {
        client.setQueryData(sessionQuery.queryKey, (was) => was && { ...was, model: news.model ?? was.model });
        void client.invalidateQueries(sessionQuery);
      }
      if (seen >= 0 && news.seq !== seen) void client.invalidateQueries({ queryKey: ['live'] });
      seen = news.seq;
    });
  }, [client]);
  return { on: connected, work: connected ? work : null };
}
