// Figures as files. A figure's panels are the elements .pad, each with an SVG picture or a canvas.
import { css } from './colors.js';
import { element, svgElement } from './dom.js';

const kHeader = 30;
const kScale = 2;

function save(url, name) {
  element('a', { href: url, download: name }).click();
}

function layout(node) {
  const pads = [...node.querySelectorAll('.pad')].map(pad => ({ picture: pad.querySelector('svg, canvas'), box: pad.getBoundingClientRect() }));
  const left = Math.min(...pads.map(p => p.box.left)), top = Math.min(...pads.map(p => p.box.top)) - kHeader;
  return {
    pads: pads.map(({ picture, box }) => ({ picture, x: box.left - left, y: box.top - top, width: box.width, height: box.height })),
    width: Math.max(...pads.map(p => p.box.right)) - left,
    height: Math.max(...pads.map(p => p.box.bottom)) - top,
  };
}

// Title on the left and what the colours mean on the right, as the picture is to be understood without the page.
function header(width, title, entries) {
  const text = (x, anchor, weight, content, fill) => svgElement('text', {
    x, y: 20, 'text-anchor': anchor, 'font-family': 'sans-serif', 'font-size': 13, 'font-weight': weight, fill }, [content]);
  const out = [text(8, 'start', 600, title, css('--text'))];
  let x = width - 8;
  for (const { name, color } of [...entries].reverse()) {
    out.push(text(x, 'end', 400, `● ${name}`, color));
    x -= 26 + 7 * name.length;
  }
  return out;
}

function asSvg(node, title, entries) {
  const { pads, width, height } = layout(node);
  const copies = pads.map(({ picture, x, y, width: w, height: h }) => {
    const copy = picture.tagName === 'CANVAS' ? svgElement('image', { href: picture.toDataURL('image/png') }) : picture.cloneNode(true);
    for (const [name, value] of Object.entries({ x, y, width: w, height: h })) copy.setAttribute(name, value);
    return copy;
  });
  const out = svgElement('svg', { width, height, viewBox: `0 0 ${width} ${height}` },
    [svgElement('rect', { width, height, fill: css('--panel') }), ...header(width, title, entries), ...copies]);
  out.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return { text: new XMLSerializer().serializeToString(out), width, height };
}

// `entries`: [{name, color}, …] of the legend
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
