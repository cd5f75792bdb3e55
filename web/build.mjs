// Bundles each page into one file, dist/NAME.html, with its style and script. calopipe fills in {{title}} and
// {{data}}.
import { buildSync } from 'esbuild';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const unused = ['three', 'three/addons', 'mathjax', 'jsdom', 'canvas', 'gl'];  // modules of JSROOT for use outside browsers
const style = buildSync({ entryPoints: ['page/page.css'], minify: true, write: false }).outputFiles[0].text.trim();
const template = readFileSync('page/index.html', 'utf8');

const packages = new Set();  // npm packages in the pages

mkdirSync('dist', { recursive: true });
for (const name of ['report', 'benchmark', 'tune']) {
  const bundle = buildSync({
    entryPoints: [`${name}/main.js`], bundle: true, minify: true, format: 'iife', target: 'es2020', write: false,
    metafile: true, logLevel: 'warning', loader: { '.css': 'text' }, external: unused, pure: ['console.log'],
  });
  const parts = Object.values(bundle.metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  for (const [file, { bytesInOutput }] of parts) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
    if (name && bytesInOutput > 0) packages.add(name);
  }
  const script = bundle.outputFiles[0].text;
  // The script must not contain anything that ends the script element.
  if (/<\/script/i.test(script)) throw new Error(`${name}: the script contains "</script"`);
  writeFileSync(`dist/${name}.html`, template.replace('{{style}}', () => style).replace('{{script}}', () => script));
}
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
writeFileSync('dist/packages.txt', [...packages].sort().map((name) => `${name} ${version(name)}\n`).join(''));
