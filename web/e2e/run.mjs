// A real browser against the real binary: sign-in → overview → metric → records, in English and Persian, on a
// desktop and a phone. Fails on a console error, an axe violation or horizontal overflow, and when a committed
// change does not reach an open screen. SHOTS=folder keeps screenshots.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';

const binary = process.env.NORTHING ?? new URL('../../target/release/northing', import.meta.url).pathname;
const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!browserPath) throw new Error('no Chromium found; install it (apt-get install chromium)');
const folder = mkdtempSync(join(tmpdir(), 'northing-e2e-'));
const shots = process.env.SHOTS;
let passed = 0;
let failed = 0;

function check(what, fine, detail = '') {
  if (fine) passed += 1;
  else { failed += 1; console.error(`FAILED ${what} ${detail}`); }
}

/** Starts the demo on a free port; answers the sign-in link and how to stop it. */
function serve(now) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['--now', now, 'demo', '--data', folder, '--serve', '--listen', '127.0.0.1:0']);
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
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  check(`${name}: axe`, violations.length === 0, JSON.stringify(violations.map((v) => [v.id, v.nodes.slice(0, 2).map((n) => `${n.html.slice(0, 140)} ${n.any[0]?.message ?? ''}`)])));
  if (shots && /^(overview|metric|records)-|^(catalogue|service|declare)-en-desktop$/.test(name)) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: name.includes('phone') });
}

async function walk(lang, theme, width, height) {
  const name = `${lang}-${width < 500 ? 'phone' : 'desktop'}${theme === 'dark' ? '-dark' : ''}`;
  const { link, stop } = await serve('2026-03-18T12:00:00Z');
  const context = await browser.newContext({ viewport: { width, height }, hasTouch: width < 500 });
  await context.addInitScript(([l, t]) => { localStorage.setItem('northing.lang', l); localStorage.setItem('northing.theme', t); }, [lang, theme]);
  const page = await context.newPage();
  const errors = [];
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('401')) errors.push(m.text()); });
  page.on('pageerror', (e) => errors.push(String(e)));
  const origin = new URL(link).origin;
  await page.goto(`${origin}/`);
  await page.waitForSelector('input');
  await look(page, `signin-${name}`);
  await page.goto(link);
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
  check(`${name}: customers are listed`, rows >= 50, `${rows} rows`);
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
  await page.locator('main input').nth(1).fill("source = 'Search'");
  await page.waitForFunction(() => !document.querySelector('[role=alert]') && document.querySelector('main section svg, main svg[role=img], main svg'));
  await look(page, `declare-${name}`);
  await page.locator('main p button').first().click();
  await page.waitForURL('**/metrics/own_orders');
  const named = await page.waitForFunction(() => document.querySelector('h1')?.innerText.includes('Own orders'), null, { timeout: 10_000 }).then(() => true, () => false);
  check(`${name}: an own metric opens under its name`, named);
  errors.splice(strict, errors.length, ...errors.slice(strict).filter((e) => !e.includes('400')));
  check(`${name}: no console error`, errors.length === 0, errors.join(' | '));
  await context.close();
  await stop();
  rmSync(folder, { recursive: true, force: true });
}

try {
  const only = process.env.ONLY;
  for (const [lang, theme, width, height] of [['en', 'light', 1280, 860], ['fa', 'light', 1280, 860], ['en', 'light', 390, 844], ['fa', 'light', 390, 844], ['en', 'dark', 1280, 860]]) {
    if (!only || `${lang}-${width}-${theme}`.includes(only)) await walk(lang, theme, width, height);
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
