// Opens pages in headless Chromium for the tests, and collects problems.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// Three-dimensional graphics without a graphics card
const kSoftwareGl = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

export const problems = [];

export function check(condition, text) {
  if (!condition) problems.push(text);
}

export function finish(text) {
  for (const problem of problems) console.error(`FAILED: ${problem}`);
  if (problems.length === 0) console.log(text);
  process.exit(problems.length > 0 ? 1 : 0);
}

// `modules`: folder of npm packages, including playwright-core
export async function launch(modules) {
  const { chromium } = createRequire(resolve(modules) + '/')('playwright-core');
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...kSoftwareGl, ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
  });
}

// Opens `file` and waits until everything in view is drawn. The console must stay empty, and requests are
// problems.
export async function open(browser, file, { fragment = '', ...options } = {}) {
  const page = await browser.newPage({ viewport: { width: 1240, height: 1000 }, ...options });
  const address = pathToFileURL(resolve(file)).href;
  page.on('console', message => problems.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', error => problems.push(`page error: ${error.stack}`));
  page.on('request', request => {
    if (request.url().split('#')[0] !== address && !request.url().startsWith('data:')) problems.push(`request: ${request.url()}`);
  });
  await page.goto(address + fragment);
  await page.waitForFunction(() => document.body.dataset.ready === 'true');
  return page;
}

// Checks that tables are not cut off on A4 paper.
export async function checkPaper(page) {
  const size = page.viewportSize();
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 718, height: 1000 });
  const wide = await page.locator('.scroll table').evaluateAll(tables => tables
    .map(table => [table.parentElement.className, table.getBoundingClientRect().right, document.body.clientWidth])
    .filter(([, right, paper]) => right > paper + 1));
  check(wide.length === 0, `tables are wider than paper: ${wide.join('; ')}`);
  await page.emulateMedia({ media: 'screen' });
  await page.setViewportSize(size);
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
}

// The figures of the page, by section (the id of an enclosing element) and name.
export class Figures {
  constructor(page) {
    this.page = page;
  }

  locate(section, name) {
    return this.page.locator(`#${section} figure[data-name="${name}"]`);
  }

  async drawn(section, name) {
    const figure = this.locate(section, name);
    await figure.scrollIntoViewIfNeeded();
    await this.page.waitForFunction(([s, n]) => document.querySelector(`#${s} figure[data-name="${n}"]`)?.dataset.drawn, [section, name]);
    return figure;
  }

  // Panels of a figure, with the paths of their pictures
  async shapes(section, name) {
    const figure = await this.drawn(section, name);
    return figure.evaluate(node => [...node.querySelectorAll('.pad')].map(pad => {
      const svg = pad.querySelector('svg');
      const plotted = pad.querySelectorAll('.main_layer path');
      return { width: svg?.clientWidth ?? 0, height: svg?.clientHeight ?? 0,
        paths: [...(plotted.length ? plotted : pad.querySelectorAll('path, rect'))].map(p => p.getAttribute('d') ?? '') };
    }));
  }

  async text(section, name) {
    return JSON.stringify(await this.shapes(section, name));
  }

  // Colours of a canvas: the number of different ones, and a sum that changes with the picture
  async pixels(section, name, which = 0) {
    const figure = await this.drawn(section, name);
    return figure.locator('canvas').nth(which).evaluate(canvas => {
      const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
      const context = copy.getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const values = new Uint32Array(context.getImageData(0, 0, copy.width, copy.height).data.buffer);
      let sum = 0;
      for (const value of values) sum = (Math.imul(sum, 31) + value) | 0;
      return { colors: new Set(values).size, sum };
    });
  }
}
