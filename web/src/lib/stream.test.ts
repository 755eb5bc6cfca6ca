import { describe, expect, it } from 'vitest';
import { listen, type Heard, type News, type World } from './stream';

/** A browser with tabs: locks are given in the order in which they were asked for, a channel reaches all others. */
function browser({ locks = true } = {}) {
  const waiting: { run(): void }[] = [];
  let held = false;
  const channels = new Set<(message: never) => void>();
  const streams = new Set<{ heard: Heard; tab: number }>();
  const timers: (() => void)[] = [];
  const settle = async () => { for (let i = 0; i < 20; i++) await Promise.resolve(); };
  const next = () => { if (!held) waiting.shift()?.run(); };
  let opened = 0;
  const tab = () => {
    const id = ++opened;
    let visible = true;
    const looks = new Set<() => void>();
    const heard: News[] = [];
    const world: World = {
      visible: () => visible,
      onVisible: (look) => { looks.add(look); return () => looks.delete(look); },
      ...(locks && {
        lock: (signal: AbortSignal, hold: () => Promise<void>) => new Promise((done, fail) => {
          const entry = { run() { held = true; void hold().then(() => { held = false; done(undefined); next(); }); } };
          waiting.push(entry);
          signal.addEventListener('abort', () => { const at = waiting.indexOf(entry); if (at >= 0) { waiting.splice(at, 1); fail(new Error('given up')); } });
          next();
        }),
      }),
      channel: (hear) => {
        const own = hear as (message: never) => void;
        channels.add(own);
        return { post: (message) => { for (const other of channels) if (other !== own) other(message as never); }, close: () => channels.delete(own) };
      },
      open: (to) => { const stream = { heard: to, tab: id }; streams.add(stream); return { close: () => streams.delete(stream) }; },
      later: (run) => { timers.push(run); return () => { const at = timers.indexOf(run); if (at >= 0) timers.splice(at, 1); }; },
    };
    const close = listen(world, (news) => heard.push(news));
    const show = async (on: boolean) => { visible = on; for (const look of looks) look(); await settle(); };
    return { id, heard, show, close: async () => { close(); await settle(); }, seq: () => heard.findLast((n) => n.seq !== undefined)?.seq };
  };
  const server = (news: News) => { for (const s of streams) s.heard.news(news); };
  const leader = () => [...streams].map((s) => s.tab);
  return { tab, server, leader, streams, timers, settle };
}

describe('U1: one stream for all tabs of a browser', () => {
  it('U1: is opened once, and every visible tab hears it', async () => {
    const b = browser();
    const tabs = Array.from({ length: 20 }, b.tab);
    await b.settle();
    expect(b.leader()).toEqual([1]);
    b.server({ seq: 7 });
    expect(tabs.map((t) => t.seq())).toEqual(tabs.map(() => 7));
  });

  it('U1: a tab opened later is told what is true now', async () => {
    const b = browser();
    b.tab();
    await b.settle();
    b.server({ seq: 41, model: 'm', actor: 'owner' });
    b.server({ alarm: true });
    const late = b.tab();
    await b.settle();
    expect(late.heard).toEqual([{ on: true, seq: 41, model: 'm', actor: 'owner' }]);
  });

  it('U1: another visible tab leads when the leader is closed or hidden; a hidden one hears nothing', async () => {
    const b = browser();
    const [one, two, three] = [b.tab(), b.tab(), b.tab()];
    await b.settle();
    await two.show(false);
    await one.show(false);
    expect(b.leader()).toEqual([three.id]);
    b.server({ seq: 5 });
    expect([one.seq(), two.seq(), three.seq()]).toEqual([undefined, undefined, 5]);
    await one.show(true);
    expect(one.seq()).toBe(5);
    await three.close();
    expect(b.leader()).toEqual([one.id]);
    b.server({ seq: 6 });
    expect([one.seq(), three.seq()]).toEqual([6, 5]);
  });

  it('U1: no stream is open while every tab is hidden; shown again it catches up', async () => {
    const b = browser();
    const tabs = [b.tab(), b.tab()];
    await b.settle();
    for (const t of tabs) await t.show(false);
    expect(b.leader()).toEqual([]);
    await tabs[1]?.show(true);
    expect(b.leader()).toEqual([2]);
    b.server({ seq: 9 });
    expect(tabs.map((t) => t.seq())).toEqual([undefined, 9]);
  });

  it('U1: a stream that is refused is told to all, and tried again later', async () => {
    const b = browser();
    const tabs = [b.tab(), b.tab()];
    await b.settle();
    for (const s of b.streams) s.heard.lost(true);
    expect(tabs.map((t) => t.heard.at(-1))).toEqual([1, 2].map(() => ({ on: false, work: null, refused: true })));
    expect(b.leader()).toEqual([]);
    b.timers.shift()?.();
    expect(b.leader()).toEqual([1]);
    // Who asks later is not told of it again.
    const late = b.tab();
    await b.settle();
    expect(late.heard.at(-1)).toEqual({ on: false, work: null });
    // A tab that leaves leaves no timer behind.
    for (const s of b.streams) s.heard.lost(true);
    for (const t of [...tabs, late]) await t.close();
    expect([b.timers.length, b.leader().length]).toEqual([0, 0]);
  });

  it('U1: a broken connection is not opened twice', async () => {
    const b = browser();
    const one = b.tab();
    await b.settle();
    for (const s of b.streams) s.heard.lost(false);
    expect([one.heard.at(-1)?.on, b.leader(), b.timers.length]).toEqual([false, [1], 0]);
  });

  it('U1: without locks each visible tab has its own, and none while hidden', async () => {
    const b = browser({ locks: false });
    const tabs = [b.tab(), b.tab()];
    await b.settle();
    expect(b.leader()).toEqual([1, 2]);
    await tabs[0]?.show(false);
    expect(b.leader()).toEqual([2]);
    b.server({ seq: 3 });
    expect(tabs.map((t) => t.seq())).toEqual([undefined, 3]);
  });
});
