// Pictures on canvases, with their colour scale.
import { css, kLevels } from './colors.js';
import { element } from '../page/dom.js';
import { energyText } from './format.js';

const kFont = '12px sans-serif';
export const kBoldFont = '600 13px sans-serif';

// A canvas in the resolution of the screen; `draw` uses the page's pixels.
export function canvas(width, height, draw, text) {
  const scale = Math.max(devicePixelRatio, 2);
  const out = element('canvas', { width: width * scale, height: height * scale, style: { width: `${width}px`, height: `${height}px` }, role: 'img', ariaLabel: text });
  const context = out.getContext('2d');
  context.scale(scale, scale);
  context.font = kFont;
  draw(context);
  return out;
}

export function write(context, text, x, y, { align = 'left', font = kFont, color = css('--text') } = {}) {
  Object.assign(context, { font, fillStyle: color, textAlign: align });
  context.fillText(text, x, y);
}

// Colour bar for energies from 10^low to 10^high MeV
export function colorBar(width, { low, high }, colors) {
  const kLeft = 40, inner = width - 2 * kLeft;
  return canvas(width, 38, context => {
    colors.forEach((color, i) => {
      context.fillStyle = color;
      context.fillRect(kLeft + i * inner / kLevels, 4, inner / kLevels + 0.5, 12);
    });
    for (let power = Math.ceil(low); power <= high; ++power)
      write(context, energyText(10 ** power), kLeft + (power - low) / (high - low || 1) * inner, 31, { align: 'center' });
  }, `Colours from ${energyText(10 ** low)} to ${energyText(10 ** high)}`);
}
