"""The training pipeline gives the same outputs here and in the cluster.

Compiles it for Kubeflow, lets the Python SDK load it, runs the compiled file by an interpreter of the launcher's
contract (test/kfp/launcher.py), runs the pipeline with `calopipe run`, and compares every output of every task.

usage: contract_test.py CALOPIPE
"""
import difflib
import json
import os
import pathlib
import pprint
import re
import subprocess
import sys
import tempfile

import yaml
from google.protobuf import json_format
from kfp import components, dsl
from kfp.compiler import Compiler
from kfp.pipeline_spec import pipeline_spec_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = {'data': str(ROOT / 'data/mlfastsim'), 'max_energy_gev': 64, 'energies_gev': [1, 64], 'epochs': 2,
              'train_seed': 7, 'preprocess_holdout_fraction': 0.2}
SETTINGS = ['input-parameters.data=' + PARAMETERS['data'], 'input-parameters.max_energy_gev=64',
            'input-parameters.energies_gev=1,64', 'model-parameters.epochs=2', 'train.seed=7',
            'preprocess.holdout_fraction=0.2']
# How fast the machine was.
MEASURED = {'time_unix_s', 'showers_per_second', 'showers_per_s', 'start_ms', 'latency_ms', 'latency_p99_ms', 'latency_gain',
            'throughput_gain', 'seconds', 'seconds_per_shower', 'working_memory_bytes', 'memory_per_shower_bytes',
            'peak_memory_bytes', 'speed_up', 'cost', 'performance'}  # the last: hash of a file of such figures


def content(path):
    """What a file or folder holds, without what depends on the machine's speed."""
    path = pathlib.Path(path)
    if path.is_dir():
        return {str(f.relative_to(path)): content(f) for f in sorted(path.rglob('*'))
                if f.is_file() and not f.name.startswith('events.out')}
    data = path.read_bytes()
    if data.startswith(b'# A fast-simulation model'):  # without its table of speeds
        return [line for line in data.decode().splitlines()
                if not line.startswith(('| fp32', '| bf16', '| int8', '| w8a8'))]
    if b'<script type="application/json" id="data">' in data:  # the figures of the page, and the page around them
        before, figures, behind = re.fullmatch(r'(.*<script type="application/json" id="data">)(.*?)(</script>.*)', data.decode(),
                                               re.DOTALL).groups()
        figures = json.loads(figures)
        verdict = figures['page']['verdict']
        verdict[:] = [sentence for sentence in verdict if 'showers in the time of one' not in sentence['text']]
        return before + behind, without_measured(figures)
    if not data.startswith(b'{'):
        return data
    if path.suffix == '.jsonl':
        return [without_measured(json.loads(line)) for line in data.decode().splitlines()]
    return without_measured(json.loads(data))


def without_measured(value):
    if isinstance(value, dict):
        return {k: without_measured(v) for k, v in value.items() if k not in MEASURED}
    if isinstance(value, list):
        return [without_measured(v) for v in value if not (isinstance(v, dict) and v.get('group') == 'Cost')]
    return value


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    assert done.returncode == 0, f'{command} exits with {done.returncode}: {done.stdout}'
    return done.stdout


def check_sdk(file):
    """The SDK loads the file, and writes the same spec again when a pipeline uses it."""
    loaded = components.load_component_from_file(str(file))
    documents = list(yaml.safe_load_all(file.read_text()))
    strict = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(json_format.MessageToDict(strict.deployment_spec),
                          pipeline_spec_pb2.PipelineDeploymentConfig())
    assert json_format.MessageToDict(loaded.pipeline_spec) == json_format.MessageToDict(strict)
    return loaded


def main(calopipe):
    os.environ['CALOPIPE_THREADS'] = '1'
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        compiled = work / 'training.yaml'
        run(calopipe, 'pipeline', 'compile', 'training', '--site', str(ROOT / 'deploy/sites/cern.yaml'), '--out',
            str(compiled))
        print(run(calopipe, 'pipeline', 'validate', str(compiled)))
        check_sdk(compiled)

        # Components, one by one and in a pipeline of the SDK's.
        run(calopipe, 'components', 'export', '--out', str(work / 'components'))
        loaded = {file.stem: check_sdk(file) for file in (work / 'components').glob('*.yaml')}
        assert {'input-parameters', 'preprocess', 'train', 'generate', 'validate', 'convert', 'optimise', 'benchmark'} <= loaded.keys(), loaded

        @dsl.pipeline(name='of-our-components')
        def of_our_components(data: str):
            prepare = loaded['preprocess'](data=data)
            train = loaded['train'](prepared=prepare.outputs['prepared'], epochs=1)
            loaded['generate'](model=train.outputs['model'], like=prepare.outputs['prepared'])
        Compiler().compile(of_our_components, str(work / 'theirs.yaml'))
        print(run(calopipe, 'pipeline', 'validate', str(work / 'theirs.yaml')))

        # The contract of the launcher.
        (work / 'parameters.json').write_text(json.dumps(PARAMETERS))
        theirs = json.loads(run(sys.executable, str(ROOT / 'test/kfp/launcher.py'), str(compiled), '--work',
                                str(work / 'launcher'), '--local-root', str(work / 'cluster'), '--program',
                                'calopipe=' + calopipe, '--parameters', str(work / 'parameters.json')))
        assert theirs['state'] == 'SUCCEEDED'

        # The local runner.
        settings = [word for setting in SETTINGS for word in ('--set', setting)]
        store = ['--store', str(work / 'store')]
        ran = json.loads(run(calopipe, 'run', '-q', '--json', *store, *settings, '--out', str(work / 'out')))
        ours = json.loads(run(calopipe, 'runs', 'show', ran['run'], '--json', *store))
        artifacts = {(a['task'], a['name']): a for a in ours['artifacts'] if a['direction'] == 'output'}
        parameters = {t['path']: t['outputs'] for t in ours['tasks']}

        compared = 0
        for task in theirs['tasks']:
            if task['kind'] != 'container':
                continue
            assert parameters[task['task']] == task['outputs']['parameters'], task['task']
            for name, artifact in task['outputs']['artifacts'].items():
                mine = artifacts[task['task'], name]
                where = f"{task['task']}.{name}"
                a, b = content(mine['path']), content(artifact['path'])
                if a != b:
                    lines = [pprint.pformat(value).splitlines() for value in (a, b)]
                    print(*list(difflib.unified_diff(*lines, 'local', 'launcher', lineterm=''))[:100], sep='\n')
                assert a == b, f'{where}: other content'
                assert without_measured(mine['metadata']) == without_measured(artifact['metadata']), where
                assert mine['type'] == artifact['type'], where
                compared += 1
        assert compared >= 15, compared
        types = {a['type'] for a in artifacts.values()}
        assert {'system.Metrics', 'system.ClassificationMetrics', 'system.HTML', 'system.Model'} <= types, types
        print(f'{compared} artifacts are the same under the launcher and the local runner')


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]))
