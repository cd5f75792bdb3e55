// The reader's choices. Parts of the page listen to the keys that they show.
import { data, layers, models } from './data.js';

const state = { condition: 0, enabled: models.map(() => true), layer: layers[Math.floor(layers.length / 3)] ?? 0 };
const listeners = [];

export const selection = state;
export const condition = () => data.conditions[state.condition];
export const enabledModels = () => models.map((_, i) => i).filter(i => state.enabled[i]);

// `action` is called after a change of any of `keys`.
export const on = (keys, action) => listeners.push({ keys, action });

export function choose(changes) {
  const changed = Object.keys(changes).filter(key => state[key] !== changes[key]);
  if (changed.length === 0) return;
  Object.assign(state, changes);
  for (const { keys, action } of listeners) if (keys.some(key => changed.includes(key))) action();
}

export function step(by) {
  const count = data.conditions.length;
  choose({ condition: (state.condition + by + count) % count });
}
