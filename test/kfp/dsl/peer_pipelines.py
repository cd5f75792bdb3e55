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


def compile_all(folder):
    folder = pathlib.Path(folder)
    for name, pipeline in PIPELINES.items():
        compiler.Compiler().compile(pipeline, str(folder / f'{name}.yaml'))
    for component in COMPONENTS:
        compiler.Compiler().compile(component, str(folder / f'component_{component.name.replace("-", "_")}.yaml'))


def reload(ours):
    files = sorted(pathlib.Path(ours).glob('*.yaml'))
    assert files
    for file in files:
        documents = list(yaml.safe_load_all(file.read_text()))
        loaded = components.load_component_from_file(str(file))
        assert json_format.MessageToDict(loaded.pipeline_spec) == documents[0], file.name
        platform = json_format.MessageToDict(loaded.platform_spec)
        assert platform == (documents[1] if len(documents) > 1 else {}), file.name


COMPONENTS = [flip_coin, say, repeat, count, prepare, train]

if __name__ == '__main__':
    {'compile': compile_all, 'reload': reload}[sys.argv[1]](*sys.argv[2:])
