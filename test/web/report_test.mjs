// Opens a validation report in headless Chromium as a reader would: plots drawn, selections and buttons work, the
// console stays clean, nothing is fetched. usage: node report_test.mjs REPORT.html NODE_MODULES [SCREENSHOT.png]
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [report, modules, screenshot] = process.argv.slice(2);
const { chromium } = createRequire(resolve(modules) + '/')('playwright-core');
const problems = [];
const check = (condition, text) => {
  if (!condition) problems.push(text);
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid() === 0 ? ['--no-sandbox'] : [],
});
try {
  const page = await browser.newPage({ viewport: { width: 1240, height: 1000 } });
  page.on('console', message => problems.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', error => problems.push(`page error: ${error.stack}`));
  const address = pathToFileURL(resolve(report)).href;
  page.on('request', request => {
    if (request.url() !== address && !request.url().startsWith('data:')) problems.push(`request: ${request.url()}`);
  });
  await page.goto(address);
  const data = await page.evaluate(() => JSON.parse(document.getElementById('data').textContent));

  const figure = name => page.locator(`figure[data-name="${name}"]`);
  const drawn = async name => {
    await figure(name).scrollIntoViewIfNeeded();
    await page.waitForFunction(n => document.querySelector(`figure[data-name="${n}"]`).dataset.drawn, name);
  };
  // Paths of the histograms, as JSROOT made them.
  const shapes = name => figure(name).evaluate(node => [...node.querySelectorAll('.pad')].map(pad => {
    const svg = pad.querySelector('svg');
    return { width: svg?.clientWidth ?? 0, height: svg?.clientHeight ?? 0, paths: [...pad.querySelectorAll('.main_layer path')].map(p => p.getAttribute('d') ?? '') };
  }));

  const names = data.groups[0].figures.map(variants => variants[0].name);
  check(names.includes('response') && names.includes('longitudinal_profile') && names.includes('layer_energy'), `figures: ${names}`);
  const first = {};
  for (const name of names) {
    await drawn(name);
    const [main, ratio] = await shapes(name);
    first[name] = JSON.stringify([main, ratio]);
    for (const [part, panel] of [['main', main], ['ratio', ratio]]) {
      check(panel.width > 200 && panel.height > 80, `${name}: the ${part} panel is ${panel.width} x ${panel.height}`);
      check(panel.paths.join('').length > 200, `${name}: the ${part} panel is empty`);
    }
    check((await figure(name).locator('small').textContent()).includes('JSD'), `${name}: no distances`);
  }
  // The classifier's: of all conditions, so there from the start.
  check(data.classifiers.map(c => c.name).join() === 'classifier_high_level,roc_high_level', `classifiers: ${data.classifiers.map(c => c.name)}`);
  for (const { name } of data.classifiers) {
    await drawn(name);
    const panels = await shapes(name);
    check(panels.length === (name.startsWith('roc') ? 1 : 2), `${name}: ${panels.length} panels`);
    for (const panel of panels) check(panel.width > 200 && panel.height > 80, `${name}: a panel is ${panel.width} x ${panel.height}`);
    first[name] = JSON.stringify(panels);
  }
  const roc = await shapes('roc_high_level');
  check(roc[0].paths.filter(path => path.length > 8).length >= 2, `the ROC curve or its diagonal is not drawn: ${JSON.stringify(roc)}`);
  check((await figure('roc_high_level').locator('small').textContent()).includes('AUC'), 'the ROC curve has no AUC');
  check((await page.locator('body > ul').textContent()).includes('AUC'), 'the verdict knows nothing of the classifier');
  if (screenshot) {
    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForTimeout(300);
    await page.screenshot({ path: screenshot, fullPage: false });
  }

  // Logarithmic scale at a click.
  const before = (await figure('response').getAttribute('data-drawn'));
  await figure('response').getByRole('button', { name: 'log' }).click();
  await page.waitForFunction(b => ![b, ''].includes(document.querySelector('figure[data-name="response"]').dataset.drawn), before);
  check(JSON.stringify(await shapes('response')) !== first.response, 'the log scale changes nothing');

  // Another layer.
  await figure('layer_energy').getByLabel('Layer').selectOption('5');
  await page.waitForFunction(() => document.querySelector('figure[data-name="layer_energy"]').dataset.drawn === 'linear');
  await page.waitForTimeout(300);
  check(JSON.stringify(await shapes('layer_energy')) !== first.layer_energy, 'another layer looks the same');

  // Downloads.
  for (const [name, type] of [['response', 'svg'], ['response', 'png'], ['roc_high_level', 'png']]) {
    const [download] = await Promise.all([page.waitForEvent('download'), figure(name).getByRole('button', { name: type }).click()]);
    const bytes = readFileSync(await download.path());
    check(download.suggestedFilename() === `${name}.${type}`, `download is called ${download.suggestedFilename()}`);
    check(type === 'svg' ? bytes.includes('<svg') && bytes.includes('<path') : bytes.subarray(1, 4).toString() === 'PNG' && bytes.length > 5000,
      `the downloaded ${type} is no picture`);
  }

  // Another condition, chosen with the keyboard.
  if (data.groups.length > 1) {
    await page.locator('#condition').focus();
    await page.keyboard.press('ArrowDown');
    await drawn('response');
    check(JSON.stringify(await shapes('response')) !== first.response, 'another condition looks the same');
    check(JSON.stringify(await shapes('roc_high_level')) === first.roc_high_level, 'the ROC curve changes with the condition');
  }

  // Dark: the plots follow the page.
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForTimeout(1000);
  const colors = await figure('response').evaluate(node => ({
    page: getComputedStyle(node).backgroundColor,
    plot: getComputedStyle(node.querySelector('.pad svg .canvas_fillrect, .pad svg path')).fill,
  }));
  check(colors.page === colors.plot, `in the dark the plot is ${colors.plot} on ${colors.page}`);
} finally {
  await browser.close();
}
for (const problem of problems) console.error(`FAILED: ${problem}`);
if (problems.length === 0) console.log('report: as expected');
process.exit(problems.length > 0 ? 1 : 0);
