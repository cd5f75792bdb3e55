// Colours of the page's style sheet and of heat maps.
export const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const kModelColors = 5;
// Name of a model's colour in the style sheet, so that it follows the theme.
export const modelVariable = i => `--model-${i % kModelColors}`;
export const modelColor = i => css(modelVariable(i));

function channels(hex) {
  const long = hex.length === 4 ? [...hex.slice(1)].map(c => c + c).join('') : hex.slice(1);
  return [0, 2, 4].map(at => parseInt(long.slice(at, at + 2), 16));
}

const hexOf = rgb => `#${rgb.map(c => Math.round(c).toString(16).padStart(2, '0')).join('')}`;

// Interpolation between anchors at equal distances in 0 … 1.
function between(anchors, at) {
  const place = Math.min(Math.max(at, 0), 1) * (anchors.length - 1);
  const i = Math.min(Math.floor(place), anchors.length - 2);
  return anchors[i].map((c, k) => c + (place - i) * (anchors[i + 1][k] - c));
}

export const isDark = () => channels(css('--back')).reduce((a, b) => a + b) < 384;

// Inferno: lightness increases evenly, also for colour-blind readers.
const kInferno = ['#000004', '#1b0c41', '#4a0c6b', '#781c6d', '#a52c60', '#cf4446', '#ed6925', '#fb9b06', '#f7d13d', '#fcffa4'].map(channels);
export const kLevels = 128;

// `kLevels` colours from low to high. Low ones are close to the background, so that high ones stand out:
// light to dark, or dark to light in the dark theme.
export function heatColors() {
  const [low, high] = isDark() ? [0.16, 1] : [0.9, 0.18];
  return Array.from({ length: kLevels }, (_, i) => hexOf(between(kInferno, low + (high - low) * i / (kLevels - 1))));
}

// For -1 … 1: from the colour of full showers through the background to that of fast showers.
export function divergingColors() {
  const anchors = [css('--full-line'), css('--back'), css('--fast')].map(channels);
  return Array.from({ length: kLevels }, (_, i) => hexOf(between(anchors, i / (kLevels - 1))));
}

export const levelOf = share => Math.min(kLevels - 1, Math.max(0, Math.floor(share * kLevels)));

// The page follows the system's theme; `theme` ('light', 'dark') overrides it, and null removes the override.
// The style sheets use media queries for the theme, so these are changed.
const kDarkQuery = '(prefers-color-scheme: dark)';
const darkRules = [];
export function setTheme(theme) {
  if (darkRules.length === 0)
    for (const sheet of document.styleSheets)
      for (const rule of sheet.cssRules) if (rule.media?.mediaText === kDarkQuery) darkRules.push(rule);
  const query = theme === 'dark' ? 'all' : theme === 'light' ? 'not all' : kDarkQuery;
  for (const rule of darkRules) rule.media.mediaText = query;
  document.documentElement.style.colorScheme = theme ?? '';
}
