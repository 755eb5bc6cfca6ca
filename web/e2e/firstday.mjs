// The first day: an empty workspace, one order and one booking. Every page stands, and no number says what one day cannot.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wait } from './work.mjs';

const AMOUNT = 220;
/** Kinds of metrics that are a part of a whole. */
const SHARES = ['conversion', 'retention'];

function serve(binary, folder) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['serve', '--data', folder, '--listen', '127.0.0.1:0']);
    // A log that nobody reads would stop whoever writes it.
    child.stderr.resume();
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
      const link = out.match(/http:\/\/\S+\/sign-in#\w+/)?.[0];
      if (link) resolve({ link, stop: () => new Promise((done) => { child.on('exit', done); child.kill('SIGTERM'); }) });
    });
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${out}`)));
  });
}

/** What is absurd about a metric's cells, in words. */
export function absurd(definition, cells) {
  const { id, kind, unit } = definition;
  const share = SHARES.includes(kind) || (kind === 'ratio' && unit === 'ratio');
  const found = [];
  const say = (cell, what, value) => found.push(`${id} ${cell.start ?? ''}: ${what} ${value}`);
  for (const cell of cells) {
    for (const key of ['value', 'numerator', 'denominator', 'n', 'median', 'p90']) if (cell[key] !== null && cell[key] !== undefined && !Number.isFinite(cell[key])) say(cell, `${key} is no number`, cell[key]);
    const values = [cell.value, cell.median, cell.p90].filter((v) => typeof v === 'number');
    const bounds = share ? [0, 1] : id === 'nps' ? [-100, 100] : ['count', 'duration', 'years', 'per_year', 'times'].includes(unit) ? [0, Infinity] : [-Infinity, Infinity];
    for (const v of values) if (v < bounds[0] || v > bounds[1]) say(cell, share ? 'a share of' : 'beyond its scale:', v);
    for (const v of cell.interval ?? []) if (v < bounds[0] - 1e-9 || v > bounds[1] + 1e-9) say(cell, 'an interval to', v);
    if (cell.value !== null && cell.denominator === 0) say(cell, 'divided by nothing:', cell.value);
    // What one order of one day is told to come to.
    if (unit.startsWith('money') && Math.abs(cell.value ?? 0) > 100 * AMOUNT) say(cell, `out of one order of ${AMOUNT}:`, cell.value);
    if (unit === 'per_year' && (cell.value ?? 0) > 366) say(cell, 'more often than daily, out of one:', cell.value);
    if (unit === 'years' && (cell.value ?? 0) > 100) say(cell, 'longer than anybody lives:', cell.value);
    if (unit === 'count' && (cell.value ?? 0) > 100) say(cell, 'out of hardly any records:', cell.value);
  }
  return found;
}

/** The date and time of an instant as they are typed in English. */
const keys = (page, ahead) => page.evaluate(async (ms) => {
  const { workspace } = await (await fetch('/api/session')).json();
  const parts = Object.fromEntries(new Intl.DateTimeFormat('en-GB', { timeZone: workspace.zone, day: '2-digit', month: '2-digit', year: 'numeric', hour: '2-digit', minute: '2-digit' }).formatToParts(new Date(Date.now() + ms)).map((p) => [p.type, p.value]));
  return parts.day + parts.month + parts.year + parts.hour + parts.minute;
}, ahead);

async function add(page, origin, plural, fields) {
  await page.goto(`${origin}/records/${plural}`);
  await page.locator('main header button[class*=primary]').click();
  const form = page.locator('[role=dialog] form');
  await form.waitFor();
  const more = form.locator('[class*=body] > button');
  if (await more.count()) await more.click();
  for (const [name, value] of Object.entries(fields)) {
    const cell = form.locator(`[data-field=${name}]`);
    if (value.pick) {
      await cell.locator('[role=combobox]').fill(value.pick);
      await page.locator('[role=option]', { hasText: value.pick }).first().waitFor();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await wait(page, ([n, v]) => document.querySelector(`[role=dialog] [data-field=${n}] [role=combobox]`)?.value === v, [name, value.pick]);
    } else if (value.keys) {
      await cell.locator('[role=spinbutton]').first().focus();
      await page.keyboard.type(value.keys, { delay: 5 });
    } else if (value.choose) await cell.locator('select').selectOption(value.choose);
    else await cell.locator('input').first().fill(value);
  }
  await form.locator('button[type=submit]').click();
  const done = await wait(page, () => !document.querySelector('[role=dialog] form') || !!document.querySelector('[role=dialog] form [role=alert]'));
  return done && (await form.count()) === 0 ? '' : form.innerText();
}

export async function firstDay({ browser, binary, check }) {
  const folder = mkdtempSync(join(tmpdir(), 'northing-first-'));
  const { link, stop } = await serve(binary, folder);
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  await context.addInitScript(() => localStorage.setItem('northing.lang', 'en'));
  const page = await context.newPage();
  const errors = [];
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('401')) errors.push(`${new URL(page.url()).pathname}: ${m.text()}`); });
  page.on('pageerror', (e) => errors.push(`${page.url()}: ${String(e)}`));
  const origin = new URL(link).origin;
  await page.goto(link);
  await page.waitForSelector('input[autocomplete=new-password]');
  await page.locator('input[type=email]').fill('first@example.org');
  await page.locator('input[autocomplete=name]').fill('Ada First');
  await page.locator('input[autocomplete=new-password]').fill('orange tiles on the roof');
  await page.locator('button[type=submit]').click();
  await page.waitForURL((url) => url.pathname === '/');
  await page.waitForSelector('main h1');

  // Somebody who can be booked.
  const { user } = await page.evaluate(async () => (await (await fetch('/api/session')).json()));
  if (!user) await page.evaluate(() => fetch('/api/records/users', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Bo Second', role: 'service' }) }));
  const order = await add(page, origin, 'orders', { number: '1', status: { choose: 'confirmed' }, customer: { pick: 'First Customer' }, confirmed_at: { keys: await keys(page, -300_000) }, net: String(AMOUNT) });
  check('first day: an order is made', order === '', order);
  const staff = await page.evaluate(async () => (await (await fetch('/api/records/users?limit=1')).json()).items[0]?.fields.name);
  const booking = await add(page, origin, 'bookings', { customer: { pick: 'First Customer' }, user: { pick: staff }, starts_at: { keys: await keys(page, 3_600_000) }, ends_at: { keys: await keys(page, 7_200_000) } });
  check('first day: a booking is made', booking === '', booking);

  const [{ metrics }, { objects }] = await page.evaluate(async () => Promise.all(['metrics', 'model'].map(async (p) => (await fetch(`/api/${p}?lang=en`)).json())));
  const wrong = [];
  const day = (months) => page.evaluate((m) => { const d = new Date(); d.setUTCMonth(d.getUTCMonth() + m); return d.toISOString().slice(0, 10); }, months);
  for (const [from, to] of [[await day(-12), await day(1)], [await day(0), await day(1)]]) {
    for (const variant of ['', ...new Set(metrics.flatMap((m) => m.variants))]) {
      const asked = variant ? metrics.filter((m) => m.variants.includes(variant)) : metrics;
      const answer = await page.evaluate(async ([ids, f, t, v]) => { const r = await fetch(`/api/ask?${new URLSearchParams({ metrics: ids, from: f, to: t, grain: 'month', ...(v && { variant: v }) })}`); return { status: r.status, ...(await r.json()) }; }, [asked.map((m) => m.id).join(','), from, to, variant]);
      if (answer.status !== 200) { wrong.push(`${variant}: ${answer.status} ${answer.detail}`); continue; }
      for (const m of answer.metrics) wrong.push(...absurd(metrics.find((d) => d.id === m.id), [m.total, ...m.buckets]).map((w) => (variant ? `${variant}: ${w}` : w)));
    }
  }
  check('first day: no metric says what one order cannot', wrong.length === 0, [...new Set(wrong)].join('; '));

  const places = ['/?p=month', '/?p=12m', '/metrics?p=month', '/metrics?p=12m', '/quality?p=12m', '/board', '/calendar', '/inbox', '/day', '/import', '/exports', '/duplicates', '/declare', '/customize', '/account',
    ...['revenue', 'average_purchase_value', 'customer_retention_rate', 'clv', 'nps', 'first_response_time', 'win_rate', 'ltv_cac_ratio'].filter((id) => metrics.some((m) => m.id === id)).map((id) => `/metrics/${id}?p=month&compare=previous`),
    ...objects.filter((o) => !o.derived).map((o) => `/records/${o.plural}`)];
  const odd = [];
  for (const place of places) {
    await page.goto(`${origin}${place}`);
    await page.waitForSelector('main h1').catch((e) => { throw new Error(`${place}: ${e.message}`); });
    await page.waitForLoadState('networkidle', { timeout: 10_000 }).catch(() => {});
    const text = await page.locator('main').innerText();
    const strange = text.match(/.*(?:\b(?:NaN|Infinity|undefined|(?<!is |is not )null)\b|∞|\[object).*/);
    if (strange) odd.push(`${place}: ${strange[0].trim().slice(0, 120)}`);
    if (/went wrong|Something is broken/i.test(text)) odd.push(`${place}: ${text.slice(0, 120)}`);
  }
  check('first day: every page can be read', odd.length === 0, odd.join('; '));
  check('first day: no console error', errors.length === 0, [...new Set(errors)].join(' | '));
  await context.close();
  await stop();
  rmSync(folder, { recursive: true, force: true });
}
