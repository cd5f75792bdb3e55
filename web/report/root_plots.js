// Plots by JSROOT in the given panels.
import { createHistogram, createTGraph, gStyle, settings } from '../node_modules/jsroot/modules/core.mjs';
import { addColor } from '../node_modules/jsroot/modules/base/colors.mjs';
import { TGraphPainter } from '../node_modules/jsroot/modules/hist2d/TGraphPainter.mjs';
import { TH1Painter } from '../node_modules/jsroot/modules/hist2d/TH1Painter.mjs';
import { css, modelColor } from './colors.js';

// Models and series differ in marker as well as colour.
const kMarkers = [20, 21, 22, 33, 23, 24, 25, 26, 27, 32];
export const kGlyphs = ['●', '■', '▲', '◆', '▼', '○', '□', '△', '◇', '▽'];
const kNoMarker = 1;
const kDashed = 2;
const kPlainFont = 42;

settings.ToolBar = false;
settings.ContextMenu = false;
settings.MoveResize = false;
settings.HandleKeys = false;  // the page's sliders and lists use the arrow keys
settings.SmallPad = { width: 1, height: 1 };  // ratio panels are low, but need axes
gStyle.fOptStat = 0;
gStyle.fOptTitle = 0;

// Colours of the page's style sheet, as indices into JSROOT's list.
function themeColors() {
  const colors = {};
  for (const name of ['panel', 'text', 'soft', 'line', 'full', 'full-line']) colors[name] = addColor(css(`--${name}`));
  for (const part of ['fCanvasColor', 'fPadColor', 'fFrameFillColor']) gStyle[part] = colors.panel;
  gStyle.fFrameLineColor = colors.soft;
  gStyle.fGridColor = colors.line;
  colors.model = i => addColor(modelColor(i));
  return colors;
}

function setMargins({ left = 0.14, right = 0.04, top = 0.04, bottom }) {
  Object.assign(gStyle, { fPadLeftMargin: left, fPadRightMargin: right, fPadTopMargin: top, fPadBottomMargin: bottom });
}

function histogram(name, { low, high, values, errors }, colors) {
  const bins = values.length;
  const histo = createHistogram('TH1D', bins);
  histo.fName = name;
  histo.fXaxis.fXmin = low;
  histo.fXaxis.fXmax = high;
  histo.fSumw2 = new Array(bins + 2).fill(0);
  for (let i = 0; i < bins; ++i) {
    histo.fArray[i + 1] = values[i];
    histo.fSumw2[i + 1] = errors ? errors[i] ** 2 : 0;
  }
  for (const axis of [histo.fXaxis, histo.fYaxis]) {
    axis.fAxisColor = colors.soft;
    axis.fLabelColor = axis.fTitleColor = colors.text;
    axis.fLabelFont = axis.fTitleFont = kPlainFont;
  }
  return histo;
}

function setStyle(object, { fill = 0, line, marker = kNoMarker, width = 1, style = 1 }) {
  return Object.assign(object, {
    fFillColor: fill, fFillStyle: fill ? 1001 : 0, fLineColor: line, fLineWidth: width, fLineStyle: style,
    fMarkerColor: line, fMarkerStyle: marker, fMarkerSize: marker === kNoMarker ? 1 : 0.7,
  });
}

function setAxis(axis, { title, size, offset }) {
  Object.assign(axis, { fTitle: title, fTitleOffset: offset, fLabelSize: size, fTitleSize: size });
}

function graph({ x, values, errors }) {
  const out = createTGraph(x.length, x, values);
  if (errors) Object.assign(out, { _typename: 'TGraphErrors', fEX: new Array(x.length).fill(0), fEY: errors });
  return out;
}

// Values and errors to draw: counts become shares of the showers.
function shown(figure, side) {
  const { low, high } = figure;
  if (figure.kind === 'profile') return { low, high, values: side.values, errors: side.errors };
  return { low, high, values: side.values.map(v => v / side.n), errors: side.values.map(v => Math.sqrt(v) / side.n) };
}

function rangeOf(sides, log) {
  const tops = sides.flatMap(s => s.values.map((v, i) => v + (s.errors?.[i] ?? 0)));
  const positive = sides.flatMap(s => s.values.filter(v => v > 0));
  const lowest = positive.length ? Math.min(...positive) : 1e-6;
  const highest = Math.max(...tops);
  return log ? [lowest / 2, Math.max(highest, lowest) * 3] : [Math.min(0, ...sides.flatMap(s => s.values)), highest * 1.15 || 1];
}

async function drawBins(pad, figure, full, fasts, log, colors) {
  const frame = histogram('full', full, colors);
  [frame.fMinimum, frame.fMaximum] = rangeOf([full, ...fasts.map(f => f.side)], log);
  setStyle(frame, { fill: colors.full, line: colors['full-line'], width: 2 });
  setAxis(frame.fYaxis, { title: figure.y_title, size: 0.055, offset: 1.15 });
  frame.fXaxis.fLabelSize = 0;
  setMargins({ bottom: 0.03 });
  await TH1Painter.draw(pad, frame, log ? 'hist,logy' : 'hist');
  await TH1Painter.draw(pad, setStyle(histogram('full errors', full, colors), { line: colors['full-line'] }), 'e1,same');
  for (const { i, side } of fasts)
    await TH1Painter.draw(pad, setStyle(histogram(`fast ${i}`, side, colors), { line: colors.model(i), marker: kMarkers[i % kMarkers.length], width: 2 }), 'e1,p,same');
}

// Range of the axis around 1, such that it contains most of the significant points.
function ratioReach(ratios) {
  const kSteps = [0.1, 0.25, 0.5, 1];
  const kShare = 0.9;
  const distances = ratios.flatMap(({ values, errors }) => values.map((v, i) => v > 0 && errors[i] < 0.3 ? Math.abs(v - 1) + errors[i] : -1))
    .filter(d => d >= 0).sort((a, b) => a - b);
  const reach = distances[Math.floor(kShare * (distances.length - 1))] ?? 1;
  return kSteps.find(s => s >= reach) ?? 1;
}

// Ratio of fast to full with the errors of fast; the band shows the errors of full.
async function drawRatio(pad, figure, full, fasts, colors) {
  const { low, high } = figure;
  const over = (values, errors) => ({
    low, high, values: full.values.map((f, i) => f > 0 ? values[i] / f : -1), errors: full.values.map((f, i) => f > 0 ? errors[i] / f : 0) });
  const ratios = fasts.map(({ i, side }) => ({ i, ...over(side.values, side.errors) }));
  const reach = ratioReach(ratios);
  const band = setStyle(histogram('band', over(full.values, full.errors), colors), { fill: colors.full, line: colors.full });
  // A little more, so that the labels at the ends do not overlap those of the other axis.
  band.fMinimum = 1 - 1.12 * reach;
  band.fMaximum = 1 + 1.12 * reach;
  setAxis(band.fXaxis, { title: figure.x_title, size: 0.125, offset: 1.05 });
  setAxis(band.fYaxis, { title: 'fast / full', size: 0.125, offset: 0.5 });
  band.fYaxis.fNdivisions = 503;
  setMargins({ top: 0.05, bottom: 0.36 });
  await TH1Painter.draw(pad, band, 'e2');
  const one = histogram('one', { low, high, values: full.values.map(() => 1) }, colors);
  await TH1Painter.draw(pad, setStyle(one, { line: colors.soft }), 'hist,same');
  for (const ratio of ratios)
    await TH1Painter.draw(pad, setStyle(histogram(`ratio ${ratio.i}`, ratio, colors), { line: colors.model(ratio.i), marker: kMarkers[ratio.i % kMarkers.length], width: 2 }), 'e1,p,same');
}

// Error bars as wide as the bin, but only if they do not hide other models.
function setErrorBars(enabled) {
  gStyle.fErrorX = enabled.length > 1 ? 0 : 0.5;
}

// Counts and profiles: values above, ratios below.
export async function drawCompared([main, ratio], figure, { log, enabled }) {
  const colors = themeColors();
  const full = shown(figure, figure.full);
  setErrorBars(enabled);
  const fasts = enabled.filter(i => figure.fast[i]).map(i => ({ i, side: shown(figure, figure.fast[i]) }));
  await drawBins(main, figure, full, fasts, log, colors);
  await drawRatio(ratio, figure, full, fasts, colors);
}

async function drawFrame(pad, { x, y, xTitle, yTitle, options = '' }, colors) {
  const frame = histogram('frame', { low: x[0], high: x[1], values: [0] }, colors);
  [frame.fMinimum, frame.fMaximum] = y;
  setAxis(frame.fXaxis, { title: xTitle, size: 0.042, offset: 1.1 });
  setAxis(frame.fYaxis, { title: yTitle, size: 0.042, offset: 1.6 });
  setMargins({ top: 0.03, bottom: 0.13 });
  await TH1Painter.draw(pad, frame, `axis${options}`);
}

const line = (pad, points, style) => TGraphPainter.draw(pad, setStyle(graph(points), style), 'l,same');

// Values for all conditions: the marker shows the series, the colour full or fast.
export async function drawCurve([pad], figure, { log, enabled, series }) {
  const colors = themeColors();
  const chosen = figure.series.map((s, i) => ({ ...s, i })).filter(s => series === null || s.i === series);
  const curves = chosen.flatMap(s => [
    { ...s.full, x: s.x, marker: kMarkers[s.i % kMarkers.length], line: colors['full-line'] },
    ...enabled.filter(m => s.fast[m]).map(m => ({ ...s.fast[m], x: s.x, marker: kMarkers[s.i % kMarkers.length], line: colors.model(m) })),
  ]);
  const xs = curves.flatMap(c => c.x), [left, right] = [Math.min(...xs), Math.max(...xs)];
  const margin = right > left ? 0.05 * (right - left) : 1;
  const x = figure.log_x ? [left / 1.3, right * 1.3] : [left - margin, right + margin];
  const lows = curves.flatMap(c => c.values.map((v, i) => v - c.errors[i])), highs = curves.flatMap(c => c.values.map((v, i) => v + c.errors[i]));
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  const room = high > low ? 0.08 * (high - low) : Math.abs(high) || 1;
  const positive = curves.flatMap(c => c.values).filter(v => v > 0);
  const y = log ? [(positive.length ? Math.min(...positive) : 1e-6) / 1.5, high * 1.5] : [low - room, high + room];
  await drawFrame(pad, { x, y, xTitle: figure.x_title, yTitle: figure.y_title, options: (figure.log_x ? ',logx' : '') + (log ? ',logy' : '') }, colors);
  for (const curve of curves) {
    if (curve.fit) await line(pad, { x: curve.fit.x, values: curve.fit.y }, { line: curve.line });
    else await line(pad, { x: curve.x, values: curve.values }, { line: curve.line, style: kDashed });
    await TGraphPainter.draw(pad, setStyle(graph(curve), { line: curve.line, marker: curve.marker }), 'p,same');
  }
}

// Share of fast showers classified as fast against share of full showers classified as fast, with the curve
// of a guess.
export async function drawRoc([pad], figure, { log, enabled }) {
  const colors = themeColors();
  const curves = enabled.filter(m => figure.models[m]).map(i => ({ i, roc: figure.models[i].roc }));
  // Shares of 0 are at the edge of a logarithmic frame.
  const least = log ? Math.min(0.01, ...curves.flatMap(({ roc }) => roc.flat().filter(share => share > 0))) : 0;
  await drawFrame(pad, { x: [least, 1], y: [least, 1], xTitle: figure.x_title, yTitle: figure.y_title, options: log ? ',logx,logy' : '' }, colors);
  await line(pad, { x: [least, 1], values: [least, 1] }, { line: colors.soft, style: kDashed });
  for (const { i, roc } of curves) {
    const [x, values] = [0, 1].map(axis => roc.map(p => Math.max(p[axis], least)));
    await line(pad, { x, values }, { line: colors.model(i), width: 2 });
  }
}

// Share of fast showers among showers with a score, against the score.
export async function drawCalibration([pad], figure, { enabled }) {
  const colors = themeColors();
  const range = [-0.03, 1.03];  // margins for the markers at the ends
  await drawFrame(pad, { x: range, y: range, xTitle: figure.x_title, yTitle: figure.y_title }, colors);
  await line(pad, { x: [0, 1], values: [0, 1] }, { line: colors.soft, style: kDashed });
  for (const i of enabled.filter(m => figure.models[m])) {
    const points = figure.models[i].calibration;
    const curve = { x: points.map(p => p[0]), values: points.map(p => p[1]), errors: points.map(p => p[2]) };
    await TGraphPainter.draw(pad, setStyle(graph(curve), { line: colors.model(i), marker: kMarkers[i % kMarkers.length], width: 2 }), 'p,same');
  }
}

// AUC of each model against a quantity on a logarithmic axis, with the line of a guess.
export async function drawAuc([pad], figure, { enabled }) {
  const colors = themeColors();
  const curves = enabled.filter(m => figure.models[m]?.[figure.key].length).map(i => ({ i, points: figure.models[i][figure.key] }));
  const all = curves.flatMap(({ points }) => points);
  const xs = all.map(p => p[0]);
  const x = all.length ? [Math.min(...xs) / 1.4, Math.max(...xs) * 1.4] : [1, 10];
  const y = [Math.min(0.48, ...all.map(p => p[1] - p[2])), Math.max(0.54, ...all.map(p => p[1] + p[2]))];
  const room = 0.06 * (y[1] - y[0]);
  await drawFrame(pad, { x, y: [y[0] - room, y[1] + room], xTitle: figure.x_title, yTitle: figure.y_title, options: ',logx' }, colors);
  await line(pad, { x, values: [0.5, 0.5] }, { line: colors.soft, style: kDashed });
  for (const { i, points } of curves) {
    const curve = { x: points.map(p => p[0]), values: points.map(p => p[1]), errors: points.map(p => p[2]) };
    await line(pad, { x: curve.x, values: curve.values }, { line: colors.model(i) });
    await TGraphPainter.draw(pad, setStyle(graph(curve), { line: colors.model(i), marker: kMarkers[i % kMarkers.length], width: 2 }), 'p,same');
  }
}

// Each model has its own classifier, and therefore its own scores of full showers: filled, or dashed if there
// are several models.
export async function drawScores([pad], figure, { log, enabled }) {
  const colors = themeColors();
  setErrorBars(enabled);
  const sides = enabled.filter(m => figure.models[m]).map(i => {
    const [full, fast] = ['full_scores', 'fast_scores'].map(side => {
      const values = figure.models[i][side], sum = values.reduce((a, b) => a + b, 0) || 1;
      return { low: 0, high: 1, values: values.map(v => v / sum), errors: values.map(v => Math.sqrt(v) / sum) };
    });
    return { i, full, fast };
  });
  const [low, high] = sides.length ? rangeOf(sides.flatMap(s => [s.full, s.fast]), log) : [0, 1];
  await drawFrame(pad, { x: [0, 1], y: [low, high], xTitle: figure.x_title, yTitle: figure.y_title, options: log ? ',logy' : '' }, colors);
  for (const { i, full, fast } of sides) {
    const alone = sides.length === 1;
    const style = alone ? { fill: colors.full, line: colors['full-line'], width: 2 } : { line: colors.model(i), style: kDashed };
    await TH1Painter.draw(pad, setStyle(histogram(`full ${i}`, full, colors), style), 'hist,same');
    await TH1Painter.draw(pad, setStyle(histogram(`fast ${i}`, fast, colors), { line: colors.model(i), marker: kMarkers[i % kMarkers.length], width: 2 }), 'e1,p,same');
  }
}
