"""Runs the Python SDK for comparison with calopipe. Writes seconds to FILE, because kfp.local prints the output of tasks.

kfp_peer.py compile-tasks FOLDER COUNT         FOLDER/tasks-COUNT.yaml: tasks of an empty Python component in a row
kfp_peer.py run-tasks FOLDER COUNT FILE        the same with kfp.local, in FOLDER: seconds of the run, the best of some
kfp_peer.py compile-chain FOLDER COUNT FILE    FOLDER/chain.yaml: COUNT container tasks in a row: seconds to compile it,
                                               from the pipeline function to the file, the best of three
kfp_peer.py list-runs FOLDER COUNT FILE        all COUNT runs of the server in FOLDER/address: seconds, the best of three
"""
import logging
import pathlib
import shutil
import sys
import time
import warnings

warnings.filterwarnings('ignore')

from kfp import Client, compiler, dsl, local

ROUNDS_SECONDS = 8  # as in local_bench.cc


@dsl.component(base_image='python:3.11', install_kfp_package=False)
def f():
    pass


def in_a_row(count):
    @dsl.pipeline(name='tasks')
    def tasks():
        before = None
        for _ in range(count):
            task = f().set_caching_options(False)
            if before is not None:
                task.after(before)
            before = task

    return tasks


@dsl.container_component
def step(n: int, out: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image='registry.example.org/tools@sha256:0123', command=['count'],
                             args=['--n', n, '--out', out])


def compile_chain(count, file):
    begin = time.perf_counter()

    @dsl.pipeline(name='chain')
    def chain(n: int = 1):
        value = n
        for _ in range(count):
            value = step(n=value).output

    compiler.Compiler().compile(chain, str(file))
    return time.perf_counter() - begin


def list_runs(client, count):
    begin, found, token = time.perf_counter(), 0, ''
    while True:
        page = client.list_runs(page_size=200, page_token=token)
        found, token = found + len(page.runs), page.next_page_token
        if not token:
            break
    assert found == count, f'{found} runs'
    return time.perf_counter() - begin


def main():
    what, folder, count = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    if what == 'compile-tasks':
        compiler.Compiler().compile(in_a_row(count), str(folder / f'tasks-{count}.yaml'))
        return
    if what == 'run-tasks':
        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / 'outputs'))
        logging.disable(logging.CRITICAL)
        # The interpreter in PATH, which the commands of the component use too.
        sys.executable = shutil.which('python3')
        tasks = in_a_row(count)
        # The best of many rounds: the speed of the machine without disturbance.
        seconds, end = float('inf'), time.perf_counter() + ROUNDS_SECONDS
        while time.perf_counter() < end:
            begin = time.perf_counter()
            tasks()
            seconds = min(seconds, time.perf_counter() - begin)
    elif what == 'list-runs':
        client = Client(host=(folder / 'address').read_text(encoding='utf-8').strip())
        seconds = min(list_runs(client, count) for _ in range(3))
    else:
        seconds = min(compile_chain(count, folder / 'chain.yaml') for _ in range(3))
    pathlib.Path(sys.argv[4]).write_text(f'{seconds}\n')


main()
