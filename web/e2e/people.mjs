// A role made, somebody invited with it, their password set, and what they then see: their own records alone.
export async function people({ page, guest, origin, name, check, look }) {
  await page.goto(`${origin}/records/access_roles`);
  await page.waitForSelector('table tbody tr');
  await page.locator('main header button').last().click();
  const form = page.locator('form');
  await form.waitFor();
  await form.locator('input[dir=auto]').first().fill('Only their own');
  const levels = form.locator('fieldset').first().locator('select');
  for (const [i, value] of ['own', 'own', 'none', 'true', 'false'].entries()) await levels.nth(i).selectOption(value);
  await form.locator('select').last().selectOption('deal');
  await form.locator('fieldset').nth(1).locator('summary').first().click();
  await look(page, `role-form-${name}`);
  await form.locator('button[type=submit]').click();
  await page.waitForURL(/access_roles\/[0-9a-f-]{36}/);
  const role = page.url().split('/').at(-1);

  const user = await page.evaluate(async () => (await (await fetch(`/api/records/deals?limit=1&filter=${encodeURIComponent("owner is not null and outcome = 'won'")}`)).json()).items[0].fields.owner);
  await page.goto(`${origin}/records/users/${user}`);
  await page.waitForSelector('dl');
  const given = await page.evaluate(async ([id, access]) => (await fetch(`/api/records/users/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ access, email: 'walker@example.org' }) })).status, [user, role]);
  check(`${name}: a role is given`, given === 200, String(given));
  await page.locator('main header button').first().click();
  const dialog = page.locator('[role=dialog]');
  await dialog.locator('input').waitFor();
  const link = await dialog.locator('input').inputValue();
  check(`${name}: an invitation is a link`, link.startsWith(`${origin}/sign-in#`), link);
  await look(page, `invite-${name}`);
  await page.keyboard.press('Escape');

  await guest.goto(link);
  await guest.waitForURL('**/account');
  await guest.waitForSelector('input[autocomplete=new-password]');
  await guest.locator('input[autocomplete=new-password]').fill('orange tiles on the quay');
  await look(guest, `account-${name}`);
  await guest.locator('main form').first().locator('button[type=submit]').click();
  check(`${name}: the password is set`, await guest.locator('[role=status]', { hasText: /\S/ }).nth(1).waitFor({ timeout: 5000 }).then(() => true, () => false));

  const totals = (at) => at.evaluate(async () => (await (await fetch('/api/records/deals?limit=1')).json()).total);
  const [all, own] = [await totals(page), await totals(guest)];
  check(`${name}: they see their own deals alone`, own > 0 && own < all, `${own} of ${all}`);
  const sum = (at) => at.evaluate(async () => (await (await fetch('/api/ask?metrics=deals_won&from=2025-01-01&to=2026-03-01')).json()).metrics[0].total.value);
  const [whole, part] = [await sum(page), await sum(guest)];
  check(`${name}: and the numbers are of those`, part > 0 && part < whole, `${part} of ${whole}`);
  await guest.goto(`${origin}/records/deals`);
  await guest.waitForSelector('table tbody tr');
  check(`${name}: nothing is offered that the role forbids`, (await guest.locator('a[download]').count()) === 0 && (await guest.locator('a[href="/records/access_roles"]').count()) === 0);

  await guest.evaluate(() => fetch('/api/session', { method: 'DELETE' }));
  // A session that has ended leads to signing in, and from there back to where one was.
  await guest.locator('main thead button').first().click();
  check(`${name}: an ended session is noticed`, await guest.waitForURL('**/sign-in', { timeout: 10_000 }).then(() => true, () => false), guest.url());
  await guest.goto(`${origin}/records/deals?sort=-created_at`);
  await guest.waitForURL('**/sign-in');
  await guest.locator('input[autocomplete=username]').fill('walker@example.org');
  await guest.locator('input[type=password]').fill('wrong tiles on the quay');
  await guest.locator('button[type=submit]').click();
  check(`${name}: a wrong password is told`, await guest.locator('[role=alert]').waitFor({ timeout: 5000 }).then(() => true, () => false));
  await guest.locator('input[type=password]').fill('orange tiles on the quay');
  await guest.locator('button[type=submit]').click();
  check(`${name}: and the right one opens the page that was asked for`, await guest.waitForURL('**/records/deals?sort=-created_at', { timeout: 15_000 }).then(() => true, () => false), guest.url());
  await guest.goto(`${origin}/no/such/page`);
  check(`${name}: an address that no page has says so`, await guest.locator('main a[href="/"]').waitFor({ timeout: 10_000 }).then(() => true, () => false));
  await look(guest, `nowhere-${name}`);
  await guest.locator('main a[href="/"]').click();
  check(`${name}: and leads to one that there is`, await guest.waitForSelector('a[href^="/metrics/revenue"]', { timeout: 15_000 }).then(() => true, () => false));
  await look(guest, `own-overview-${name}`);
}

/** A lead becomes a customer and a deal; many records are changed at once, and it is taken back. */
export async function leads({ page, origin, name, check, look }) {
  const id = await page.evaluate(async () => (await (await fetch('/api/records/leads', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Ines Calder', company: 'Calder Works', email: 'ines@calder.example' }) })).json()).id);
  await page.goto(`${origin}/records/leads/${id}`);
  await page.waitForSelector('dl');
  await page.locator('main header button').first().click();
  const form = page.locator('form');
  await form.locator('input[inputmode=decimal]').fill('1500');
  await page.waitForFunction(() => document.querySelectorAll('form select option').length > 1);
  await look(page, `convert-${name}`);
  await form.locator('button[type=submit]').click();
  await page.waitForURL(/records\/customers\/[0-9a-f-]{36}/);
  check(`${name}: a lead became a customer`, await page.waitForFunction(() => document.querySelector('h1')?.innerText === 'Calder Works', null, { timeout: 5000 }).then(() => true, () => false));
  check(`${name}: with a deal`, await page.locator('main table a', { hasText: 'Calder Works' }).first().waitFor({ timeout: 5000 }).then(() => true, () => false));

  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  const boxes = page.locator('tbody input[type=checkbox]');
  const rows = page.locator('tbody tr');
  // The list kept under a name, left, and come back to.
  await page.goto(`${origin}/records/customers?sort=-name`);
  await page.waitForSelector('table tbody tr');
  const last = await rows.first().innerText();
  const keep = page.locator('main header button[aria-expanded]').nth(1);
  await keep.click();
  await page.locator('[role=dialog] form input').first().fill('From the end');
  await page.locator('[role=dialog] form button').click();
  await page.locator('[role=dialog]', { hasText: 'From the end' }).waitFor();
  await look(page, `saved-${name}`);
  await page.goto(`${origin}/records/customers`);
  await page.waitForFunction((was) => document.querySelector('tbody tr') && document.querySelector('tbody tr').innerText !== was, last);
  await keep.click();
  await page.locator('[role=dialog] button', { hasText: 'From the end' }).first().click();
  check(`${name}: a saved list comes back`, await page.waitForFunction((was) => document.querySelector('tbody tr')?.innerText === was, last, { timeout: 8000 }).then(() => true, () => false));
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  const before = await rows.first().innerText();
  for (const i of [0, 1, 2]) await boxes.nth(i).check();
  const bar = page.locator('main [role=region]').last();
  await bar.locator('button').first().click();
  await form.locator('select').first().selectOption('segment');
  await form.locator('input').last().fill('Walked');
  await look(page, `bulk-${name}`);
  await form.locator('button[type=submit]').click();
  check(`${name}: three records are changed at once`, await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].filter((r) => r.innerText.includes('Walked')).length === 3, null, { timeout: 8000 }).then(() => true, () => false));
  await look(page, `undo-${name}`);
  await bar.locator('button').first().click();
  check(`${name}: and it is taken back`, await page.waitForFunction((was) => document.querySelector('tbody tr')?.innerText === was, before, { timeout: 8000 }).then(() => true, () => false));
}

/** Without a connection the app opens, says so, keeps what was typed, and goes on when there is one again. */
export async function offline({ page, context, origin, name, check, look }) {
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.reload();
  await page.waitForSelector('table tbody tr');
  await page.locator('main header button').last().click();
  const form = page.locator('form');
  await form.locator('input').first().fill('Typed in a tunnel');
  await context.setOffline(true);
  await form.locator('button[type=submit]').click();
  check(`${name}: offline, what was typed is kept`, await form.locator('[role=alert]').waitFor({ timeout: 5000 }).then(() => true, () => false) && (await form.locator('input').first().inputValue()) === 'Typed in a tunnel');
  await context.setOffline(false);
  await form.locator('button[type=submit]').click();
  check(`${name}: and saved when there is a connection`, await page.waitForURL(/customers\/[0-9a-f-]{36}/, { timeout: 10_000 }).then(() => true, () => false));
  // It was written, and the answer got lost: what is sent again is there once.
  await page.goto(`${origin}/records/customers`);
  await page.waitForSelector('table tbody tr');
  await page.locator('main header button').last().click();
  await form.locator('input').first().fill('Lost on the way back');
  const there = () => page.evaluate(async () => (await (await fetch('/api/records/customers?limit=1&filter=' + encodeURIComponent("name = 'Lost on the way back'"))).json()).total);
  const written = new Promise((done) => page.route('**/api/records/customers', async (route) => { await route.fetch(); await route.abort('internetdisconnected'); done(); }, { times: 1 }));
  await form.locator('button[type=submit]').click();
  await written;
  await form.locator('[role=alert]').waitFor();
  check(`${name}: an answer is lost, the record is there`, (await there()) === 1);
  await form.locator('button[type=submit]').click();
  check(`${name}: and sent again it is the same record`, await page.waitForURL(/customers\/[0-9a-f-]{36}/, { timeout: 10_000 }).then(() => true, () => false) && (await there()) === 1);
  await context.setOffline(true);
  await page.reload();
  check(`${name}: offline, the app opens and says so`, await page.locator('[role=alert]').waitFor({ timeout: 10_000 }).then(() => true, () => false));
  await look(page, `offline-${name}`);
  await context.setOffline(false);
  await page.locator('[role=alert] button').click();
  check(`${name}: and goes on`, await page.waitForSelector('dl', { timeout: 15_000 }).then(() => true, () => false));
}
