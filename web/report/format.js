// Numbers as strings.
const kSuperscripts = { '-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹' };
const superscript = n => [...String(n)].map(c => kSuperscripts[c]).join('');
const minus = text => text.replace(/^-/, '−');

export const power = n => `10${superscript(n)}`;

function parts(value, error) {
  const size = Math.abs(value) || error || 1;
  const exponent = Math.floor(Math.log10(Math.max(size, error ?? 0)));
  const scale = exponent < -4 || exponent > 5 ? exponent : 0;
  let digits = 2 - Math.floor(Math.log10(size)) + scale;
  if (error > 0) {
    // One digit of the error, or two if it begins with 1 or 2.
    const order = Math.floor(Math.log10(error));
    digits = (error / 10 ** order < 2.95 ? 1 : 0) - order + scale;
  }
  return { scale, digits: Math.min(Math.max(digits, 0), 8) };
}

export function plain(value) {
  const { scale, digits } = parts(value);
  return minus((value / 10 ** scale).toFixed(digits)) + (scale ? `·${power(scale)}` : '');
}

export function withError(value, error) {
  // Rounding is not an error.
  if (!(error > 1e-7 * Math.abs(value))) return plain(value);
  const { scale, digits } = parts(value, error);
  const text = `${minus((value / 10 ** scale).toFixed(digits))} ± ${(error / 10 ** scale).toFixed(digits)}`;
  return scale ? `(${text})·${power(scale)}` : text;
}

// The same number of digits as in withError(value, error)
export function alike(other, value, error) {
  const { scale, digits } = parts(value, error);
  return minus((other / 10 ** scale).toFixed(digits)) + (scale ? `·${power(scale)}` : '');
}

export const percent = (value, error) =>
  `${value > 0 ? '+' : ''}${minus((100 * value).toFixed(2))}${error > 0 ? ` ± ${(100 * error).toFixed(2)}` : ''} %`;

export const probability = p => p < 1e-4 ? `< ${power(-4)}` : p.toPrecision(2);

export function energyText(mev) {
  const [value, unit] = mev >= 1000 ? [mev / 1000, 'GeV'] : mev >= 1 ? [mev, 'MeV'] : mev >= 1e-3 || mev === 0 ? [mev * 1e3, 'keV'] : [mev * 1e6, 'eV'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}
