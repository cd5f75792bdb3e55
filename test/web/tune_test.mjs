// Opens the report of `calopipe tune` in a browser: history, importance, parallel coordinates, front, table, no requests.
// usage: node tune_test.mjs REPORT.html NODE_MODULES
import { readFileSync } from 'node:fs';
import { check, finish, launch, open } from './browser.mjs';

const [file, modules] = process.argv.slice(2);
const html = readFileSync(file, 'utf8');
const data = JSON.parse(html.match(/<script type="application\/json" id="data">(.*?)<\/script>/s)[1]);
const { objectives, space } = data.definition;
const done = data.trials.filter(trial => trial.state === 'done');
const browser = await launch(modules);
const page = await open(browser, file);
check(await page.locator('h1').textContent() === 'Search for the best parameters', 'the heading is another one');
for (let i = 0; i < objectives.length && done.length > 0; ++i) {
  const circles = page.locator(`figure[data-name="history-${i}"] circle`);
  check(await circles.count() === done.length, `objective ${i}: not every trial that is done is a point`);
  for (const [x, y] of await circles.evaluateAll(nodes => nodes.map(node => [node.cx.baseVal.value, node.cy.baseVal.value])))
    check(x >= 80 && x <= 1056 && y >= 14 && y <= 276, `a point is outside the figure: ${x}, ${y}`);
  await page.locator(`figure[data-name="history-${i}"] select`).selectOption('log');
  check(await page.locator(`figure[data-name="history-${i}"] circle`).count() === done.length, 'the logarithmic scale loses points');
}
check(await page.locator('figure[data-name="parallel"] g.trial').count() === done.length, 'not every trial that is done is a line');
check(await page.locator('figure[data-name="pareto"]').count() === (done.length > 0 ? objectives.length * (objectives.length - 1) / 2 : 0), 'not every pair of objectives has a front');
const bars = data.importance.reduce((sum, shares) => sum + Object.keys(shares).length, 0);
check(await page.locator('figure[data-name="importance"] rect').count() === bars, 'not every parameter has its importance');
const curves = data.trials.filter(trial => trial.curve.length > 0).length;
check(await page.locator('figure[data-name="curves"] polyline').count() === curves, 'not every curve is drawn');
check(await page.locator('#trials tbody tr').count() === data.trials.length, 'not every trial is in the table');
check(await page.locator('#trials thead th').count() === 4 + objectives.length + space.length, 'not every parameter is in the table');
check(await page.locator('#trials a').count() === data.trials.filter(trial => trial.report).length, 'not every report is linked');
check((await page.locator('#trials').textContent()).includes('★') === done.length > 0, 'the best trial is not marked');
check((await page.locator('#closing pre').textContent()).includes('version'), 'the provenance is not shown');
check(!(await page.content()).includes('NaN'), 'something is not a number');
if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
await browser.close();
finish('tune page: as expected');
