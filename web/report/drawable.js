// Elements that are drawn when they come into view, one after another (plots share JSROOT's style).
const all = new Set();
const byNode = new Map();
let waiting = [];
let running = null;

const seen = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    const item = byNode.get(target);
    if (!item) continue;
    item.visible = isIntersecting;
    if (isIntersecting && item.stale) later(item);
  }
}, { rootMargin: '500px' });

function later(item) {
  if (!waiting.includes(item)) waiting.push(item);
  running ??= run();
}

async function run() {
  while (waiting.length > 0) {
    // A pause, so that the page stays responsive.
    await new Promise(resolve => { setTimeout(resolve); });
    const item = waiting.shift();
    if (item && all.has(item) && item.stale) await update(item);
  }
  running = null;
}

async function update(item) {
  item.stale = false;
  await item.draw();
  item.node.dataset.drawn = item.drawnAs?.() ?? 'yes';
}

// Subclasses implement draw().
export class Drawable {
  constructor(node) {
    this.node = node;
    this.stale = true;
    this.visible = false;
    all.add(this);
    byNode.set(node, this);
    seen.observe(node);
  }

  invalidate() {
    this.stale = true;
    delete this.node.dataset.drawn;
    if (this.visible) later(this);
  }

  remove() {
    all.delete(this);
    byNode.delete(this.node);
    seen.unobserve(this.node);
    this.node.remove();
  }
}

export const invalidateAll = () => all.forEach(item => item.invalidate());

// Draws everything without timers: printing waits for nothing else.
export async function drawAll() {
  for (const item of all) if (item.stale) await update(item);
}

// Resolves when everything in view is drawn.
export async function settled() {
  const frame = () => new Promise(resolve => { requestAnimationFrame(resolve); });
  await frame();
  await frame();
  while (running) await running;
}
