// One stream of live changes for all tabs of a browser. Of the visible tabs one leads: it holds a lock and the stream,
// and tells the others over a channel what it hears. A hidden tab holds neither; shown again it asks what is true now.
// A worker shared by all tabs would do the same, but Chrome on Android has none; locks and channels are everywhere where
// the page is safe. Where they are not (plain HTTP), each visible tab has a stream of its own.
// It knows nothing of screens and queries: what is heard is handed on.

/** What is known of the server, as far as it was told. `refused` says that it would not open a stream. */
export interface News { on?: boolean; refused?: boolean; seq?: number; model?: string; actor?: string; work?: number | null; alarm?: boolean }
type Message = { ask: true } | { news: News };

export interface Heard { news(news: News): void; lost(refused: boolean): void }

/** What a browser gives; tests bring their own. */
export interface World {
  visible(): boolean;
  /** Calls whenever the tab is shown or hidden; answers how to stop that. */
  onVisible(look: () => void): () => void;
  /** Runs `hold` once no other tab holds the lock, and keeps it until what that promises. None where there are no locks. */
  lock?(signal: AbortSignal, hold: () => Promise<void>): Promise<unknown>;
  channel(heard: (message: Message) => void): { post(message: Message): void; close(): void };
  open(heard: Heard): { close(): void };
  later(run: () => void, ms: number): () => void;
}

const [FIRST_PAUSE, LONGEST_PAUSE] = [1_000, 30_000];

/** Hands on what is heard while the tab is visible; answers how to end it. */
export function listen(world: World, hear: (news: News) => void): () => void {
  let leave: (() => void) | undefined;
  const look = () => {
    if (world.visible()) leave ??= join(world, hear);
    else { leave?.(); leave = undefined; }
  };
  const stop = world.onVisible(look);
  look();
  return () => { stop(); leave?.(); leave = undefined; };
}

function join(world: World, hear: (news: News) => void): () => void {
  let gone = false;
  let end: (() => void) | undefined;
  // What a tab that asks is told, while this one leads.
  let known: News | undefined;
  const channel = world.channel((message) => {
    if (gone) return;
    if ('news' in message) { if (!known) hear(message.news); } else if (known) channel.post({ news: known });
  });
  const tell = (news: News) => {
    if (gone) return;
    const { refused: _, alarm: __, ...lasting } = news;
    known = { ...known, ...lasting };
    channel.post({ news });
    hear(news);
  };
  const hold = () => new Promise<void>((done) => {
    if (gone) { done(); return; }
    known = {};
    const close = keepOpen(world, tell);
    end = () => { close(); done(); };
  });
  const giveUp = new AbortController();
  if (world.lock) {
    channel.post({ ask: true });
    // Given up while waiting is no failure.
    world.lock(giveUp.signal, hold).catch(() => undefined);
  } else void hold();
  return () => { end?.(); gone = true; giveUp.abort(); channel.close(); };
}

/** A stream that is opened again when the server would not have it, less and less often. */
function keepOpen(world: World, tell: (news: News) => void): () => void {
  let pause = FIRST_PAUSE;
  let cancel: (() => void) | undefined;
  let source: { close(): void } | undefined;
  const open = () => {
    source = world.open({
      news: (news) => { pause = FIRST_PAUSE; tell({ on: true, ...news }); },
      lost: (refused) => {
        tell({ on: false, work: null, ...(refused && { refused }) });
        if (!refused) return; // the browser tries again by itself
        source?.close();
        cancel = world.later(open, pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      },
    });
  };
  open();
  return () => { cancel?.(); source?.close(); };
}

/** The browser that this page is in. */
export function browser(): World {
  const locks = (globalThis.navigator as { locks?: LockManager }).locks;
  return {
    visible: () => document.visibilityState === 'visible',
    onVisible: (look) => {
      // A page that is kept for going back is frozen without being hidden first in some browsers.
      const kinds = [[document, 'visibilitychange'], [globalThis, 'pageshow']] as const;
      for (const [at, kind] of kinds) at.addEventListener(kind, look);
      return () => { for (const [at, kind] of kinds) at.removeEventListener(kind, look); };
    },
    ...(locks && typeof BroadcastChannel === 'function' && { lock: (signal: AbortSignal, hold: () => Promise<void>) => locks.request('northing.events', { signal }, hold) }),
    channel: (heard) => {
      if (typeof BroadcastChannel !== 'function') return { post: () => undefined, close: () => undefined };
      const channel = new BroadcastChannel('northing.events');
      channel.addEventListener('message', (event: MessageEvent<Message>) => heard(event.data));
      return { post: (message) => channel.postMessage(message), close: () => channel.close() };
    },
    open: ({ news, lost }) => {
      const source = new EventSource('/api/events');
      const read = (event: Event) => JSON.parse((event as MessageEvent<string>).data) as News;
      source.addEventListener('open', () => news({}));
      source.addEventListener('error', () => lost(source.readyState === EventSource.CLOSED));
      source.addEventListener('seq', (event) => news(read(event)));
      source.addEventListener('work', (event) => news({ work: (read(event) as { percent?: number | null }).percent ?? null }));
      source.addEventListener('alarm', () => news({ alarm: true }));
      return source;
    },
    later: (run, ms) => { const id = setTimeout(run, ms); return () => clearTimeout(id); },
  };
}
