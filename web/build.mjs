// Bundles each page into one file, dist/NAME.html, with its style and script. calopipe fills in {{title}} and
// {{data}}.
import { buildSync } from 'esbuild';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const unused = ['three', 'three/addons', 'mathjax', 'jsdom', 'canvas', 'gl'];  // modules of JSROOT for use outside browsers
const style = buildSync({ entryPoints: ['page/page.css'], minify: true, write: false }).outputFiles[0].text.trim();
const template = readFileSync('page/index.html', 'utf8');

mkdirSync('dist', { recursive: true });
for (const name of ['report', 'benchmark']) {
  const script = buildSync({
    entryPoints: [`${name}/main.js`], bundle: true, minify: true, format: 'iife', target: 'es2020', write: false,
    logLevel: 'warning', loader: { '.css': 'text' }, external: unused, pure: ['console.log'],
  }).outputFiles[0].text;
  // The script must not contain anything that ends the script element.
  if (/<\/script/i.test(script)) throw new Error(`${name}: the script contains "</script"`);
  writeFileSync(`dist/${name}.html`, template.replace('{{style}}', () => style).replace('{{script}}', () => script));
}
