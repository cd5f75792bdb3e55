// The line of numbers below a figure.
import { modelVariable } from './colors.js';
import { models } from './data.js';
import { element } from './dom.js';
import { plain, probability, withError } from './format.js';
import { enabledModels } from './selection.js';

export const swatch = variable => element('i', { className: 'swatch', style: { background: `var(${variable})` } });

// "0.012 ± 0.003 (floor 0.009)"
export function numberText({ value, error, floor }, unit = '') {
  const floorValue = floor?.value ?? floor;
  const text = withError(value, error) + (unit ? ` ${unit}` : '');
  return typeof floorValue === 'number' ? `${text} (floor ${plain(floorValue)})` : text;
}

const part = (name, help, text) => element('span', {}, [element('abbr', { textContent: name, title: help }), ` ${text}`]);

function partsOf(numbers, unit) {
  const out = [];
  const { jsd, wasserstein, ks, ks_p: ksP, p_corrected: corrected, separation, chi2, full_mean: fullMean, fast_mean: fastMean } = numbers;
  if (jsd) out.push(part('JSD', 'Jensen-Shannon divergence in bits: 0 is equal, 1 has nothing in common. The floor is that of two halves of the full sample.', numberText(jsd)));
  if (wasserstein) out.push(part('W', 'Wasserstein distance: how far the values would have to be moved on average', numberText(wasserstein, unit)));
  if (separation) out.push(part('S²', 'Separation power: 0 is equal, 1 has nothing in common', numberText(separation)));
  if (ks) {
    const p = typeof ksP === 'number' ? [`p ${probability(ksP)}`] : [];
    if (typeof corrected === 'number') p.push(`corrected ${probability(corrected)}`);
    out.push(part('KS', 'Kolmogorov-Smirnov distance; p: how often equal distributions differ as much, corrected for the number of tests',
      numberText(ks) + (p.length ? ` [${p.join(', ')}]` : '')));
  }
  if (chi2) out.push(part('χ²/ndf', 'Of the bins, with the statistical errors of both', `${plain(chi2.value)}/${chi2.ndf} [p ${probability(chi2.p)}]`));
  if (fullMean && fastMean) out.push(part('mean', 'Mean of full and of fast', `${withError(fullMean.value, fullMean.error)} → ${withError(fastMean.value, fastMean.error)}${unit ? ` ${unit}` : ''}`));
  return out;
}

// One line for each model that is shown and has numbers.
export function numberLines(figure) {
  return enabledModels().filter(i => figure.numbers?.[i]).map(i =>
    element('div', {}, [...(models.length > 1 ? [element('span', {}, [swatch(modelVariable(i)), models[i]])] : []), ...partsOf(figure.numbers[i], figure.unit)]));
}

// The text of the fits of curves.
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
  return lines;
}
