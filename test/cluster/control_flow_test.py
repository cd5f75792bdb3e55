"""Pipelines that the Python SDK compiles, with branches, loops and exit tasks, as workflows on a real node (scripts/test-cluster.sh)."""
import json
import time
import unittest

from kfp import dsl
from kfp.compiler import Compiler

from cluster import BUSYBOX, RUN, Workflow, compile_workflow, shared_folder


def shell(script, *arguments):
    return dsl.ContainerSpec(image=BUSYBOX, command=['sh', '-euc', script, 'task'], args=list(arguments))


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    return shell('printf %s "$1" >"$2"', text, said)


@dsl.container_component
def double(n: int, result: dsl.OutputPath(int)):
    return shell('echo $(($1 * 2)) >"$2"', n, result)


@dsl.container_component
def join(words: list, said: dsl.OutputPath(str)):
    return shell('printf %s "$1" >"$2"', words, said)


@dsl.container_component
def make(word: str, folder: dsl.Output[dsl.Dataset], file: dsl.Output[dsl.Artifact]):
    return shell('mkdir -p "$2/inner" "$(dirname "$3")"; printf %s "$1" >"$2/inner/word"; printf "file %s" "$1" >"$3"', word, folder.path, file.path)


@dsl.container_component
def read(folder: dsl.Input[dsl.Dataset], file: dsl.Input[dsl.Artifact], said: dsl.OutputPath(str)):
    return shell('printf "%s, %s" "$(cat "$1/inner/word")" "$(cat "$2")" >"$3"', folder.path, file.path, said)


@dsl.container_component
def fail():
    return shell('exit 7')


@dsl.pipeline(name='flow')
def flow(n: int = 2):
    doubled = double(n=n)
    with dsl.If(doubled.output > 3):
        large = say(text='large')
    with dsl.Else():
        small = say(text='small')
    say(text=dsl.OneOf(large.output, small.output))
    with dsl.ParallelFor(['x', 'y', 'a "quoted" {word}'], parallelism=2) as item:
        looped = say(text=item)
    join(words=dsl.Collected(looped.output))
    made = make(word='word')
    read(folder=made.outputs['folder'], file=made.outputs['file'])


@dsl.pipeline(name='exits')
def exits():
    with dsl.ExitHandler(say(text='cleaned up')):
        fail()


class ControlFlowTest(unittest.TestCase):
    def runs(self, pipeline, *settings):
        name = f'{pipeline.name}-{time.monotonic_ns()}'
        file = RUN / f'{name}.yaml'
        Compiler().compile(pipeline, str(file))
        site = {'argo': {'volume': {'host_path': str(shared_folder(name)), 'mount_path': '/artifacts'}}}
        return Workflow(compile_workflow(file, site, *settings)).wait()

    def test_branches_and_loops(self):
        quoted = 'a "quoted" {word}'
        for n, branch in ((2, 'large'), (1, 'small')):
            workflow = self.runs(flow, f'n={n}')
            self.assertEqual(workflow.phase, 'Succeeded', workflow.story())
            said = workflow.output('said')
            expected = [branch, branch, 'x', 'y', quoted, 'word, file word']
            collected = [word for word in said if word.startswith('["')]
            self.assertEqual(sorted(word for word in said if word not in collected), sorted(expected))
            self.assertEqual([json.loads(words) for words in collected], [['x', 'y', quoted]])

    def test_exit_task_after_failure(self):
        workflow = self.runs(exits)
        self.assertEqual(workflow.phase, 'Failed', workflow.story())
        self.assertEqual(workflow.output('said'), ['cleaned up'])
        self.assertEqual([pod['outputs']['exitCode'] for pod in workflow.pods() if pod['phase'] == 'Failed'], ['7'])
