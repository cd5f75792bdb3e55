// Functions that create elements.
export function element(tag, properties = {}, children = []) {
  const { dataset, style, ...rest } = properties;
  const out = Object.assign(document.createElement(tag), rest);
  Object.assign(out.dataset, dataset);
  Object.assign(out.style, style);
  out.append(...children);
  return out;
}

const kSvg = 'http://www.w3.org/2000/svg';

export function svgElement(tag, attributes = {}, children = []) {
  const out = document.createElementNS(kSvg, tag);
  for (const [name, value] of Object.entries(attributes)) out.setAttribute(name, value);
  out.append(...children);
  return out;
}

export function button(text, title, onclick, properties = {}) {
  return element('button', { type: 'button', textContent: text, title, onclick, ...properties });
}

// A button with two states: `onchange` gets the new state.
export function toggle(text, title, pressed, onchange) {
  const out = button(text, title, () => {
    const now = out.getAttribute('aria-pressed') !== 'true';
    out.setAttribute('aria-pressed', now);
    onchange(now);
  });
  out.setAttribute('aria-pressed', pressed);
  return out;
}

export function label(text, control) {
  return element('label', {}, [element('span', { textContent: text }), control]);
}

// `options`: strings, or [value, string] pairs
export function select(options, value, onchange, properties = {}) {
  const out = element('select', properties);
  setOptions(out, options, value);
  out.onchange = () => onchange(out.value);
  return out;
}

export function setOptions(node, options, value) {
  node.replaceChildren(...options.map((option, i) => {
    const [key, text] = Array.isArray(option) ? option : [i, option];
    return element('option', { value: key, textContent: text });
  }));
  node.value = value;
}

export function slider(min, max, value, oninput, properties = {}) {
  const out = element('input', { type: 'range', min, max, step: properties.step ?? 1, ...properties });
  out.value = value;
  out.oninput = () => oninput(Number(out.value));
  return out;
}
