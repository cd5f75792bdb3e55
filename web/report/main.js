// Shows a validation report. The page contains the data as JSON in #data; it makes no requests.
import { conditionBar } from './bar.js';
import { classifierSection } from './classifiers.js';
import { isDark, setTheme } from './colors.js';
import { data, layers, models } from './data.js';
import { element } from '../page/dom.js';
import { opening, provenanceSection } from '../page/opening.js';
import { drawAll, invalidateAll, settled } from './drawable.js';
import { FigureGrid } from './figures.js';
import { layerSection } from './layers.js';
import { mapSection } from './maps.js';
import style from './report.css';
import { choose, condition, on } from './selection.js';
import { ShowerView } from './shower_view.js';
import { showOnly } from './static_page.js';
import { conditionTable, scoreTable } from './tables.js';

const kResizePause = 200;
const app = document.getElementById('app');
const wanted = new URLSearchParams(location.hash.slice(1));

function section(id, title, nodes) {
  return element('section', { id }, [element('h2', { textContent: title }), ...nodes]);
}

function observables() {
  const grid = new FigureGrid('observables');
  const heading = element('h2');
  const show = () => {
    heading.textContent = `Observables: ${condition().name}`;
    grid.show(condition().figures);
  };
  on(['condition'], show);
  show();
  return element('section', {}, [heading, grid.node]);
}

function showPage() {
  const overview = new FigureGrid('overview');
  app.replaceChildren(
    ...(data.scores.length ? [section('scores', 'Scores', scoreTable())] : []),
    section('conditions', 'All conditions', [conditionTable()]),
    ...(data.overview.length ? [section('response', 'Energy response and resolution', [overview.show(data.overview).node])] : []),
    section('classifiers', 'Can classifiers distinguish them?', classifierSection()),
    conditionBar(),
    observables(),
    section('layered', 'Layer by layer', layerSection()),
    section('showers', 'Single showers', data.mesh ? [new ShowerView().node, ...mapSection().nodes]
      : [element('p', { className: 'soft', textContent: 'Showers can only be drawn if all layers have the same cells; here the layers differ.' })]));
}

// Whole number in the address that is in 0 … below
function numberWanted(name, below) {
  const value = Number(wanted.get(name) ?? NaN);
  return Number.isInteger(value) && value >= 0 && value < below ? { [name]: value } : {};
}

// A layer with cells
const layerWanted = () => {
  const { layer } = numberWanted('layer', Infinity);
  return layers.includes(layer) ? { layer } : {};
};

// Shrinks wide tables to the width of paper (A4 portrait: 718 pixels within margins of 10 mm).
const kPaperWidth = 718;
function fitTables() {
  for (const table of document.querySelectorAll('.scroll table')) {
    table.style.width = 'max-content';
    const style = getComputedStyle(table);
    const width = table.offsetWidth * parseFloat(style.getPropertyValue('--paper-size')) / parseFloat(style.fontSize);
    table.style.width = '';
    table.style.setProperty('--print-zoom', Math.min(1, kPaperWidth / width).toFixed(3));
  }
}

// Prints with the light theme, and draws everything that the page would draw only in view.
function followPrinting(theme) {
  let overruled = false;
  addEventListener('beforeprint', () => {
    fitTables();
    overruled = theme === null && isDark();
    if (overruled) {
      setTheme('light');
      invalidateAll();
    }
    drawAll();
  });
  addEventListener('afterprint', () => {
    if (!overruled) return;
    setTheme(null);
    invalidateAll();
  });
}

// Only the width matters: the height of a phone's window changes while scrolling.
function followWidth() {
  let width = innerWidth, timer;
  addEventListener('resize', () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(timer);
    timer = setTimeout(invalidateAll, kResizePause);
  });
}

async function start() {
  document.head.append(element('style', { textContent: style }));
  document.getElementById('opening').append(...opening(data.page));
  document.getElementById('closing').append(...provenanceSection(data.page.provenance));
  const theme = wanted.get('theme');
  if (theme) setTheme(theme);
  choose({ ...numberWanted('condition', data.conditions.length), ...layerWanted() });
  document.body.classList.toggle('several', models.length > 1);
  const only = wanted.get('only');
  if (only) {
    await showOnly(app, only.split(','));
  } else {
    showPage();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', invalidateAll);
    followWidth();
    await settled();
  }
  followPrinting(theme);
  performance.mark('report-ready');
  document.body.dataset.ready = 'true';
}

start();
