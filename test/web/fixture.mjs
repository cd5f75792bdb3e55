// Writes a report page with made-up numbers in the form of calopipe's, without calopipe. It is seeded, so
// always the same.
// usage: node fixture.mjs OUT.html TEMPLATE.html [conditions = 50] [models = 2]
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const kMesh = { n_r: 18, n_phi: 50, n_z: 45, size_r_mm: 2.325, size_z_mm: 3.4 };
const kBins = 30;
const kCells = kMesh.n_r * kMesh.n_phi * kMesh.n_z;
const kGeometries = ['SiW', 'ScintPb', 'PbWO4'];
const kEnergies = [1, 2, 5, 8, 16, 32, 64, 128, 256];
const kAngles = [90, 70];

// mulberry32
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const random = generator(20240607);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const short = value => Number(value.toPrecision(5));
const poisson = mean => Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
const number = (value, error, floor) => ({ value: short(value), error: short(error), floor: short(floor) });

// Size of the error of model i.
const bias = i => 0.01 + 0.03 * i;

const gaussShape = (mean, width) => Array.from({ length: kBins }, (_, i) => Math.exp(-0.5 * (((i + 0.5) / kBins - mean) / width) ** 2));
const fallingShape = slope => Array.from({ length: kBins }, (_, i) => Math.exp(-slope * i / kBins));

function counts(shape, showers) {
  const sum = shape.reduce((a, b) => a + b, 0);
  return { n: showers, values: shape.map(v => poisson(showers * v / sum)) };
}

function numbers(i) {
  const off = bias(i);
  return {
    jsd: number(0.004 + off * 0.4, 0.003, 0.006), wasserstein: number(0.01 + off, 0.004, 0.009), ks: number(0.05 + off, 0.02, 0.06),
    separation: number(0.003 + off * 0.2, 0.002, 0.004), chi2: { value: short(28 + 200 * off), ndf: 27, p: short(Math.exp(-20 * off) * 0.4) },
    ks_p: 0.31, p_corrected: 1, full_mean: number(0.713, 0.002, 0.002), fast_mean: number(0.713 * (1 + off), 0.002, 0.002),
  };
}

function countsFigure(name, title, unit, shape, models, showers, { high = 1, log_y = false } = {}) {
  return {
    name, title, unit, x_title: unit ? `${title} [${unit}]` : title, y_title: 'share of showers', kind: 'counts', log_y, low: 0, high,
    full: counts(shape(0), showers), fast: models.map((_, i) => counts(shape(bias(i)), showers)), numbers: models.map((_, i) => numbers(i)),
  };
}

function profileFigure(name, title, xTitle, value, models, showers, high) {
  const side = off => {
    const values = Array.from({ length: kBins }, (_, i) => value((i + 0.5) / kBins, off) * (1 + 0.01 * normal()));
    return { n: showers, values: values.map(short), errors: values.map(v => short(v * 0.02)) };
  };
  return {
    name, title, unit: 'mm', x_title: xTitle, y_title: 'mean energy [MeV]', kind: 'profile', log_y: false, low: 0, high,
    full: side(0), fast: models.map((_, i) => side(bias(i))), numbers: models.map((_, i) => numbers(i)),
  };
}

function matrixFigure(models) {
  const size = kMesh.n_z;
  const side = off => Array.from({ length: size * size }, (_, k) => {
    const i = Math.floor(k / size), j = k % size;
    return i === j ? 1 : short(Math.exp(-Math.abs(i - j) / (6 + 40 * off)) * Math.cos((i + j) / 30));
  });
  return {
    name: 'layer_correlation', title: 'Correlation of layers', unit: '', x_title: 'layer', y_title: 'layer', kind: 'matrix', log_y: false,
    size, full: side(0), fast: models.map((_, i) => side(bias(i))), numbers: models.map(() => null),
  };
}

function curveFigure(name, title, xTitle, yTitle, value, error, models, { log_x = true, log_y = false, fit = false } = {}) {
  const side = (g, off) => {
    const values = kEnergies.map(e => value(e, g) * (1 + off));
    const out = { values: values.map(short), errors: values.map(v => short(v * error)) };
    if (fit) {
      const x = Array.from({ length: 40 }, (_, i) => 256 ** (i / 39));
      out.fit = { text: `a = ${(17 + g + 100 * off).toFixed(1)} ± 0.4 %, c = 1.1 ± 0.1 %`, x: x.map(short), y: x.map(e => short(value(e, g) * (1 + off))) };
    }
    return out;
  };
  return {
    name, title, unit: '', x_title: xTitle, y_title: yTitle, kind: 'curve', log_y, log_x,
    series: kGeometries.map((geometry, g) => ({ label: `${geometry}, 90 deg`, x: kEnergies, full: side(g, 0), fast: models.map((_, i) => side(g, bias(i) * 0.7)) })),
    numbers: models.map(() => null),
  };
}

// Mean energy of each cell of a shower with the total `energy` in MeV.
function meanShower(energy, off) {
  const cells = new Float64Array(kCells);
  let sum = 0;
  for (let r = 0; r < kMesh.n_r; ++r)
    for (let phi = 0; phi < kMesh.n_phi; ++phi)
      for (let z = 0; z < kMesh.n_z; ++z) {
        const t = (z + 0.5) / 5;
        const value = t ** 2.6 * Math.exp(-t * (0.75 + off)) * ((r + 0.5) * Math.exp(-r * (1.1 + off)) + 0.02 * (r + 0.5) * Math.exp(-r * 0.35));
        cells[(r * kMesh.n_phi + phi) * kMesh.n_z + z] = value;
        sum += value;
      }
  return cells.map(v => v * energy / sum);
}

function averageMap(mean) {
  const low = -5, high = Math.log10(Math.max(...mean));
  const codes = Buffer.alloc(kCells);
  mean.forEach((e, i) => {
    const level = Math.log10(e);
    if (level >= low) codes[i] = 1 + Math.round(254 * (level - low) / (high - low));
  });
  return { codes: codes.toString('base64'), low, high };
}

function shower(mean, incident) {
  const cells = [];
  mean.forEach((m, cell) => {
    // Few cells are hit, and those have more than the mean.
    const chance = Math.min(1, m / 0.4);
    if (random() < chance) cells.push([cell, (m / chance) * -Math.log(1 - random())]);
  });
  cells.sort((a, b) => b[1] - a[1]);
  const total = cells.reduce((sum, c) => sum + c[1], 0);
  const hidden = cells.splice(3000);
  return {
    incident_mev: incident, total_mev: short(total),
    cells: Buffer.from(Uint32Array.from(cells, c => c[0]).buffer).toString('base64'),
    energies: Buffer.from(Float32Array.from(cells, c => c[1]).buffer).toString('base64'),
    hidden_cells: hidden.length, hidden_mev: short(hidden.reduce((sum, c) => sum + c[1], 0)),
  };
}

function condition(geometry, energy, angle, models) {
  const showers = 400;
  const counted = [
    ['response', 'Response', '', off => gaussShape(0.5 + off, 0.08), {}],
    ['visible_energy', 'Visible energy', 'MeV', off => gaussShape(0.45 + off, 0.1), { high: energy * 1000 }],
    ['cell_energy', 'Cell energy', 'MeV', off => fallingShape(7 + 10 * off), { log_y: true, high: 50 }],
    ['hit_cells', 'Cells hit', '', off => gaussShape(0.55 - off, 0.06), { high: 3000 }],
    ['longitudinal_first_moment', 'Longitudinal first moment', 'mm', off => gaussShape(0.4 + off, 0.07), { high: 153 }],
    ['longitudinal_second_moment', 'Longitudinal second moment', 'mm²', off => gaussShape(0.3 + off, 0.09), { high: 2000 }],
    ['lateral_first_moment', 'Lateral first moment', 'mm', off => gaussShape(0.35 - off, 0.05), { high: 20 }],
    ['lateral_second_moment', 'Lateral second moment', 'mm²', off => gaussShape(0.3 - off, 0.05), { high: 200 }],
    ['shower_start', 'Shower start', 'layer', off => fallingShape(12 + 20 * off), { high: 20 }],
    ['shower_maximum', 'Shower maximum', 'layer', off => gaussShape(0.3 + off, 0.12), { high: 45 }],
    ['width_90', 'Radius of 90 % of the energy', 'mm', off => gaussShape(0.5 - off, 0.1), { high: 40 }],
    ['sparsity', 'Sparsity', '', off => gaussShape(0.7 + off, 0.04), {}],
    ['core_share', 'Share of the core', '', off => gaussShape(0.8 - off, 0.06), {}],
    ['phi_asymmetry', 'Asymmetry in φ', '', off => gaussShape(0.2 + off, 0.08), {}],
    ['max_cell', 'Largest cell', 'MeV', off => gaussShape(0.4 + off, 0.12), { high: 80 }],
    ['leakage', 'Share of the last layers', '', off => fallingShape(9 + 10 * off), { log_y: true, high: 0.1 }],
    ['early_share', 'Share of the first layers', '', off => gaussShape(0.15 + off, 0.06), {}],
  ];
  const means = [0, ...models.map((_, i) => bias(i))].map(off => meanShower(energy * 300, off));
  const layered = ['layer_energy', 'layer_hits', 'layer_radius', 'layer_width', 'layer_max', 'layer_share', 'layer_phi', 'layer_sparsity'];
  return {
    name: `${geometry}, ${energy} GeV, ${angle} deg`, geometry, energy_gev: energy, angle_deg: angle,
    full_showers: showers, fast_showers: models.map(() => showers),
    deviations: [['response', 'Response'], ['longitudinal', 'Longitudinal ⟨z⟩'], ['lateral', 'Lateral ⟨r⟩'], ['sigma', 'σ of response']].map(([name, title]) => ({
      name, title, models: models.map((_, i) => ({ value: short(0.02 * normal() + bias(i) - 0.01), error: 0.004 })) })),
    figures: [
      profileFigure('longitudinal_profile', 'Longitudinal profile', 'depth [mm]',
        (x, off) => energy * 30 * (9 * x) ** 2.6 * Math.exp(-9 * x * (0.75 + off)), models, showers, 153),
      profileFigure('lateral_profile', 'Lateral profile', 'radius [mm]', (x, off) => energy * 100 * Math.exp(-x * (8 + 20 * off)), models, showers, 41.85),
      ...counted.map(([name, title, unit, shape, options]) => countsFigure(name, title, unit, shape, models, showers, options)),
      matrixFigure(models),
    ],
    layered: layered.map((name, k) => ({
      name, title: name.replace('_', ' of ').replace('layer of', 'Layer:'),
      layers: Array.from({ length: kMesh.n_z }, (_, z) => countsFigure(name, `${name.replace('_', ' ')}, layer ${z}`, '', off => gaussShape(0.2 + 0.012 * z + off, 0.06 + 0.01 * k), models, showers)),
    })),
    showers: {
      full: Array.from({ length: 3 }, () => shower(means[0], energy * 1000)),
      fast: models.map((_, i) => Array.from({ length: 3 }, () => shower(means[i + 1], energy * 1000))),
    },
    average: { full: averageMap(means[0]), fast: models.map((_, i) => averageMap(means[i + 1])) },
  };
}

function classifier(name, title, models, best) {
  return {
    name, title, text: `${title}: trained on 60 % of the showers, tested on 20 %.`,
    models: models.map((_, i) => {
      const power = best + 4 * bias(i);
      const roc = Array.from({ length: 41 }, (_, k) => [short(k / 40), short((k / 40) ** (1 / (1 + power)))]);
      return {
        auc: short(1 - 1 / (2 + power)), auc_error: 0.012, floor: { value: 0.503, error: 0.015 }, accuracy: short(0.5 + 0.1 * power), jsd: short(0.02 * power), jsd_error: 0.003, jsd_floor: { value: -0.002, error: 0.004 }, test_showers: 1600,
        trainings: [0.01, -0.006, 0.002].map(d => short(1 - 1 / (2 + power) + d)), roc,
        calibration: Array.from({ length: 8 }, (_, k) => [short((k + 0.5) / 8), short((k + 0.5) / 8 + 0.02 * normal()), 0.03]),
        growth: { value: 0.011, error: 0.017 },
        by_energy: [1.5, 4, 10, 25, 64].map(e => [e, short(1 - 1 / (2 + power * e / 20)), 0.027]),
        by_sample_size: [1200, 2400, 4800].map(n => [n, short(1 - 1 / (2 + power * n / 4800)), 0.012]),
        full_scores: counts(gaussShape(0.5 - 0.1 * power, 0.15).filter((_, k) => k % 3 !== 2), 1600).values,
        fast_scores: counts(gaussShape(0.5 + 0.1 * power, 0.15).filter((_, k) => k % 3 !== 2), 1600).values,
      };
    }),
  };
}

export function fixtureData(conditions, modelCount) {
  const models = Array.from({ length: modelCount }, (_, i) => ({ label: ['CaloDiT', 'CaloDiT, distilled', 'VAE', 'GAN'][i] ?? `model ${i}` }));
  const points = [];
  for (const geometry of kGeometries)
    for (const angle of kAngles)
      // Not every geometry has every angle at every energy.
      for (const energy of kEnergies) if (angle === 90 || energy > 1) points.push([geometry, energy, angle]);
  const score = (name, title, group, better, base, floor, help, more = {}) => ({
    name, title, group, better, help, floor: floor === null ? null : { value: floor, error: short(0.1 * floor) }, ...more,
    models: models.map((_, i) => i === 3 ? null : {
      value: short(base(bias(i))), error: short(0.08 * Math.abs(base(0.01))), at_floor: i === 0 && floor !== null,
      ...(modelCount > 1 && i === 0 ? { rank: 'best' } : {}) }),
  });
  return {
    version: 3, full: { label: 'Geant4' }, models, mesh: kMesh,
    cell_sizes: { SiW: { size_r_mm: 2.325, size_z_mm: 3.4 }, ScintPb: { size_r_mm: 4, size_z_mm: 5.6 } },
    scores: [
      score('fpd', 'Fréchet physics distance ×10³', 'Distances', 'low', o => 1 + 60 * o, 0.9, 'Distance of two Gaussians fitted to high-level features.'),
      score('kpd', 'Kernel physics distance ×10³', 'Distances', 'low', o => 0.4 + 2 * o, 0.2, 'Maximum mean discrepancy with a polynomial kernel.'),
      score('jsd', 'Mean JSD of the observables', 'Distances', 'low', o => 0.008 + 0.4 * o, 0.006, 'Jensen-Shannon divergence in bits, mean over observables.'),
      score('auc', 'AUC, high-level', 'Classifiers', 'half', o => 0.52 + 2 * o, 0.501, 'Area under the ROC curve: 0.5 is a guess.'),
      score('coverage', 'Coverage', 'Diversity', 'high', o => 0.97 - 2 * o, 0.98, 'Share of full showers with a fast one nearby.'),
      score('time', 'Time per shower [ms]', 'Cost', 'low', o => 9 - 90 * o, null, 'On one core.', { full: { value: 4210, error: 0 } }),
    ],
    overview: [
      curveFigure('overview_response', 'Response', 'energy [GeV]', 'mean response', (e, g) => 0.7 + 0.03 * g + 0.005 * Math.log(e), 0.004, models),
      curveFigure('resolution', 'Resolution', 'energy [GeV]', 'σ/E', (e, g) => Math.hypot((0.17 + 0.01 * g) / Math.sqrt(e), 0.011), 0.03, models, { fit: true }),
      curveFigure('linearity', 'Linearity', 'energy [GeV]', 'response / mean response', (e, g) => 1 + 0.01 * (g - 1) * Math.log(e / 16), 0.004, models),
      curveFigure('time', 'Time per shower', 'energy [GeV]', 'time [s]', (e, g) => 0.01 * e + 0.001 * g + 0.003, 0.02, models, { log_y: true }),
    ],
    classifiers: [classifier('high_level', 'High-level features', models, 0.2), classifier('cells', 'Cells', models, 0.9)],
    no_classifiers: '',
    conditions: points.slice(0, conditions).map(point => condition(...point, models)),
  };
}

// Fills the built page like calopipe (src/calo/report/page.cc).
export function fixturePage(template, data) {
  const page = {
    heading: 'Fast against full simulation', subtitle: `${data.conditions.length} conditions of made-up numbers.`, warnings: [],
    verdict: [{ good: true, text: 'The mean response is within 5 % of the full simulation everywhere.' },
      { good: false, text: 'A classifier on high-level features distinguishes fast from full showers: AUC 0.60 ± 0.01.' }],
    provenance: {},
  };
  const json = JSON.stringify({ ...data, page }).replaceAll('<', '\\u003c');
  return template.replace('{{title}}', 'calopipe: fast against full simulation').replace('{{data}}', () => json);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [out, template, conditions = '50', models = '2'] = process.argv.slice(2);
  writeFileSync(out, fixturePage(readFileSync(template, 'utf8'), fixtureData(Number(conditions), Number(models))));
}
