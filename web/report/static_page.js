// A page with selected figures only, for pictures and paper:
// #only=response,longitudinal_profile&condition=3&theme=light&layer=12. A section's name can precede the name
// of a figure: overview:response, observables:response.
import { classifierFigures } from './classifiers.js';
import { data } from './data.js';
import { element } from '../page/dom.js';
import { drawAll } from './drawable.js';
import { Figure } from './figures.js';
import { layerPlots } from './layers.js';
import { mapSection } from './maps.js';
import { condition } from './selection.js';
import { ShowerView } from './shower_view.js';

const kViews = {
  shower_view: () => new ShowerView(),
  layer_map: () => mapSection().figures[0],
  average_map: () => mapSection().figures[1],
};

const sections = () => ({
  overview: data.overview, observables: condition().figures, layers: layerPlots(), classifiers: data.classifiers.flatMap(classifierFigures) });

function itemsOf(name) {
  if (name === 'main') return [...data.overview, ...condition().figures].map(plot => new Figure(plot));
  if (kViews[name]) return data.mesh ? [kViews[name]()] : [];
  const [section, figure] = name.includes(':') ? name.split(':') : [null, name];
  return Object.entries(sections()).filter(([key]) => section === null || key === section)
    .flatMap(([, plots]) => plots.filter(plot => plot.name === figure)).map(plot => new Figure(plot));
}

export async function showOnly(app, names) {
  document.body.classList.add('only');
  const found = names.map(itemsOf), items = found.flat();
  // `calopipe pictures` reads this attribute.
  app.dataset.unknownFigures = names.filter((_, i) => found[i].length === 0).join(',');
  app.replaceChildren(...items.map(item => item.node));
  if (items.length === 0) app.append(element('p', { textContent: `There is no figure with the name ${names.join(' or ')}.` }));
  await drawAll();
}
