// Shows the results of `calopipe benchmark`. The page contains the figures as JSON in #data; it makes no
// requests.
import { element, svgElement } from '../page/dom.js';
import { opening, provenanceSection } from '../page/opening.js';

const data = JSON.parse(document.getElementById('data').textContent);
// Distinguished by colour and dashes; readable on light and dark backgrounds.
const kColors = ['#2f6ea8', '#79aede', '#c2410c', '#fb923c', '#0f766e', '#2dd4bf', '#7c3aed', '#a3a3a3', '#b45309', '#db2777'];
const stroke = i => ({ stroke: kColors[i % kColors.length], ...(i % 2 ? { 'stroke-dasharray': '6 4' } : {}) });
const nameOf = engine => [engine.name, engine.version, engine.variant].filter(Boolean).join(' ');
const megabytes = bytes => bytes > 0 ? (bytes / 1e6).toFixed(1) : '–';
const of = threads => engine => engine.batches.filter(batch => batch.threads === threads);

function table(headings, rows) {
  return element('div', { className: 'scroll' }, [element('table', {}, [
    element('thead', {}, [element('tr', {}, headings.map(text => element('th', { textContent: text })))]),
    element('tbody', {}, rows.map(cells => element('tr', {}, cells.map(cell =>
      cell instanceof Node ? element('td', {}, [cell]) : element('td', { textContent: cell }))))),
  ])]);
}

function legend(engine, i) {
  const line = svgElement('svg', { width: 30, height: 10, 'aria-hidden': true },
    [svgElement('line', { x2: 30, y1: 5, y2: 5, 'stroke-width': 3, ...stroke(i) })]);
  return element('span', {}, [line, ` ${nameOf(engine)}`]);
}

// Showers per second against the batch size, both logarithmic.
function throughput(threads) {
  const [width, height, left, right, top, bottom] = [1080, 360, 70, 20, 14, 44];
  const all = data.engines.flatMap(of(threads));
  const batches = [...new Set(all.map(b => b.batch))].sort((a, b) => a - b), rates = all.map(b => b.showers_per_s);
  const [least, most] = [batches[0], batches.at(-1)];
  const low = Math.floor(Math.log10(Math.min(...rates))), high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...rates))));
  const x = batch => left + (width - left - right) * (most > least ? Math.log(batch / least) / Math.log(most / least) : 0.5);
  const y = rate => height - bottom - (height - top - bottom) * (Math.log10(rate) - low) / (high - low);
  const text = (content, attributes) => svgElement('text', { fill: 'var(--soft)', 'text-anchor': 'middle', ...attributes }, [content]);
  const out = svgElement('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', style: 'width:100%;font:12px system-ui,sans-serif',
    'aria-label': `showers per second against batch size, ${threads} threads` });
  for (let decade = low; decade <= high; ++decade) {
    const at = y(10 ** decade);
    out.append(svgElement('line', { x1: left, x2: width - right, y1: at, y2: at, stroke: 'var(--line)' }),
      text(String(10 ** decade), { x: left - 8, y: at + 4, 'text-anchor': 'end' }));
  }
  for (const batch of batches) out.append(text(String(batch), { x: x(batch), y: height - bottom + 18 }));
  out.append(text('batch size', { x: (left + width) / 2, y: height - 8, fill: 'var(--text)' }),
    text('showers / s', { x: 14, y: height / 2, fill: 'var(--text)', transform: `rotate(-90 14 ${height / 2})` }));
  data.engines.forEach((engine, i) => {
    const points = of(threads)(engine).map(b => [x(b.batch), y(b.showers_per_s), b]);
    out.append(svgElement('polyline', { points: points.map(p => `${p[0].toFixed(1)},${p[1].toFixed(1)}`).join(' '),
      fill: 'none', 'stroke-width': 2, ...stroke(i) }));
    for (const [cx, cy, b] of points)
      out.append(svgElement('circle', { cx, cy, r: 3.5, fill: kColors[i % kColors.length] }, [svgElement('title', {},
        [`${nameOf(engine)}: ${b.showers_per_s.toFixed(0)} showers/s at batch ${b.batch}`])]));
  });
  return element('figure', {}, [out]);
}

const threadCounts = [...new Set(data.engines.flatMap(engine => engine.batches.map(b => b.threads)))].sort((a, b) => a - b);
document.getElementById('opening').append(...opening(data.page));
document.getElementById('app').append(
  element('h2', { textContent: 'Start-up' }),
  table(['engine', 'start [ms]', 'memory [MB]', 'weights [MB]'], data.engines.map((engine, i) =>
    [legend(engine, i), (1e3 * engine.start_s).toFixed(1), megabytes(engine.memory_bytes), megabytes(engine.weight_bytes)])),
  ...threadCounts.flatMap(threads => [
    element('h2', { textContent: `${threads} thread${threads === 1 ? '' : 's'}` }),
    throughput(threads),
    table(['engine', 'batch', 'median [ms]', '99 % [ms]', 'showers / s'], data.engines.flatMap(engine => of(threads)(engine).map(b =>
      [nameOf(engine), b.batch, (1e3 * b.median_s).toFixed(3), (1e3 * b.p99_s).toFixed(3), b.showers_per_s.toFixed(0)]))),
  ]));
document.getElementById('closing').append(...provenanceSection(data.page.provenance));
document.body.dataset.ready = 'true';
