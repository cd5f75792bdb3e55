"""Data set 1 of the CaloChallenge from end to end: layers that differ, as published (float64, no mesh in the files).

Makes showers of the two shapes, runs the commands as a user would, and computes what validate says by numpy from the
files and the edges below.

usage: data_set_1.py CALOPIPE [MODULES]
"""
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
FRONT, BACK = [0, 5, 10, 30, 50, 100, 200, 400, 600], [0, 50, 100, 200, 400, 600]
# {layer: (edges in r, parts in alpha)}, the facts of the data set
MESHES = {
    'photons': {0: (FRONT, 1),
                1: ([0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200], 10),
                2: ([0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400], 10),
                3: (BACK, 1),
                12: ([0, 100, 200, 400, 1000, 2000], 1)},
    'pions': {0: (FRONT, 1),
              1: ([0, 1, 4, 7, 10, 15, 30, 50, 90, 150, 200], 10),
              2: ([0, 5, 10, 20, 30, 50, 80, 130, 200, 300, 400], 10),
              3: (BACK, 1),
              12: ([0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 1000, 2000], 10),
              13: ([0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 600, 1000, 2000], 10),
              14: ([0, 50, 100, 150, 200, 250, 300, 400, 600, 1000, 2000], 1)},
    # no public one: given by --binning only
    'own': {0: ([0, 3, 9], 4), 2: ([1, 2, 5, 9], 1), 3: ([0, 2.5, 4.5], 3)},
}
# pid, name of the Bin elements in the binning file
BINS = {'photons': ('22', 'photon'), 'pions': ('211', 'pion'), 'own': ('11', '')}


def cells_of(mesh):
    return sum((len(edges) - 1) * parts for edges, parts in mesh.values())


def write_showers(path, mesh, seed, count, continuous=False):
    random = np.random.default_rng(seed)
    if continuous:
        energies = np.exp(random.uniform(np.log(300), np.log(3e5), count))
    else:
        energies = 2.0 ** random.choice([8, 12, 22], count)
    showers = np.zeros((count, cells_of(mesh)))
    place = 0
    for layer, (edges, parts) in mesh.items():
        size = (len(edges) - 1) * parts
        part = random.gamma(0.3, size=(count, size)) * (random.random((count, size)) < 0.4)
        part[random.random(count) < 0.1] = 0  # no energy in this layer
        if layer == 3:
            part[energies < 1000] = 0  # of no shower of the lowest energy
        showers[:, place:place + size] = part * (energies / size)[:, None] * (0.5 + 0.1 * seed)
        place += size
    showers[5] = 0  # an empty shower
    with h5py.File(path, 'w') as file:
        file['incident_energies'] = energies[:, None]
        file.create_dataset('showers', data=showers, compression='gzip')


def write_reference(path, mesh, seed, count=400):
    """Showers whose numbers are known from the challenge's own feature class (below)."""
    random = np.random.default_rng(seed)
    energies = 2.0 ** random.integers(8, 23, size=(count, 1)).astype(float)
    shares = random.dirichlet(np.full(len(mesh), 3.0), size=count)
    parts = []
    for k, (edges, alphas) in enumerate(mesh.values()):
        size = (len(edges) - 1) * alphas
        part = random.exponential(size=(count, size)) * np.exp(-np.arange(size) / max(1, size / 6))
        part *= random.random((count, size)) < 0.5
        part /= np.maximum(part.sum(1, keepdims=True), 1e-9)
        parts.append(part * shares[:, k:k + 1] * energies * 0.9)
    with h5py.File(path, 'w') as file:
        file['incident_energies'] = energies
        file['showers'] = np.concatenate(parts, 1)


def check_reference(calopipe, work, light):
    """Layer 1 of the photons of 4194.304 GeV, to the digits that are known."""
    for seed in (1, 2):
        write_reference(work / f'reference-{seed}.h5', MESHES['photons'], seed)
    calopipe('validate', '--full', work / 'reference-1.h5', '--fast', work / 'reference-2.h5', '--out', work / 'reference', *light)
    metrics = check_metrics(work / 'reference' / 'metrics.json', MESHES['photons'], work / 'reference-1.h5', work / 'reference-2.h5')
    group, = (g for g in metrics['groups'] if g['energy_gev'] == 4194.304)
    for name, value in (('layer_sparsity', 0.49598), ('layer_center_eta', -19.08807), ('layer_width_eta', 42.43838)):
        assert abs(group['layers'][name][1]['full_mean'] - value) < 0.6e-5, (name, group['layers'][name][1]['full_mean'])


def write_binning(path, names):
    text = '<Bins>\n'
    for name in names:
        pid, particle = BINS[name]
        text += f'<Bin pid="{pid}"' + (f' name="{particle}"' if particle else '') + '>\n'
        for layer, (edges, parts) in reversed(MESHES[name].items()):  # the ids count, not the order
            text += f'<Layer id="{layer}" r_edges="{",".join(map(str, edges))}" n_bin_alpha="{parts}"/>\n'
        text += '</Bin>\n'
    path.write_text(text + '</Bins>\n')


def features(path, mesh):
    """Numbers of each shower and layer, and of each shower, from the file: {name: {layer: [N]}}, {name: [N]}."""
    with h5py.File(path) as file:
        energies = file['incident_energies'][:, 0].astype(np.float32).astype(float)
        showers = file['showers'][:].astype(np.float32).astype(float)
    layers, whole, place = {}, {}, 0
    total = showers.sum(1)
    filled = total > 0
    first = np.zeros(len(total))
    second = np.zeros(len(total))
    depth = np.zeros(len(total))
    rings = []
    for layer, (edges, parts) in mesh.items():
        n_r = len(edges) - 1
        part = showers[:, place:place + n_r * parts].reshape(-1, parts, n_r)
        place += n_r * parts
        low, high = np.array(edges[:-1], float), np.array(edges[1:], float)
        radius = np.broadcast_to((low + high) / 2, (parts, n_r))
        angle = -np.pi + (np.arange(parts)[:, None] + 0.5) * 2 * np.pi / parts
        energy = part.sum((1, 2))
        layers[layer] = {'layer_energy': energy / energies, 'layer_sparsity': 1 - (part > 0).mean((1, 2))}
        axes = {'r': radius}
        if parts > 1:
            axes.update(eta=radius * np.cos(angle), phi=radius * np.sin(angle))
        for axis, position in axes.items():
            safe = np.where(energy > 0, energy, 1)
            centre = (part * position).sum((1, 2)) / safe
            square = (part * position ** 2).sum((1, 2)) / safe - centre ** 2
            layers[layer]['layer_center_' + axis] = centre
            layers[layer]['layer_width_' + axis] = np.sqrt(np.clip(square, 0, None))
        first += (part * radius).sum((1, 2))
        second += (part * radius ** 2).sum((1, 2))
        depth += layer * energy
        rings += [(a, b, part[:, :, i].sum(1)) for i, (a, b) in enumerate(zip(low, high))]
    first, second, total = first[filled] / total[filled], second[filled] / total[filled], total[filled]
    whole['lateral_first_moment'] = first
    whole['lateral_second_moment'] = second - first ** 2
    whole['longitudinal_first_moment'] = depth[filled] / total
    whole['filled_cells'] = (showers > 0).sum(1)
    whole['response'] = showers.sum(1) / energies
    # The energy within a radius is a straight line between all edges together.
    edges = np.unique([edge for a, b, _ in rings for edge in (a, b)])
    within = sum(e[filled][:, None] * np.clip((edges - a) / (b - a), 0, 1) for a, b, e in rings)
    whole['radius_90'] = np.array([crossing(edges, w, 0.9 * t) for t, w in zip(total, within)])
    return energies, layers, whole, filled


def crossing(x, y, wanted):
    """Where the polygon through the points reaches a value first."""
    i = next(i for i in range(1, len(y)) if y[i] >= wanted and y[i] > y[i - 1])
    return x[i - 1] + (wanted - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1])


class Calopipe:
    def __init__(self, program, work):
        self.program, self.work = program, work

    def __call__(self, *arguments, code=0, says=()):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, cwd=self.work)
        said = done.stdout + done.stderr
        assert done.returncode == code, f'{arguments} exits with {done.returncode}: {said}'
        for words in says:
            assert words in said, f'{arguments} does not say "{words}": {said}'
        return done.stdout


def read_json(path):
    def refuse(name):
        raise AssertionError(f'{path} holds {name}')
    return json.loads(path.read_text(), parse_constant=refuse)


def check_metrics(path, mesh, full, fast, geometry='unknown'):
    metrics = read_json(path)
    text = path.read_text()
    assert metrics['only_full'] == metrics['only_fast'] == []
    sides = {'full': features(full, mesh), 'fast': features(fast, mesh)}
    names = {name for layer in sides['full'][1].values() for name in layer}
    tests = 0
    for group in metrics['groups']:
        assert group['geometry'] == geometry, group['geometry']
        wanted = round(group['energy_gev'] * 1000)
        assert group['energy_gev'] == wanted / 1000, group['energy_gev']
        assert f'"energy_gev": {wanted / 1000}' in text
        assert f'{wanted / 1000} GeV' in group['name'], group['name']
        for side, (energies, layers, whole, filled) in sides.items():
            chosen = energies == wanted
            assert group[f'{side}_showers'] == chosen.sum()
            for name, values in whole.items():
                mine = values[chosen[filled]] if len(values) < len(energies) else values[chosen]
                got = group['observables'][name][f'{side}_mean']
                assert math.isclose(got, mine.mean(), rel_tol=2e-6, abs_tol=1e-6), (name, side, got, mine.mean())
            for name in names:
                entries = group['layers'][name]
                for layer in range(len(entries)):
                    values = layers.get(layer, {}).get(name)
                    want = 0 if values is None else values[chosen].mean()
                    got = entries[layer][f'{side}_mean']
                    # Positions of up to 2 m are float32: a mean of them near 0 is what is left of large ones.
                    tolerance = 1e-3 if 'center' in name or 'width' in name else 1e-9
                    assert math.isclose(got, want, rel_tol=1e-5, abs_tol=tolerance), (name, layer, side, got, want)
                    assert ('ks' in entries[layer]) == (values is not None), (name, layer)
        tests += sum('ks' in entry for kind in group['layers'].values() for entry in kind)
        tests += sum('ks' in entry for entry in group['observables'].values())
        units = {name: entry['unit'] for name, entry in group['observables'].items()}
        assert units['longitudinal_first_moment'] == units['peak_depth'] == 'layers', units
        assert units['longitudinal_second_moment'] == 'layers^2' and units['lateral_first_moment'] == 'mm', units
    assert metrics['summary']['tests'] == tests
    return metrics


def check_separations(metrics, mesh, full, fast):
    """The separation powers with the challenge's bins, the mean of the layers that have the quantity."""
    (e_full, p, _, _), (e_fast, q, _, _) = features(full, mesh), features(fast, mesh)
    # As many of each energy: here all, for the energies of both sides are the same.
    assert sorted(e_full) == sorted(e_fast)
    for kind in ('center_eta', 'center_phi', 'width_eta', 'width_phi'):
        powers = []
        for layer, (edges, parts) in mesh.items():
            if parts == 1:
                continue
            width = 'width' in kind
            reach = 100 if edges[-1] <= 1000 else 400 if width else 500
            bins = np.linspace(0 if width else -reach, reach, 101)
            inside = lambda values: np.clip(values, bins[0], np.nextafter(bins[-1], 0))
            a, b = (np.histogram(inside(side[layer]['layer_' + kind]), bins)[0] / len(e_full) for side in (p, q))
            powers.append(0.5 * sum((x - y) ** 2 / (x + y) for x, y in zip(a, b) if x + y > 0))
        if powers:
            got = metrics['scores']['separation_' + kind]['value']
            assert math.isclose(got, np.mean(powers), rel_tol=0.02, abs_tol=1e-4), (kind, got, np.mean(powers))


def check_browser(work, report, modules, layers):
    script = work / 'page.mjs'
    script.write_text(f"""
import {{ check, finish, launch, open }} from '{(ROOT / 'test/web/browser.mjs').as_uri()}';
const page = await open(await launch('{modules}'), '{report}');
const layers = await page.locator('#layered').getByLabel('Layer').first().locator('option').allTextContents();
check(layers.join() === '{','.join(map(str, layers))}', `layers: ${{layers}}`);
for (const layer of layers) {{
  await page.locator('#layered').getByLabel('Layer').first().selectOption(layer);
  check(await page.locator('#layered figure').count() >= 4, `layer ${{layer}} has no figures`);
}}
check((await page.locator('#showers').textContent()).includes('differ'), 'nothing says why no showers are drawn');
check(await page.locator('#observables figure').count() >= 12, 'no observables');
finish('as expected');
""")
    done = subprocess.run(['node', str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def main(program, modules=None):
    os.environ.setdefault('CALOPIPE_THREADS', '2')
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        calopipe = Calopipe(program, work)
        light = ('-q', '--replicas', 2, '--classifier-trainings', 1, '--classifier-epochs', 2)
        write_binning(work / 'all.xml', BINS)
        for name, mesh in MESHES.items():
            full, fast, cells = work / f'{name}-full.h5', work / f'{name}-fast.h5', cells_of(mesh)
            write_showers(full, mesh, 1, 300)
            write_showers(fast, mesh, 2, 300)
            with h5py.File(full) as a, h5py.File(fast, 'r+') as b:
                # The same energies, so that all showers are compared.
                factor = a['incident_energies'][:] / b['incident_energies'][:]
                b['showers'][...] = b['showers'][:] * factor
                b['incident_energies'][...] = a['incident_energies'][:]
            binning = ['--binning', work / 'all.xml'] if name == 'own' else []

            # By the number of cells; by pid; by name.
            report = json.loads(calopipe('inspect', full, '--json', *binning))
            assert len(report['mesh']['layers']) in (24, max(mesh) + 1) and report['showers'] == 300
            assert {group['min_energy_gev'] for group in report['groups']} == {0.256, 4.096, 4194.304}, report['groups']
            assert '4194.304' in calopipe('inspect', full, *binning)
            pid, particle = BINS[name]
            for word in (pid, particle or 'electron'):
                calopipe('inspect', full, '--binning', work / 'all.xml', '--particle', word)
            other = '211' if pid == '22' else '22'
            calopipe('inspect', full, '--binning', work / 'all.xml', '--particle', other, code=3,
                     says=[f'{cells} cells', f'pid {other}', str(cells_of(MESHES['pions' if pid == '22' else 'photons']))])
            calopipe('inspect', full, '--particle', pid, code=2, says=['--binning'])

            calopipe('validate', '--full', full, '--fast', fast, '--out', work / name, *binning, *light)
            metrics = check_metrics(work / name / 'metrics.json', mesh, full, fast)
            check_separations(metrics, mesh, full, fast)
            for file in ('plots.json', 'classification.json'):
                read_json(work / name / file)
                assert not re.search(r'\d\.\d{3}99999999', (work / name / file).read_text()), file
            assert '4194.304' in (work / name / 'plots.json').read_text()
            if modules:
                check_browser(work, work / name / 'report.html', modules, list(mesh))

            # Prepared showers say their mesh.
            calopipe('preprocess', '--showers', full, '--max-bad-fraction', 0.5, '--holdout-fraction', 0.3, '--geometry', 'ATLAS', '--out', work / 'prepared',
                     '-q', *binning)
            prepared = read_json(work / 'prepared' / 'report.json')
            assert prepared['training_showers'] + prepared['holdout_showers'] == features(full, mesh)[3].sum() and prepared['cells_per_shower'] == cells
            assert '4194.304 GeV' in (work / 'prepared' / 'report.md').read_text()
            calopipe('preprocess', '--showers', full, '--max-bad-fraction', 0.5, '--out', work / 'unnamed', '-q', *binning)
            # Its geometry has a name, that of the fast file has none.
            calopipe('validate', '--full', work / 'prepared', '--fast', fast, '--out', work / 'held-out', *binning, *light)
            held_out = read_json(work / 'held-out' / 'metrics.json')
            assert {group['geometry'] for group in held_out['groups']} == {'ATLAS'}

            # As in a pipeline: the configuration holds the meshes of the binning file.
            calopipe('input-parameters', '--data', full, '--binning', work / 'all.xml', '--particle', pid, '--max-energy-gev', 5000,
                     '--geometry-encoding', 'ATLAS', '--out', work / 'configuration.json')
            configured = ('preprocess', '--showers', full, '--configuration', work / 'configuration.json', '--geometry', 'ATLAS',
                          '--max-bad-fraction', 0.5, '-q', '--out', work / 'configured')
            calopipe(*configured)
            assert read_json(work / 'configured' / 'transform.json')['mesh'] == read_json(work / 'prepared' / 'transform.json')['mesh'] \
                or name != 'own'
            calopipe(*configured, '--binning', work / 'all.xml', code=2, says=['binning'])

            # Several models; of another mesh.
            calopipe('validate', '--full', full, '--fast', full, '--out', work / 'copy', *binning, *light)
            calopipe('compare', work / name, work / 'copy', '--out', work / 'comparison')
            read_json(work / 'comparison' / 'compare.json')
            if modules:
                check_browser(work, work / 'comparison' / 'report.html', modules, list(mesh))

            # Another layout and back.
            calopipe('showers', 'convert', full, work / 'sparse.h5', '--layout', 'calopipe', *binning)
            calopipe('showers', 'convert', work / 'sparse.h5', work / 'back.h5', '--layout', 'calochallenge')
            with h5py.File(full) as a, h5py.File(work / 'back.h5') as b:
                for dataset in ('showers', 'incident_energies'):
                    assert np.array_equal(a[dataset][:].astype(np.float32), b[dataset][:]), dataset
            for layout in ('par04', 'mlfastsim'):
                calopipe('showers', 'convert', full, work / 'no.h5', '--layout', layout, *binning, code=2,
                         says=['regular meshes', f'{cells} cells'])
                assert not (work / 'no.h5').exists()

            # A cascade: trained, as ONNX, and its showers.
            threshold = 0.5 if name == 'own' else 0.05
            calopipe('preprocess', '--showers', full, '--max-bad-fraction', 0.5, '--threshold-mev', threshold, '--holdout-fraction', 0.3, '--geometry', 'ATLAS',
                     '--out', work / 'cut', '-q', *binning)
            calopipe('model-parameters', '--cascade-width', 16, '--epochs', 2, '--out', work / 'small.json', '-q')
            calopipe('train', '--prepared', work / 'cut', '--description', work / 'small.json', '--out', work / 'trained', '-q')
            calopipe('convert', '--model', work / 'trained' / 'model', '--out', work / 'model.onnx', '-q')
            calopipe('convert', '--model', work / 'trained' / 'model', '--contract', 'par04-vae', '--out', work / 'no.onnx', '-q', code=2,
                     says=['regular meshes', f'{cells} cells'])
            showers = {}
            for model, layout in ((work / 'trained' / 'model', 'calochallenge'), (work / 'model.onnx', 'calochallenge'), (work / 'model.onnx', 'calopipe')):
                made = work / f'made-{model.suffix}-{layout}.h5'
                calopipe('generate', '--model', model, '--like', work / 'cut', '--layout', layout, '--out', made, '-q')
                if layout == 'calochallenge':
                    with h5py.File(made) as file:
                        showers[model.suffix] = file['showers'][:]
            assert np.array_equal(*showers.values())
            assert showers['.onnx'].shape[1] == cells and (showers['.onnx'] > 0).sum() > 0
            assert showers['.onnx'][showers['.onnx'] > 0].min() >= threshold
            calopipe('validate', '--full', work / 'cut', '--fast', made, '--out', work / 'modelled', *light, '--classifiers', 'trees,expert-trees')
            assert read_json(work / 'modelled' / 'metrics.json')['classifiers']

            # Energies of a spectrum.
            for seed in (1, 2):
                write_showers(work / f'spectrum-{seed}.h5', mesh, seed, 200, continuous=True)
            calopipe('validate', '--full', work / 'spectrum-1.h5', '--fast', work / 'spectrum-2.h5', '--out', work / 'spectrum', *binning, *light)
            for file in ('metrics.json', 'plots.json', 'classification.json'):
                read_json(work / 'spectrum' / file)
            print(f'{name}: as computed by numpy')

        check_reference(calopipe, work, light)

        # Never over or beside what is read.
        (work / 'folder').mkdir()
        (work / 'folder' / 'a.h5').write_bytes((work / 'photons-full.h5').read_bytes())
        for there in ('folder/b.h5', 'folder/../folder/b.h5'):
            calopipe('showers', 'convert', 'folder', there, '--layout', 'calopipe', code=2, says=['which is the input'])
        calopipe('showers', 'convert', 'folder/a.h5', 'folder/a.h5', '--layout', 'calopipe', code=2, says=['which is an input'])

        # Photons against pions are no comparison.
        calopipe('validate', '--full', work / 'photons-full.h5', '--fast', work / 'pions-full.h5', '--out', work / 'x', '-q', code=3,
                 says=['368 cells', '533 cells'])
        calopipe('compare', work / 'photons', work / 'pions', '--out', work / 'x', code=3, says=['another mesh'])
        assert not (work / 'x').exists()
        calopipe('inspect', work / 'own-full.h5', code=3, says=[f"{cells_of(MESHES['own'])} cells", '--binning'])


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]), *map(os.path.abspath, sys.argv[2:3]))
