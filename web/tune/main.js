// Shows a study of `calopipe tune`. The page contains its trials as JSON in #data; it makes no requests.
import { element, select, svgElement } from '../page/dom.js';
import { opening, provenanceSection } from '../page/opening.js';

const data = JSON.parse(document.getElementById('data').textContent);
const { space, objectives, early_stopping: stopping } = data.definition;
const kWidth = 1080;
const done = data.trials.filter(trial => trial.state === 'done');
const best = new Set(data.best);
const nameOf = objective => objective.value.slice(objective.value.indexOf(':') + 1);
const shortName = name => name.slice(name.indexOf('.') + 1);
const format = value => typeof value === 'number' ? String(Number(value.toPrecision(5))) : value === null || value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
const measured = (trial, i) => trial.values[i] === undefined ? '–' : format(trial.values[i]) + (trial.errors[i] === null ? '' : ` ± ${Number(trial.errors[i].toPrecision(2))}`);
const describe = trial => `trial ${trial.number}: ${objectives.map((one, i) => `${nameOf(one)} ${measured(trial, i)}`).join(', ')}\n`
  + Object.entries(trial.parameters).map(([name, value]) => `${shortName(name)} = ${format(value)}`).join('\n');

function text(content, attributes) {
  return svgElement('text', { fill: 'var(--soft)', 'text-anchor': 'middle', ...attributes }, [content]);
}

function chart(height, label) {
  return svgElement('svg', { viewBox: `0 0 ${kWidth} ${height}`, role: 'img', 'aria-label': label, style: 'width:100%;font:12px system-ui,sans-serif' });
}

function figure(name, caption, svg, tools = []) {
  return element('figure', { dataset: { name } }, [element('figcaption', {}, [element('span', { textContent: caption }), element('span', { className: 'tools' }, tools)]), svg]);
}

// A scale from values to places; logarithmic if asked for and possible.
function scale(values, from, to, log = false) {
  const finite = values.filter(Number.isFinite);
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  const isLog = log && low > 0;
  const bent = value => isLog ? Math.log10(value) : value;
  const middle = bent(low) === bent(high);
  const at = value => middle ? (from + to) / 2 : from + (to - from) * (bent(value) - bent(low)) / (bent(high) - bent(low));
  const ticks = middle ? [low] : [...Array(5).keys()].map(i => isLog ? 10 ** (bent(low) + (bent(high) - bent(low)) * i / 4) : low + (high - low) * i / 4);
  // As many digits as tell the ticks apart.
  const spread = Math.abs(high - low) / 4;
  const digits = isLog || spread === 0 ? 3 : Math.min(15, Math.max(2, Math.ceil(Math.log10(Math.max(Math.abs(low), Math.abs(high)) / spread)) + 2));
  return { at, ticks, label: tick => String(Number(tick.toPrecision(digits))) };
}

function axes(svg, x, y, { left, right, top, bottom, height, xLabel, yLabel }) {
  for (const tick of y.ticks)
    svg.append(svgElement('line', { x1: left, x2: kWidth - right, y1: y.at(tick), y2: y.at(tick), stroke: 'var(--line)' }),
      text(y.label(tick), { x: left - 8, y: y.at(tick) + 4, 'text-anchor': 'end' }));
  for (const tick of x.ticks) svg.append(text(x.label(tick), { x: x.at(tick), y: height - bottom + 18 }));
  svg.append(text(xLabel, { x: (left + kWidth - right) / 2, y: height - 6, fill: 'var(--text)' }),
    text(yLabel, { x: 14, y: (top + height - bottom) / 2, fill: 'var(--text)', transform: `rotate(-90 14 ${(top + height - bottom) / 2})` }));
}

function point(trial, x, y) {
  return svgElement('circle', { cx: x, cy: y, r: best.has(trial.number) ? 6 : 4, fill: best.has(trial.number) ? 'var(--fast)' : 'var(--full-line)' },
    [svgElement('title', {}, [describe(trial)])]);
}

const box = { left: 80, right: 24, top: 14, bottom: 44, height: 320 };

// Value of each trial with its error, and the best so far.
function history(index, log) {
  const svg = chart(box.height, `${nameOf(objectives[index])} by trial`);
  const error = trial => trial.errors[index] ?? 0;
  const values = done.flatMap(trial => [trial.values[index] - error(trial), trial.values[index] + error(trial)]);
  const x = scale([0, ...data.trials.map(trial => trial.number)], box.left, kWidth - box.right);
  x.ticks = [...new Set(x.ticks.map(Math.round))];
  const y = scale(values, box.height - box.bottom, box.top, log);
  axes(svg, x, y, { ...box, xLabel: 'trial', yLabel: nameOf(objectives[index]) });
  const sign = objectives[index].goal === 'maximize' ? -1 : 1;
  let least = Infinity;
  const steps = done.map(trial => {
    least = Math.min(least, sign * trial.values[index]);
    return `${x.at(trial.number).toFixed(1)},${y.at(sign * least).toFixed(1)}`;
  });
  svg.append(svgElement('polyline', { points: steps.join(' '), fill: 'none', stroke: 'var(--fast)', 'stroke-width': 1.5 }));
  for (const trial of done) {
    const [cx, value] = [x.at(trial.number), trial.values[index]];
    const isBent = log && value - error(trial) <= 0;
    if (error(trial) > 0 && !isBent)
      svg.append(svgElement('line', { x1: cx, x2: cx, y1: y.at(value - error(trial)), y2: y.at(value + error(trial)), stroke: 'var(--soft)' }));
    svg.append(point(trial, cx, y.at(value)));
  }
  return svg;
}

function switchable(name, caption, draw) {
  const out = figure(name, caption, draw(false), [select([['linear', 'linear'], ['log', 'logarithmic']], 'linear',
    kind => out.querySelector('svg').replaceWith(draw(kind === 'log')), { ariaLabel: 'scale' })]);
  return out;
}

// One objective against another.
function front(a, b) {
  const svg = chart(box.height, `${nameOf(objectives[b])} against ${nameOf(objectives[a])}`);
  const x = scale(done.map(trial => trial.values[a]), box.left, kWidth - box.right - 10);
  const y = scale(done.map(trial => trial.values[b]), box.height - box.bottom, box.top);
  axes(svg, x, y, { ...box, xLabel: nameOf(objectives[a]), yLabel: nameOf(objectives[b]) });
  const line = done.filter(trial => best.has(trial.number)).sort((p, q) => p.values[a] - q.values[a]);
  svg.append(svgElement('polyline', { points: line.map(trial => `${x.at(trial.values[a])},${y.at(trial.values[b])}`).join(' '), fill: 'none', stroke: 'var(--fast)', 'stroke-dasharray': '5 4' }));
  for (const trial of done) svg.append(point(trial, x.at(trial.values[a]), y.at(trial.values[b])));
  return figure('pareto', `Pareto front: ${nameOf(objectives[a])} and ${nameOf(objectives[b])}`, svg);
}

function importance(shares, title) {
  const rows = Object.entries(shares).sort((a, b) => b[1] - a[1]);
  const height = 24 * rows.length + 10;
  const svg = chart(height, title);
  rows.forEach(([name, share], i) => svg.append(
    text(name, { x: 330, y: 24 * i + 20, 'text-anchor': 'end', fill: 'var(--text)' }),
    svgElement('rect', { x: 340, y: 24 * i + 8, width: Math.max(1, 640 * share), height: 16, fill: 'var(--full-line)' }),
    text(`${(100 * share).toFixed(0)} %`, { x: 350 + Math.max(1, 640 * share), y: 24 * i + 20, 'text-anchor': 'start' })));
  return figure('importance', title, svg);
}

// A line for each trial through its parameters and objectives; better ones are drawn later and darker.
function parallel() {
  const height = 380, top = 40, bottom = 30;
  const svg = chart(height, 'parameters and objectives of each trial');
  const place = dimension => {
    if (dimension.kind !== 'categorical') return { ...scale([dimension.low, dimension.high], height - bottom, top, dimension.log), of: trial => trial.parameters[dimension.name] };
    const at = value => height - bottom - (height - top - bottom) * (dimension.choices.findIndex(choice => JSON.stringify(choice) === JSON.stringify(value)) + 0.5) / dimension.choices.length;
    return { at, ticks: dimension.choices, label: format, of: trial => trial.parameters[dimension.name] };
  };
  const columns = [
    ...space.map(dimension => ({ title: shortName(dimension.name), ...place(dimension) })),
    ...objectives.map((objective, i) => ({ title: nameOf(objective), ...scale(done.map(trial => trial.values[i]), height - bottom, top), of: trial => trial.values[i] })),
  ];
  const x = i => 70 + (kWidth - 140) * (columns.length > 1 ? i / (columns.length - 1) : 0.5);
  const sign = objectives[0].goal === 'maximize' ? -1 : 1;
  const rank = trial => data.is_sum && trial.loss !== null ? trial.loss : sign * trial.values[0];
  const order = [...done].sort((a, b) => rank(b) - rank(a));
  order.forEach((trial, i) => {
    // A parameter that a trial does not have interrupts its line.
    const parts = [[]];
    columns.forEach((column, k) => {
      const value = column.of(trial);
      if (value === undefined) parts.push([]);
      else parts.at(-1).push(`${x(k).toFixed(1)},${column.at(value).toFixed(1)}`);
    });
    const isBest = best.has(trial.number);
    const group = svgElement('g', { class: 'trial', fill: 'none', stroke: isBest ? 'var(--fast)' : 'var(--full-line)', 'stroke-width': isBest ? 3 : 1.5,
      opacity: isBest ? 1 : 0.15 + 0.65 * (i + 1) / order.length }, [svgElement('title', {}, [describe(trial)])]);
    for (const part of parts) if (part.length > 0) group.append(svgElement('polyline', { points: part.join(' ') }));
    svg.append(group);
  });
  columns.forEach((column, k) => {
    svg.append(svgElement('line', { x1: x(k), x2: x(k), y1: top, y2: height - bottom, stroke: 'var(--soft)' }),
      text(column.title, { x: x(k), y: 18 + 14 * (k % 2), fill: 'var(--text)' }));
    for (const tick of column.ticks)
      svg.append(text(column.label(tick), { x: x(k) + 5, y: column.at(tick) + 4, 'text-anchor': 'start' }));
  });
  return figure('parallel', 'Parallel coordinates: the best in orange', svg);
}

function curves() {
  const svg = chart(box.height, `${stopping.metric} by epoch`);
  const trials = data.trials.filter(trial => trial.curve.length > 0);
  const all = trials.flatMap(trial => trial.curve);
  const x = scale(all.map(([epoch]) => epoch), box.left, kWidth - box.right), y = scale(all.map(([, value]) => value), box.height - box.bottom, box.top);
  x.ticks = [...new Set(x.ticks.map(Math.round))];
  axes(svg, x, y, { ...box, xLabel: 'epoch', yLabel: stopping.metric });
  for (const trial of trials) {
    const stroke = best.has(trial.number) ? 'var(--fast)' : trial.state === 'stopped' ? 'var(--soft)' : 'var(--full-line)';
    svg.append(svgElement('polyline', { points: trial.curve.map(([epoch, value]) => `${x.at(epoch).toFixed(1)},${y.at(value).toFixed(1)}`).join(' '),
      fill: 'none', stroke, 'stroke-width': 1.5, ...(trial.state === 'stopped' ? { 'stroke-dasharray': '4 3' } : {}) }, [svgElement('title', {}, [describe(trial)])]));
  }
  return figure('curves', `Learning curves; stopped trials are dashed`, svg);
}

function trialTable() {
  const names = space.map(dimension => dimension.name);
  const headings = ['trial', 'state', ...objectives.map(nameOf), ...names.map(shortName), 'time [s]', 'report'];
  const report = trial => trial.report ? element('a', { href: `file://${trial.report}`, textContent: 'report' }) : trial.error || '–';
  return element('div', { className: 'scroll' }, [element('table', { id: 'trials' }, [
    element('thead', {}, [element('tr', {}, headings.map(textContent => element('th', { textContent })))]),
    element('tbody', {}, data.trials.map(trial => element('tr', {}, [
      `${trial.number}${best.has(trial.number) ? ' ★' : ''}`, trial.state, ...objectives.map((_, i) => measured(trial, i)),
      ...names.map(name => format(trial.parameters[name])), trial.seconds === null ? '–' : trial.seconds.toFixed(1), report(trial),
    ].map(cell => element('td', {}, [cell]))))),
  ])]);
}

document.getElementById('opening').append(...opening(data.page));
const sections = [];
if (done.length > 0) {
  sections.push(element('h2', { textContent: 'History' }),
    ...objectives.map((objective, i) => switchable(`history-${i}`, `${nameOf(objective)}: each trial with its error, and the best so far`, log => history(i, log))));
  if (objectives.length > 1) {
    sections.push(element('h2', { textContent: 'Pareto front' }));
    for (let a = 0; a < objectives.length; ++a) for (let b = a + 1; b < objectives.length; ++b) sections.push(front(a, b));
  }
  sections.push(element('h2', { textContent: 'Parameters' }));
  data.importance.forEach((shares, i) => {
    if (Object.keys(shares).length === 0) return;
    sections.push(importance(shares, `Importance for ${data.is_sum && objectives.length > 1 ? 'the weighted sum' : nameOf(objectives[i])}: share of its ranks that the parameter alone predicts`));
  });
  sections.push(parallel());
}
if (data.trials.some(trial => trial.curve.length > 0)) sections.push(element('h2', { textContent: 'Training' }), curves());
document.getElementById('app').append(...sections, element('h2', { textContent: 'Trials' }), trialTable());
document.getElementById('closing').append(...provenanceSection(data.page.provenance));
document.body.dataset.ready = 'true';
