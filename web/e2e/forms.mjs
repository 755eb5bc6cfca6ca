// Every form there is, filled field by field as people do it, by keyboard where that matters, and saved: what a control
// cannot take, what crashes under the page's own rules, and what the server refuses of a form's own values shows here.
import { wait } from './work.mjs';

// Years are those of the workspace, whatever language writes them.
const DAY = { en: '23112026', pl: '23112026', fa: '20261123' };
const NUMBER = { en: '1.5', pl: '1,5', fa: '۱٫۵' };
/** What makes sense beside what the other fields hold. */
const SENSE = { 'booking.ends_at': (lang) => `${DAY[lang]}1115`, 'goal.kpi': () => 'revenue', 'goal.kpi_variant': () => '', 'question_version.lowest': () => '1', 'question_version.highest': () => '10', 'survey_response.value': () => '2' };
/** Made by their own pages, with texts of their own language. */
const ELSEWHERE = ['definition', 'score_rule', 'access_role', 'import_run'];

/** The second of what a picker offers, or the first; nothing where there is nothing. The list closes when what is behind it
 * scrolls, as it may once the field has the focus: then it is opened again, as people would. */
async function choose(page, cell) {
  const pick = cell.locator('[role=combobox]').first();
  const chosen = async () => (await pick.inputValue()) !== '' || (await cell.locator('[class*=chip]').count()) > 0;
  for (let tries = 0; tries < 5 && !(await chosen()); tries++) {
    await pick.focus();
    await page.keyboard.press('ArrowDown');
    await wait(page, (box) => box.getAttribute('aria-expanded') !== 'true' || [...document.querySelectorAll('[role=listbox]')].some((l) => !['', '…'].includes(l.innerText.trim())), await pick.elementHandle());
    if ((await pick.getAttribute('aria-expanded')) === 'true' && (await page.locator('[role=option]').count()) === 0) return page.keyboard.press('Escape');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await wait(page, (box) => box.value !== '' || box.getAttribute('aria-expanded') === 'false', await pick.elementHandle(), 2000);
  }
  if (!(await chosen())) throw new Error('nothing could be chosen');
  return undefined;
}

/** A picker whose list has closed does not save the form with Enter, and Escape closes its list alone. */
async function apart(page, origin, name, check) {
  await page.goto(`${origin}/records/deals`);
  await page.locator('main header button[class*=primary]').click();
  const form = page.locator('[role=dialog] form');
  const pick = form.locator('[role=combobox]').first();
  // As in `choose`: what still comes into the form behind it closes a list.
  for (let tries = 0; tries < 5 && (await page.locator('[role=option]').count()) === 0; tries++) {
    await pick.focus();
    await page.keyboard.press('ArrowDown');
    await wait(page, () => !!document.querySelector('[role=option]'), undefined, 3000);
  }
  await page.keyboard.press('Escape');
  check(`${name}: Escape closes a list, not its form`, await wait(page, () => document.querySelectorAll('[role=option]').length === 0) && (await form.count()) === 1);
  await form.locator('input').first().fill('Saved by mistake');
  await pick.focus();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.waitForTimeout(300);
  const made = await page.evaluate(async () => (await (await fetch(`/api/records/deals?limit=1&filter=${encodeURIComponent("name = 'Saved by mistake'")}`)).json()).total);
  check(`${name}: Enter in a picker saves nothing`, (await form.count()) === 1 && made === 0, `${made} made`);
}

async function fill(page, cell, field, lang, sense) {
  const box = cell.locator('input, textarea, select').first();
  if (sense !== undefined && !field.type.startsWith('date')) return box.fill(sense);
  switch (field.type) {
    case 'choice': return box.selectOption({ index: (await box.locator('option').count()) - 1 });
    case 'bool': return box.click();
    case 'ref': case 'refs': return choose(page, cell);
    case 'date': case 'datetime': {
      await cell.locator('[role=spinbutton]').first().focus();
      return page.keyboard.type(sense ?? DAY[lang] + (field.type === 'datetime' ? '1015' : ''), { delay: 5 });
    }
    case 'int': case 'percent': return box.fill(lang === 'fa' ? '۷' : '7');
    case 'decimal': case 'money': return box.fill(NUMBER[lang]);
    case 'shares': return box.fill(lang === 'fa' ? '۱۰۰' : '100');
    case 'duration': return box.fill('0:30');
    case 'email': return box.fill(`${field.name}@forms.example`);
    case 'url': return box.fill('https://example.org/x');
    case 'phone': return box.fill('+48 600 100 200');
    case 'currency': return box.fill('PLN');
    case 'tags': return box.fill('a, b');
    case 'long_text': return box.fill('Some words\nand = more');
    case 'json': return undefined;
    default: return box.fill(field.name === 'zone' ? 'Asia/Tehran' : `=${field.name}`);
  }
}

export async function forms({ page, origin, name, check }) {
  const lang = name.slice(0, 2);
  const { objects, may } = await page.evaluate(async (l) => ({ objects: (await (await fetch(`/api/model?lang=${l}`)).json()).objects, may: (await (await fetch('/api/session')).json()).may }), lang);
  await apart(page, origin, name, check);
  const left = [];
  let saved = 0, filled = 0;
  for (const object of objects.filter((o) => may[o.name]?.create && !ELSEWHERE.includes(o.name))) {
    const total = () => page.evaluate(async (p) => (await (await fetch(`/api/records/${p}?limit=1`)).json()).total, object.plural);
    await page.goto(`${origin}/records/${object.plural}`);
    const add = page.locator('main header button[class*=primary]');
    await add.waitFor();
    const before = await total();
    await add.click();
    const form = page.locator('[role=dialog] form');
    await form.waitFor();
    const more = form.locator('[class*=body] > button');
    if (await more.count()) await more.click();
    const cells = form.locator('[class*=grid] > div');
    for (let i = 0; i < await cells.count(); i++) {
      const label = (await cells.nth(i).locator('label').first().innerText()).replace(/ \*$/, '');
      const field = object.fields.find((f) => f.label === label && !f.derived);
      if (!field) { left.push(`${object.name}: ${label} is no field`); continue; }
      await fill(page, cells.nth(i), field, lang, SENSE[`${object.name}.${field.name}`]?.(lang)).catch((e) => left.push(`${object.name}.${field.name}: ${String(e).slice(0, 80)}`));
      filled++;
    }
    // A form that closed by itself is told, not waited for.
    await form.locator('button[type=submit]').click({ timeout: 5000 }).catch((e) => left.push(`${object.name}: ${String(e).slice(0, 80)}`));
    const done = await wait(page, () => !document.querySelector('[role=dialog] form') || !!document.querySelector('[role=dialog] form [role=alert], [role=dialog] form :invalid'));
    const why = (await form.count()) ? await form.locator('[role=alert]').allInnerTexts() : [];
    const there = () => wait(page, async ([p, n]) => (await (await fetch(`/api/records/${p}?limit=1`)).json()).total === n, [object.plural, before + 1]);
    if (!done || (await form.count()) || !(await there())) left.push(`${object.name} is not saved: ${why.join(' ')}`);
    else saved++;
  }
  check(`${name}: every form can be filled and saved`, left.length === 0 && saved > 30 && filled > 300, `${saved} forms, ${filled} fields; ${left.join('; ')}`);
}
