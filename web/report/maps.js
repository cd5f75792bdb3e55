// Heat maps of the energy in the cells of the mesh: a layer in r and phi, and all layers in r and z.
import { canvas, colorBar, kBoldFont, write } from './canvas.js';
import { css, heatColors, levelOf, modelColor } from './colors.js';
import { cellSizes, data, energiesOfMap, energiesOfShower, models } from './data.js';
import { element, label, select } from '../page/dom.js';
import { Drawable } from './drawable.js';
import { saveButtons } from './figures.js';
import { layerControls } from './layers.js';
import { condition, enabledModels, on, selection } from './selection.js';

const { n_r: kR, n_phi: kPhi, n_z: kZ } = data.mesh ?? {};
const kDecades = 5;
const kNarrowest = 250;

// Unpacks each item only once.
const unpacked = new WeakMap();
function cached(packed, unpack) {
  if (!packed) return null;
  if (!unpacked.has(packed)) unpacked.set(packed, unpack(packed));
  return unpacked.get(packed);
}

// `source`: 'average', or the index of a shower
function energies(side, source) {
  const { average, showers } = condition();
  return source === 'average' ? cached(side === 'full' ? average.full : average.fast[side], energiesOfMap)
    : cached((side === 'full' ? showers.full : showers.fast[side])?.[source], energiesOfShower);
}

function panels(source) {
  return [{ side: 'full', title: data.full.label, color: css('--full-line') },
    ...enabledModels().map(i => ({ side: i, title: models[i], color: modelColor(i) }))]
    .map(panel => ({ ...panel, energies: energies(panel.side, source) })).filter(panel => panel.energies);
}

// Common logarithmic scale of all `lists`: function from energies to 0 … 1
function scaleOf(lists) {
  let lowest = Infinity, highest = 0;
  for (const list of lists) for (const e of list) if (e > 0) {
    lowest = Math.min(lowest, e);
    highest = Math.max(highest, e);
  }
  if (highest === 0) [lowest, highest] = [0.1, 1];
  const high = Math.log10(highest), low = Math.max(Math.log10(lowest), high - kDecades, -12);
  const range = high - low || 1;
  return { low, high, share: e => (Math.log10(e) - low) / range };
}

function polarMap(width, { energies: list, title, color }, layer, scale, colors) {
  const kTop = 26, height = width + 12, radius = (height - kTop - 22) / 2, middle = [width / 2, kTop + radius + 2];
  const ring = radius / kR, step = 2 * Math.PI / kPhi;
  return canvas(width, height, context => {
    for (let r = 0; r < kR; ++r)
      for (let phi = 0; phi < kPhi; ++phi) {
        const energy = list[(r * kPhi + phi) * kZ + layer];
        if (!(energy > 0)) continue;
        context.fillStyle = context.strokeStyle = colors[levelOf(scale.share(energy))];
        context.lineWidth = 0.4;
        context.beginPath();
        // Angles increase counter-clockwise, unlike those of a canvas.
        context.arc(...middle, (r + 1) * ring, -phi * step, -(phi + 1) * step, true);
        context.arc(...middle, r * ring, -(phi + 1) * step, -phi * step);
        context.closePath();
        context.fill();
        context.stroke();
      }
    context.strokeStyle = css('--back');
    context.globalAlpha = 0.45;
    context.lineWidth = 1;
    for (const share of [1 / 3, 2 / 3, 1]) {
      context.beginPath();
      context.arc(...middle, radius * share, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
    write(context, title, 4, 16, { font: kBoldFont, color });
    write(context, `r ≤ ${(kR * cellSizes(condition()).r).toFixed(1)} mm`, width - 4, 16, { align: 'right', color: css('--soft') });
    write(context, 'φ = 0 →', width - 4, height - 6, { align: 'right', color: css('--soft') });
  }, `${title}: energy over radius and angle in layer ${layer}`);
}

const ticks = (high, count) => {
  const rough = high / count, order = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * order).find(s => s >= rough);
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => i * step);
};

// Energy of each ring, summed over phi
function rings(list) {
  const out = new Float32Array(kR * kZ);
  for (let cell = 0; cell < list.length; ++cell) out[Math.floor(cell / (kPhi * kZ)) * kZ + cell % kZ] += list[cell];
  return out;
}

function sideMap(width, { sums, title, color }, scale, colors) {
  const kTop = 26, kLeft = 40, kBottom = 38, kRight = 8, inner = width - kLeft - kRight, tall = Math.round(inner * 0.5);
  const height = kTop + tall + kBottom, dx = inner / kZ, dy = tall / kR;
  const sizes = cellSizes(condition()), depth = kZ * sizes.z, radius = kR * sizes.r;
  return canvas(width, height, context => {
    for (let r = 0; r < kR; ++r)
      for (let z = 0; z < kZ; ++z) {
        const energy = sums[r * kZ + z];
        if (!(energy > 0)) continue;
        context.fillStyle = colors[levelOf(scale.share(energy))];
        context.fillRect(kLeft + z * dx, kTop + tall - (r + 1) * dy, dx + 0.3, dy + 0.3);
      }
    context.strokeStyle = css('--soft');
    context.strokeRect(kLeft, kTop, inner, tall);
    for (const tick of ticks(depth, 5)) write(context, `${tick}`, kLeft + tick / depth * inner, kTop + tall + 15, { align: 'center' });
    for (const tick of ticks(radius, 4)) write(context, `${tick}`, kLeft - 5, kTop + tall - tick / radius * tall + 4, { align: 'right' });
    write(context, title, kLeft, 16, { font: kBoldFont, color });
    write(context, 'z [mm]', kLeft + inner / 2, height - 6, { align: 'center' });
    context.rotate(-Math.PI / 2);
    write(context, 'r [mm]', -(kTop + tall / 2), 12, { align: 'center' });
  }, `${title}: energy over depth and radius`);
}

class MapFigure extends Drawable {
  constructor(name, title) {
    super(element('figure', { className: 'maps', dataset: { name } }));
    this.source = 'average';
    this.title = element('span', { className: 'title' });
    this.titleText = title;
    this.holder = element('div', { className: 'map-panels' });
    this.bar = element('div', { className: 'pad map-bar' });
    this.node.append(element('figcaption', {}, [this.title, element('span', { className: 'tools' },
      saveButtons(this.node, ['png'], () => name, () => this.title.textContent, () => []))]), this.holder, this.bar);
    on(['condition', 'enabled'], () => this.invalidate());
  }

  // `scaled`: energies that the colours must cover; `picture(width, panel, scale, colors)` draws a panel.
  drawPanels(shown, scaled, picture, widest) {
    const colors = heatColors(), scale = scaleOf(scaled);
    this.title.textContent = `${this.titleText()} of ${this.source === 'average' ? 'the average shower' : `shower ${this.source + 1}`}`;
    const wide = this.holder.clientWidth, columns = Math.max(1, Math.min(shown.length, Math.floor(wide / kNarrowest)));
    const width = Math.floor(Math.min(widest, (wide - 16 * (columns - 1)) / columns));
    this.holder.replaceChildren(...shown.map(panel => element('div', { className: 'pad' }, [picture(width, panel, scale, colors)])));
    this.bar.replaceChildren(colorBar(Math.min(wide, 640), scale, colors));
  }
}

class LayerMap extends MapFigure {
  constructor() {
    super('layer_map', () => `Energy in layer ${selection.layer}`);
    on(['layer'], () => this.invalidate());
  }

  draw() {
    const shown = panels(this.source);
    // All layers have the same scale, so that they can be compared.
    this.drawPanels(shown, shown.map(p => p.energies), (width, panel, scale, colors) => polarMap(width, panel, selection.layer, scale, colors), 420);
  }
}

class SideMap extends MapFigure {
  constructor() {
    super('average_map', () => 'Energy over depth and radius (sum over φ)');
  }

  draw() {
    const shown = panels(this.source).map(panel => ({ ...panel, sums: rings(panel.energies) }));
    this.drawPanels(shown, shown.map(p => p.sums), sideMap, 560);
  }
}

export function mapSection() {
  const figures = [new LayerMap(), new SideMap()];
  const options = () => [['average', 'average shower'], ...condition().showers.full.map((_, i) => [i, `shower ${i + 1}`])];
  const choice = select(options(), 'average', value => figures.forEach(figure => {
    figure.source = value === 'average' ? value : Number(value);
    figure.invalidate();
  }), { ariaLabel: 'Shower of the maps' });
  const controls = element('div', { className: 'controls' }, [label('Map of', choice), ...layerControls()]);
  return { nodes: [controls, ...figures.map(figure => figure.node)], figures };
}
