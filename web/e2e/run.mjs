// A real browser against the real binary: sign-in → overview → metric → records, in English and Persian, on a
// desktop and a phone. Fails on a console error, an axe violation or horizontal overflow, and when a committed
// change does not reach an open screen. SHOTS=folder keeps screenshots; ONLY=en-1280-light walks one combination, and
// PART=work,tabs some parts of it.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';
import { daily } from './daily.mjs';
import { firstDay } from './firstday.mjs';
import { forms } from './forms.mjs';
import { numbers } from './numbers.mjs';
import { own } from './own.mjs';
import { leads, offline, people } from './people.mjs';
import { tabs } from './tabs.mjs';
import { wait, work } from './work.mjs';

const binary = process.env.NORTHING ?? new URL('../../target/release/northing', import.meta.url).pathname;
const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!browserPath) throw new Error('no Chromium found; install it (apt-get install chromium)');
const folder = mkdtempSync(join(tmpdir(), 'northing-e2e-'));
const shots = process.env.SHOTS;
const part = (name) => !process.env.PART || process.env.PART.split(',').includes(name);
let passed = 0;
let failed = 0;

function check(what, fine, detail = '') {
  if (fine) passed += 1;
  else { failed += 1; console.error(`FAILED ${what} ${detail}`); }
}

/** Starts the demo on a free port; answers the sign-in link and how to stop it. */
function serve(now) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['--now', now, 'demo', '--data', folder, '--serve', '--listen', '127.0.0.1:0', '--log-level', 'warn']);
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
      const link = out.match(/http:\/\/\S+\/sign-in#\w+/)?.[0];
      if (link) resolve({ link, stop: () => new Promise((done) => { child.on('exit', done); child.kill('SIGTERM'); }) });
    });
    child.stderr.on('data', (text) => process.stderr.write(text));
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${out}`)));
  });
}

const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

async function look(page, name) {
  await page.waitForLoadState('networkidle').catch(() => {});
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(`${name}: no horizontal overflow`, overflow <= 0, `${overflow} px too wide`);
  // Behind a window that takes the whole page nothing can be reached, its heading and landmarks neither.
  const behind = (await page.locator('#root[inert]').count()) > 0 ? ['landmark-one-main', 'page-has-heading-one'] : [];
  const { violations } = await new AxeBuilder({ page }).disableRules(behind).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  check(`${name}: axe`, violations.length === 0, JSON.stringify(violations.map((v) => [v.id, v.nodes.slice(0, 2).map((n) => `${n.html.slice(0, 140)} ${n.any[0]?.message ?? ''}`)])));
  if (shots && /^(overview|metric|records)-(en|fa)-|^(catalogue|service|declare|board|cohorts|role-form|account|desk|day|calendar|import|duplicates|exports|rule|groups)-en-desktop$/.test(name)) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: name.includes('phone') });
}

/** A metric by when customers first bought. */
async function cohorts(page, origin, name) {
  await page.goto(`${origin}/metrics/active_customers?variant=served&p=12m`);
  await page.locator('main section > div > button').last().click();
  await page.waitForSelector('main tbody th[scope=row]');
  const first = await page.locator('main tbody tr:has(th[scope=row])').first().locator('td').count();
  check(`${name}: the first cohort has a cell for each month since`, first >= 12, `${first} cells`);
  await look(page, `cohorts-${name}`);
}

/** A piece of a working day: a customer, a deal of theirs, the deal won on the board, the number on another screen. */
async function day(page, context, origin, name) {
  // Somebody found by name, typed wrong and without accents, and gone to by keyboard.
  await page.evaluate(() => fetch('/api/records/customers', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Łukasz Wiśniewski', phone: '+48 600 700 800' }) }));
  await page.goto(`${origin}/board`);
  await page.waitForSelector('article');
  await page.locator('main').click({ position: { x: 4, y: 4 } });
  await page.keyboard.press('Control+k');
  const find = page.locator('[role=dialog] input');
  for (const typed of ['lukasz wisn', 'wisneiwski', '600 700']) {
    await find.fill(typed);
    const first = page.locator('[role=option]', { hasText: 'Wiśniewski' }).first();
    check(`${name}: "${typed}" finds him`, await first.waitFor({ timeout: 5000 }).then(() => true, () => false));
  }
  await look(page, `search-${name}`);
  await page.keyboard.press('Enter');
  check(`${name}: and goes there`, await page.waitForFunction(() => document.querySelector('h1')?.innerText.includes('Wiśniewski'), null, { timeout: 5000 }).then(() => true, () => false));

  // A list narrowed by a condition; its address says so, and the file holds as many rows.
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  const count = async () => Number((await page.locator('main header').innerText()).replace(/[۰-۹]/g, (d) => '۰۱۲۳۴۵۶۷۸۹'.indexOf(d)).replace(/[,٬.\u00a0]/g, '').match(/\d+/)?.[0]);
  const every = await count();
  await page.locator('main header button').nth(-3).click();
  await page.locator('main [role=group] select').first().selectOption('segment');
  await page.locator('main [role=group] select').nth(1).selectOption('is');
  await page.locator('main [role=group] input').fill('Small');
  await page.waitForFunction(() => location.search.includes('Small'));
  await page.waitForTimeout(700);
  const some = await count();
  check(`${name}: a condition narrows the list`, some > 0 && some < every, `${some} of ${every}`);
  await look(page, `filter-${name}`);
  const lines = await page.evaluate(async () => (await (await fetch(document.querySelector('main header a[download]').href)).text()).trim().split('\r\n').length);
  check(`${name}: the file holds what the list shows`, lines === some + 1, `${lines} lines`);

  const form = page.locator('[role=dialog] form');
  const saved = () => page.waitForFunction(() => !document.querySelector('[role=dialog] form'), null, { timeout: 10_000 });
  const primary = () => page.locator('main header button').last();
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  await primary().click();
  await form.waitFor();
  await form.locator('button[type=submit]').click();
  check(`${name}: an empty form is not saved`, await form.isVisible());
  await form.locator('input').first().fill('Zebra Ltd');
  await look(page, `form-${name}`);
  await form.locator('button[type=submit]').click();
  await page.waitForURL(/records\/customers\/[0-9a-f-]{36}/);
  check(`${name}: the new customer opens`, await page.waitForFunction(() => document.querySelector('h1')?.innerText === 'Zebra Ltd', null, { timeout: 5000 }).then(() => true, () => false));
  const customer = page.url();

  // Two people change the same record: the later is told, and keeps what was typed.
  await primary().click();
  await form.waitFor();
  await form.locator('input').first().fill('Zebra & Co');
  const status = await page.evaluate(async (url) => (await fetch(url.replace('/records/', '/api/records/'), { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ segment: 'Small' }) })).status, new URL(customer).pathname);
  check(`${name}: somebody else changes it`, status === 200, String(status));
  await form.locator('button[type=submit]').click();
  await form.locator('[role=alert]').waitFor();
  check(`${name}: a conflict keeps what was typed`, (await form.locator('input').first().inputValue()) === 'Zebra & Co');
  await form.locator('button[type=submit]').click();
  await saved();
  await page.waitForFunction(() => document.querySelector('h1')?.innerText === 'Zebra & Co');

  // A deal of this customer, from the customer's page.
  const deals = page.locator('main section button', { has: page.locator('svg') });
  const labels = await deals.allInnerTexts();
  const place = labels.findIndex((t) => /^(deal|معامله|szansa)$/i.test(t.trim()));
  check(`${name}: a deal can be added to a customer`, place >= 0, labels.join(', '));
  await deals.nth(place).click();
  await form.waitFor();
  await form.locator('input').first().fill('Zebra stripes');
  // The first stage is there already; whose deal it is, too, since it was begun on the customer's page.
  check(`${name}: a new deal begins in the first stage`, await wait(page, async () => { const { items: [first] } = await (await fetch('/api/records/stages?limit=1')).json(); return [...document.querySelectorAll('[role=dialog] [role=combobox]')][0]?.value === first.fields.name; }));
  // An amount and a day as they are written there; the day is typed key by key.
  const [amount, day] = { en: ['4,321.50', '01122026'], pl: ['4 321,50', '01122026'], fa: ['۴٬۳۲۱٫۵۰', '14050910'] }[name.slice(0, 2)];
  await form.locator('input[inputmode=decimal]').first().fill(amount);
  await form.locator('[role=spinbutton]').first().focus();
  await page.keyboard.type(day, { delay: 20 });
  await look(page, `deal-form-${name}`);
  await form.locator('button[type=submit]').click();
  await saved();
  check(`${name}: the deal stands on the customer's page`, await page.locator('main table a', { hasText: 'Zebra stripes' }).first().waitFor().then(() => true, () => false));

  const { items: [typed] } = await page.evaluate(async () => (await fetch(`/api/records/deals?filter=${encodeURIComponent("name = 'Zebra stripes'")}`)).json());
  check(`${name}: with the amount and the day that were typed`, typed.fields.amount.amount === '4321.50' && typed.fields.expected_close === '2026-12-01', JSON.stringify(typed.fields));

  // A deal with somebody new: named in the form, made with it.
  await page.goto(`${origin}/records/deals`);
  await page.waitForSelector('tbody tr');
  await primary().click();
  await form.waitFor();
  await form.locator('input').first().fill('Walk in');
  const whose = form.locator('[role=combobox]').nth(1);
  await whose.fill('Walk & "Sons"');
  await page.locator('[role=option]', { hasText: 'Walk & "Sons"' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const made = await wait(page, async () => (await (await fetch(`/api/records/customers?filter=${encodeURIComponent("name = 'Walk & \"Sons\"'")}`)).json()).total === 1);
  check(`${name}: who is not there yet is made from the form`, made && (await whose.inputValue()) === 'Walk & "Sons"', await whose.inputValue());
  await form.locator('button[type=submit]').click();
  await page.waitForURL(/records\/deals\/[0-9a-f-]{36}/);
  check(`${name}: and is whose the deal is`, await wait(page, () => [...document.querySelectorAll('main dd a')].some((l) => l.innerText === 'Walk & "Sons"')));

  // Won on the board, by keyboard; another open screen counts it.
  const other = await context.newPage();
  await other.goto(`${origin}/metrics/deals_won?p=month`);
  await other.waitForSelector('main svg');
  const number = () => other.locator('main section').first().innerText();
  const before = await number();
  await page.goto(`${origin}/board`);
  const card = page.locator('article', { hasText: 'Zebra stripes' });
  await card.waitFor();
  await look(page, `board-${name}`);
  const options = await card.locator('option').allInnerTexts();
  await card.locator('select').selectOption({ index: options.length - 2 });
  await card.waitFor({ state: 'detached' });
  const counted = await other.waitForFunction((old) => document.querySelector('main section')?.innerText !== old, before, { timeout: 8000 }).then(() => true, () => false);
  check(`${name}: a won deal changes the number on another screen`, counted);
  await other.close();

  // A ticket answered, an order refunded: both from the record's own page.
  for (const [plural, word, fill] of [
    ['tickets', /^(message|پیام|wiadomość)$/i, () => form.locator('select').first().selectOption('staff')],
    ['orders', /^(refund|بازپرداخت|zwrot)$/i, () => form.locator('input[inputmode=decimal]').first().fill('1.00')],
  ]) {
    await page.goto(`${origin}/records/${plural}`);
    await page.locator('tbody a').first().click();
    await page.waitForSelector('dl');
    await page.locator('main section button', { hasText: word }).click();
    await form.waitFor();
    await fill();
    await form.locator('button[type=submit]').click();
    const done = await saved().then(() => true, () => false);
    check(`${name}: ${plural}: something is added on the record's page`, done, done ? '' : await form.innerText());
  }

  // Two customers are one, and then again they are not.
  const ids = await page.evaluate(async () => {
    const make = async (n) => (await (await fetch('/api/records/customers', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: n }) })).json()).id;
    return [await make('Twin Alpha'), await make('Twin Beta')];
  });
  await page.goto(`${origin}/records/customers/${ids[1]}`);
  await page.waitForSelector('dl');
  await page.locator('main header button').first().click();
  await form.waitFor();
  await form.locator('[role=combobox]').fill('Twin Al');
  await page.locator('[role=option]', { hasText: 'Twin Alpha' }).first().waitFor();
  // By keyboard: what loads behind the form may draw the choices anew under a pointer.
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await look(page, `merge-${name}`);
  await form.locator('button[type=submit]').click();
  await page.waitForURL(`**/${ids[0]}`);
  await page.goto(`${origin}/records/customers/${ids[1]}`);
  const banner = page.locator('main section', { hasText: 'Twin Alpha' }).first();
  check(`${name}: a merged customer says into whom`, await banner.waitFor().then(() => true, () => false));
  await banner.locator('button').last().click();
  check(`${name}: a merge is taken back`, await banner.waitFor({ state: 'detached', timeout: 8000 }).then(() => true, () => false));

  // And away again.
  await page.goto(customer);
  await page.waitForSelector('dl');
  page.once('dialog', (d) => void d.accept());
  await page.locator('main header button').nth(-2).click();
  await page.waitForURL(/records\/customers$/);
  check(`${name}: a deleted record is gone`, (await page.evaluate(async (url) => (await fetch(url)).status, new URL(customer).pathname.replace('/records/', '/api/records/'))) === 404);
}

async function walk(lang, theme, width, height) {
  const name = `${lang}-${width < 500 ? 'phone' : 'desktop'}${theme === 'dark' ? '-dark' : ''}`;
  const now = '2026-03-18T12:00:00Z';
  const { link, stop } = await serve(now);
  try {
    await walked(link, name, lang, theme, width, height, now);
  } finally {
    await Promise.all(browser.contexts().map((c) => c.close()));
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function walked(link, name, lang, theme, width, height, now) {
  const context = await browser.newContext({ viewport: { width, height }, hasTouch: width < 500 });
  const preferred = [([l, t]) => { localStorage.setItem('northing.lang', l); localStorage.setItem('northing.theme', t); }, [lang, theme]];
  // The browser's day is the server's.
  const clock = [(ahead) => {
    const Real = Date;
    globalThis.Date = class extends Real {
      constructor(...given) { if (given.length > 0) super(...given); else super(Real.now() + ahead); }
      static now() { return Real.now() + ahead; }
    };
  }, Date.parse(now) - Date.now()];
  await context.addInitScript(...preferred);
  await context.addInitScript(...clock);
  const page = await context.newPage();
  const errors = [];
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('401')) errors.push(m.text()); });
  page.on('pageerror', (e) => errors.push(String(e)));
  const origin = new URL(link).origin;
  await page.goto(`${origin}/`);
  await page.waitForSelector('input');
  await look(page, `signin-${name}`);
  await page.goto(link);
  // The first time the owner chooses the address and the password to come back with.
  await page.waitForSelector('input[autocomplete=new-password]');
  await look(page, `first-${name}`);
  await page.locator('input[type=email]').fill('owner@example.org');
  await page.locator('input[autocomplete=name]').fill('Olga Owner');
  await page.locator('input[autocomplete=new-password]').fill('orange tiles on the roof');
  await page.locator('button[type=submit]').click();
  await page.waitForSelector('a[href^="/metrics/revenue"] svg');
  const back = await page.evaluate(async () => (await fetch('/api/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'owner@example.org', password: 'orange tiles on the roof' }) })).status);
  check(`U8: ${name}: the owner comes back by that address`, back === 200, String(back));
  await page.waitForSelector('a[href^="/metrics/revenue"] svg');
  check(`${name}: eight tiles`, (await page.locator('main a[href^="/metrics/"]').count()) >= 8);
  check(`${name}: direction`, (await page.getAttribute('html', 'dir')) === (lang === 'fa' ? 'rtl' : 'ltr'));
  await look(page, `overview-${name}`);

  const tile = page.locator('main a[href^="/metrics/win_rate"]').first();
  await tile.click();
  await page.waitForSelector('table tbody tr');
  const text = await page.locator('main').innerText();
  check(`${name}: digits of the language`, lang !== 'fa' || /[۰-۹]/.test(text));
  check(`${name}: the formula has its numbers`, /=/.test(text));
  await look(page, `metric-${name}`);
  await page.locator('main header button').last().click();
  await page.waitForSelector('[role=dialog]');
  await look(page, `period-${name}`);
  await page.keyboard.press('Escape');

  const record = page.locator('table tbody a').first();
  const title = await record.innerText();
  await record.click();
  await page.waitForSelector('dl');
  check(`${name}: the record opens`, (await page.locator('h1').innerText()).includes(title));
  await look(page, `record-${name}`);

  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  const rows = await page.locator('tbody tr').count();
  check(`${name}: customers are listed`, rows >= 20, `${rows} rows`);
  await look(page, `records-${name}`);

  // A change made elsewhere reaches this screen without a reload.
  await page.goto(`${origin}/?p=month`);
  await page.waitForSelector('main a[href^="/metrics/revenue"]');
  await page.waitForTimeout(400);
  const tiles = page.locator('main a[href^="/metrics/revenue"]').first();
  const before = await tiles.innerText();
  const answer = await page.evaluate(async () => {
    const created = await fetch('/api/records/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ number: 'E2E-1', status: 'confirmed', confirmed_at: '2026-03-18T09:00:00Z', net: { amount: '987654.00', currency: 'EUR' } }) });
    return created.status;
  });
  check(`${name}: the order is accepted`, answer === 201, String(answer));
  const changed = await page.waitForFunction((old) => [...document.querySelectorAll('main a[href^="/metrics/revenue"]')].some((a) => a.innerText !== old && a.innerText.length > 0), before, { timeout: 5000 }).then(() => true, () => false);
  check(`${name}: the change arrives live`, changed && (await tiles.innerText()) !== before);

  // The catalogue, a metric of service with what changed, and the records that could not be used.
  await page.goto(`${origin}/metrics?p=12m`);
  await page.waitForFunction(() => document.querySelectorAll('main a[href^="/metrics/"]').length >= 71 && !document.querySelector('main').innerText.includes('…'));
  await look(page, `catalogue-${name}`);
  await page.goto(`${origin}/metrics/csat?p=12m&compare=previous`);
  await page.waitForFunction(() => document.querySelectorAll('main table').length >= 2);
  await look(page, `service-${name}`);
  await page.goto(`${origin}/quality?p=12m`);
  await page.waitForSelector('main table tbody tr');
  check(`${name}: what was left out can be opened`, (await page.locator('main table a').count()) > 0);
  await look(page, `quality-${name}`);

  // A metric of one's own: refused with the reason, then kept and opened.
  const strict = errors.length;
  await page.goto(`${origin}/declare?p=12m`);
  await page.locator('main input').first().fill('Own orders');
  await page.locator('main input').nth(1).fill("sorce = 'Search'");
  await page.waitForSelector('[role=alert]');
  check(`${name}: a wrong condition is refused with its reason`, (await page.locator('[role=alert]').innerText()).includes('sorce'));
  await page.locator('main p button').first().click();
  check(`U4: ${name}: and leads to it`, await page.evaluate(() => document.activeElement === document.querySelectorAll('main input')[1] && document.getElementById(document.activeElement.getAttribute('aria-describedby'))?.getAttribute('role') === 'alert'));
  await page.locator('main input').nth(1).fill("source = 'Search'");
  await page.waitForFunction(() => !document.querySelector('[role=alert]') && document.querySelector('main section svg, main svg[role=img], main svg'));
  await look(page, `declare-${name}`);
  await page.locator('main p button').first().click();
  await page.waitForURL('**/metrics/x_own_orders');
  const named = await page.waitForFunction(() => document.querySelector('h1')?.innerText.includes('Own orders'), null, { timeout: 10_000 }).then(() => true, () => false);
  check(`${name}: an own metric opens under its name`, named);
  if (part('own')) await own({ page, origin, name, check, look });
  if (part('cohorts')) await cohorts(page, origin, name);
  if (part('day')) await day(page, context, origin, name);
  if (lang === 'en' && part('numbers')) await numbers(page, origin, name, check);
  if (part('leads')) await leads({ page, origin, name, check, look });
  if (part('work')) await work({ page, origin, name, check, look });
  // What takes long is done in each language once.
  const once = theme === 'light' && (lang === 'pl' || (lang === 'en') === (width > 500));
  const elsewhere = { browser, state: await context.storageState(), settings: { viewport: { width, height } }, scripts: [preferred, clock] };
  if (once && part('daily')) await daily({ page, origin, name, check, look, ...elsewhere });
  const apart = await browser.newContext({ viewport: { width, height }, hasTouch: width < 500 });
  await apart.addInitScript(([l, t]) => { localStorage.setItem('northing.lang', l); localStorage.setItem('northing.theme', t); }, [lang, theme]);
  const guest = await apart.newPage();
  guest.on('console', (m) => { if (m.type() === 'error') errors.push(m.text()); });
  guest.on('pageerror', (e) => errors.push(String(e)));
  if (part('people')) await people({ page, guest, origin, name, check, look });
  await apart.close();
  // The frame of the app catches that nobody can say who is signed in, and the browser's console repeats it.
  const online = errors.length;
  if (part('offline')) await offline({ page, context, origin, name, check, look });
  errors.splice(online, errors.length, ...errors.slice(online).filter((e) => !/ERR_INTERNET_DISCONNECTED|\/assets\/index/.test(e)));
  errors.splice(strict, errors.length, ...errors.slice(strict).filter((e) => !/40[0149]|412|422|ERR_INTERNET_DISCONNECTED/.test(e)));
  if (once && part('forms')) await forms({ page, origin, name, check });
  // Last, since it ends the session.
  if (name === 'en-desktop' && part('tabs')) await tabs({ ...elsewhere, origin, name, check });
  check(`${name}: no console error`, errors.length === 0, errors.join(' | '));
}

try {
  const only = process.env.ONLY;
  if (!only || only === 'first') await firstDay({ browser, binary, check });
  for (const [lang, theme, width, height] of [['en', 'light', 1280, 860], ['fa', 'light', 1280, 860], ['en', 'light', 390, 844], ['fa', 'light', 390, 844], ['pl', 'light', 1280, 860], ['en', 'dark', 1280, 860]]) {
    const name = `${lang}-${width}-${theme}`;
    // One that falls over is one failure; the others go on.
    if (!only || name.includes(only)) await walk(lang, theme, width, height).catch((e) => check(`${name}: the walk goes to its end`, false, e.stack ?? String(e)));
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
