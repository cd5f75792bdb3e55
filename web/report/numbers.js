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

// Numbers that are always shown
function firstParts({ jsd, wasserstein, ks }, unit) {
  const out = [];
  if (jsd) out.push(part('JSD', 'Jensen-Shannon divergence in bits: 0 for equal distributions, 1 for disjoint ones. The floor is that of two halves of the full sample.', numberText(jsd)));
  if (wasserstein) out.push(part('W', 'Wasserstein distance: mean distance by which values must move to make the distributions equal', numberText(wasserstein, unit)));
  if (ks) out.push(part('KS', 'Kolmogorov-Smirnov distance', numberText(ks)));
  return out;
}

function moreParts({ ks_p: ksP, p_corrected: corrected, separation, chi2, full_mean: fullMean, fast_mean: fastMean }, unit) {
  const out = [];
  if (typeof ksP === 'number') out.push(part('KS p', 'Probability that equal distributions differ at least as much', probability(ksP)));
  if (typeof corrected === 'number') out.push(part('corrected', 'This p-value, corrected for the number of tests', probability(corrected)));
  if (separation) out.push(part('S²', 'Separation power: 0 for equal distributions, 1 for disjoint ones', numberText(separation)));
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
