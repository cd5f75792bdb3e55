// Elements above and below the plots of every page: heading, warnings, sentences of the verdict, provenance.
import { element } from './dom.js';

const mark = good => good === undefined ? [] : [element('span', { className: good ? 'good' : 'bad', textContent: good ? '✓' : '✗' }), ' '];

export function opening({ heading, subtitle, warnings = [], verdict = [] }) {
  return [
    element('h1', { textContent: heading }),
    element('p', { className: 'soft', textContent: subtitle }),
    ...warnings.map(text => element('p', { className: 'bad', textContent: text })),
    ...(verdict.length ? [element('section', { id: 'verdict' }, [element('ul', {}, verdict.map(({ good, text }) =>
      element('li', {}, [...mark(good), text])))])] : []),
  ];
}

export function provenanceSection(provenance) {
  return [element('h2', { textContent: 'Provenance' }), element('pre', { textContent: JSON.stringify(provenance, null, 2) })];
}
