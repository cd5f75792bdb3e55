// Two showers side by side in three dimensions with three.js: cells are wedges, and colours show their
// energy.
import {
  BufferAttribute, BufferGeometry, Color, DirectionalLight, HemisphereLight, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4,
  MeshLambertMaterial, PerspectiveCamera, Scene, Vector3, WebGLRenderer,
} from '../node_modules/three/build/three.module.js';
import { css, heatColors, levelOf } from './colors.js';
import { cellPlace, data } from './data.js';

const { n_r: kR, n_phi: kPhi, n_z: kZ } = data.mesh ?? {};
const kGap = 0.94;  // a small gap between neighbours
const kSmallest = 0.3;
const kFieldOfView = 28;
const kStart = { azimuth: -0.55, height: 0.42, zoom: 1.12 };

// A cell of ring `r` around its centre: the beam is along x, and the centre is on y.
function wedge(r, sizes) {
  const inside = r * sizes.r, outside = (r + 1) * sizes.r, middle = (r + 0.5) * sizes.r, half = Math.PI / kPhi;
  const corner = (x, far, side) => {
    const radius = far ? outside : inside;
    return new Vector3((x - 0.5) * sizes.z, radius * Math.cos(half) - middle, (side - 0.5) * 2 * radius * Math.sin(half)).multiplyScalar(kGap);
  };
  const points = [];
  // Each face is given by its four corners in order
  for (const axis of [0, 1, 2])
    for (const end of [0, 1]) {
      const corners = [[0, 0], [0, 1], [1, 1], [1, 0]].map(pair => {
        const at = [...pair];
        at.splice(axis, 0, end);
        return corner(...at);
      });
      const normal = new Vector3().subVectors(corners[2], corners[0]).cross(new Vector3().subVectors(corners[3], corners[1]));
      if (normal.dot(corners.reduce((sum, c) => sum.add(c), new Vector3())) < 0) corners.reverse();
      for (const i of [0, 1, 2, 0, 2, 3]) points.push(...corners[i].toArray());
    }
  const out = new BufferGeometry();
  out.setAttribute('position', new BufferAttribute(new Float32Array(points), 3));
  out.computeVertexNormals();
  return out;
}

// Outline of the cylinder, and the axis with an arrow at the particle's entrance.
function outline({ length, radius }) {
  const points = [];
  const kSteps = 64, kLines = 8;
  const at = (x, angle) => [x, radius * Math.cos(angle), radius * Math.sin(angle)];
  for (const x of [-length / 2, length / 2])
    for (let i = 0; i < kSteps; ++i) points.push(...at(x, 2 * Math.PI * i / kSteps), ...at(x, 2 * Math.PI * (i + 1) / kSteps));
  for (let i = 0; i < kLines; ++i) points.push(...at(-length / 2, 2 * Math.PI * i / kLines), ...at(length / 2, 2 * Math.PI * i / kLines));
  const entry = -length / 2, head = radius * 0.07;
  points.push(entry - radius, 0, 0, length / 2 + radius * 0.3, 0, 0);
  for (const [y, z] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) points.push(entry, 0, 0, entry - 2 * head, y * head, z * head);
  const out = new BufferGeometry();
  out.setAttribute('position', new BufferAttribute(new Float32Array(points), 3));
  return out;
}

export class ShowerScene {
  // Throws if there is no WebGL.
  constructor(canvas) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
    this.renderer.setScissorTest(true);
    this.camera = new PerspectiveCamera(kFieldOfView, 1, 1, 1000);
    this.view = { ...kStart };
    this.material = new MeshLambertMaterial();
    this.lines = new LineBasicMaterial();
    this.sides = [0, 1].map(() => {
      const scene = new Scene(), frame = new LineSegments(new BufferGeometry(), this.lines), sun = new DirectionalLight(0xffffff, 1.5);
      scene.add(new HemisphereLight(0xffffff, 0xbbbbbb, 2.1), sun, sun.target, frame);
      return { scene, sun, frame, rings: [] };
    });
  }

  // `sizes` of a cell in mm: { r, z }. Showers are to be set afterwards.
  setSizes(sizes) {
    if (this.sizes?.r === sizes.r && this.sizes?.z === sizes.z) return;
    this.sizes = sizes;
    this.length = kZ * sizes.z;
    this.reach = Math.hypot(this.length / 2, kR * sizes.r);
    this.camera.far = 40 * this.reach;
    for (const old of this.wedges ?? []) old.dispose();
    this.wedges = Array.from({ length: kR }, (_, r) => wedge(r, sizes));
    const lines = outline({ length: this.length, radius: kR * sizes.r });
    this.sides[0].frame.geometry.dispose();
    for (const { frame } of this.sides) frame.geometry = lines;
  }

  // `width` is that of both views.
  setSize(width, height) {
    this.width = width;
    this.height = height;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
  }

  setTheme() {
    this.background = new Color(css('--panel'));
    this.lines.color.set(css('--soft'));
    this.lines.opacity = 0.45;
    this.lines.transparent = true;
    this.colors = heatColors().map(hex => new Color(hex));
  }

  // `showers`: full and fast, with sorted energies, or null. `scale(energy)`: position in the colour scale
  setShowers(showers, scale, sized) {
    showers.forEach((shower, at) => {
      const side = this.sides[at];
      for (const { mesh } of side.rings) {
        side.scene.remove(mesh);
        mesh.dispose();
      }
      const byRing = Array.from({ length: kR }, () => []);
      shower?.cells.forEach((cell, i) => byRing[cellPlace(cell).r].push(i));
      side.rings = byRing.flatMap((indices, r) => {
        if (indices.length === 0) return [];
        const mesh = new InstancedMesh(this.wedges[r], this.material, indices.length);
        const matrix = new Matrix4();
        indices.forEach((index, i) => {
          const { phi, z } = cellPlace(shower.cells[index]);
          const angle = 2 * Math.PI * (phi + 0.5) / kPhi, radius = (r + 0.5) * this.sizes.r;
          const share = scale(shower.energies[index]);
          const size = sized ? kSmallest + (1 - kSmallest) * Math.min(1, Math.max(0, share)) : 1;
          const c = Math.cos(angle), s = Math.sin(angle);
          matrix.set(size, 0, 0, (z + 0.5) * this.sizes.z - this.length / 2, 0, size * c, -size * s, radius * c, 0, size * s, size * c, radius * s, 0, 0, 0, 1);
          mesh.setMatrixAt(i, matrix);
          mesh.setColorAt(i, this.colors[levelOf(share)]);
        });
        mesh.frustumCulled = false;
        side.scene.add(mesh);
        return [{ mesh, energies: indices.map(i => shower.energies[i]) }];
      });
    });
  }

  // Cells are sorted by energy, so those above the threshold come first.
  setThreshold(mev) {
    for (const { mesh, energies } of this.sides.flatMap(side => side.rings)) {
      const end = energies.findIndex(e => e < mev);
      mesh.count = end < 0 ? energies.length : end;
    }
  }

  turn(azimuth, height) {
    this.view.azimuth += azimuth;
    this.view.height = Math.min(Math.max(this.view.height + height, -1.5), 1.5);
  }

  zoom(factor) {
    this.view.zoom = Math.min(Math.max(this.view.zoom * factor, 0.4), 12);
  }

  reset() {
    this.view = { ...kStart };
  }

  draw() {
    const half = this.width / 2, { azimuth, height, zoom } = this.view;
    this.camera.aspect = half / this.height;
    // Far enough to see the cylinder in both directions.
    const opening = Math.tan(kFieldOfView * Math.PI / 360) * Math.min(1, this.camera.aspect);
    const distance = 1.02 * this.reach / Math.sin(Math.atan(opening)) / zoom;
    this.camera.position.set(Math.sin(azimuth) * Math.cos(height), Math.sin(height), Math.cos(azimuth) * Math.cos(height)).multiplyScalar(distance);
    this.camera.near = Math.max(distance - 2 * this.reach, 1);
    this.camera.lookAt(0, 0, 0);
    this.camera.updateProjectionMatrix();
    this.sides.forEach(({ scene, sun }, at) => {
      scene.background = this.background;
      sun.position.copy(this.camera.position).add(new Vector3(0, distance / 2, 0));
      this.renderer.setViewport(at * half, 0, half, this.height);
      this.renderer.setScissor(at * half, 0, half, this.height);
      this.renderer.render(scene, this.camera);
    });
  }
}
