"""The node of scripts/test-cluster.sh, as the tests see it: objects, workflows and their tasks."""
import json
import os
import pathlib
import subprocess
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALOPIPE = os.environ['CALOPIPE']
RUN = pathlib.Path(os.environ['CLUSTER_RUN'])
NODE_IP = os.environ['CLUSTER_NODE_IP']
IMAGE = 'localhost/calopipe:' + os.environ['CLUSTER_IMAGE_TAG']
BUSYBOX = 'localhost/busybox:test'


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, **options)
    assert done.returncode == 0, f'{command} exits with {done.returncode}: {done.stdout}'
    return done.stdout


def kubectl(*arguments, **options):
    return run(os.environ['CLUSTER_CACHE'] + '/bin/kubernetes', 'kubectl', *arguments, **options)


def apply(definition):
    kubectl('apply', '-f', '-', input=json.dumps(definition))


def secret(name, **values):
    apply({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': name}, 'stringData': values})


def shared_folder(name):
    """A folder of the node that every user may write."""
    folder = RUN / name
    folder.mkdir()
    folder.chmod(0o777)
    return folder


class Workflow:
    """A workflow that is running or has ended."""

    def __init__(self, file):
        self.name = json.loads(kubectl('create', '-f', file, '-o', 'json'))['metadata']['name']
        self.started = time.monotonic()

    def wait(self, limit_s=900):
        while True:
            status = json.loads(kubectl('get', 'workflow', self.name, '-o', 'json')).get('status', {})
            if status.get('phase') in ('Succeeded', 'Failed', 'Error'):
                break
            if time.monotonic() - self.started > limit_s:
                raise AssertionError(f'{self.name} has not ended after {limit_s} s: {self.describe(status)}')
            time.sleep(1)
        self.phase = status['phase']
        self.nodes = list(status['nodes'].values())
        took = time.monotonic() - self.started
        load, _, _ = os.getloadavg()
        print(f'{self.name}: {self.phase} after {took:.0f} s, {len(self.pods())} pods (load {load:.1f})', flush=True)
        return self

    def pods(self, task=None):
        """Attempts of a task (of all tasks) in the order of their start."""
        pods = [node for node in self.nodes if node['type'] == 'Pod' and task in (None, self.task_of(node))]
        return sorted(pods, key=lambda node: node['startedAt'])

    @staticmethod
    def task_of(pod):
        """A task with output parameters is a DAG, whose one pod has the template TASK-run and the name `run`."""
        return pod['templateName'].removesuffix('-run')

    def output(self, name):
        """Values of the output parameters with this name, of the attempts that succeeded."""
        return [parameter['value'] for pod in self.pods() if pod['phase'] == 'Succeeded'
                for parameter in pod.get('outputs', {}).get('parameters', []) if parameter['name'] == name]

    def logs(self):
        return kubectl('logs', '-l', 'workflows.argoproj.io/workflow=' + self.name, '--all-containers', '--tail=20', '--prefix')

    @staticmethod
    def describe(status):
        return [(node['displayName'], node['phase'], node.get('message')) for node in status.get('nodes', {}).values()]

    def story(self):
        return f'{self.describe({"nodes": dict(enumerate(self.nodes))})}\n{self.logs()}'


def compile_workflow(pipeline, site, *settings):
    """Compiles a pipeline for Argo with the settings of a site; returns the path of the workflow."""
    folder = RUN / f'compiled-{time.monotonic_ns()}'
    folder.mkdir()
    (folder / 'site.yaml').write_text(yaml.safe_dump(site))
    words = [word for setting in settings for word in ('--set', setting)]
    run(CALOPIPE, 'pipeline', 'compile', pipeline, '--target', 'argo', '--site', folder / 'site.yaml', *words, '--out', folder / 'workflow.yaml')
    return folder / 'workflow.yaml'


def shell_pipeline(script, retry_policy=None, settings=None):
    """A compiled pipeline with one task, which runs a script in BusyBox. The script's $0 is the file of the output `said`."""
    name = "{{$.outputs.parameters['said'].output_file}}"
    task = {'componentRef': {'name': 'comp-task'}, **({'retryPolicy': retry_policy} if retry_policy else {})}
    spec = {'schemaVersion': '2.1.0', 'sdkVersion': 'kfp-2.17.0', 'pipelineInfo': {'name': 'shell'},
            'components': {'comp-task': {'executorLabel': 'exec-task',
                                         'outputDefinitions': {'parameters': {'said': {'parameterType': 'STRING'}}}}},
            'deploymentSpec': {'executors': {'exec-task': {'container': {'image': BUSYBOX, 'command': ['sh', '-euc', script, name]}}}},
            'root': {'dag': {'tasks': {'task': task}}}}
    platform = {'platforms': {'kubernetes': {'deploymentSpec': {'executors': {'exec-task': settings or {}}}}}}
    file = RUN / f'shell-{time.monotonic_ns()}.yaml'
    file.write_text(yaml.safe_dump_all([spec, platform] if settings else [spec]))
    return file
