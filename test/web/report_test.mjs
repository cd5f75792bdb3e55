// Opens a validation report in headless Chromium like a reader: plots are drawn, selections and buttons work,
// the console stays empty, and there are no requests. usage: node report_test.mjs REPORT.html NODE_MODULES
// [SCREENSHOT.png]
import { readFileSync } from 'node:fs';
import { check, checkPaper, Figures, finish, launch, open } from './browser.mjs';

const [report, modules, screenshot] = process.argv.slice(2);
const browser = await launch(modules);

// Texts of a table's column
const column = (page, section, at) => page.locator(`#${section} tbody tr`).evaluateAll((rows, i) => rows.map(row => row.cells[i].textContent), at);

async function checkTables(page, data) {
  check(await page.locator('#scores tbody tr').count() === data.scores.length, 'not every score has its row');
  check(await page.locator('#conditions tbody tr').count() === data.conditions.length, 'not every condition has its row');
  for (const section of ['scores', 'conditions']) {
    const before = await column(page, section, 0);
    const button = page.locator(`#${section} th`).first().getByRole('button');
    await button.click();
    const up = await column(page, section, 0);
    await button.focus();
    await page.keyboard.press('Enter');
    const down = await column(page, section, 0);
    check(await page.locator(`#${section} th`).first().getAttribute('aria-sort') === 'descending', `${section}: the heading does not show the order`);
    check([...before].sort().join() === [...up].sort().join(), `${section}: sorting lost rows`);
    check(up.join() === [...down].reverse().join() && (before.length < 2 || up.join() !== down.join()), `${section}: does not sort: ${up} and ${down}`);
  }
}

async function checkPlots(figures, data) {
  const names = data.conditions[0].figures.map(figure => figure.name);
  check(names.includes('response') && names.includes('longitudinal_profile'), `figures: ${names}`);
  check(data.conditions[0].layered.some(l => l.name === 'layer_energy'), 'no energies of layers');
  for (const [section, plots] of [['overview', data.overview], ['observables', data.conditions[0].figures]])
    for (const plot of plots) {
      const panels = await figures.shapes(section, plot.name);
      check(panels.length > 0, `${section} ${plot.name}: no panel`);
      panels.forEach((panel, i) => {
        check(panel.width > 150 && panel.height > 15, `${section} ${plot.name}: panel ${i} is ${panel.width} x ${panel.height}`);
        check(panel.paths.join('').length > 100 || plot.kind === 'matrix', `${section} ${plot.name}: panel ${i} is empty`);
      });
      if (plot.numbers?.[0]?.jsd) check((await figures.locate(section, plot.name).locator('small').textContent()).includes('JSD'), `${plot.name}: no distances`);
    }
}

async function checkClassifiers(page, figures, data) {
  const section = page.locator('#classifiers');
  if (data.classifiers.length === 0) {
    check((await section.textContent()).includes(data.no_classifiers), 'the page does not explain why there are no classifiers');
    return;
  }
  check((await section.textContent()).includes('AUC'), 'the classifiers have no AUC');
  for (const { name, models } of data.classifiers)
    for (const kind of ['roc', 'scores', 'calibration', ...['by_energy', 'by_sample_size'].filter(key => models.some(m => m?.[key].length > 1))]) {
      const [panel] = await figures.shapes('classifiers', `${name}_${kind}`);
      check(panel.paths.filter(path => path.length > 8).length >= 2, `${name}: ${kind} is empty`);
    }
}

async function checkDownloads(page, figures, data) {
  const wanted = [['observables', 'response', 'svg'], ['observables', 'response', 'png'], ['showers', 'shower_view', 'png'], ['showers', 'layer_map', 'png']];
  if (data.overview.length) wanted.push(['overview', data.overview[0].name, 'svg']);
  for (const [section, name, type] of wanted) {
    await figures.drawn(section, name);
    const [download] = await Promise.all([page.waitForEvent('download'), figures.locate(section, name).getByRole('button', { name: type, exact: true }).click()]);
    const bytes = readFileSync(await download.path());
    check(download.suggestedFilename() === `${name}.${type}`, `download is called ${download.suggestedFilename()}`);
    check(type === 'svg' ? bytes.includes('<svg') && bytes.includes('<path') : bytes.subarray(1, 4).toString() === 'PNG' && bytes.length > 5000,
      `the downloaded ${type} of ${name} is not a picture`);
  }
}

async function checkLog(figures, section, name) {
  const figure = await figures.drawn(section, name);
  // Includes the numbers of the axes: the curve of a perfect classifier is the same on both scales.
  const picture = async () => await figures.text(section, name) + await figure.locator('svg').first().textContent();
  const before = await picture(), state = await figure.getAttribute('data-drawn');
  const button = figure.getByRole('button', { name: 'log' });
  await button.click();
  check(await button.getAttribute('aria-pressed') === String(state !== 'log'), 'the log button does not show its state');
  check(await picture() !== before, 'the log scale changes nothing');
  check(await figure.getAttribute('data-drawn') !== state, 'the figure did not change');
  await button.click();
  check(await picture() === before, 'the scale does not return');
}

async function checkLayers(page, figures, data) {
  const before = await figures.text('layers', 'layer_energy');
  await page.locator('#layered').getByLabel('Layer').first().selectOption('5');
  const fifth = await figures.text('layers', 'layer_energy');
  check(fifth !== before, 'another layer looks the same');
  await page.locator('#layered input[type=range]').focus();
  await page.keyboard.press('ArrowRight');
  check(await page.locator('#layered').getByLabel('Layer').first().inputValue() === '6', 'the slider does not move the layer');
  check(await figures.text('layers', 'layer_energy') !== fifth, 'the slider changes nothing');
  const kinds = data.conditions[0].layered.map(l => l.name);
  await page.locator('#choose-kind').selectOption(kinds.at(-1));
  check(await page.locator('#layers figure').count() === 1, 'more than the chosen kind is shown');
  await figures.drawn('layers', kinds.at(-1));
  await page.locator('#choose-kind').selectOption('');
}

async function checkShowers(page, figures, data) {
  const view = () => figures.pixels('showers', 'shower_view');
  const start = await view();
  check(start.colors > 20, `the showers have ${start.colors} colours`);
  const figure = figures.locate('showers', 'shower_view'), canvas = figure.getByRole('application');
  // Waits until it is drawn, in the next frame
  const frames = () => page.evaluate(() => new Promise(done => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
  await canvas.focus();
  let last = start;
  for (const key of ['ArrowLeft', 'ArrowUp', '+']) {
    await page.keyboard.press(key);
    await frames();
    const now = await view();
    check(now.sum !== last.sum, `${key} changes nothing`);
    last = now;
  }
  await page.keyboard.press('Home');
  await frames();
  check((await view()).sum === start.sum, 'Home does not restore the view');
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 180, box.y + 120);
  await page.mouse.up();
  await frames();
  last = await view();
  check(last.sum !== start.sum, 'the mouse does not rotate the view');
  await page.mouse.wheel(0, -100);
  await frames();
  check((await view()).sum !== last.sum, 'the wheel does not zoom');
  last = await view();
  const hidden = await figure.locator('[aria-live]').textContent();
  const bar = figure.getByLabel('Smallest energy shown');
  await bar.evaluate(node => {
    node.value = (Number(node.min) + 2 * Number(node.max)) / 3;
    node.dispatchEvent(new Event('input'));
  });
  await frames();
  check((await view()).sum !== last.sum, 'the threshold hides nothing');
  check(await figure.locator('[aria-live]').textContent() !== hidden, 'the page does not say how much is hidden');
  if (data.conditions[0].showers.full.length > 1) {
    last = await view();
    await figure.getByLabel('Shower', { exact: true }).selectOption('1');
    check((await view()).sum !== last.sum, 'another shower looks the same');
  }
  await figures.drawn('showers', 'layer_map');
  const map = await figures.pixels('showers', 'layer_map');
  check(map.colors > 10, `the map of a layer has ${map.colors} colours`);
  await page.locator('#showers').getByLabel('Layer').first().selectOption('20');
  check((await figures.pixels('showers', 'layer_map')).sum !== map.sum, 'the map of another layer looks the same');
  await page.locator('#showers').getByLabel('Shower of the maps').selectOption('0');
  check((await figures.pixels('showers', 'average_map')).colors > 10, 'the map over depth and radius is empty');
}

async function checkConditions(page, figures, data) {
  if (data.conditions.length < 2) return;
  const current = () => page.locator('#conditions tr[aria-current]').textContent();
  const before = await figures.text('observables', 'response'), start = await current();
  await page.keyboard.press(']');
  check(await figures.text('observables', 'response') !== before, 'another condition looks the same');
  check(await current() !== start, 'the table does not mark the chosen condition');
  await page.keyboard.press('[');
  check(await figures.text('observables', 'response') === before, 'the previous condition looks different');
  await page.getByRole('button', { name: 'Next condition' }).click();
  check(await current() !== start, 'the button does not choose a condition');
  const row = page.locator('#conditions .choose').filter({ hasText: data.conditions[0].name }).first();
  await row.focus();
  await page.keyboard.press('Enter');
  check(await current() === start, 'a row does not choose a condition');
  // The first list with a choice
  const list = page.locator('nav.bar select:enabled').first();
  await list.focus();
  await page.keyboard.press('ArrowDown');
  check(await current() !== start, 'the lists do not choose a condition');
  await page.keyboard.press('ArrowUp');
}

// The plots follow the theme of the page.
async function checkDark(page, figures) {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction(() => document.querySelector('#observables figure[data-name="response"]').dataset.drawn === undefined);
  const figure = await figures.drawn('observables', 'response');
  const colors = await figure.evaluate(node => ({
    page: getComputedStyle(node).backgroundColor,
    plot: getComputedStyle(node.querySelector('.pad svg .canvas_fillrect, .pad svg path')).fill,
  }));
  check(colors.page === colors.plot, `in the dark theme the plot is ${colors.plot} on ${colors.page}`);
}

// Everything is printed, even if it was never in view, but no controls.
async function checkPrint() {
  const page = await open(browser, report);
  const pdf = await page.pdf();
  const missing = await page.evaluate(() => [...document.querySelectorAll('#app figure')].filter(f => !f.dataset.drawn).map(f => f.dataset.name));
  check(missing.length === 0, `not printed: ${missing}`);
  check(pdf.length > 50000, `the print has ${pdf.length} bytes`);
  await page.emulateMedia({ media: 'print' });
  for (const part of ['nav.bar', '.tools', '.controls']) check(!await page.locator(part).first().isVisible(), `${part} is printed`);
  await page.emulateMedia({ media: 'screen' });
  await checkPaper(page);
  await page.close();
}

async function checkOnly(data) {
  const last = data.conditions.length - 1;
  let page = await open(browser, report, { fragment: `#only=longitudinal_profile,layer_energy,shower_view&condition=${last}&theme=light&layer=12`, colorScheme: 'dark' });
  check((await page.locator('figure').evaluateAll(all => all.map(f => f.dataset.name))).join() === 'longitudinal_profile,layer_energy,shower_view', 'the figures are not the requested ones');
  check(await page.locator('figure').evaluateAll(all => all.every(f => f.dataset.drawn && f.clientWidth > 1100)), 'figures are not drawn as wide as the window');
  check(!await page.locator('h1').isVisible() && !await page.locator('#app nav').count(), 'there are other elements besides the figures');
  check((await page.locator('figure[data-name="layer_energy"]').textContent()).includes('layer 12'), 'the layer is not the requested one');
  check(await page.evaluate(() => getComputedStyle(document.body).backgroundColor) === 'rgb(255, 255, 255)', 'not light');
  await page.close();
  page = await open(browser, report, { fragment: '#only=main' });
  const count = await page.locator('figure[data-drawn]').count(), wanted = data.overview.length + data.conditions[0].figures.length;
  check(count === wanted, `only=main shows ${count} figures, not ${wanted}`);
  await page.close();
}

try {
  const page = await open(browser, report);
  const data = await page.evaluate(() => JSON.parse(document.getElementById('data').textContent));
  const figures = new Figures(page);
  if (screenshot) await page.screenshot({ path: screenshot });
  await checkTables(page, data);
  await checkPlots(figures, data);
  await checkClassifiers(page, figures, data);
  await checkLog(figures, 'observables', 'response');
  if (data.classifiers.length) await checkLog(figures, 'classifiers', `${data.classifiers[0].name}_roc`);
  await checkLayers(page, figures, data);
  await checkDownloads(page, figures, data);
  await checkShowers(page, figures, data);
  await checkConditions(page, figures, data);
  await checkDark(page, figures);
  await page.close();
  await checkPrint();
  await checkOnly(data);
} finally {
  await browser.close();
}
finish('report: as expected');
