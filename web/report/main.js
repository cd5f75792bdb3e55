// Draws the plots of a validation report with JSROOT. The page holds the data as JSON in #data; nothing is fetched.
import { createHistogram, createTGraph, gStyle, settings } from '../node_modules/jsroot/modules/core.mjs';
import { addColor } from '../node_modules/jsroot/modules/base/colors.mjs';
import { cleanup } from '../node_modules/jsroot/modules/base/ObjectPainter.mjs';
import { TGraphPainter } from '../node_modules/jsroot/modules/hist2d/TGraphPainter.mjs';
import { TH1Painter } from '../node_modules/jsroot/modules/hist2d/TH1Painter.mjs';

const data = JSON.parse(document.getElementById('data').textContent);
const select = document.getElementById('condition');
const plots = document.getElementById('plots');
const kMarkerCircle = 20;

settings.ToolBar = false;
settings.ContextMenu = false;
settings.MoveResize = false;
settings.SmallPad = { width: 1, height: 1 };  // ratio panels are low, and have axes all the same
gStyle.fOptStat = 0;
gStyle.fOptTitle = 0;

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Colours of the page's style sheet, as indices into JSROOT's list.
function themeColors() {
  const colors = {};
  for (const name of ['panel', 'text', 'soft', 'line', 'full', 'full-line', 'fast']) colors[name] = addColor(css(`--${name}`));
  for (const part of ['fCanvasColor', 'fPadColor', 'fFrameFillColor']) gStyle[part] = colors.panel;
  gStyle.fFrameLineColor = colors.soft;
  gStyle.fGridColor = colors.line;
  return colors;
}

function histogram(name, plot, values, errors, colors) {
  const bins = values.length;
  const histo = createHistogram('TH1D', bins);
  histo.fName = name;
  histo.fXaxis.fXmin = plot.edges[0];
  histo.fXaxis.fXmax = plot.edges[bins];
  histo.fSumw2 = new Array(bins + 2).fill(0);
  for (let i = 0; i < bins; ++i) {
    histo.fArray[i + 1] = values[i];
    histo.fSumw2[i + 1] = errors[i] * errors[i];
  }
  for (const axis of [histo.fXaxis, histo.fYaxis]) {
    axis.fAxisColor = colors.soft;
    axis.fLabelColor = axis.fTitleColor = colors.text;
    axis.fLabelFont = axis.fTitleFont = 42;
  }
  return histo;
}

function setRange(histo, low, high) {
  histo.fMinimum = low;
  histo.fMaximum = high;
}

function setStyle(histo, { fill = 0, line, marker = 0, width = 1 }) {
  histo.fFillColor = fill;
  histo.fFillStyle = fill ? 1001 : 0;
  histo.fLineColor = line;
  histo.fLineWidth = width;
  histo.fMarkerColor = marker || line;
  histo.fMarkerStyle = kMarkerCircle;
  histo.fMarkerSize = 0.7;
}

async function drawMain(dom, plot, log, colors) {
  const full = histogram('full', plot, plot.full, plot.full_error, colors);
  const fast = histogram('fast', plot, plot.fast, plot.fast_error, colors);
  const highest = Math.max(...plot.full.map((v, i) => v + plot.full_error[i]), ...plot.fast.map((v, i) => v + plot.fast_error[i]));
  const positive = [...plot.full, ...plot.fast].filter(v => v > 0);
  const lowest = positive.length ? Math.min(...positive) : 1e-6;
  setRange(full, log ? lowest / 2 : 0, log ? highest * 3 : highest * 1.15 || 1);
  setStyle(full, { fill: colors.full, line: colors['full-line'], width: 2 });
  setStyle(fast, { line: colors.fast, width: 2 });
  full.fXaxis.fLabelSize = 0;
  full.fYaxis.fTitle = plot.y_title;
  for (const [name, size] of [['fLabelSize', 0.055], ['fTitleSize', 0.055]]) full.fYaxis[name] = size;
  full.fYaxis.fTitleOffset = 1.15;
  gStyle.fPadBottomMargin = 0.03;
  gStyle.fPadTopMargin = 0.04;
  await TH1Painter.draw(dom, full, log ? 'hist,logy' : 'hist');
  const band = histogram('full errors', plot, plot.full, plot.full_error, colors);
  setStyle(band, { line: colors['full-line'] });
  band.fMarkerStyle = 1;  // a dot: the steps show the values
  await TH1Painter.draw(dom, band, 'e1,same');
  await TH1Painter.draw(dom, fast, 'e1,p,same');
}

// Fast over full, with the errors of both.
async function drawRatio(dom, plot, colors) {
  const bins = plot.full.length;
  const ratio = new Array(bins).fill(-1), error = new Array(bins).fill(0);
  for (let i = 0; i < bins; ++i) {
    if (!(plot.full[i] > 0)) continue;
    ratio[i] = plot.fast[i] / plot.full[i];
    error[i] = Math.hypot(plot.fast_error[i], ratio[i] * plot.full_error[i]) / plot.full[i];
  }
  const one = histogram('one', plot, new Array(bins).fill(1), new Array(bins).fill(0), colors);
  setStyle(one, { line: colors.soft });
  setRange(one, 0, 2);
  one.fXaxis.fTitle = plot.x_title;
  one.fYaxis.fTitle = 'fast / full';
  one.fYaxis.fNdivisions = 503;
  for (const axis of [one.fXaxis, one.fYaxis]) axis.fLabelSize = axis.fTitleSize = 0.125;
  one.fYaxis.fTitleOffset = 0.5;
  one.fXaxis.fTitleOffset = 1.05;
  gStyle.fPadBottomMargin = 0.36;
  gStyle.fPadTopMargin = 0.05;
  await TH1Painter.draw(dom, one, 'hist');
  const points = histogram('ratio', plot, ratio, error, colors);
  setStyle(points, { line: colors.fast, width: 2 });
  await TH1Painter.draw(dom, points, 'e1,p,same');
}

// Share of the fast showers found against share of the full ones taken for fast, and the diagonal of a guess.
async function drawRoc(dom, plot, colors) {
  const frame = histogram('frame', { edges: [0, 1] }, [0], [0], colors);
  setRange(frame, 0, 1);
  for (const [axis, title, offset] of [[frame.fXaxis, plot.x_title, 1.1], [frame.fYaxis, plot.y_title, 1.5]]) {
    axis.fTitle = title;
    axis.fTitleOffset = offset;
    axis.fLabelSize = axis.fTitleSize = 0.042;
  }
  gStyle.fPadBottomMargin = 0.14;
  gStyle.fPadTopMargin = 0.03;
  await TH1Painter.draw(dom, frame, 'axis');
  for (const [points, color, width] of [[[[0, 0], [1, 1]], colors.soft, 1], [plot.roc, colors.fast, 2]]) {
    const graph = createTGraph(points.length, points.map(p => p[0]), points.map(p => p[1]));
    graph.fLineColor = color;
    graph.fLineWidth = width;
    await TGraphPainter.draw(dom, graph, 'l,same');
  }
}

// The panels of a figure as one SVG picture.
function pictureOf(figure) {
  const panels = [...figure.querySelectorAll('.pad')].map(pad => ({ svg: pad.querySelector('svg'), box: pad.getBoundingClientRect() }));
  const width = panels[0].box.width, height = panels.reduce((sum, p) => sum + p.box.height, 0);
  const out = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of [['xmlns', 'http://www.w3.org/2000/svg'], ['width', width], ['height', height], ['viewBox', `0 0 ${width} ${height}`]])
    out.setAttribute(name, value);
  let y = 0;
  for (const { svg, box } of panels) {
    const copy = svg.cloneNode(true);
    for (const [name, value] of [['x', 0], ['y', y], ['width', box.width], ['height', box.height]]) copy.setAttribute(name, value);
    out.append(copy);
    y += box.height;
  }
  return { text: new XMLSerializer().serializeToString(out), width, height };
}

function save(url, name) {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}

function download(figure, name, type) {
  const picture = pictureOf(figure);
  const url = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture.text)}`;
  if (type === 'svg') {
    save(url, `${name}.svg`);
    return;
  }
  const kScale = 2;
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement('canvas');
    canvas.width = picture.width * kScale;
    canvas.height = picture.height * kScale;
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    save(canvas.toDataURL('image/png'), `${name}.png`);
  };
  image.src = url;
}

function element(tag, properties = {}, children = []) {
  const out = Object.assign(document.createElement(tag), properties);
  out.append(...children);
  return out;
}

class Figure {
  // `variants`: one plot, or one for each layer
  constructor(variants) {
    this.variants = variants;
    this.chosen = Math.floor((variants.length - 1) / 3);
    this.log = variants[0].log_y;
    this.numbers = element('small');
    const isRoc = variants[0].roc !== undefined;
    this.pads = isRoc ? [element('div', { className: 'pad roc' })]
      : [element('div', { className: 'pad main' }), element('div', { className: 'pad ratio' })];
    const logButton = element('button', { type: 'button', textContent: 'log', title: 'Logarithmic scale' });
    logButton.setAttribute('aria-pressed', this.log);
    logButton.onclick = () => {
      this.log = !this.log;
      logButton.setAttribute('aria-pressed', this.log);
      this.draw();
    };
    const tools = isRoc ? [] : [logButton];
    for (const type of ['svg', 'png']) {
      const button = element('button', { type: 'button', textContent: type, title: `Download as ${type.toUpperCase()}` });
      button.onclick = () => download(this.node, this.plot.name, type);
      tools.push(button);
    }
    if (variants.length > 1) {
      const layers = element('select', { ariaLabel: 'Layer' }, variants.map((v, i) => element('option', { value: i, textContent: v.variant })));
      layers.value = this.chosen;
      layers.onchange = () => {
        this.chosen = Number(layers.value);
        this.draw();
      };
      tools.unshift(layers);
    }
    const title = element('span', { textContent: variants[0].title });
    this.node = element('figure', {}, [
      element('figcaption', {}, [title, element('span', { className: 'tools' }, tools)]), ...this.pads, this.numbers]);
    this.node.dataset.name = variants[0].name;
  }

  get plot() {
    return this.variants[this.chosen];
  }

  clear() {
    this.pads.forEach(cleanup);
  }

  async draw() {
    this.node.dataset.drawn = '';
    const colors = themeColors();
    gStyle.fPadLeftMargin = 0.14;
    gStyle.fPadRightMargin = 0.03;
    this.clear();
    this.numbers.textContent = this.plot.caption;
    if (this.plot.roc) {
      await drawRoc(this.pads[0], this.plot, colors);
    } else {
      await drawMain(this.pads[0], this.plot, this.log, colors);
      await drawRatio(this.pads[1], this.plot, colors);
    }
    this.node.dataset.drawn = this.log ? 'log' : 'linear';
  }
}

// Those of all conditions stay; those of one condition come and go.
const fixed = data.classifiers.map(plot => new Figure([plot]));
document.getElementById('classifiers')?.replaceChildren(...fixed.map(figure => figure.node));
let figures = fixed;
// Plots are drawn one after the other (they share JSROOT's style), and when they come into view.
let queue = Promise.resolve();
const later = figure => {
  queue = queue.then(() => figures.includes(figure) && figure.draw());
};
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    later(figures.find(figure => figure.node === entry.target));
  }
}, { rootMargin: '600px' });

function show(index) {
  for (const figure of figures.filter(f => !fixed.includes(f))) {
    seen.unobserve(figure.node);
    figure.clear();
  }
  const chosen = data.groups[index].figures.map(variants => new Figure(variants));
  plots.replaceChildren(...chosen.map(figure => figure.node));
  for (const figure of chosen) seen.observe(figure.node);
  figures = [...chosen, ...fixed];
}

function redraw() {
  for (const figure of figures.filter(f => f.node.dataset.drawn !== undefined)) later(figure);
}

select.addEventListener('change', () => show(Number(select.value)));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
let resizing;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(redraw, 200);
});
// On paper every plot, not only those in view.
addEventListener('beforeprint', () => figures.filter(f => f.node.dataset.drawn === undefined).forEach(later));
for (const figure of fixed) seen.observe(figure.node);
show(Number(select.value) || 0);
