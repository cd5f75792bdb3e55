// Figures: caption with tools, panels, numbers.
import { cleanup } from '../node_modules/jsroot/modules/base/ObjectPainter.mjs';
import { css, modelColor } from './colors.js';
import { data, models } from './data.js';
import { button, element, select, toggle } from '../page/dom.js';
import { Drawable } from './drawable.js';
import { drawMatrix } from './matrix_plot.js';
import { fitLines, numberLines } from './numbers.js';
import { download } from './pictures.js';
import { drawAuc, drawCalibration, drawCompared, drawCurve, drawRoc, drawScores, kGlyphs } from './root_plots.js';
import { enabledModels, on } from './selection.js';

const kKinds = {
  counts: { pads: ['main', 'ratio'], hasLog: true, draw: drawCompared },
  profile: { pads: ['main', 'ratio'], hasLog: true, draw: drawCompared },
  curve: { pads: ['tall'], hasLog: true, draw: drawCurve },
  scores: { pads: ['tall'], hasLog: true, draw: drawScores },
  roc: { pads: ['tall'], hasLog: true, draw: drawRoc },
  calibration: { pads: ['tall'], draw: drawCalibration },
  auc: { pads: ['tall'], draw: drawAuc },
};

const legendEntries = () => [
  { name: data.full.label, color: css('--full-line') }, ...enabledModels().map(i => ({ name: models[i], color: modelColor(i) }))];

// Buttons that save a figure.
export function saveButtons(node, types, name, title, entries = legendEntries) {
  return types.map(type => button(type, `Download as ${type.toUpperCase()}`, () => download(node, name(), type, title(), entries())));
}

export class Figure extends Drawable {
  constructor(plot) {
    super(element('figure', { className: `of-${plot.kind}`, dataset: { name: plot.name } }));
    this.log = plot.log_y ?? false;
    this.series = null;
    const isMatrix = plot.kind === 'matrix';
    this.kind = isMatrix ? null : kKinds[plot.kind];
    this.title = element('span', { className: 'title' });
    this.extra = element('div', { className: 'series' });
    this.numbers = element('small');
    this.body = isMatrix ? [element('div', { className: 'matrices' })] : this.kind.pads.map(pad => element('div', { className: `pad ${pad}` }));
    const tools = saveButtons(this.node, ['svg', 'png'], () => this.plot.name, () => this.plot.title);
    if (this.kind?.hasLog) tools.unshift(toggle('log', 'Logarithmic scale', this.log, log => {
      this.log = log;
      this.invalidate();
    }));
    if (plot.kind === 'curve' && plot.series.length > 1) tools.unshift(this.seriesChoice(plot));
    this.node.append(element('figcaption', {}, [this.title, element('span', { className: 'tools' }, tools)]), this.extra, ...this.body, this.numbers);
    this.set(plot);
  }

  seriesChoice(plot) {
    return select([['', 'all'], ...plot.series.map((s, i) => [i, s.label])], '', value => {
      this.series = value === '' ? null : Number(value);
      this.refresh();
    }, { ariaLabel: 'Series' });
  }

  // Changes to another plot of the same kind
  set(plot) {
    this.plot = plot;
    this.title.textContent = plot.title;
    this.extra.replaceChildren(...(plot.kind === 'curve' && plot.series.length > 1
      ? plot.series.map((s, i) => element('span', { textContent: `${kGlyphs[i % kGlyphs.length]} ${s.label}` })) : []));
    this.refresh();
  }

  // Numbers are inserted before the plot is drawn, so that nothing below moves later.
  refresh() {
    const { plot, series } = this;
    const open = this.numbers.querySelector('details')?.open ?? document.body.classList.contains('only');
    this.numbers.replaceChildren(...numberLines(plot, open), ...(plot.kind === 'curve' ? fitLines(plot, series) : []));
    this.invalidate();
  }

  drawnAs() {
    return this.log ? 'log' : 'linear';
  }

  clear() {
    if (this.kind) this.body.forEach(cleanup);
  }

  remove() {
    this.clear();
    super.remove();
  }

  async draw() {
    const { plot, log, series } = this, enabled = enabledModels();
    this.clear();
    if (this.kind) await this.kind.draw(this.body, plot, { log, series, enabled });
    else drawMatrix(this.body[0], plot, { enabled });
  }
}

// A grid of figures whose plots change: figures keep their place and state.
export class FigureGrid {
  constructor(id) {
    this.node = element('div', { className: 'plots', id });
    this.figures = new Map();
    on(['enabled'], () => this.figures.forEach(figure => figure.refresh()));
  }

  show(plots) {
    const before = this.figures;
    this.figures = new Map();
    for (const plot of plots) {
      const key = `${plot.kind} ${plot.name}`;
      const figure = before.get(key);
      if (figure) figure.set(plot);
      this.figures.set(key, figure ?? new Figure(plot));
      before.delete(key);
    }
    before.forEach(figure => figure.remove());
    const nodes = [...this.figures.values()].map(figure => figure.node);
    if (nodes.some((node, i) => this.node.children[i] !== node)) this.node.replaceChildren(...nodes);
    return this;
  }
}
