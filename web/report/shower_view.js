// The view of single showers: canvas, controls and captions.
import { colorBar } from './canvas.js';
import { css, heatColors, modelColor, modelVariable } from './colors.js';
import { cellSizes, data, models, unpackShower } from './data.js';
import { button, element, label, select, setOptions, slider } from '../page/dom.js';
import { Drawable } from './drawable.js';
import { saveButtons } from './figures.js';
import { energyText, plain } from './format.js';
import { swatch } from './numbers.js';
import { condition, on } from './selection.js';
import { ShowerScene } from './shower_scene.js';

const kTurn = 0.08, kDrag = 0.008, kZoom = 1.15;
const kStep = 0.02;
const kColoured = 0.95;
const kBarWidth = 540;
const kOrdinals = ['1st', '2nd', '3rd'];

export class ShowerView extends Drawable {
  constructor() {
    super(element('figure', { className: 'showers', dataset: { name: 'shower_view' } }));
    this.shower = 0;
    this.model = 0;
    this.threshold = 0;
    this.sized = true;
    this.title = element('span', { className: 'title', textContent: 'Showers of equal energy' });
    this.canvas = element('canvas', { tabIndex: 0, ariaLabel: 'Showers in three dimensions. Arrow keys rotate them, + and - zoom, Home restores the view.' });
    this.canvas.setAttribute('role', 'application');
    this.pad = element('div', { className: 'pad view' }, [this.canvas]);
    this.captions = element('div', { className: 'view-captions' });
    this.scaleBar = element('div', { className: 'pad map-bar' });
    this.hidden = element('p', { className: 'soft note', ariaLive: 'polite' });
    this.controls = this.makeControls();
    this.node.append(
      element('figcaption', {}, [this.title, element('span', { className: 'tools' }, saveButtons(this.node, ['png'], () => 'shower_view', () => this.title.textContent, () => this.entries()))]),
      this.controls, this.captions, this.pad, this.scaleBar, this.hidden,
      element('p', { className: 'soft note keys', textContent: 'Drag or use the arrow keys to rotate both. The wheel (after a click), + and − zoom. Home restores the view.' }));
    this.listen();
    on(['condition'], () => this.invalidate());
  }

  makeControls() {
    this.which = select([], '', value => {
      this.shower = Number(value);
      this.invalidate();
    }, { ariaLabel: 'Shower' });
    const modelChoice = select(models, 0, value => {
      this.model = Number(value);
      this.invalidate();
    }, { ariaLabel: 'Model' });
    this.bar = slider(0, 1, 0, power => {
      this.threshold = power <= Number(this.bar.min) ? 0 : 10 ** power;
      this.applyThreshold();
    }, { step: kStep, ariaLabel: 'Smallest energy shown' });
    this.thresholdText = element('output');
    const sized = element('input', { type: 'checkbox', checked: true, onchange: () => {
      this.sized = sized.checked;
      this.invalidate();
    } });
    return element('div', { className: 'controls' }, [
      label('Shower', this.which), ...(models.length > 1 ? [label('Model', modelChoice)] : []),
      element('label', {}, [element('span', { textContent: 'Cells above' }), this.bar, this.thresholdText]),
      element('label', {}, [sized, element('span', { textContent: 'size by energy' })]),
      button('reset', 'Initial view  Home', () => this.reset())]);
  }

  entries() {
    return [{ name: data.full.label, color: css('--full-line') }, { name: models[this.model], color: modelColor(this.model) }];
  }

  reset() {
    this.scene?.reset();
    this.redraw();
  }

  listen() {
    const { canvas } = this;
    let last = null;
    canvas.onpointerdown = event => {
      canvas.setPointerCapture(event.pointerId);
      last = event;
    };
    canvas.onpointermove = event => {
      if (!last || !this.scene) return;
      this.scene.turn(-kDrag * (event.clientX - last.clientX), kDrag * (event.clientY - last.clientY));
      last = event;
      this.redraw();
    };
    canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
    // Zooms only after a click, so that the page can be scrolled over the view.
    canvas.addEventListener('wheel', event => {
      if (document.activeElement !== canvas || !this.scene) return;
      event.preventDefault();
      this.scene.zoom(event.deltaY < 0 ? kZoom : 1 / kZoom);
      this.redraw();
    }, { passive: false });
    const kKeys = {
      ArrowLeft: () => this.scene.turn(kTurn, 0), ArrowRight: () => this.scene.turn(-kTurn, 0),
      ArrowUp: () => this.scene.turn(0, -kTurn), ArrowDown: () => this.scene.turn(0, kTurn),
      '+': () => this.scene.zoom(kZoom), '=': () => this.scene.zoom(kZoom), '-': () => this.scene.zoom(1 / kZoom), Home: () => this.scene.reset(),
    };
    canvas.onkeydown = event => {
      if (!kKeys[event.key] || !this.scene || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      kKeys[event.key]();
      this.redraw();
    };
  }

  // At most once per frame, and only after a change
  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.scene?.draw();
    });
  }

  start() {
    if (this.scene || this.failed) return;
    try {
      this.scene = new ShowerScene(this.canvas);
    } catch {
      this.failed = true;
      this.pad.replaceChildren(element('p', { className: 'soft', textContent: 'This browser has no WebGL: it cannot show showers in three dimensions.' }));
    }
  }

  applyThreshold() {
    const sides = [[data.full.label, this.full], [models[this.model], this.fast]].filter(([, shower]) => shower);
    this.thresholdText.textContent = this.threshold ? energyText(this.threshold) : 'all';
    const sentences = sides.map(([name, { energies, hidden_cells: leftCells, hidden_mev: leftMev, total_mev: total }]) => {
      let cells = leftCells, energy = leftMev;
      for (const e of energies) if (e < this.threshold) {
        ++cells;
        energy += e;
      }
      return cells === 0 ? `${name}: all cells are shown` : `${name}: ${cells} cells with ${plain(total > 0 ? 100 * energy / total : 0)} % of the energy (${energyText(energy)}) are hidden`;
    });
    this.hidden.textContent = `${sentences.join('; ')}.`;
    this.scene?.setThreshold(this.threshold);
    this.redraw();
  }

  draw() {
    const { showers } = condition();
    const count = Math.max(showers.full?.length ?? 0, showers.fast[this.model]?.length ?? 0);
    this.shower = Math.max(0, Math.min(this.shower, count - 1));
    setOptions(this.which, Array.from({ length: count }, (_, i) => kOrdinals[i] ?? `${i + 1}th`), this.shower);
    this.full = unpackShower(showers.full?.[this.shower]);
    this.fast = unpackShower(showers.fast[this.model]?.[this.shower]);
    const present = [this.full, this.fast].filter(shower => shower?.energies.length);
    const high = Math.log10(Math.max(...present.map(s => s.energies[0]), 1e-6));
    const lowest = Math.min(Math.log10(Math.min(...present.map(s => s.energies[s.energies.length - 1]), 1)), high - 0.1);
    // The cells with the lowest energies share a colour.
    const low = Math.min(Math.log10(Math.min(...present.map(s => s.energies[Math.floor(kColoured * s.energies.length)]), 1)), high - 0.1);
    Object.assign(this.bar, { min: Math.floor(lowest / kStep) * kStep, max: high });
    this.bar.value = this.threshold ? Math.log10(this.threshold) : this.bar.min;
    const caption = (variable, name, shower) => element('span', {}, [swatch(variable), shower
      ? `${name}: ${energyText(shower.total_mev)} of ${energyText(shower.incident_mev)} in ${shower.cells.length + shower.hidden_cells} cells` : `${name}: no shower`]);
    this.captions.replaceChildren(caption('--full-line', data.full.label, this.full), caption(modelVariable(this.model), models[this.model], this.fast));
    this.scaleBar.replaceChildren(colorBar(Math.min(this.pad.clientWidth, kBarWidth), { low, high }, heatColors()));
    this.start();
    if (this.scene) {
      const width = this.pad.clientWidth;
      this.scene.setSize(width, Math.round(Math.min(Math.max(0.42 * width, 300), 0.85 * innerHeight)));
      this.canvas.style.height = `${this.scene.height}px`;
      this.scene.setTheme();
      this.scene.setSizes(cellSizes(condition()));
      this.scene.setShowers([this.full, this.fast], e => (Math.log10(e) - low) / (high - low), this.sized);
    }
    this.applyThreshold();
    this.scene?.draw();
  }
}
