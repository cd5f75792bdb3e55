// Matrices of correlations as heat maps in SVG: Geant4, each model, and what differs.
import { css, divergingColors, kLevels, levelOf, modelColor } from './colors.js';
import { data, models } from './data.js';
import { element, svgElement } from './dom.js';

const kSide = 300, kLeft = 46, kTop = 28, kBottom = 46, kRight = 10, kBar = 14;
const kFont = { 'font-family': 'sans-serif', 'font-size': 13 };

function heatMap(values, size, { title, color, figure }) {
  const cell = kSide / size, colors = divergingColors();
  // One path for each colour.
  const paths = Array.from({ length: kLevels }, () => []);
  values.forEach((value, k) => {
    const x = (k % size) * cell, y = kSide - (Math.floor(k / size) + 1) * cell;
    paths[levelOf((value + 1) / 2)].push(`M${x.toFixed(2)} ${y.toFixed(2)}h${cell.toFixed(2)}v${cell.toFixed(2)}h-${cell.toFixed(2)}z`);
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

function colorBar() {
  const colors = divergingColors(), step = kSide / kLevels;
  const bars = colors.map((fill, i) => svgElement('rect', { x: i * step, y: 0, width: step + 0.5, height: kBar, fill }));
  const texts = [[0, '−1', 'start'], [kSide / 2, '0', 'middle'], [kSide, '+1', 'end']].map(([x, content, anchor]) =>
    svgElement('text', { x, y: kBar + 15, 'text-anchor': anchor, fill: css('--text'), ...kFont }, [content]));
  return svgElement('svg', { viewBox: `0 0 ${kLeft + kSide + kRight} ${kBar + 20}`, 'aria-hidden': true },
    [svgElement('g', { transform: `translate(${kLeft} 0)` }, [...bars, ...texts])]);
}

// `holder` gets the panels.
export function drawMatrix(holder, figure, { enabled }) {
  const maps = [[figure.full, { title: data.full.label, color: css('--full-line') }]];
  for (const i of enabled.filter(m => figure.fast[m])) {
    const color = modelColor(i), values = figure.fast[i];
    maps.push([values, { title: models[i], color }], [values.map((v, k) => v - figure.full[k]), { title: `${models[i]} − ${data.full.label}`, color }]);
  }
  holder.replaceChildren(
    ...maps.map(([values, options]) => element('div', { className: 'pad heat' }, [heatMap(values, figure.size, { ...options, figure })])),
    element('div', { className: 'pad bar' }, [colorBar()]));
}
