// The rest of a working day: a list brought in and taken back, a ticket answered, a task done, a booking moved, a value
// changed where it stands, a long list scrolled, an order refunded, two customers merged and parted.
/** Whether something comes true in time. Asked from here: the browser's own waiting takes a promise for a yes. */
export async function wait(at, what, arg, ms = 10_000) {
  const end = Date.now() + ms;
  while (!(await at.evaluate(what, arg).catch(() => false))) {
    if (Date.now() > end) return false;
    await at.waitForTimeout(50);
  }
  return true;
}
const api = (page, path, method = 'GET', body) => page.evaluate(async ([p, m, b]) => { const r = await fetch(`/api/${p}`, { method: m, headers: { 'content-type': 'application/json' }, body: b && JSON.stringify(b) }); return r.status === 204 ? null : r.json(); }, [path, method, body]);

export async function work({ page, origin, name, check, look }) {
  // A list with a row at fault: seen before anything is written, mended, and taken back.
  const before = (await api(page, 'records/leads?limit=1')).total;
  await page.goto(`${origin}/import`);
  // What a list gives as a workbook is a list again.
  const bytes = await page.evaluate(async () => Array.from(new Uint8Array(await (await fetch('/api/records/leads/export?format=xlsx&filter=' + encodeURIComponent("email is not null"))).arrayBuffer())));
  await page.locator('input[type=file]').setInputFiles({ name: 'out.xlsx', mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) });
  check(`${name}: a workbook is looked at like any list`, await wait(page, () => !document.querySelector('main section button[class*=primary]')?.disabled && document.querySelectorAll('main section tbody tr').length >= 6), await page.locator('main').innerText());
  const file = { name: 'leads.csv', mimeType: 'text/csv', buffer: Buffer.from('Name;E-mail;Source;Created\nAda Import;ada.import@example.org;Fair;01.12.2025\nBo Import;bo.import(at)example;Fair;02.12.2025\n=1+1;cy.import@example.org;Fair;03.12.2025 10:30\n') };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByText('leads.csv', { exact: true }).first().waitFor();
  const into = page.locator('main section select').first();
  await into.selectOption('lead');
  check(`${name}: an import is tried first`, await wait(page, () => !document.querySelector('main section button[class*=primary]')?.disabled && document.querySelectorAll('main section table').length >= 2), await page.locator('main').innerText());
  await look(page, `import-${name}`);
  check(`${name}: and nothing was written by that`, (await api(page, 'records/leads?limit=1')).total === before);
  await page.locator('main section button[class*=primary]').click();
  await page.waitForSelector('main td input');
  check(`${name}: two rows came in`, (await api(page, 'records/leads?limit=1')).total === before + 2);
  await look(page, `mend-${name}`);
  await page.locator('main td input[data-wrong]').fill('bo.import@example.org');
  await page.locator('main section button[class*=primary]').click();
  check(`${name}: the mended row too`, await wait(page, async (n) => (await (await fetch('/api/records/leads?limit=1')).json()).total === n, before + 3));
  page.once('dialog', (d) => void d.accept());
  await page.waitForFunction(() => document.querySelectorAll('main section:last-of-type tbody tr').length >= 2);
  // How many came in is told once the run has ended.
  await wait(page, () => /[1-9۱-۹]/.test([...document.querySelectorAll('main section:last-of-type tbody tr')].at(-1)?.querySelectorAll('td')[4]?.innerText ?? ''));
  const run = page.locator('main section').last().locator('tbody tr').last();
  const brought = Number((await run.locator('td').nth(4).innerText()).replace(/[۰-۹]/g, (d) => '۰۱۲۳۴۵۶۷۸۹'.indexOf(d)));
  await run.locator('button').click();
  check(`${name}: an import is taken back`, await wait(page, async (n) => (await (await fetch('/api/records/leads?limit=1')).json()).total === n, before + 3 - brought) && brought > 0, `${brought} rows`);

  // A ticket answered from the desk; it is solved, and gone from what is open.
  await page.goto(`${origin}/inbox`);
  const rows = page.locator('main button[aria-current], main div > button:has(span + span)');
  await rows.first().waitFor();
  await rows.first().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('main textarea');
  await page.locator('main textarea').fill('It is done. <b>Thank you</b> for waiting.');
  await look(page, `desk-${name}`);
  const ticket = new URL(page.url()).searchParams.get('t');
  await page.locator('main form input[list]').fill('Phone');
  await page.locator('main form select').last().selectOption('solved');
  await page.locator('main form button[type=submit]').click();
  check(`${name}: the answer is there, as it was typed`, await wait(page, () => [...document.querySelectorAll('main ol p')].some((p) => p.textContent === 'It is done. <b>Thank you</b> for waiting.')));
  const solved = await api(page, `records/tickets/${ticket}`);
  check(`${name}: and the ticket is solved`, solved.fields.status === 'solved', JSON.stringify(solved.fields.status));

  // A task for today, its clock, and done.
  await page.goto(`${origin}/day`);
  await page.locator('main form input').fill('Ring the walker');
  await page.keyboard.press('Enter');
  const task = page.locator('main section div', { hasText: 'Ring the walker' }).last();
  await task.waitFor();
  await look(page, `day-${name}`);
  await task.locator('button').click();
  await page.locator('main [role=status] ~ button').first().waitFor();
  await page.locator('main [role=status] ~ button').first().click();
  const entries = await api(page, 'records/time_entries?limit=1&sort=-created_at');
  check(`${name}: a clock ran and stopped`, await wait(page, async () => !!(await (await fetch('/api/records/time_entries?limit=1&sort=-created_at')).json()).items[0].fields.ended_at), JSON.stringify(entries.items[0]));
  await task.locator('input').click();
  check(`${name}: and the task is done`, await wait(page, () => ![...document.querySelectorAll('main section div')].some((d) => d.innerText.includes('Ring the walker'))));

  // The calendar: a booking made for an hour that somebody has already is refused with words.
  await page.goto(`${origin}/calendar`);
  await page.waitForLoadState('networkidle');
  await look(page, `calendar-${name}`);
  const { items: [taken] } = await api(page, `records/bookings?limit=1&filter=${encodeURIComponent("status = 'done' and user is not null")}`);
  const twice = await api(page, 'records/bookings', 'POST', { user: taken.fields.user, customer: taken.fields.customer, starts_at: taken.fields.starts_at, ends_at: taken.fields.ends_at });
  check(`${name}: nobody is booked twice`, twice.status === 409, JSON.stringify(twice));
  // A time that is free, taken with one press.
  const booked = (await api(page, 'records/bookings?limit=1')).total;
  await page.locator('main button[class*=primary], header button[class*=primary]').first().click();
  const time = page.locator('[role=dialog] fieldset button[aria-pressed]').first();
  await time.waitFor();
  await look(page, `free-${name}`);
  await time.click();
  await page.locator('[role=dialog] button[type=submit]').click();
  check(`${name}: a free time is booked`, await wait(page, async (n) => (await (await fetch('/api/records/bookings?limit=1')).json()).total === n && !document.querySelector('[role=dialog]'), booked + 1));

  // A long list scrolled to its end, and a value changed where it stands.
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr a');
  const last = (await api(page, 'records/customers?limit=1')).total + 1;
  await page.locator('main [role=region]').first().evaluate((e) => { e.scrollTop = e.scrollHeight; });
  check(`${name}: the last row can be reached`, await wait(page, (n) => !!document.querySelector(`tr[aria-rowindex="${n}"] a`), last));
  await page.goto(`${origin}/records/customers?c=name,segment,city`);
  await page.waitForSelector('table tbody tr a');
  const pencil = page.locator('tbody tr').first().locator('td').last().locator('button');
  await pencil.focus();
  await page.keyboard.press('Enter');
  await page.locator('tbody form input').fill('Walkerville');
  await page.keyboard.press('Enter');
  check(`${name}: a value is changed in the list`, await wait(page, () => document.querySelector('tbody tr')?.innerText.includes('Walkerville') && !document.querySelector('tbody form')));

  // Everything that a list has found, changed at once and taken back.
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr a');
  const many = (await api(page, 'records/customers?limit=1')).total;
  await page.locator('tbody input[type=checkbox]').first().check({ force: true });
  const bar = page.locator('[class*=bar][role=region]');
  await bar.locator('button').nth(2).click();
  await bar.locator('button').first().click();
  await page.locator('[role=dialog] select').first().selectOption('city');
  await page.locator('[role=dialog] input:not([type=checkbox])').last().fill('Walkopolis');
  await page.locator('[role=dialog] button[type=submit]').click();
  const inCity = (n) => wait(page, async (n) => (await (await fetch('/api/records/customers?limit=1&filter=' + encodeURIComponent("city = 'Walkopolis'"))).json()).total === n, n, 20_000);
  check(`${name}: a whole list is changed`, await inCity(many));
  await bar.locator('button').first().waitFor();
  await look(page, `whole-${name}`);
  await page.waitForFunction(() => !document.querySelector('[class*=bar] progress'));
  await bar.locator('button').first().click();
  check(`${name}: and is as before`, await inCity(0));

  // Kept together by a field: the groups add up to the list, and a press leaves one of them.
  await page.goto(`${origin}/records/deals?g=owner&c=name,amount,stage`);
  const group = page.locator('main section table tbody tr');
  await group.first().waitFor();
  const { groups, total: kinds } = await api(page, 'records/deals/groups?by=owner&sums=amount');
  const deals = (await api(page, 'records/deals?limit=1')).total;
  check(`${name}: groups add up to the list`, groups.length === kinds && groups.reduce((n, g) => n + g.count, 0) === deals && (await group.count()) === Math.min(8, kinds), `${groups.length} ${kinds} ${deals}`);
  await look(page, `groups-${name}`);
  await group.first().locator('button').click();
  check(`${name}: and a press leaves one`, await wait(page, (n) => document.querySelector('main [role=region] table[aria-rowcount]')?.getAttribute('aria-rowcount') === String(n + 1), groups[0].count));

  // More taken than is usual: an alarm on whatever page is open, put away where it is looked at.
  const { items: [workspace] } = await api(page, 'records/workspaces?limit=1');
  const limit = (n) => api(page, `records/workspaces/${workspace.id}`, 'PATCH', { export_alarm: n });
  await limit(2_000);
  await page.evaluate(async () => { await (await fetch('/api/records/customers/export')).text(); });
  const alarm = page.locator('[role=alert] a[href="/exports"]');
  await alarm.waitFor();
  await look(page, `alarm-${name}`);
  await alarm.click();
  await page.waitForSelector('main table');
  await look(page, `exports-${name}`);
  await limit(100_000);
  await page.locator('main section li button').first().click();
  check(`${name}: an alarm is seen and put away`, await wait(page, async () => !document.querySelector('main section li button') && (await (await fetch('/api/outflow')).json()).alarms.every((a) => a.seen)));

  // Points for leads by a rule that is clicked together, and told of how many it holds.
  await page.goto(`${origin}/records/score_rules`);
  await page.locator('main header button').last().click();
  const rule = page.locator('[role=dialog] form');
  await rule.locator('input').first().fill('Walked in');
  const line = rule.locator('[role=group] [role=group]').first();
  await line.locator('select').first().selectOption('source');
  await line.locator('select').nth(1).selectOption('is');
  await line.locator('input').fill('Referral');
  const filter = encodeURIComponent("source = 'Referral'");
  const { total: referred } = await api(page, `records/leads?limit=1&filter=${filter}`);
  check(`${name}: a rule says of how many it holds`, await wait(page, (n) => document.querySelector('[role=dialog] [role=group] [role=status]')?.innerText.replace(/[۰-۹]/g, (d) => '۰۱۲۳۴۵۶۷۸۹'.indexOf(d)).replace(/\D/g, '') === String(n), referred));
  await rule.locator('input[inputmode=numeric]').last().fill('17');
  await look(page, `rule-${name}`);
  await rule.locator('button[type=submit]').click();
  const { id: scored } = await api(page, 'records/leads', 'POST', { name: 'Walked in', source: 'Referral' });
  check(`${name}: and gives its points`, await wait(page, async (id) => (await (await fetch(`/api/records/leads/${id}`)).json()).fields.points === 17, scored));

  // An order refunded: the refund is on the order's page and in the number.
  const won = (await api(page, `records/orders?limit=1&filter=${encodeURIComponent("status = 'confirmed' and amount > 100")}`)).items[0];
  await page.goto(`${origin}/records/orders/${won.id}`);
  await page.waitForSelector('dl');
  const refund = await api(page, 'records/refunds', 'POST', { order: won.id, at: won.fields.confirmed_at, amount: { amount: '10.00', currency: won.fields.amount.currency } });
  check(`${name}: a refund is taken`, !!refund.id, JSON.stringify(refund));
  check(`${name}: and lowers what the order is worth`, await wait(page, async ([id, was]) => { const o = await (await fetch(`/api/records/orders/${id}`)).json(); return Math.abs(Number(o.fields.purchase_value.amount) - (Number(was) - 10)) < 0.001; }, [won.id, won.fields.purchase_value.amount]));
  await look(page, `order-${name}`);

  // Who is there twice is shown, and made one.
  for (const email of ['twice@example.org', 'Twice@Example.org']) await api(page, 'records/customers', 'POST', { name: `Twice ${email}`, email });
  await page.goto(`${origin}/duplicates`);
  await page.locator('main tbody a', { hasText: 'Twice twice' }).first().waitFor();
  await look(page, `duplicates-${name}`);
  await page.locator('main section', { hasText: 'Twice twice' }).first().locator('button').click();
  check(`${name}: two are made one`, await wait(page, () => ![...document.querySelectorAll('tbody a')].some((a) => a.innerText.includes('Twice twice'))));

  // A field of one's own is there at once, with its own words, and so is what is put into it.
  await page.goto(`${origin}/customize`);
  const declare = page.locator('main form').first();
  await declare.locator('input').first().fill('Szerokość "ż" <i>');
  await declare.locator('button[type=submit]').click();
  await page.waitForFunction(() => [...document.querySelectorAll('main tbody tr')].some((row) => row.textContent.includes('Szerokość')));
  await look(page, `customize-${name}`);
  const declared = await wait(page, async () => (await (await fetch('/api/model?lang=en')).json()).objects.find((o) => o.name === 'customer').fields.some((f) => f.label === 'Szerokość "ż" <i>'));
  check(`${name}: a field of one's own is there`, declared);

  // A file put to a customer comes back as something to save.
  const { fields: { customer: whose } } = solved;
  await page.goto(`${origin}/records/customers/${whose}`);
  await page.waitForSelector('dl');
  await page.locator('main input[type=file]').setInputFiles({ name: 'offer.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=1"/>') });
  const kept = page.locator('main a[href^="/records/attachments/"]', { hasText: 'offer.svg' }).first();
  await kept.waitFor();
  await kept.click();
  const link = page.locator('main header a[download]');
  await link.waitFor();
  const [saved] = await Promise.all([page.waitForEvent('download'), link.click()]);
  check(`${name}: a file is saved, not shown`, saved.suggestedFilename() === 'offer.svg', saved.suggestedFilename());

  // Opening hours are lines; what cannot be understood is not saved.
  const { items: [schedule] } = await api(page, 'records/schedules?limit=1');
  await page.goto(`${origin}/records/schedules/${schedule.id}`);
  await page.waitForSelector('dl');
  await page.locator('main header button').last().click();
  const dialog = page.locator('[role=dialog] form');
  const monday = dialog.locator('[role=group] input').first();
  await monday.fill('nine to five');
  check(`${name}: hours that say nothing are not saved`, await dialog.locator('button[type=submit]').isDisabled());
  await monday.fill('9-12, 13:00 – 17:30');
  await dialog.locator('button[type=submit]').click();
  check(`${name}: hours are kept`, await wait(page, async (id) => (await (await fetch(`/api/records/schedules/${id}`)).json()).fields.hours.includes('[["09:00","12:00"],["13:00","17:30"]]'), schedule.id));

  // A contract renewed from its page: the next one opens.
  const { items: [contract] } = await api(page, `records/contracts?limit=1&filter=${encodeURIComponent('successor is null and ended_at is null and term_end is not null')}`);
  await page.goto(`${origin}/records/contracts/${contract.id}`);
  await page.waitForSelector('dl');
  await page.locator('main header button').first().click();
  await page.locator('[role=dialog] input').fill('6');
  await page.locator('[role=dialog] button[type=submit]').click();
  check(`${name}: a contract is renewed`, await wait(page, (id) => /contracts\/[0-9a-f-]{36}$/.test(location.pathname) && !location.pathname.endsWith(id), contract.id));

  // A customer's timeline holds what has just happened with them.
  const { fields: { customer } } = solved;
  await page.goto(`${origin}/records/customers/${customer}`);
  // A colleague named in a note finds it among their tasks.
  const { items: [colleague] } = await api(page, `records/users?limit=1&sort=-name&filter=${encodeURIComponent("active and name <> 'Billing robot'")}`);
  const note = page.locator('main textarea');
  await note.fill(`They asked for an offer @${colleague.fields.name.slice(0, 4)}`);
  await page.locator('main form [role=group] button').first().click();
  check(`${name}: a name is completed`, (await note.inputValue()).includes(`@${colleague.fields.name} `), await note.inputValue());
  await look(page, `note-${name}`);
  await note.press('Control+Enter');
  check(`${name}: who is named has a task`, await wait(page, async (id) => (await (await fetch(`/api/records/tasks?limit=1&filter=${encodeURIComponent(`owner = '${id}' and contains(name, 'asked for an offer')`)}`)).json()).total === 1, colleague.id));
  check(`${name}: the timeline shows the note`, await wait(page, () => [...document.querySelectorAll('main ol li')].some((l) => l.innerText.includes('They asked for an offer'))));
  check(`${name}: the timeline shows the ticket`, await wait(page, (id) => !!document.querySelector(`main ol a[href="/records/tickets/${id}"]`), ticket));
}
