// Opens a large report of made-up numbers: only figures in view are drawn. Also tests elements that need
// several models.
// usage: node large_report_test.mjs TEMPLATE.html NODE_MODULES
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, checkPaper, Figures, finish, launch, open, problems } from './browser.mjs';
import { fixtureData, fixturePage } from './fixture.mjs';

const [template, modules] = process.argv.slice(2);
const kConditions = 50;
const folder = mkdtempSync(join(tmpdir(), 'large_report_'));
const empty = readFileSync(template, 'utf8');

function write(name, data) {
  const file = join(folder, name);
  writeFileSync(file, fixturePage(empty, data));
  return file;
}

async function checkLarge(browser) {
  const file = write('large.html', fixtureData(kConditions, 1));
  const page = await open(browser, file);
  const count = async selector => await page.locator(selector).count();
  check(await count('figure[data-drawn]') > 0, 'nothing is drawn in the first view');
  check(await count('figure[data-drawn]') < await count('figure') / 2, 'figures outside the view are drawn');
  const figures = new Figures(page);
  await figures.drawn('observables', 'response');
  await page.keyboard.press(']');
  await figures.drawn('observables', 'response');
  // Only existing conditions can be chosen: the lowest energy has only one angle.
  const choices = name => page.getByLabel(name, { exact: true }).locator('option').allTextContents();
  check((await choices('Energy')).length === 9 && (await choices('Angle')).length === 2, 'not all energies and angles can be chosen');
  await page.getByLabel('Energy', { exact: true }).selectOption('0');
  check((await choices('Angle')).join() === '90°', 'an angle that does not exist can be chosen');
  await page.getByLabel('Geometry').selectOption('2');
  check((await page.locator('#conditions tr[aria-current]').textContent()).startsWith('PbWO4, 1 GeV, 90 deg'), 'another geometry does not keep the energy and angle');
  await page.close();
}

async function checkSeveral(browser) {
  const data = fixtureData(6, 3);
  // Two equally good models, and one without a number
  data.scores[0].models = [{ value: 1.2, error: 0.1, rank: 'best' }, { value: 1.25, error: 0.1, rank: 'alike' }, { value: 3, error: 0.1 }];
  data.scores[1].models[1] = null;
  const page = await open(browser, write('several.html', data));
  const figures = new Figures(page);
  const row = page.locator('#scores tbody tr').first();
  check(await row.locator('.best').textContent() === '1.20 ± 0.10', 'the best is not marked');
  check(await row.locator('.alike').count() === 1 && await row.locator('.alike').textContent() === '1.25 ± 0.10', 'a value that is not distinguishable from the best is not marked');
  check(await page.locator('#scores tbody tr').nth(1).locator('td').nth(4).textContent() === '–', 'a missing number is not shown as missing');
  check(await page.locator('#scores tbody tr', { hasText: 'Time per shower' }).locator('td').last().textContent() === 'Geant4 4210', "Geant4's cost is not shown");
  await checkPaper(page);
  // Hides a model with the keyboard
  const all = await figures.text('observables', 'response');
  const lines = () => figures.locate('observables', 'response').locator('small > div').count();
  check(await lines() === 3, 'not every model has its numbers');
  const box = page.getByRole('checkbox', { name: data.models[1].label });
  await box.focus();
  await page.keyboard.press('Space');
  check(await figures.text('observables', 'response') !== all, 'a model cannot be hidden');
  check(await lines() === 2, 'a hidden model shows its numbers');
  check(await figures.drawn('showers', 'layer_map').then(f => f.locator('.map-panels canvas').count()) === 3, 'there are maps of models that are not chosen');
  await page.keyboard.press('Space');
  check(await figures.text('observables', 'response') === all, 'a model cannot be shown again');
  // Showers of another model
  const before = await figures.pixels('showers', 'shower_view');
  await page.locator('#showers').getByLabel('Model').selectOption('2');
  check((await figures.pixels('showers', 'shower_view')).sum !== before.sum, 'showers of another model look the same');
  // One row of correlations, one of differences
  await figures.drawn('observables', 'layer_correlation');
  check(await figures.locate('observables', 'layer_correlation').locator('.heat').count() === 7, 'not all matrices are shown');
  // One series of a curve
  const curves = await figures.text('overview', 'resolution');
  await figures.locate('overview', 'resolution').getByLabel('Series').selectOption('1');
  check(await figures.text('overview', 'resolution') !== curves, 'a series cannot be chosen');
  await page.close();
}

// Everything that may be missing is missing.
async function checkBare(browser) {
  const data = fixtureData(1, 2);
  data.models[0].label = '<b>odd & label</b>';
  Object.assign(data, { scores: [], overview: [], classifiers: [], no_classifiers: 'too few showers' });
  const [condition] = data.conditions;
  Object.assign(condition, { layered: [], deviations: [], fast_showers: [400, null], angle_deg: null });
  condition.figures.forEach(figure => { figure.fast[1] = null; figure.numbers[1] = null; });
  condition.figures[2].numbers[0] = {};
  condition.figures[3].full.values.fill(0);
  condition.showers = { full: [], fast: [null, null] };
  condition.average.fast[1] = null;
  const page = await open(browser, write('bare.html', data));
  await page.pdf();
  const missing = await page.evaluate(() => [...document.querySelectorAll('#app figure')].filter(f => !f.dataset.drawn).map(f => f.dataset.name));
  check(missing.length === 0, `not drawn: ${missing}`);
  check((await page.locator('#classifiers').textContent()).includes('too few showers'), 'the page does not explain why there are no classifiers');
  check(await page.locator('#app b').count() === 0, 'a label became part of the page');
  await page.close();
}

async function checkNoWebGl(browser) {
  const page = await browser.newPage();
  await page.addInitScript(() => {
    const all = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) { return kind === '2d' ? all.call(this, kind, ...more) : null; };
  });
  page.on('pageerror', error => problems.push(`page error without WebGL: ${error.stack}`));
  await page.goto(`file://${join(folder, 'several.html')}#only=shower_view`);
  await page.waitForFunction(() => document.body.dataset.ready);
  check((await page.locator('figure').textContent()).includes('no WebGL'), 'the page does not say that there is no WebGL');
  await page.close();
}

const browser = await launch(modules);
try {
  await checkLarge(browser);
  await checkSeveral(browser);
  await checkBare(browser);
  await checkNoWebGl(browser);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
finish('large report: as expected');
