// The bar that is always in view, with the choice of condition and models.
import { modelVariable } from './colors.js';
import { data, models } from './data.js';
import { button, element, label, select, setOptions } from '../page/dom.js';
import { swatch } from './numbers.js';
import { choose, condition, on, selection, step } from './selection.js';

// From the most to the least significant part
const kParts = [
  { key: 'geometry', title: 'Geometry', text: value => value ?? 'any' },
  { key: 'energy_gev', title: 'Energy', text: value => value === null ? 'any' : `${value} GeV` },
  { key: 'angle_deg', title: 'Angle', text: value => value === null ? 'any' : `${value}°` },
];

// Conditions that equal the chosen one in the first `count` parts
const agreeing = count => data.conditions.filter(c => kParts.slice(0, count).every(({ key }) => c[key] === condition()[key]));

function distinct(conditions, key) {
  const values = [...new Set(conditions.map(c => c[key]))];
  return key === 'geometry' ? values : values.sort((a, b) => a - b);
}

// The condition with `value` in part `at` that is closest to the chosen one in the later parts
function closest(at, value) {
  const candidates = agreeing(at).filter(c => c[kParts[at].key] === value);
  const unlike = c => kParts.slice(at + 1).map(({ key }) => Math.abs(c[key] - condition()[key]));
  candidates.sort((a, b) => {
    const [p, q] = [unlike(a), unlike(b)], first = p.findIndex((v, i) => v !== q[i]);
    return first < 0 ? 0 : p[first] - q[first];
  });
  return data.conditions.indexOf(candidates[0]);
}

function conditionSelects() {
  const selects = kParts.map(({ key, title }, at) => select([], '', place => choose({ condition: closest(at, distinct(agreeing(at), key)[place]) }), { ariaLabel: title, id: `choose-${key}` }));
  const update = () => kParts.forEach(({ key, text }, at) => {
    const values = distinct(agreeing(at), key);
    setOptions(selects[at], values.map(text), values.indexOf(condition()[key]));
    selects[at].disabled = values.length < 2;
  });
  on(['condition'], update);
  update();
  return selects.map((node, i) => label(kParts[i].title, node));
}

function legend() {
  const entries = models.map((name, i) => {
    const box = element('input', { type: 'checkbox', checked: true, onchange: () => choose({ enabled: selection.enabled.map((was, k) => k === i ? box.checked : was) }) });
    return element('label', {}, [box, swatch(modelVariable(i)), name]);
  });
  return element('span', { className: 'legend', role: 'group', ariaLabel: 'Models' }, [element('span', {}, [swatch('--full-line'), data.full.label]), ...entries]);
}

export function conditionBar() {
  const place = element('output', { className: 'soft' });
  const update = () => { place.textContent = `${selection.condition + 1} of ${data.conditions.length}`; };
  on(['condition'], update);
  update();
  const single = data.conditions.length < 2;
  addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === '[') step(-1);
    if (event.key === ']') step(1);
  });
  return element('nav', { className: 'bar', ariaLabel: 'Condition' }, [
    ...conditionSelects(),
    element('span', { className: 'steps' }, [
      button('‹', 'Previous condition  [', () => step(-1), { ariaLabel: 'Previous condition', disabled: single }), place,
      button('›', 'Next condition  ]', () => step(1), { ariaLabel: 'Next condition', disabled: single })]),
    legend()]);
}
