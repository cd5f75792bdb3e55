// The page's JSON data in #data (there are no requests), and its packed parts.
export const data = JSON.parse(document.getElementById('data').textContent);
export const models = data.models.map(m => m.label);
// Numbers of the layers that have cells. There is no data.mesh if the layers differ, and some of these layers
// may have no cells.
export const layers = data.mesh ? Array.from({ length: data.mesh.n_z }, (_, i) => i)
  : (data.conditions[0]?.layered[0]?.layers ?? []).flatMap((figure, i) => figure.full.n > 0 ? [i] : []);

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0));
}

// {cells, energies}, in descending order of energy, or null
export function unpackShower(shower) {
  if (!shower) return null;
  const cells = new Uint32Array(bytesOf(shower.cells).buffer), energies = new Float32Array(bytesOf(shower.energies).buffer);
  const order = Uint32Array.from(cells.keys()).sort((a, b) => energies[b] - energies[a]);
  return { ...shower, cells: order.map(i => cells[i]), energies: Float32Array.from(order, i => energies[i]) };
}

// Sizes of the cells of a condition's geometry in mm: { r, z }. Geometries may have cells of different sizes.
export function cellSizes(condition) {
  const { size_r_mm: r, size_z_mm: z } = data.cell_sizes?.[condition.geometry] ?? data.mesh;
  return { r, z };
}

export function cellPlace(cell) {
  const { n_phi: nPhi, n_z: nZ } = data.mesh;
  return { r: Math.floor(cell / (nPhi * nZ)), phi: Math.floor(cell / nZ) % nPhi, z: cell % nZ };
}

// Energies in MeV of all cells of the mesh, from a map of means ...
export function energiesOfMap(map) {
  if (!map) return null;
  const codes = bytesOf(map.codes);
  const levels = Float64Array.from({ length: 256 }, (_, code) => code === 0 ? 0 : 10 ** (map.low + (code - 1) / 254 * (map.high - map.low)));
  return Float32Array.from(codes, code => levels[code]);
}

// ... or from one shower.
export function energiesOfShower(shower) {
  if (!shower) return null;
  const { n_r: nR, n_phi: nPhi, n_z: nZ } = data.mesh;
  const out = new Float32Array(nR * nPhi * nZ);
  const { cells, energies } = unpackShower(shower);
  cells.forEach((cell, i) => { out[cell] = energies[i]; });
  return out;
}
