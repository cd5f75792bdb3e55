// Matrices of correlations as heat maps in SVG: Geant4, each model, and the differences.
import { css, divergingColors, kLevels, levelOf, modelColor } from './colors.js';
import { data, models } from './data.js';
import { element, svgElement } from '../page/dom.js';

const kSide = 300, kLeft = 46, kTop = 28, kBottom = 46, kRight = 10, kBar = 14;
const kFont = { 'font-family': 'sans-serif', 'font-size': 13 };

function heatMap(values, size, { title, color, range, figure }) {
  const cell = kSide / size, colors = divergingColors();
  // One path for each colour.
  const paths = Array.from({ length: kLevels }, () => []);
  values.forEach((value, k) => {
    const x = (k % size) * cell, y = kSide - (Math.floor(k / size) + 1) * cell;
    paths[levelOf((value / range + 1) / 2)].push(`M${x.toFixed(2)} ${y.toFixed(2)}h${cell.toFixed(2)}v${cell.toFixed(2)}h-${cell.toFixed(2)}z`);
  });
  const cells = paths.flatMap((parts, i) => parts.length ? [svgElement('path', { d: parts.join(''), fill: colors[i], 'shape-rendering': 'crispEdges' })] : []);
  const text = (x, y, content, more = {}) => svgElement('text', { x, y, fill: css('--text'), ...kFont, ...more }, [content]);
  const step = size > 20 ? 10 : size > 8 ? 5 : 1;
  const ticks = Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step).flatMap(at => [
    text((at + 0.5) * cell, kSide + 17, `${at}`, { 'text-anchor': 'middle' }),
    text(-7, kSide - (at + 0.5) * cell + 4, `${at}`, { 'text-anchor': 'end' }),
  ]);
  const width = kLeft + kSide + kRight, height = kTop + kSide + kBottom;
  const axes = [
    text(kSide / 2, kSide + 38, figure.x_title, { 'text-anchor': 'middle' }),
    text(0, 0, figure.y_title, { 'text-anchor': 'middle', transform: `translate(-32 ${kSide / 2}) rotate(-90)` }),
    text(0, -10, title, { fill: color, 'font-weight': 600 }),
    svgElement('rect', { width: kSide, height: kSide, fill: 'none', stroke: css('--soft') }),
  ];
  return svgElement('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title },
    [svgElement('g', { transform: `translate(${kLeft} ${kTop})` }, [...cells, ...ticks, ...axes])]);
}

function colorBar(reach) {
  const colors = divergingColors(), step = kSide / kLevels;
  const bars = colors.map((fill, i) => svgElement('rect', { x: i * step, y: 0, width: step + 0.5, height: kBar, fill }));
  const texts = [[0, `−${reach}`, 'start'], [kSide / 2, '0', 'middle'], [kSide, `+${reach}`, 'end']].map(([x, content, anchor]) =>
    svgElement('text', { x, y: kBar + 15, 'text-anchor': anchor, fill: css('--text'), ...kFont }, [content]));
  return svgElement('svg', { viewBox: `0 0 ${kLeft + kSide + kRight} ${kBar + 20}`, 'aria-hidden': true },
    [svgElement('g', { transform: `translate(${kLeft} 0)` }, [...bars, ...texts])]);
}

// Differences are small, so that their colour range is only as wide as needed.
function reachOf(differences) {
  const highest = differences.reduce((high, values) => values.reduce((h, v) => Math.max(h, Math.abs(v)), high), 0);
  return [0.05, 0.1, 0.2, 0.5, 1].find(reach => reach >= highest) ?? 2;
}

// `holder` gets the panels: correlations in the first row, and differences below the models (beside the model
// if there is only one).
export function drawMatrix(holder, figure, { enabled }) {
  const shown = enabled.filter(m => figure.fast[m]);
  const differences = shown.map(m => figure.fast[m].map((v, k) => v - figure.full[k]));
  const reach = reachOf(differences);
  const beside = shown.length === 1;
  const panel = (column, row, className, picture) => element('div', { className: `pad ${className}`, style: { gridColumn: column, gridRow: row } }, [picture]);
  const map = (column, row, values, title, color, range) => panel(column, row, 'heat', heatMap(values, figure.size, { title, color, range, figure }));
  holder.style.setProperty('--columns', beside ? 3 : shown.length + 1);
  holder.replaceChildren(
    map(1, 1, figure.full, data.full.label, css('--full-line'), 1),
    ...shown.map((m, k) => map(k + 2, 1, figure.fast[m], models[m], modelColor(m), 1)),
    panel(1, 2, 'bar', colorBar(1)),
    ...differences.map((values, k) => map(beside ? 3 : k + 2, beside ? 1 : 3, values, `${models[shown[k]]} − ${data.full.label}`, modelColor(shown[k]), reach)),
    ...(shown.length ? [panel(beside ? 3 : 2, beside ? 2 : 4, 'bar', colorBar(reach))] : []));
}
