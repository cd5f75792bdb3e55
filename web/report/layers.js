// Figures that exist for each layer, and the choice of the layer, which they share with the maps.
import { data, layers } from './data.js';
import { element, label, select, slider } from '../page/dom.js';
import { FigureGrid } from './figures.js';
import { choose, condition, on, selection } from './selection.js';

// A list and a slider; all of them on the page change together.
export function layerControls() {
  const list = select(layers.map(layer => [layer, layer]), selection.layer, value => choose({ layer: Number(value) }), { ariaLabel: 'Layer' });
  const bar = slider(0, layers.length - 1, layers.indexOf(selection.layer), place => choose({ layer: layers[place] }), { ariaLabel: 'Layer', className: 'layer' });
  on(['layer'], () => {
    list.value = selection.layer;
    bar.value = layers.indexOf(selection.layer);
  });
  return [label('Layer', list), bar];
}

export const layerPlots = (name = '') => condition().layered.filter(l => !name || l.name === name).map(({ name: kind, title, layers: figures }) => {
  const layer = Math.min(selection.layer, figures.length - 1);
  return { ...figures[layer], name: kind, title: `${title}, layer ${layer}` };
}).filter(plot => data.mesh || plot.full.n > 0);  // for example, a layer with one ring of cells has no centre in phi

export function layerSection() {
  const kinds = new Map(data.conditions.flatMap(c => c.layered.map(l => [l.name, l.title])));
  if (kinds.size === 0) return [element('p', { className: 'soft', textContent: 'There are no comparisons of single layers.' })];
  const grid = new FigureGrid('layers');
  let kind = '';
  const show = () => grid.show(layerPlots(kind));
  const choice = select([['', 'all'], ...kinds], '', value => {
    kind = value;
    show();
  }, { ariaLabel: 'Kind', id: 'choose-kind' });
  on(['condition', 'layer'], show);
  show();
  return [element('div', { className: 'controls' }, [label('Show', choice), ...layerControls()]), grid.node];
}
