import { afterEach, describe, expect, it, vi } from 'vitest';
import { send } from './api';

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
