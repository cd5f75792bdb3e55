// Figures as files. The panels of a figure are the elements .pad, each with an SVG picture or a canvas.
import { css } from './colors.js';
import { element, svgElement } from '../page/dom.js';

const kLine = 30, kLetter = 8;
const kScale = 2;

function save(url, name) {
  element('a', { href: url, download: name }).click();
}

function layout(node) {
  const pads = [...node.querySelectorAll('.pad')].map(pad => ({ picture: pad.querySelector('svg, canvas'), box: pad.getBoundingClientRect() }));
  const left = Math.min(...pads.map(p => p.box.left)), top = Math.min(...pads.map(p => p.box.top));
  return {
    pads: pads.map(({ picture, box }) => ({ picture, x: box.left - left, y: box.top - top, width: box.width, height: box.height })),
    width: Math.max(...pads.map(p => p.box.right)) - left,
    height: Math.max(...pads.map(p => p.box.bottom)) - top,
  };
}

// Title and legend, so that the picture can be understood without the page; in one line if both fit.
function header(width, title, entries) {
  const words = [...entries.map(({ name }) => `● ${name}`), title].join('   ');
  const height = words.length * kLetter > width && entries.length ? 2 * kLine : kLine;
  const text = (x, y, anchor, weight, children) => svgElement('text', {
    x, y, 'text-anchor': anchor, 'font-family': 'sans-serif', 'font-size': 13, 'font-weight': weight, fill: css('--text') }, children);
  const legend = entries.map(({ name, color }, i) => svgElement('tspan', { fill: color, dx: i ? 12 : 0 }, [`● ${name}`]));
  return { height, nodes: [text(8, 20, 'start', 600, [title]), text(width - 8, height - 10, 'end', 400, legend)] };
}

function asSvg(node, title, entries) {
  const { pads, width, height: below } = layout(node);
  const { height: above, nodes } = header(width, title, entries);
  const height = above + below;
  const copies = pads.map(({ picture, x, y, width: w, height: h }) => {
    const copy = picture.tagName === 'CANVAS' ? svgElement('image', { href: picture.toDataURL('image/png') }) : picture.cloneNode(true);
    for (const [name, value] of Object.entries({ x, y: above + y, width: w, height: h })) copy.setAttribute(name, value);
    return copy;
  });
  const out = svgElement('svg', { width, height, viewBox: `0 0 ${width} ${height}` },
    [svgElement('rect', { width, height, fill: css('--panel') }), ...nodes, ...copies]);
  return { text: new XMLSerializer().serializeToString(out), width, height };
}

// `entries`: [{name, color}, …] for the legend
export async function download(node, name, type, title, entries) {
  const { text, width, height } = asSvg(node, title, entries);
  const url = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  if (type === 'svg') {
    save(url, `${name}.svg`);
    return;
  }
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = element('canvas', { width: width * kScale, height: height * kScale });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  save(canvas.toDataURL('image/png'), `${name}.png`);
}
