// What stands behind numbers, as somebody sees it: parts down to records, costs of nowhere, what counts as revenue,
// the way of one cohort.

export async function numbers(page, origin, name, check) {
  const text = () => page.locator('main').innerText();
  await page.goto(`${origin}/metrics/ltv_cac_ratio?p=12m&by=source`);
  const look = page.getByRole('button', { name: 'Show records' });
  await look.first().waitFor({ timeout: 20_000 });
  check(`${name}: N8: a ratio shows what it is made of`, (await look.count()) >= 3 && /cac/.test(await text()));
  check(`${name}: N11: costs that belong to no source are told of`, /of .* in costs belong to none of these values/.test(await text()));
  await page.locator('tr', { hasText: '(cac)' }).getByRole('button', { name: 'Show records' }).click();
  await page.waitForFunction(() => /All .* add up to/.test(document.querySelector('main')?.innerText ?? ''));
  check(`${name}: N8: and its parts lead to records`, (await page.locator('main a[href^="/records/expenses/"]').count()) > 0);
  await page.goto(`${origin}/metrics/goal_progress?p=12m`);
  await page.waitForFunction(() => /All .* add up to/.test(document.querySelector('main')?.innerText ?? ''), undefined, { timeout: 20_000 });
  const all = (await text()).match(/All ([\d,]+) add up to ([\d.,-]+)/);
  check(`${name}: N8: goals add what they came to, not one each`, !!all && all[1] !== all[2], String(all?.[0]));
  await page.goto(`${origin}/metrics/revenue?p=12m`);
  check(`${name}: N20: the page of revenue says what counts as revenue`, await page.getByText('Here orders are the purchases').first().waitFor({ timeout: 20_000 }).then(() => true, () => false));
  await page.goto(`${origin}/?p=12m`);
  await page.getByText(/of the step before/).nth(3).waitFor({ timeout: 20_000 }).catch(() => {});
  const shares = [...(await text()).matchAll(/([\d,]+(?:\.\d+)?)\s?% of the step before/g)].map((m) => Number(m[1].replace(/,/g, '')));
  check(`${name}: N15: no step of the funnel is larger than the one before`, shares.length >= 4 && shares.every((s) => s <= 100), shares.join(' '));
}
