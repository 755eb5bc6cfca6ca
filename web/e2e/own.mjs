// A field of one's own from its first day on (S1, S2): declared, filled, retyped with a look at what cannot be read,
// dropped and brought back; an object the same way. In words alone: no line of TOML, no dialog of the browser's own.

const api = (page, path, method = 'GET', body = undefined) => page.evaluate(async ([path, method, body]) => {
  const answer = await fetch(path, { method, headers: { 'Content-Type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) });
  return answer.json();
}, [path, method, body]);

export async function own({ page, origin, name, check, look }) {
  const native = [];
  const refuse = (dialog) => { native.push(dialog.message()); void dialog.dismiss(); };
  page.on('dialog', refuse);
  const label = `Rozmiar ${name}`;
  const open = async () => {
    await page.goto(`${origin}/customize`);
    await page.waitForSelector('main form select');
  };
  const row = (words) => page.locator('main tbody tr', { hasText: words });
  /** The buttons of a row: change and drop, or bring back. */
  const press = (words, at) => row(words).locator('button').nth(at).click();
  const settled = (words, part) => page.waitForFunction(([words, part]) => [...document.querySelectorAll('main tbody tr')].some((r) => r.innerText.includes(words) && (part < 0 ? r.querySelectorAll('button').length === 1 : r.querySelectorAll('button').length === 2)), [words, part], { timeout: 15_000 }).then(() => true, () => false);

  await open();
  await page.locator('main form').first().locator('input').fill(label);
  await page.locator('main form').first().locator('button[type=submit]').click();
  check(`S2: ${name}: a field is declared by its label`, await settled(label, 1));
  const field = (await api(page, '/api/own')).fields.find((f) => f.label === label);
  check(`S1: ${name}: its name is of people's own`, /^x_[a-z0-9_]+$/.test(field?.name ?? ''), JSON.stringify(field));
  for (const size of ['12', 'about 13', '14']) await api(page, '/api/records/customers', 'POST', { name: `Own ${size} ${name}`, [field.name]: size });
  await open();
  await press(label, 0);
  await page.locator('[role=dialog] select').first().selectOption('int');
  const told = await page.waitForFunction(() => document.querySelector('[role=dialog] li')?.innerText.includes('about 13'), null, { timeout: 10_000 }).then(() => true, () => false);
  check(`S2: ${name}: what cannot be read is shown before it is done`, told);
  await look(page, `own-retype-${name}`);
  await page.locator('[role=dialog] button[type=submit]').click();
  await page.waitForSelector('[role=dialog]', { state: 'detached' });
  const now = await api(page, '/api/own');
  check(`S2: ${name}: the field holds numbers now`, now.fields.find((f) => f.name === field.name)?.type === 'int' && now.fields.find((f) => f.name === field.name)?.values === 2, JSON.stringify(now.fields));
  await press(label, 1);
  await page.waitForSelector('[role=dialog] p');
  await page.locator('[role=dialog] button[type=submit]').click();
  check(`S2: ${name}: it is dropped`, await settled(label, -1));
  await look(page, `own-dropped-${name}`);
  // Declared again as text: it comes back, and the refused with it.
  await page.locator('main form').first().locator('input').fill(label);
  await page.locator('main form').first().locator('button[type=submit]').click();
  await page.waitForSelector('[role=dialog] [role=status]');
  await look(page, `own-back-${name}`);
  await page.locator('[role=dialog] button[type=submit]').click();
  check(`S2: ${name}: declared again it is back`, await settled(label, 1));
  const kept = await api(page, `/api/records/customers?filter=${encodeURIComponent(`${field.name} = 'about 13'`)}&limit=1`);
  check(`S2: ${name}: with what could not be read in between`, kept.total >= 1, JSON.stringify(kept));

  const boats = `Łodzie ${name}`;
  const form = page.locator('main form').nth(1);
  await form.locator('input').first().fill(boats);
  await form.locator('input').nth(1).fill(`Łódź ${name}`);
  await form.locator('button[type=submit]').click();
  check(`S2: ${name}: an object is declared`, await settled(boats, 1));
  await press(boats, 0);
  await page.locator('[role=dialog] input').first().fill(`${boats} II`);
  await page.locator('[role=dialog] button[type=submit]').click();
  await page.waitForSelector('[role=dialog]', { state: 'detached' });
  check(`S2: ${name}: it is called otherwise`, await settled(`${boats} II`, 1));
  await press(boats, 1);
  await page.waitForSelector('[role=dialog] p');
  await page.locator('[role=dialog] button[type=submit]').click();
  check(`S2: ${name}: it is dropped`, await settled(boats, -1));
  await press(boats, 0);
  check(`S2: ${name}: and back`, await settled(boats, 1));
  await look(page, `own-${name}`);
  check(`S2: ${name}: no TOML and no dialog of the browser's`, native.length === 0 && !(await page.locator('main').innerText()).includes('type ='), native.join());
  page.off('dialog', refuse);
}
