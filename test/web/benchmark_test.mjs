// Opens the page of `calopipe benchmark` in a browser: a curve for each engine, tables, no requests.
// usage: node benchmark_test.mjs BENCHMARK.html NODE_MODULES
import { readFileSync } from 'node:fs';
import { check, finish, launch, open } from './browser.mjs';

const [file, modules] = process.argv.slice(2);
const html = readFileSync(file, 'utf8');
const data = JSON.parse(html.match(/<script type="application\/json" id="data">(.*?)<\/script>/s)[1]);
const browser = await launch(modules);
const page = await open(browser, file);
const threads = new Set(data.engines.flatMap(engine => engine.batches.map(b => b.threads)));
check(await page.locator('h1').textContent() === `Inference of ${data.model.file}`, 'the heading does not name the model');
check(await page.locator('figure svg').count() === threads.size, 'not every number of threads has a figure');
check(await page.locator('figure').first().locator('polyline').count() === data.engines.length, 'not every engine has a curve');
const points = data.engines.flatMap(engine => engine.batches).length;
check(await page.locator('figure circle').count() === points, 'not every measurement is a point');
check(await page.locator('tbody tr').count() === data.engines.length + points, 'not every measurement is in a table');
for (const box of await page.locator('figure circle').evaluateAll(nodes => nodes.map(node => [node.cx.baseVal.value, node.cy.baseVal.value])))
  check(box[0] >= 70 && box[0] <= 1060 && box[1] >= 0 && box[1] <= 320, `a point is outside the figure: ${box}`);
check((await page.locator('#closing pre').textContent()).includes('version'), 'the provenance is not shown');
await page.screenshot({ path: process.env.SCREENSHOT });
await browser.close();
finish('benchmark page: as expected');
