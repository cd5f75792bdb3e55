// Results of classifiers that were trained to distinguish fast from full showers.
import { modelVariable } from './colors.js';
import { data, models } from './data.js';
import { element } from '../page/dom.js';
import { FigureGrid } from './figures.js';
import { plain, withError } from './format.js';
import { swatch } from './numbers.js';

// Figures of a classifier
export function classifierFigures({ name, title, models: results }) {
  const common = { models: results };
  return [
    { ...common, name: `${name}_roc`, kind: 'roc', title: `${title}: ROC curve`, x_title: 'full showers classified as fast', y_title: 'fast showers classified as fast' },
    { ...common, name: `${name}_scores`, kind: 'scores', title: `${title}: scores`, x_title: 'score (1 is fast)', y_title: 'share of showers', log_y: false },
    { ...common, name: `${name}_calibration`, kind: 'calibration', title: `${title}: calibration`, x_title: 'score', y_title: 'share of fast showers' },
    // Only if there are enough showers for them
    ...[['by_energy', 'AUC by energy', 'incident energy [GeV]'], ['by_sample_size', 'AUC by sample size', 'training showers of each side']]
      .filter(([key]) => results.some(r => r?.[key].length > 1))
      .map(([key, what, x_title]) => ({ ...common, name: `${name}_${key}`, kind: 'auc', key, title: `${title}: ${what}`, x_title, y_title: 'AUC' })),
  ];
}

const kColumns = [
  ['AUC', 'Area under the ROC curve: 0.5 is a guess, 1 is perfect', r => withError(r.auc, r.auc_error)],
  ['floor', 'AUC of the same kind of classifier between two halves of Geant4', r => r.floor && withError(r.floor.value, r.floor.error)],
  ['accuracy', 'Share of correctly classified showers', r => r.accuracy],
  ['growth', 'Change of the AUC with the last doubling of the training showers: if it is clearly above 0, more showers would show more', r => r.growth && withError(r.growth.value, r.growth.error)],
  ['JSD', 'Jensen-Shannon divergence of the scores, in bits', r => withError(r.jsd, r.jsd_error)],
  ['its floor', 'JSD between two halves of Geant4', r => r.jsd_floor && withError(r.jsd_floor.value, r.jsd_floor.error)],
  ['showers', 'Number of test showers of each side', r => String(r.test_showers)],
  ['trainings', 'AUC of each training, from different initial weights', r => r.trainings],
];

function cellText(value) {
  if (value === null || value === undefined) return '–';
  if (Array.isArray(value)) return value.length ? value.map(v => v.toFixed(3)).join(', ') : '–';
  return typeof value === 'number' ? plain(value) : value;
}

function resultTable({ models: results }) {
  const rows = results.flatMap((result, i) => result ? [element('tr', {}, [
    element('td', {}, [swatch(modelVariable(i)), models[i]]),
    ...kColumns.map(([, , get]) => element('td', { textContent: cellText(get(result)) })),
  ])] : []);
  const heads = [element('th', { textContent: 'model' }), ...kColumns.map(([text, title]) => element('th', {}, [element('abbr', { textContent: text, title })]))];
  return element('div', { className: 'scroll' }, [element('table', {}, [
    element('thead', {}, [element('tr', {}, heads)]), element('tbody', {}, rows)])]);
}

export function classifierSection() {
  if (data.classifiers.length === 0) return [element('p', { className: 'soft', textContent: data.no_classifiers })];
  return data.classifiers.flatMap(classifier => [
    element('h3', { textContent: classifier.title }), element('p', { className: 'soft', textContent: classifier.text }),
    resultTable(classifier), new FigureGrid(`classifier-${classifier.name}`).show(classifierFigures(classifier)).node]);
}
