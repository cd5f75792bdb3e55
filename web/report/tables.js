// Tables of scores and of conditions, which can be sorted by their headings.
import { modelVariable } from './colors.js';
import { data, models } from './data.js';
import { button, element } from '../page/dom.js';
import { percent, plain, withError } from './format.js';
import { swatch } from './numbers.js';
import { choose, on, selection } from './selection.js';

const kAgreement = 0.05;
const several = models.length > 1;

// `columns`: {content: [nodes or strings], help?, key: row => number, string or null}. `rows`: {node, …}.
function sortableTable(columns, rows, className) {
  const body = element('tbody', {}, rows.map(row => row.node));
  const heads = columns.map(({ content, help = '', key }, at) => {
    const head = element('th', { scope: 'col', ariaSort: 'none' });
    head.append(element('button', { type: 'button', className: 'sort', title: help, onclick: () => {
      const up = head.ariaSort !== 'ascending';
      for (const other of heads) other.ariaSort = 'none';
      head.ariaSort = up ? 'ascending' : 'descending';
      // Rows without a value are last.
      const order = rows.map((row, i) => ({ row, i, value: key(row) })).sort((a, b) => {
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.i - b.i;
        const difference = typeof a.value === 'string' ? a.value.localeCompare(b.value, 'en', { numeric: true }) : a.value - b.value;
        return (up ? difference : -difference) || a.i - b.i;
      });
      body.replaceChildren(...order.map(({ row }) => row.node));
    } }, content));
    if (at > 0) head.className = 'number';
    return head;
  });
  return element('div', { className: `scroll ${className}` }, [
    element('table', {}, [element('thead', {}, [element('tr', {}, heads)]), body])]);
}

const modelHead = i => [swatch(modelVariable(i)), models[i]];

const kBetter = { low: 'lower is better', high: 'higher is better', half: '0.5 is best' };
const kMarks = {
  best: { className: 'best', title: 'best' },
  alike: { className: 'alike', title: 'not distinguishable from the best' },
};

function scoreCell(entry) {
  if (!entry) return element('td', { className: 'soft', textContent: '–' });
  const cell = element('td', { textContent: withError(entry.value, entry.error ?? 0), ...kMarks[entry.rank] });
  if (entry.at_floor) {
    cell.classList.add('at-floor');
    cell.title += `${cell.title ? '; ' : ''}as good as another Geant4 sample, within two errors`;
  }
  return cell;
}

function floorText({ floor, full }) {
  if (full) return `${data.full.label} ${plain(full.value)}`;
  return floor ? withError(floor.value, floor.error) : '–';
}

export function scoreTable() {
  const rows = data.scores.map(score => ({ score, node: element('tr', {}, [
    element('td', {}, [score.help ? element('abbr', { textContent: score.title, title: score.help, tabIndex: 0 }) : score.title]),
    element('td', { className: 'soft', textContent: score.group }),
    element('td', { className: 'soft', textContent: kBetter[score.better] }),
    ...score.models.map(scoreCell),
    element('td', { className: 'soft', textContent: floorText(score) }),
  ]) }));
  const columns = [
    { content: ['score'], key: ({ score }) => score.title },
    { content: ['group'], key: ({ score }) => score.group },
    { content: ['aim'], key: ({ score }) => score.better },
    ...models.map((_, i) => ({ content: modelHead(i), key: ({ score }) => score.models[i]?.value ?? null })),
    { content: [element('abbr', { textContent: 'floor' })], help: 'The score between two halves of Geant4: no model can be better', key: ({ score }) => (score.full ?? score.floor)?.value ?? null },
  ];
  const note = several ? 'Bold is best; grey is not distinguishable from it within errors; ' : '';
  return [sortableTable(columns, rows, 'scores'), element('p', { className: 'soft note' }, [
    `${note}✓ is as good as the floor within two errors. The floor is the score between two halves of Geant4, or Geant4's own cost.`])];
}

// Deviation with its error, marked if it exceeds the required agreement.
function deviationCell(deviation) {
  if (!deviation) return element('td', { className: 'soft', textContent: '–' });
  return element('td', { className: Math.abs(deviation.value) <= kAgreement ? 'good' : 'bad', textContent: percent(deviation.value, deviation.error) });
}

export function conditionTable() {
  // All titles of any condition, in the order of the first condition.
  const titles = new Map(data.conditions.flatMap(c => c.deviations.map(d => [d.name, d.title])));
  const find = (condition, name, i) => condition.deviations.find(d => d.name === name)?.models[i] ?? null;
  const pairs = [...titles].flatMap(([name, title]) => models.map((_, i) => ({ name, title, i })));
  const rows = data.conditions.map((condition, index) => {
    const node = element('tr', { onclick: () => choose({ condition: index }) }, [
      element('td', {}, [button(condition.name, 'Show this condition', null, { className: 'choose' })]),
      element('td', { textContent: condition.full_showers }),
      ...condition.fast_showers.map(n => element('td', { textContent: n ?? '–' })),
      ...pairs.map(({ name, i }) => deviationCell(find(condition, name, i))),
    ]);
    return { condition, node };
  });
  const columns = [
    { content: ['condition'], key: ({ condition }) => condition.name },
    { content: [data.full.label], help: 'showers', key: ({ condition }) => condition.full_showers },
    ...models.map((_, i) => ({ content: modelHead(i), help: 'showers', key: ({ condition }) => condition.fast_showers[i] })),
    ...pairs.map(({ name, title, i }) => ({ content: [...(several ? [swatch(modelVariable(i))] : []), title],
      help: `${models[i]}: deviation of the mean from the mean of ${data.full.label}; sorted by its size`,
      key: ({ condition }) => {
        const deviation = find(condition, name, i);
        return deviation && Math.abs(deviation.value);
      } })),
  ];
  const mark = () => rows.forEach(({ node }, i) => {
    if (i === selection.condition) node.setAttribute('aria-current', 'true');
    else node.removeAttribute('aria-current');
  });
  on(['condition'], mark);
  mark();
  return sortableTable(columns, rows, 'conditions');
}
