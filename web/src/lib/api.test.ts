import { afterEach, describe, expect, it, vi } from 'vitest';
import { provenBy, send } from './api';

/** A server that answers or does not; the keys that it saw. */
function server(...answers: (number | 'lost' | 'cut')[]) {
  const keys: (string | undefined)[] = [];
  vi.stubGlobal('fetch', (_path: string, init: { headers: Record<string, string> }) => {
    keys.push(init.headers['idempotency-key']);
    const answer = answers.shift() ?? 201;
    if (answer === 'lost') return Promise.reject(new TypeError('network'));
    return Promise.resolve({ status: answer === 'cut' ? 201 : answer, ok: answer === 'cut' || answer < 400, statusText: '', text: () => (answer === 'cut' ? Promise.reject(new TypeError('cut')) : Promise.resolve('{"id":"1"}')) });
  });
  return keys;
}
const lead = (name: string) => send('/api/records/leads', 'POST', { name }).catch(() => undefined);

describe('a request whose answer is lost', () => {
  afterEach(() => { vi.unstubAllGlobals(); vi.useRealTimers(); });

  it('is the same request when it is sent again', async () => {
    const keys = server('lost', 'cut', 502, 201, 201);
    for (let n = 0; n < 5; n++) await lead('Ada');
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys.slice(1, 4)).toEqual([keys[0], keys[0], keys[0]]);
    expect(keys[4], 'what was answered is over').not.toBe(keys[0]);
  });
  it('is another one with other words, another version, or long after', async () => {
    vi.useFakeTimers();
    const keys = server('lost', 'lost', 'lost', 'lost', 'lost');
    await lead('Ada');
    await lead('Eda');
    for (const version of ['"1"', '"2"']) await send('/api/records/leads/1', 'PATCH', {}, { 'if-match': version }).catch(() => undefined);
    vi.advanceTimersByTime(3_600_000);
    await lead('Ada');
    expect(new Set(keys).size).toBe(5);
  });
  it('has no key where it only reads', async () => {
    const keys = server(200);
    await send('/api/records/leads');
    expect(keys).toEqual([undefined]);
  });
});

describe('what opens a door', () => {
  afterEach(() => vi.unstubAllGlobals());
  /** A server that wants a proof until one was given. */
  const door = () => {
    const state = { proven: false, asked: [] as string[] };
    vi.stubGlobal('fetch', (path: string) => {
      state.asked.push(path);
      const fine = state.proven;
      return Promise.resolve({ status: fine ? 200 : 403, ok: fine, statusText: '', text: () => Promise.resolve(fine ? '{"link":"l"}' : '{"type":"urn:northing:problem:proof-needed","title":"","detail":"Enter your password","status":403}') });
    });
    return state;
  };
  it('S7: is asked for again once they have shown who they are, with one question for all', async () => {
    const state = door();
    let questions = 0;
    const end = provenBy(() => { questions += 1; state.proven = true; return Promise.resolve(true); });
    const both = await Promise.all([send('/api/invitations', 'POST', { user: 'u' }), send('/api/me/tokens', 'POST', { name: 't' })]);
    expect(both).toEqual([{ link: 'l' }, { link: 'l' }]);
    expect(questions).toBe(1);
    expect(state.asked).toHaveLength(4);
    end();
  });
  it('S7: stays shut when they do not, or when nobody can be asked', async () => {
    const state = door();
    await expect(send('/api/invitations', 'POST', {})).rejects.toThrow('Enter your password');
    const end = provenBy(() => Promise.resolve(false));
    await expect(send('/api/invitations', 'POST', {})).rejects.toThrow('Enter your password');
    expect(state.asked).toHaveLength(2);
    end();
  });
});
