// Bundles each page into one file of its own, dist/NAME.html, that holds its style and its script. calopipe puts in what
// remains: {{title}} and {{data}}.
import { buildSync } from 'esbuild';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const unused = ['three', 'three/addons', 'mathjax', 'jsdom', 'canvas', 'gl'];  // of JSROOT, where there is no browser
const style = buildSync({ entryPoints: ['page/page.css'], minify: true, write: false }).outputFiles[0].text.trim();
const template = readFileSync('page/index.html', 'utf8');

mkdirSync('dist', { recursive: true });
for (const name of ['report', 'benchmark']) {
  const script = buildSync({
    entryPoints: [`${name}/main.js`], bundle: true, minify: true, format: 'iife', target: 'es2020', write: false,
    logLevel: 'warning', loader: { '.css': 'text' }, external: unused, pure: ['console.log'],
  }).outputFiles[0].text;
  // Nothing in it may end the script element.
  if (/<\/script/i.test(script)) throw new Error(`${name}: the script holds "</script"`);
  writeFileSync(`dist/${name}.html`, template.replace('{{style}}', () => style).replace('{{script}}', () => script));
}
