// Many tabs of one browser: all load, a change made in one is seen in those that are looked at, one stream serves them, and
// hidden ones cost nothing and catch up when they are shown.
import { wait } from './work.mjs';

/** The addresses of streams that are open now, by their pages. */
function streams(context) {
  const open = new Map();
  context.on('request', (r) => { if (r.url().endsWith('/api/events')) open.set(r, r.frame().page()); });
  for (const end of ['requestfinished', 'requestfailed']) context.on(end, (r) => open.delete(r));
  context.on('page', (p) => p.on('close', () => { for (const [r, of] of open) if (of === p) open.delete(r); }));
  return () => [...open.values()];
}

/** A tab behind others, as the browser would say it: a driven one counts every tab as looked at. */
const hide = (page, hidden) => page.evaluate((h) => {
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (h ? 'hidden' : 'visible') });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

const until = async (what, ms = 10_000) => {
  for (const end = Date.now() + ms; !what(); await new Promise((done) => setTimeout(done, 50))) if (Date.now() > end) return false;
  return true;
};

export async function tabs({ browser, state, settings, scripts, origin, name, check }) {
  const context = await browser.newContext(settings);
  await context.addCookies(state.cookies);
  for (const script of scripts) await context.addInitScript(...script);
  const open = streams(context);
  const slow = 20_000;
  const begin = async (path, ready) => {
    const page = await context.newPage();
    await page.goto(`${origin}${path}`, { timeout: slow });
    return (await page.waitForSelector(ready, { timeout: slow }).then(() => true, () => false)) ? page : undefined;
  };
  const make = (page, title) => page.evaluate(async (n) => (await fetch('/api/records/leads', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: n }) })).status, title);
  const sees = (page, title, ms) => wait(page, (n) => [...document.querySelectorAll('tbody a')].some((a) => a.innerText === n), title, ms);

  const eight = [];
  for (let i = 0; i < 8; i++) eight.push(await begin('/records/leads?sort=-created_at', 'tbody tr a'));
  check(`U1: ${name}: eight tabs load`, eight.every(Boolean), eight.map(Boolean).join(' '));
  if (!eight.every(Boolean)) { await context.close(); return; }
  check(`U1: ${name}: one stream serves eight tabs`, await until(() => open().length === 1), `${open().length} streams`);
  check(`U1: ${name}: a change is taken while eight tabs are open`, (await make(eight[3], 'Seen by eight')) === 201);
  const seen = await Promise.all(eight.map((p) => sees(p, 'Seen by eight')));
  check(`U1: ${name}: and seen in all of them`, seen.every(Boolean), seen.join(' '));

  // The one that holds the stream is hidden, and so are others: one that is looked at goes on, the hidden ones ask nothing.
  const led = eight.indexOf(open()[0]);
  const hidden = eight.filter((_, i) => i === led || (i !== (led + 1) % 8 && i % 2 === 0));
  const shown = eight.filter((p) => !hidden.includes(p));
  for (const p of hidden) await hide(p, true);
  check(`U1: ${name}: another tab holds the stream when the first is hidden`, await until(() => open().length === 1 && shown.includes(open()[0])), `${open().length} streams`);
  let asked = 0;
  for (const p of hidden) p.on('request', (r) => { if (r.url().includes('/api/')) asked++; });
  await make(shown[0], 'Seen by some');
  const some = await Promise.all(shown.map((p) => sees(p, 'Seen by some')));
  check(`U1: ${name}: what is looked at follows`, some.every(Boolean), some.join(' '));
  check(`U1: ${name}: what is hidden asks nothing`, asked === 0 && !(await sees(hidden[0], 'Seen by some', 0)), `${asked} requests`);
  await hide(hidden[0], false);
  check(`U1: ${name}: a tab shown again catches up`, await sees(hidden[0], 'Seen by some'));
  for (const p of [...shown, hidden[0]]) await hide(p, true);
  check(`U1: ${name}: no stream while all are hidden`, await until(() => open().length === 0), `${open().length} streams`);
  for (const p of eight) await hide(p, false);
  check(`U1: ${name}: and one when they are shown again`, await until(() => open().length === 1), `${open().length} streams`);
  // The one that holds it is closed.
  await open()[0].close();
  check(`U1: ${name}: another goes on when it is closed`, await until(() => open().length === 1 && !open()[0].isClosed()), `${open().length} streams`);

  // Twenty: no request waits for a connection that never comes.
  const all = eight.filter((p) => !p.isClosed());
  while (all.length < 20) all.push(await begin('/account', 'main form'));
  check(`U1: ${name}: twenty tabs load`, all.every(Boolean));
  const answers = await Promise.all(all.filter(Boolean).map((p) => p.evaluate(() => Promise.race([fetch('/api/session').then((r) => r.status), new Promise((done) => setTimeout(() => done('hangs'), 15_000))]))));
  check(`U1: ${name}: and every one is answered`, answers.length === 20 && answers.every((a) => a === 200), answers.join(' '));

  // Signed out in one, the others leave what they show.
  const [one, other] = all;
  await one.evaluate(() => fetch('/api/session', { method: 'DELETE' }));
  check(`U1: ${name}: an end of the session is heard in the other tabs`, await other.waitForURL('**/sign-in', { timeout: 15_000 }).then(() => true, () => false), other.url());
  await context.close();
}
