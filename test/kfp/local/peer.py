"""Python components of the SDK, compiled by it, and run by its own local runner.

peer.py compile FOLDER             writes <name>.yaml for each pipeline
peer.py run NAME FOLDER            runs it with kfp.local, and prints the pipeline's outputs as JSON
"""
import json
import pathlib
import sys
from typing import Dict, List, NamedTuple

from kfp import compiler, dsl, local

component = dsl.component(base_image='python:3.11', install_kfp_package=False)


@component
def make(text: str, rate: float, steps: int, data: dsl.Output[dsl.Dataset], metrics: dsl.Output[dsl.Metrics],
         names: List[str] = ['a', 'ü']) -> NamedTuple('Outputs', [('total', int), ('table', Dict[str, float])]):
    from collections import namedtuple
    with open(data.path, 'w') as file:
        file.write(text)
    data.metadata['rows'] = steps
    metrics.log_metric('rate', rate)
    return namedtuple('Outputs', 'total table')(steps + len(names), {'rate': rate, 'half': rate / 2})


@component
def read(data: dsl.Input[dsl.Dataset], metrics: dsl.Input[dsl.Metrics], total: int, table: Dict[str, float]) -> str:
    import json
    with open(data.path) as file:
        return json.dumps([file.read(), float(data.metadata['rows']), metrics.metadata['rate'], total, table],
                          ensure_ascii=False, sort_keys=True)


@component
def square(n: int) -> int:
    return n * n


@component
def write_number(n: int, file: dsl.Output[dsl.Artifact]):
    with open(file.path, 'w') as stream:
        stream.write(str(n))


@component
def items(count: int) -> List[int]:
    return list(range(count))


@component
def add(numbers: List[int], files: dsl.Input[List[dsl.Artifact]]) -> int:
    return int(sum(numbers)) + 1000 * sum(int(open(file.path).read()) for file in files)


@component
def say(text: str) -> str:
    return 'said ' + text


@dsl.pipeline
def values(text: str = 'hello $(x) "ü"', rate: float = 0.1, steps: int = 7) -> str:
    made = make(text=text, rate=rate, steps=steps)
    return read(data=made.outputs['data'], metrics=made.outputs['metrics'], total=made.outputs['total'],
                table=made.outputs['table']).output


@dsl.pipeline
def loops(count: int = 3) -> int:
    with dsl.ParallelFor(items(count=count).output, parallelism=2) as item:
        squared = square(n=item)
        written = write_number(n=squared.output)
    return add(numbers=dsl.Collected(squared.output), files=dsl.Collected(written.outputs['file'])).output


@dsl.pipeline
def branches(n: int = 5) -> str:
    squared = square(n=n)
    with dsl.If(squared.output > 100):
        first = say(text='large')
    with dsl.Elif(squared.output == 25):
        second = say(text='twenty-five')
    with dsl.Else():
        third = say(text='small')
    return say(text=dsl.OneOf(first.output, second.output, third.output)).output


@dsl.pipeline
def nested(text: str = 'inner') -> str:
    inner = values(text=text, rate=0.5, steps=2)
    return say(text=inner.output).output


PIPELINES = {pipeline.name: pipeline for pipeline in (values, loops, branches, nested)}

if __name__ == '__main__':
    if sys.argv[1] == 'compile':
        for name, pipeline in PIPELINES.items():
            compiler.Compiler().compile(pipeline, str(pathlib.Path(sys.argv[2]) / f'{name}.yaml'))
    else:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[3])
        task = PIPELINES[sys.argv[2]]()
        print('\n' + json.dumps(task.outputs, ensure_ascii=False))
