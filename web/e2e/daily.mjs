// What goes wrong on an ordinary day: a reply that nobody sent, a save that is refused, a name typed without its accents;
// and that a page fetches letters of its own script alone.
import { wait } from './work.mjs';

const api = (page, path, method = 'GET', body) => page.evaluate(async ([p, m, b]) => { const r = await fetch(`/api/${p}`, { method: m, headers: { 'content-type': 'application/json' }, body: b && JSON.stringify(b) }); return r.status === 204 ? null : r.json(); }, [path, method, body]);
/** Is what has the focus said to be wrong, with words that describe it? */
const led = (page) => wait(page, () => {
  const at = document.activeElement;
  const cell = at?.closest('[data-field]');
  const words = [at, ...(cell?.querySelectorAll('[aria-describedby]') ?? [])].flatMap((e) => (e?.getAttribute('aria-describedby') ?? '').split(' ')).map((id) => id && document.getElementById(id)?.innerText).filter(Boolean);
  return !!cell && words.length > 0;
});
const focused = (page) => page.evaluate(() => document.activeElement?.closest('[data-field]')?.dataset.field);

async function replies({ page, origin, name, check, look }) {
  const { id } = await api(page, 'records/tickets', 'POST', { subject: 'Unanswered', opened_at: await page.evaluate(() => new Date(Date.now() - 3_600_000).toISOString()), first_reply_target_mins: 600 });
  const ticket = () => api(page, `records/tickets/${id}`);
  const messages = async () => (await api(page, `records/messages?filter=${encodeURIComponent(`ticket = '${id}'`)}`)).items.map((m) => m.fields);
  await page.goto(`${origin}/inbox?t=${id}`);
  const text = page.locator('main form textarea');
  await text.fill('We come tomorrow.');
  const acts = page.locator('main form button');
  await look(page, `reply-${name}`);
  // The button that is not the way on.
  await acts.nth(-2).click();
  const kept = page.locator('main li[data-draft]');
  await kept.waitFor();
  const [draft] = await messages();
  check(`U2: ${name}: what was not sent is a draft`, draft?.is_draft === true && draft.is_public === true, JSON.stringify(draft));
  check(`U2: ${name}: and stops no clock`, (await ticket()).fields.first_reply_at === undefined);
  await look(page, `draft-${name}`);
  await kept.locator('button').click();
  check(`U2: ${name}: a draft is gone on with`, (await text.inputValue()) === 'We come tomorrow.', await text.inputValue());
  await page.locator('main form button[type=submit]').click();
  check(`U2: ${name}: how it was sent must be said`, (await messages()).every((m) => m.is_draft) && (await page.locator('main form input[list]:invalid').count()) === 1);
  await page.locator('main form input[list]').fill('Phone');
  await page.locator('main form button[type=submit]').click();
  check(`U2: ${name}: a logged reply stops the clock`, await wait(page, async (t) => !!(await (await fetch(`/api/records/tickets/${t}`)).json()).fields.first_reply_at, id));
  const said = await messages();
  check(`U2: ${name}: with how, when and by whom it was given`, said.length === 1 && said[0].is_draft === false && said[0].channel === 'Phone' && said[0].author === 'staff' && !!said[0].at, JSON.stringify(said));
}

async function refusals({ page, origin, name, check, look }) {
  const digits = (text) => text.replace(/[۰-۹]/g, (d) => '۰۱۲۳۴۵۶۷۸۹'.indexOf(d));
  const form = page.locator('[role=dialog] form');
  const alert = form.locator('[role=alert]');
  await page.goto(`${origin}/records/deals`);
  await page.waitForSelector('tbody tr');
  await page.locator('main header button').last().click();
  await form.waitFor();
  await form.locator('input[inputmode=decimal]').first().fill('a lot');
  await form.locator('button[type=submit]').click();
  await alert.waitFor();
  const ways = await alert.locator('button').count();
  check(`U4: ${name}: it is said how many fields are wrong`, ways >= 2 && digits(await alert.innerText()).includes(String(ways)), await alert.innerText());
  check(`U4: ${name}: the first of them has the focus and says what is wrong`, await led(page), await focused(page));
  const first = await focused(page);
  await look(page, `refused-${name}`);
  await alert.locator('button').nth(1).click();
  check(`U4: ${name}: and each can be gone to`, (await led(page)) && (await focused(page)) !== first, `${first} ${await focused(page)}`);
  // The server has the last word: too fine an amount.
  const lang = name.slice(0, 2);
  await form.locator('input').first().fill('Refused');
  const combo = form.locator('[role=combobox]');
  for (let i = 0; i < await combo.count(); i++) {
    if ((await combo.nth(i).inputValue()) !== '' || (await combo.nth(i).getAttribute('required')) === null) continue;
    await combo.nth(i).focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('[role=option]').first().waitFor();
    await page.keyboard.press('Enter');
  }
  await form.locator('input[inputmode=decimal]').first().fill({ en: '1.234567', pl: '1,234567', fa: '۱٫۲۳۴۵۶۷' }[lang] ?? '1.234567');
  await form.locator('button[type=submit]').click();
  check(`U4: ${name}: what the server refuses stands at its field`, (await wait(page, () => document.activeElement?.closest('[data-field]')?.dataset.field === 'amount')) && (await led(page)), await form.innerText());
  // A refusal of a field that is folded away unfolds it.
  const more = form.locator('[class*=body] > button');
  if (await more.count()) {
    await page.route('**/api/records/deals', (route) => route.fulfill({ status: 422, contentType: 'application/problem+json', body: JSON.stringify({ title: 'x', detail: 'Not so.', status: 422, field: 'lost_reason' }) }), { times: 1 });
    await form.locator('input[inputmode=decimal]').first().fill('1');
    await form.locator('button[type=submit]').click();
    check(`U4: ${name}: and unfolds it where it is folded`, await wait(page, () => document.activeElement?.closest('[data-field]')?.dataset.field === 'lost_reason' && document.activeElement.closest('[data-field]').innerText.includes('Not so.')), await focused(page));
  }
  page.once('dialog', (d) => void d.accept());
  await page.keyboard.press('Escape');
  await form.waitFor({ state: 'detached' });

  // Where a value stands, and in many at once.
  await page.goto(`${origin}/records/customers?c=name,email`);
  await page.waitForSelector('tbody tr a');
  const pencil = page.locator('tbody tr').first().locator('td').last().locator('button');
  await pencil.focus();
  await page.keyboard.press('Enter');
  await page.locator('tbody form input').fill('nobody');
  await page.keyboard.press('Enter');
  check(`U4: ${name}: a value that is refused where it stands keeps the focus and says why`, (await led(page)) && (await page.locator('tbody form [role=alert]').count()) === 1);
  await page.keyboard.press('Escape');
  await page.locator('tbody input[type=checkbox]').first().check({ force: true });
  await page.locator('[class*=bar][role=region] button').first().click();
  await page.locator('[role=dialog] select').first().selectOption('email');
  await page.locator('[role=dialog] [data-field] input').fill('nobody');
  await page.locator('[role=dialog] button[type=submit]').click();
  check(`U4: ${name}: and so does one for many records`, (await led(page)) && (await focused(page)) === 'email');
  await look(page, `refused-many-${name}`);
  await page.keyboard.press('Escape');
}

async function pickers({ page, origin, name, check }) {
  const { id } = await api(page, 'records/customers', 'POST', { name: 'Anna Wójcik', phone: '+48 601 202 303' });
  const form = page.locator('[role=dialog] form');
  await page.goto(`${origin}/records/deals`);
  await page.waitForSelector('tbody tr');
  await page.locator('main header button').last().click();
  await form.waitFor();
  const pick = form.locator('[data-field=customer] [role=combobox]');
  for (const typed of ['wojcik', 'wojick', '601202303', '0048 601-202-303']) {
    await pick.fill(typed);
    check(`U21: ${name}: a picker finds her by "${typed}"`, await page.locator('[role=option]', { hasText: 'Anna Wójcik' }).first().waitFor({ timeout: 5000 }).then(() => true, () => false));
  }
  await page.keyboard.press('Escape');
  page.once('dialog', (d) => void d.accept());
  await form.locator('header button').click();
  await api(page, `records/customers/${id}`, 'DELETE');
}

/** Files of fonts that the first page asks for, by language. */
async function fonts({ browser, state, settings, scripts, origin, check }) {
  for (const [lang, wanted, others] of [['en', /inter-latin-/, /cyrillic|greek|arabic|vietnamese/], ['ru', /inter-cyrillic-/, /greek|arabic|vietnamese/], ['fa', /vazirmatn-arabic-/, /cyrillic|greek|vietnamese/]]) {
    const context = await browser.newContext(settings);
    await context.addCookies(state.cookies);
    for (const script of scripts) await context.addInitScript(...script);
    await context.addInitScript((l) => localStorage.setItem('northing.lang', l), lang);
    const page = await context.newPage();
    const files = new Set();
    page.on('request', (r) => { if (/\.woff2/.test(r.url())) files.add(r.url().split('/').at(-1)); });
    await page.goto(`${origin}/`);
    await page.waitForSelector('a[href^="/metrics/revenue"] svg');
    await page.waitForLoadState('networkidle').catch(() => {});
    const names = [...files];
    check(`U17: ${lang}: the letters of its script are fetched, and no others`, names.some((f) => wanted.test(f)) && !names.some((f) => others.test(f)), names.join(' '));
    await context.close();
  }
}

export async function daily(given) {
  await replies(given);
  await refusals(given);
  await pickers(given);
  if (given.name === 'en-desktop') await fonts(given);
}
