"""Pipelines written with the Python SDK, one per feature; the C++ tests build the same and compare.

peer_pipelines.py compile FOLDER       writes FOLDER/<name>.yaml for each
peer_pipelines.py reload OURS          the SDK loads each file of a folder and writes it as the same data
"""
import json
import pathlib
import sys
import warnings
from typing import Dict, List, Optional

warnings.filterwarnings('ignore')

from google.protobuf import json_format
import yaml
from kfp import compiler, components, dsl, kubernetes
from kfp.dsl import (Artifact, ClassificationMetrics, Dataset, HTML, Input, Metrics, Model, Output, OutputPath,
                     PipelineTaskFinalStatus)

IMAGE = 'registry.example.org/tools@sha256:0123'


# --- components ---

@dsl.container_component
def flip_coin(out: OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=['flip'], args=['--out', out])


@dsl.container_component
def say(text: str):
    return dsl.ContainerSpec(image=IMAGE, command=['say', text])


@dsl.container_component
def repeat(text: str, out: OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=['repeat'], args=[text, '--out', out])


@dsl.container_component
def count(n: int, out: OutputPath(int)):
    return dsl.ContainerSpec(image=IMAGE, command=['count'], args=['--n', n, '--out', out])


@dsl.container_component
def prepare(showers: Input[Dataset], prepared: Output[Dataset], fraction: float = 0.1, seed: int = 42):
    """Prepares.

    Args:
        showers: What Geant4 made.
        fraction: How much is held out.
    """
    return dsl.ContainerSpec(
        image=IMAGE, command=['prepare'],
        args=['--showers', showers.path, f'--fraction={fraction}', '--seed', seed, '--out', prepared.path])


@dsl.container_component
def train(prepared: Input[Dataset], model: Output[Model], metrics: Output[Metrics], loss: OutputPath(float),
          epochs: int, layers: List[int], options: Dict[str, str], resume: bool = False):
    return dsl.ContainerSpec(
        image=IMAGE, command=['train', '{{$}}'],
        args=[prepared.uri, prepared.metadata, model.uri, metrics.path, loss])


@dsl.container_component
def split(names: OutputPath(List[str]), settings: OutputPath(List[Dict[str, int]]), options: OutputPath(Dict[str, str])):
    return dsl.ContainerSpec(image=IMAGE, command=['split'], args=[names, settings, options])


@dsl.container_component
def merge(models: Input[List[Model]], merged: Output[Model]):
    return dsl.ContainerSpec(image=IMAGE, command=['merge'], args=['--models', models, '--out', merged.path])


@dsl.container_component
def add_up(numbers: List[int], out: OutputPath(int)):
    return dsl.ContainerSpec(image=IMAGE, command=['add'], args=['--numbers', numbers, out])


@dsl.container_component
def fit(n: int, model: Output[Model]):
    return dsl.ContainerSpec(image=IMAGE, command=['fit'], args=['--n', n, model.path])


@dsl.container_component
def use(model: Input[Model]):
    return dsl.ContainerSpec(image=IMAGE, command=['use'], args=[model.path])


@dsl.container_component
def clean_up(text: str, status: PipelineTaskFinalStatus):
    return dsl.ContainerSpec(image=IMAGE, command=['clean-up'], args=[text, status])


@dsl.container_component
def maybe(a: Optional[str] = None, b: str = 'b', data: Input[Dataset] = None):
    return dsl.ContainerSpec(
        image=IMAGE, command=['maybe', '{{$}}'],
        args=[
            dsl.IfPresentPlaceholder(input_name='a', then=['--a', a], else_=['--no-a']),
            dsl.IfPresentPlaceholder(input_name='b', then=['--b', b])
        ])


@dsl.container_component
def guess(a: str = 'nothing'):
    return dsl.ContainerSpec(image=IMAGE, command=['guess'], args=[a])


@dsl.container_component
def wait():
    return dsl.ContainerSpec(image=IMAGE, command=['wait'])


PIPELINES = {}


def peer(pipeline):
    """Registers a pipeline under the name of its Python function."""
    PIPELINES[pipeline.pipeline_func.__name__] = pipeline
    return pipeline


@peer
@dsl.pipeline(name='plain-tasks', description='Two tasks.\nAnd what they pass on.', display_name='Plain tasks',
              pipeline_root='s3://bucket/root')
def plain_tasks(showers: Input[Dataset], epochs: int = 20, label: str = 'none', layers: List[int] = [3, 4],
                options: Dict[str, str] = {'a': 'b'}, resume: bool = False, rate: float = 0.5,
                comment: Optional[str] = None) -> Model:
    prepared = prepare(showers=showers, fraction=rate, seed=42)
    trained = train(prepared=prepared.outputs['prepared'], epochs=epochs, layers=layers, options=options,
                    resume=resume)
    say(text=comment)
    say(text=label)
    say(text='constant').set_display_name('Says something')
    train(prepared=prepared.outputs['prepared'], epochs=7, layers=[1, 2], options={'k': 'v', 'n': 3}, resume=True)
    return trained.outputs['model']


@peer
@dsl.pipeline(name='importers')
def importers(uri: str):
    first = dsl.importer(artifact_uri=uri, artifact_class=Dataset, reimport=True)
    second = dsl.importer(artifact_uri='s3://bucket/showers.h5', artifact_class=Dataset,
                          metadata={'geometry': 'SiW', 'angle': 90, 'from': uri, 'text': f'from {uri}'})
    prepare(showers=first.output, fraction=0.1, seed=1)
    prepare(showers=second.output, fraction=0.1, seed=1)


@peer
@dsl.pipeline(name='condition')
def condition():
    coin = flip_coin()
    with dsl.If(coin.outputs['out'] == 'heads', 'got-heads'):
        say(text=coin.outputs['out'])


@peer
@dsl.pipeline(name='comparisons')
def comparisons(n: int, rate: float, flag: bool, word: str = 'a'):
    number = count(n=n).outputs['out']
    with dsl.If(number > 3):
        say(text='1')
    with dsl.If(number <= rate):
        say(text='2')
    with dsl.If(rate >= 2):
        say(text='3')
    with dsl.If(flag == True):
        say(text='4')
    with dsl.If(word != 'b'):
        say(text='5')
    with dsl.If(word == 5):
        say(text='6')
    with dsl.If(rate < 1e-05):
        say(text='7')
    with dsl.If(number == n):
        say(text='8')


@peer
@dsl.pipeline(name='if-elif-else')
def if_elif_else(n: int = 3):
    coin = flip_coin()
    number = count(n=n)
    with dsl.If(coin.outputs['out'] == 'heads'):
        say(text='heads')
        with dsl.If(number.outputs['out'] > 1):
            repeat(text='nested')
        with dsl.Else():
            repeat(text=coin.outputs['out'])
    with dsl.Elif(number.outputs['out'] == 2):
        say(text='two')
    with dsl.Elif(n == 4, 'four'):
        say(text='four')
    with dsl.Else('none of them'):
        say(text=f'none: {coin.outputs["out"]} and {number.outputs["out"]}')


@peer
@dsl.pipeline(name='one-of')
def one_of(n: int = 3) -> str:
    coin = flip_coin()
    with dsl.If(coin.outputs['out'] == 'heads'):
        first = repeat(text='heads')
    with dsl.Elif(n > 2):
        second = repeat(text='many')
    with dsl.Else():
        third = repeat(text='tails')
    chosen = dsl.OneOf(first.outputs['out'], second.outputs['out'], third.outputs['out'])
    say(text=chosen)
    with dsl.If(n == 1):
        say(text=chosen)
    return chosen


@peer
@dsl.pipeline(name='one-of-artifacts')
def one_of_artifacts(word: str) -> Model:
    with dsl.If(word == 'a'):
        first = fit(n=1)
    with dsl.Else():
        second = fit(n=2)
    chosen = dsl.OneOf(first.outputs['model'], second.outputs['model'])
    use(model=chosen)
    return chosen


@peer
@dsl.pipeline(name='constant-loops')
def constant_loops(word: str):
    with dsl.ParallelFor(['a', 'b', 'ü']) as item:
        repeat(text=item)
        say(text=word)
    with dsl.ParallelFor([1, 2, 3], parallelism=2, name='numbers') as item:
        counted = count(n=item)
        with dsl.If(item == 2):
            say(text='two')
            count(n=item)
        with dsl.If(counted.outputs['out'] > 1):
            count(n=counted.outputs['out'])
    with dsl.ParallelFor([{'a': 1, 'b': 10}, {'a': 2, 'b': 20}]) as item:
        count(n=item.a)
        count(n=item.b)
        with dsl.If(item.b > 10):
            say(text='large')
    with dsl.ParallelFor([[1, 2], [3]]) as row:
        with dsl.ParallelFor(row) as cell:
            repeat(text=cell)
    with dsl.ParallelFor([0.1, 2.5]) as outer:
        with dsl.ParallelFor(['x', 'y']) as inner:
            prepare(showers=dsl.importer(artifact_uri=inner, artifact_class=Dataset).output, fraction=outer, seed=3)
            repeat(text=f'{outer} and {word}')


@peer
@dsl.pipeline(name='loops')
def loops(words: List[str], settings: List[Dict[str, int]], groups: List[Dict[str, List[str]]], anything: list):
    parts = split()
    with dsl.ParallelFor(words) as word:
        repeat(text=word)
    with dsl.ParallelFor(settings) as setting:
        count(n=setting.epochs)
        with dsl.If(setting.layers > 2):
            count(n=setting.layers)
    with dsl.ParallelFor(parts.outputs['names'], parallelism=4) as name:
        with dsl.If(name == 'x'):
            repeat(text=name)
        say(text=name)
    with dsl.ParallelFor(parts.outputs['settings']) as setting:
        count(n=setting.a)
    with dsl.ParallelFor(groups) as group:
        with dsl.ParallelFor(group.members) as member:
            say(text=member)
    with dsl.ParallelFor(anything) as item:
        say(text=item)
        with dsl.ParallelFor(words) as word:
            say(text=word)
            repeat(text=item)


@peer
@dsl.pipeline(name='collected')
def collected(numbers: List[int] = [1, 2]) -> List[int]:
    with dsl.ParallelFor([1, 2, 3]) as n:
        counted = count(n=n)
        with dsl.ParallelFor(numbers) as m:
            inner = count(n=m)
            fitted = fit(n=n)
        sums = add_up(numbers=dsl.Collected(inner.outputs['out']))
    counter = add_up(numbers=dsl.Collected(counted.outputs['out']))
    merge(models=dsl.Collected(fitted.outputs['model']))
    with dsl.If(counter.outputs['out'] == 2):
        add_up(numbers=dsl.Collected(sums.outputs['out']))
    return dsl.Collected(inner.outputs['out'])


@peer
@dsl.pipeline(name='exit-handlers')
def exit_handlers(word: str, url: str = 'u'):
    last = clean_up(text=url)
    with dsl.ExitHandler(last, name='all of it'):
        said = repeat(text=word)
        say(text=said.outputs['out'])
        with dsl.If(word == 'a'):
            say(text=word)
    other = say(text='done')
    with dsl.ExitHandler(other) as handler:
        wait()
    wait().after(handler)


@peer
@dsl.pipeline(name='ignore-upstream-failure')
def ignore_upstream_failure():
    first = flip_coin()
    clean_up(text='constant').after(first).ignore_upstream_failure()
    guess(a=first.outputs['out']).ignore_upstream_failure()
    with dsl.ParallelFor(['a', 'b']) as item:
        made = repeat(text=item)
        clean_up(text=item).after(made).ignore_upstream_failure()


# The SDK renames components of inner pipelines in the order of a hash map: only where no two of them are
# renamed from one another ("say" and "say-2") are the names the same in every run.
@dsl.pipeline(name='inner', description='Inner.')
def inner(word: str, n: int = 2, data: Input[Dataset] = None) -> str:
    said = repeat(text=word)
    say(text=said.outputs['out'])
    with dsl.If(n == 2):
        count(n=n)
    kubernetes.set_timeout(wait(), 10)
    return said.outputs['out']


@dsl.pipeline(name='middle')
def middle(word: str) -> str:
    a = inner(word=word)
    b = inner(word=a.output, n=5)
    with dsl.If(word == 'x'):
        flip_coin()
    return b.output


@peer
@dsl.pipeline(name='outer')
def nested(word: str):
    last = middle(word=word)
    say(text=last.output)
    repeat(text=word)
    kubernetes.set_timeout(wait(), 10)
    result = inner(word='constant', n=3)
    say(text=result.output)
    with dsl.ParallelFor(['a', 'b']) as item:
        inner(word=item).set_display_name('Inner one').set_caching_options(False)


@dsl.pipeline(name='at-exit')
def at_exit(word: str):
    say(text=word)
    wait()


@peer
@dsl.pipeline(name='pipeline-at-exit')
def pipeline_at_exit(word: str = 'w'):
    last = at_exit(word=word)
    with dsl.ExitHandler(last):
        say(text='first')


@peer
@dsl.pipeline(name='after')
def after(word: str):
    first = wait()
    second = wait().after(first)
    with dsl.If(word == 'a'):
        inside = say(text='a').after(first)
        repeat(text='b').after(inside, second)
    with dsl.ParallelFor(['a', 'b']) as item:
        third = say(text=item).after(second)
    with dsl.ParallelFor(['c', 'd']) as item:
        say(text=item).after(third)


@peer
@dsl.pipeline(name='retries')
def retries():
    wait().set_retry(num_retries=3)
    wait().set_retry(num_retries=1, backoff_duration='5m', backoff_factor=1.5, backoff_max_duration='2 hours')
    wait().set_retry(num_retries=0, backoff_duration='90s')


@peer
@dsl.pipeline(name='caching')
def caching():
    wait().set_caching_options(False)
    wait().set_caching_options(True, cache_key='my-key')
    wait().set_caching_options(True)


@peer
@dsl.pipeline(name='resources')
def resources(cpu: str = '2', memory: str = '1Gi'):
    wait().set_cpu_limit('1').set_cpu_request('500m').set_memory_limit('4Gi').set_memory_request('500M')
    wait().set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(2)
    wait().set_accelerator_type('amd.com/gpu')
    wait().set_cpu_limit('0.25').set_memory_limit('1073741824')
    wait().set_memory_limit('3Ti').set_memory_request('7K')
    wait().set_memory_limit('1E').set_memory_request('3Mi')
    wait().set_memory_limit('11P').set_memory_request('13Ki')
    wait().set_cpu_limit(cpu).set_cpu_request(cpu).set_memory_limit(memory).set_memory_request(memory)
    kind = flip_coin()
    wait().set_accelerator_type(kind.outputs['out']).set_accelerator_limit(cpu)
    with dsl.ParallelFor(['1', '2']) as item:
        say(text=item).set_cpu_limit(item)


@peer
@dsl.pipeline(name='environment')
def environment():
    wait().set_env_variable('A', 'b').set_env_variable('C', 'd e').set_env_variable('A', 'again')


@peer
@dsl.pipeline(name='images')
def images(tag: str):
    wait().set_container_image('registry.example.org/other@sha256:1')
    wait().set_container_image(tag)
    name = flip_coin()
    wait().set_container_image(f'registry.example.org/{name.outputs["out"]}')


@peer
@dsl.pipeline(name='optional-inputs')
def optional_inputs(showers: Input[Dataset] = None, word: Optional[str] = None, number: int = 0):
    maybe()
    maybe(a='a', b='c')
    maybe(a=word, data=showers)
    count(n=number)


@peer
@dsl.pipeline(name='texts')
def texts(word: str, n: int, layers: List[int]):
    coin = flip_coin()
    say(text=f'{word} and {n} and {coin.outputs["out"]}')
    say(text=f'again {word}, {word}')
    train(prepared=dsl.importer(artifact_uri='u', artifact_class=Dataset).output, epochs=n, layers=layers,
          options={'a': coin.outputs['out'], 'b': f'is {word}', 'c': ['d', {'e': word}]}, resume=False)
    with dsl.If(word == 'x'):
        say(text=f'{coin.outputs["out"]}!')
    with dsl.ParallelFor(['a', 'b']) as item:
        say(text=f'{item}?')


@peer
@dsl.pipeline(name='run-placeholders')
def run_placeholders():
    for placeholder in (dsl.PIPELINE_JOB_NAME_PLACEHOLDER, dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
                        dsl.PIPELINE_JOB_ID_PLACEHOLDER, dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
                        dsl.PIPELINE_TASK_ID_PLACEHOLDER, dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
                        dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER):
        say(text=placeholder)


@peer
@dsl.pipeline(
    name='workspace',
    pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(
            size='100Gi',
            kubernetes=dsl.KubernetesWorkspaceConfig(
                pvcSpecPatch={'storageClassName': 'fast', 'accessModes': ['ReadWriteMany']})),
        ttl_seconds_after_finished=3600, ttl_seconds_after_success=60, ttl_seconds_after_failure=120,
        active_deadline_seconds=7200))
def workspace():
    say(text=f'{dsl.WORKSPACE_PATH_PLACEHOLDER}/data')
    dsl.importer(artifact_uri='s3://bucket/a', artifact_class=Dataset, download_to_workspace=True)


@peer
@dsl.pipeline(name='timeout', pipeline_config=dsl.PipelineConfig(active_deadline_seconds=60))
def pipeline_timeout():
    wait()


@peer
@dsl.pipeline(name='volumes')
def volumes(claim: str):
    created = kubernetes.CreatePVC(pvc_name_suffix='-data', access_modes=['ReadWriteMany'], size='5Gi',
                                   storage_class_name='standard')
    first = wait()
    kubernetes.mount_pvc(first, pvc_name=created.outputs['name'], mount_path='/data')
    kubernetes.mount_pvc(first, pvc_name='existing', mount_path='/eos', sub_path='user')
    second = wait()
    kubernetes.mount_pvc(second, pvc_name=claim, mount_path='/data')
    kubernetes.empty_dir_mount(second, volume_name='scratch', mount_path='/scratch', medium='Memory', size_limit='5Gi')
    kubernetes.empty_dir_mount(second, volume_name='tmp', mount_path='/tmp')
    kubernetes.add_ephemeral_volume(second, volume_name='v', mount_path='/v', access_modes=['ReadWriteOnce'],
                                    size='1Gi', storage_class_name='fast', labels={'a': 'b'}, annotations={'c': 'd'})
    kubernetes.add_ephemeral_volume(second, volume_name='w', mount_path='/w', access_modes=['ReadWriteOnce'],
                                    size='1Gi')
    with dsl.If(claim == 'x'):
        kubernetes.mount_pvc(wait(), pvc_name=created.outputs['name'], mount_path='/inside')
    kubernetes.DeletePVC(pvc_name=created.outputs['name']).after(first)


@peer
@dsl.pipeline(name='secrets-and-config-maps')
def secrets(name: str):
    task = wait()
    kubernetes.use_secret_as_env(task, 'login', {'password': 'PASSWORD', 'user': 'USER_NAME'})
    kubernetes.use_secret_as_env(task, name, {'token': 'TOKEN'}, optional=True)
    kubernetes.use_secret_as_volume(task, 'krb-secret', '/secret/krb-secret-vol')
    kubernetes.use_secret_as_volume(task, name, '/secret/other', optional=True)
    kubernetes.use_config_map_as_env(task, 'settings', {'a': 'A'})
    kubernetes.use_config_map_as_volume(task, name, '/settings', optional=True)
    kubernetes.use_field_path_as_env(task, 'POD', 'metadata.name')
    kubernetes.set_image_pull_secrets(task, ['one', 'two'])
    kubernetes.set_image_pull_policy(task, 'Always')
    with dsl.ParallelFor(['a', 'b']) as item:
        said = say(text=item)
        kubernetes.use_secret_as_env(said, item, {'token': 'TOKEN'})
        kubernetes.use_secret_as_volume(said, name, '/secret')


@peer
@dsl.pipeline(name='placement')
def placement(node_labels: Dict[str, str], toleration: Dict[str, str], affinity: Dict[str, str]):
    task = wait()
    kubernetes.add_pod_label(task, 'mount-eos', 'true')
    kubernetes.add_pod_label(task, 'mount-kerberos-secret', 'true')
    kubernetes.add_pod_annotation(task, 'run', 'x')
    kubernetes.add_node_selector(task, 'gpu', 'yes')
    kubernetes.add_toleration(task, key='gpu', operator='Equal', value='yes', effect='NoExecute', toleration_seconds=10)
    kubernetes.add_toleration(task, key='other', operator='Exists')
    kubernetes.add_node_affinity(
        task, match_expressions=[{'key': 'zone', 'operator': 'In', 'values': ['a', 'b']}, {'key': 'gpu', 'operator': 'Exists'}],
        match_fields=[{'key': 'metadata.name', 'operator': 'NotIn', 'values': ['n']}], weight=50)
    kubernetes.add_node_affinity(task, match_expressions=[{'key': 'cpu', 'operator': 'Gt', 'values': ['8']}])
    kubernetes.set_timeout(task, 3600)
    kubernetes.set_security_context(task, run_as_user=1000, run_as_group=0, run_as_non_root=True)
    dynamic = wait()
    kubernetes.add_node_selector_json(dynamic, node_labels)
    kubernetes.add_toleration_json(dynamic, toleration)
    kubernetes.add_node_affinity_json(dynamic, affinity)


LOADED = components.load_component_from_text('''
components:
  comp-loaded:
    executorLabel: exec-loaded
    inputDefinitions:
      artifacts:
        data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
      parameters:
        n: {defaultValue: 3.0, isOptional: true, parameterType: NUMBER_INTEGER}
    outputDefinitions:
      parameters:
        out: {parameterType: STRING}
deploymentSpec:
  executors:
    exec-loaded:
      container:
        args: [--n, "{{$.inputs.parameters['n']}}", "{{$.inputs.artifacts['data'].path}}"]
        command: [loaded]
        image: registry.example.org/loaded@sha256:1
pipelineInfo: {name: loaded}
root:
  dag:
    outputs:
      parameters:
        out: {valueFromParameter: {outputParameterKey: out, producerSubtask: loaded}}
    tasks:
      loaded:
        cachingOptions: {enableCache: true}
        componentRef: {name: comp-loaded}
        inputs:
          artifacts:
            data: {componentInputArtifact: data}
          parameters:
            n: {componentInputParameter: n}
        taskInfo: {name: loaded}
  inputDefinitions:
    artifacts:
      data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
    parameters:
      n: {defaultValue: 3.0, isOptional: true, parameterType: NUMBER_INTEGER}
  outputDefinitions:
    parameters:
      out: {parameterType: STRING}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
''')


@peer
@dsl.pipeline(name='loaded-components')
def loaded_components(data: Input[Dataset]):
    first = LOADED(data=data, n=4)
    say(text=first.output)
    LOADED(data=data, n=5)


def compile_all(folder):
    folder = pathlib.Path(folder)
    for name, pipeline in PIPELINES.items():
        compiler.Compiler().compile(pipeline, str(folder / f'{name}.yaml'))
    for component in COMPONENTS:
        compiler.Compiler().compile(component, str(folder / f'component_{component.name.replace("-", "_")}.yaml'))


def reload(ours):
    """Loads each file, and writes it again: a pipeline as it was loaded, a component by compiling what was loaded."""
    files = sorted(pathlib.Path(ours).glob('*.yaml'))
    assert files
    for file in files:
        documents = list(yaml.safe_load_all(file.read_text()))
        loaded = components.load_component_from_file(str(file))
        again = json_format.MessageToDict(loaded.pipeline_spec)
        assert again == documents[0], file.name
        platform = json_format.MessageToDict(loaded.platform_spec)
        assert platform == (documents[1] if len(documents) > 1 else {}), file.name
        # What the SDK understood of it: the same once it has compiled that, but for descriptions, which it drops.
        if loaded.component_spec.implementation.container:
            compiled = json_format.MessageToDict(loaded.component_spec.to_pipeline_spec())
            assert plain(compiled) == plain(documents[0]), file.name


def plain(data):
    if isinstance(data, dict):
        return {k: plain(v) for k, v in data.items() if k not in ('description', 'sdkVersion')}
    return [plain(v) for v in data] if isinstance(data, list) else data


COMPONENTS = [
    flip_coin, say, repeat, count, prepare, train, split, merge, add_up, fit, use, clean_up, maybe, guess, wait
]

if __name__ == '__main__':
    {'compile': compile_all, 'reload': reload}[sys.argv[1]](*sys.argv[2:])
