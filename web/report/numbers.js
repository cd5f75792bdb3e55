// Line of numbers below a figure.
import { modelVariable } from './colors.js';
import { models } from './data.js';
import { element } from '../page/dom.js';
import { alike, plain, probability, withError } from './format.js';
import { enabledModels } from './selection.js';

export const swatch = variable => element('i', { className: 'swatch', style: { background: `var(${variable})` } });

// "0.012 ± 0.003 (floor 0.009)"
export function numberText({ value, error, floor }, unit = '') {
  const floorValue = floor?.value ?? floor;
  const text = withError(value, error) + (unit ? ` ${unit}` : '');
  return typeof floorValue === 'number' ? `${text} (floor ${error > 0 ? alike(floorValue, value, error) : plain(floorValue)})` : text;
}

const part = (name, help, text) => element('span', {}, [element('abbr', { textContent: name, title: help }), ` ${text}`]);

// Names of the distances in kDistances (src/calo/validate/distances.h): those that are always shown, then those that a click
// shows. `unit`: true if the distance has the unit of the values.
const DISTANCES = [
  { key: 'jsd', name: 'JSD', help: 'Jensen-Shannon divergence in bits: 0 for equal distributions, 1 for disjoint ones. The floor is that of two halves of the full sample.' },
  { key: 'wasserstein', name: 'W', unit: true, help: 'Wasserstein distance: mean distance by which values must move to make the distributions equal' },
  { key: 'ks', name: 'KS', help: 'Kolmogorov-Smirnov distance' },
];
const MORE_DISTANCES = [
  { key: 'separation', name: 'S²', help: 'Separation power: 0 for equal distributions, 1 for disjoint ones' },
];

const distanceParts = (distances, numbers, unit) => distances.filter(d => numbers[d.key])
  .map(d => part(d.name, d.help, numberText(numbers[d.key], d.unit ? unit : '')));

const firstParts = (numbers, unit) => distanceParts(DISTANCES, numbers, unit);

function moreParts(numbers, unit) {
  const { ks_p: ksP, p_corrected: corrected, chi2, full_mean: fullMean, fast_mean: fastMean } = numbers;
  const out = [];
  if (typeof ksP === 'number') out.push(part('KS p', 'Probability that equal distributions differ at least as much', probability(ksP)));
  if (typeof corrected === 'number') out.push(part('corrected', 'This p-value, corrected for the number of tests', probability(corrected)));
  out.push(...distanceParts(MORE_DISTANCES, numbers, unit));
  if (chi2) out.push(part('χ²/ndf', 'Chi-squared of the bins, with the statistical errors of both', `${plain(chi2.value)}/${chi2.ndf}, p ${probability(chi2.p)}`));
  if (fullMean && fastMean) {
    const means = [fullMean, fastMean].map(m => withError(m.value, m.error)).join(' → ');
    out.push(part('mean', 'Means of full and fast showers', means + (unit ? ` ${unit}` : '')));
  }
  return out;
}

// A line for each visible model with numbers, and a second line that a click opens.
export function numberLines(figure, open) {
  const several = models.length > 1;
  const lines = parts => enabledModels().filter(i => figure.numbers?.[i]).flatMap(i => {
    const found = parts(figure.numbers[i], figure.unit);
    return found.length ? [element('div', {}, [...(several ? [element('span', {}, [swatch(modelVariable(i)), models[i]])] : []), ...found])] : [];
  });
  const more = lines(moreParts);
  return [...lines(firstParts), ...(more.length ? [element('details', { open }, [element('summary', { textContent: 'more' }), ...more])] : [])];
}

// Texts of the fits of curves.
export function fitLines(figure, series) {
  const lines = [];
  figure.series.forEach((s, k) => {
    if (series !== null && series !== k) return;
    const side = (variable, values) => {
      if (values?.fit?.text) lines.push(element('div', {}, [element('span', {}, [swatch(variable), s.label]), element('span', { textContent: values.fit.text })]));
    };
    side('--full-line', s.full);
    for (const i of enabledModels()) side(modelVariable(i), s.fast[i]);
  });
  return lines.length ? [element('div', { className: 'fits' }, lines)] : [];
}
