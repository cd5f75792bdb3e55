#!/usr/bin/env python3
"""Runs a compiled pipeline as the open-source backend of Kubeflow Pipelines does, here and one task after the other.

An interpreter of its own, for tests, from the facts of kubeflow/pipelines 2.17 (backend/src/v2: driver, component,
expression): what is executed is the IR YAML, with programs of this machine in place of containers.

    launcher.py PIPELINE.yaml --work FOLDER --program train=/usr/bin/train [--parameters FILE.json]
                [--local-root FOLDER]

Prints a JSON summary: the state of the run, its outputs, and per task state, command, output parameters and
artifacts (with path, SHA-256 of the content, metadata). Exit code 0: succeeded, 1: failed, 2: cannot be interpreted.

Without --local-root, artifacts have the URIs of the cluster (minio://…) and lie where the launcher puts them
(/minio/…). With it, a URI is the path itself and everything is below that folder. Programs run without a shell, in
an empty folder. command[0] gets only {{$}} substituted, as on every backend so far (the newest also resolves input
parameters in it). Not done: retries, caching, images, resources, platform settings.
"""
import argparse
import json
import pathlib
import sys

import yaml

import cel
import go_values
from go_values import Failure
from launcher_task import ContainerTask, Places, content_hash, stored

ALWAYS = 'ALL_UPSTREAM_TASKS_COMPLETED'


class Unreadable(Exception):
    """The pipeline cannot be interpreted; the server would refuse it, too."""


class Execution:
    """What a task of a DAG came to. `kind`: container, importer, dag or loop."""

    def __init__(self, name, place, kind, component):
        self.name, self.place, self.kind, self.component = name, place, kind, component
        self.state = None
        self.reason = None
        self.parameters, self.artifacts = {}, {}  # outputs: values; stored artifacts
        self.children = {}  # of a DAG: name to Execution
        self.iterations = []  # of a loop: Executions
        self.inputs = {}
        self.task = None  # ContainerTask
        self.local = {}  # output artifacts as the task left them
        self.warnings = []


class Launcher:
    def __init__(self, spec, places, programs, timeout, run_id):
        self.spec, self.places, self.programs, self.timeout = spec, places, programs, timeout
        self.pipeline = spec['pipelineInfo']['name']
        self.run_id = run_id
        self.components = spec.get('components', {})
        self.executors = spec.get('deploymentSpec', {}).get('executors', {})
        self.executions = []
        self.artifacts = 0
        self.started = 0

    # DAGs

    def run(self, given):
        root = self.spec['root']
        definitions = root.get('inputDefinitions', {}).get('parameters', {})
        parameters = {}
        for name in given.keys() - definitions.keys():
            raise Failure(f'the pipeline has no parameter {name!r}')
        for name, definition in definitions.items():
            if name in given:
                parameters[name] = go_values.normal(given[name])
            elif 'defaultValue' in definition:
                parameters[name] = go_values.normal(definition['defaultValue'])
            elif definition.get('isOptional'):
                parameters[name] = None
            else:
                raise Failure(f'the pipeline needs the parameter {name!r}')
            self.check_literals(name, parameters[name], definition)
        execution = Execution('root', '', 'dag', root)
        execution.inputs = {'parameterValues': parameters, 'artifacts': {}}
        self.run_dag(execution)
        return execution

    def run_dag(self, dag):
        """Runs the tasks of a DAG component whose inputs are resolved."""
        tasks = dag.component['dag'].get('tasks', {})
        waiting = {name: dependencies(name, task, tasks) for name, task in sorted(tasks.items())}
        while waiting:
            ready = [name for name, needs in waiting.items() if not needs & waiting.keys()]
            if not ready:
                raise Unreadable(f'{dag.place or "root"}: tasks wait for each other: {sorted(waiting)}')
            # Exit tasks wait until nothing else can start.
            ready.sort(key=lambda name: tasks[name].get('triggerPolicy', {}).get('strategy') == ALWAYS)
            needs = waiting.pop(ready[0])
            dag.children[ready[0]] = self.run_task(ready[0], tasks[ready[0]], needs, dag)
        states = [child.state for child in dag.children.values()]
        dag.state = 'FAILED' if 'FAILED' in states else 'SUCCEEDED'

    def run_task(self, name, task, needs, dag):
        component = self.components.get(task.get('componentRef', {}).get('name'))
        if component is None:
            raise Unreadable(f'task {name}: no component {task.get("componentRef")}')
        executor = self.executors.get(component.get('executorLabel'), {})
        iterator = task.get('parameterIterator')
        if task.get('artifactIterator'):
            raise Unreadable(f'task {name}: loops over artifacts are not implemented by the backend')
        kind = 'loop' if iterator else 'dag' if 'dag' in component else 'importer' if 'importer' in executor \
            else 'container'
        execution = Execution(name, f'{dag.place}/{name}' if dag.place else name, kind, component)
        self.executions.append(execution)
        trigger = task.get('triggerPolicy', {})
        upstream = {need: dag.children[need].state for need in sorted(needs)}
        if trigger.get('strategy') == ALWAYS:
            skip = upstream and all(state == 'SKIPPED' for state in upstream.values())
        else:
            skip = any(state != 'SUCCEEDED' for state in upstream.values())
        if skip:
            execution.state = 'SKIPPED'
            execution.reason = 'upstream: ' + ', '.join(f'{n} {s}' for n, s in upstream.items() if s != 'SUCCEEDED')
            return execution
        try:
            if kind == 'importer':
                self.run_importer(execution, task, executor['importer'], dag)
                return execution
            execution.inputs = self.resolve_inputs(execution, task, dag)
            if trigger.get('condition') and not self.holds(trigger['condition'], execution):
                execution.state, execution.reason = 'SKIPPED', f'condition: {trigger["condition"]}'
            elif kind == 'loop':
                self.run_loop(execution, iterator)
            else:
                self.run_component(execution)
        except Failure as failure:
            execution.state, execution.reason = 'FAILED', str(failure)
        return execution

    def run_component(self, execution):
        if execution.kind == 'dag':
            self.run_dag(execution)
        else:
            self.run_container(execution)

    def run_loop(self, loop, iterator):
        items = iterator.get('items', {})
        if 'inputParameter' in items:
            source = items['inputParameter']
            if source not in loop.inputs['parameterValues']:
                raise Failure(f'no input {source} to loop over')
            values = loop.inputs['parameterValues'][source]
        else:
            source = iterator['itemInput']
            values = go_values.strict_json(items.get('raw', ''))
        if isinstance(values, str):
            values = go_values.strict_json(values)
        if not isinstance(values, list):
            raise Failure(f'{values!r} cannot be iterated')
        kind = 'dag' if 'dag' in loop.component else 'container'
        for number, value in enumerate(values):
            iteration = Execution(loop.name, f'{loop.place}[{number}]', kind, loop.component)
            self.executions.append(iteration)
            loop.iterations.append(iteration)
            parameters = {name: v for name, v in loop.inputs['parameterValues'].items() if name != source}
            parameters[iterator['itemInput']] = go_values.normal(value)
            iteration.inputs = {'parameterValues': parameters, 'artifacts': loop.inputs['artifacts']}
            try:
                self.convert_types(iteration)
                self.run_component(iteration)
            except Failure as failure:
                iteration.state, iteration.reason = 'FAILED', str(failure)
        loop.state = 'FAILED' if any(i.state == 'FAILED' for i in loop.iterations) else 'SUCCEEDED'

    # Tasks

    def run_container(self, execution):
        executor = self.executors.get(execution.component.get('executorLabel'), {})
        if 'container' not in executor:
            raise Unreadable(f'{execution.place}: no container {execution.component.get("executorLabel")}')
        self.started += 1
        folder = f'{self.started}-{execution.name}'
        uri = f'{self.places.pipeline_root}/{self.pipeline}/{self.run_id}/{execution.name}/{self.started}'
        task = ContainerTask(execution.name, self.places.work / folder, execution.component, executor['container'],
                             execution.inputs, self.places, uri)
        task.folder.mkdir(parents=True)
        execution.task, execution.warnings = task, task.warnings
        execution.parameters, execution.local = task.run(self.programs, self.timeout)
        self.store(execution)
        execution.state = 'SUCCEEDED'

    def store(self, execution):
        for name, artifact in sorted(execution.local.items()):
            self.artifacts += 1
            execution.artifacts[name] = stored(name, artifact, self.artifacts)

    def run_importer(self, execution, task, importer, dag):
        if task.get('triggerPolicy', {}).get('condition'):
            raise Unreadable(f'{execution.place}: the backend takes no condition on an importer')
        where = importer.get('artifactUri', {})
        uri = where.get('constant')
        if 'runtimeParameter' in where:
            source = task.get('inputs', {}).get('parameters', {}).get(where['runtimeParameter'], {})
            # The importer looks among the inputs of the DAG only.
            uri = dag.inputs['parameterValues'].get(source.get('componentInputParameter'))
        if not isinstance(uri, str) or not uri:
            raise Failure(f'no URI to import: {where}')
        outputs = execution.component.get('outputDefinitions', {}).get('artifacts', {})
        if len(outputs) != 1:
            raise Failure('an importer has exactly one output')
        artifact = {'uri': self.places.imported(uri), 'metadata': go_values.normal(importer.get('metadata', {})),
                    'type': importer.get('typeSchema', {})}
        execution.local = {name: artifact for name in outputs}
        self.store(execution)
        if importer.get('downloadToWorkspace') and not self.places.local_root:
            for kept in execution.artifacts.values():
                kept['metadata']['_kfp_workspace'] = True
        if '{{$' in json.dumps(importer.get('metadata', {})):
            execution.warnings.append('nothing resolves placeholders in the metadata of an importer')
        execution.state = 'SUCCEEDED'

    # Inputs

    def holds(self, condition, execution):
        inputs = execution.inputs
        variables = {'inputs': {'parameter_values': cel.doubles(inputs['parameterValues']), 'parameters': {},
                                'artifacts': inputs['artifacts']}, 'outputs': {}}
        try:
            value = cel.evaluate(condition, variables)
        except cel.Error as error:
            raise Failure(f'condition {condition}: {error}') from None
        if not isinstance(value, bool):
            raise Failure(f'condition {condition} gives {value!r}')
        return value

    def resolve_inputs(self, execution, task, dag):
        definitions = execution.component.get('inputDefinitions', {}).get('parameters', {})
        given = task.get('inputs', {})
        parameters = {}
        if 'dag' in execution.component:
            for name, definition in definitions.items():
                if definition.get('isOptional') and name not in given.get('parameters', {}):
                    parameters[name] = go_values.normal(definition.get('defaultValue'))
        for name, source in given.get('parameters', {}).items():
            definition = definitions.get(name, {})
            if definition.get('parameterType') == 'TASK_CONFIG':
                continue
            value = self.parameter(source, task, execution, dag)
            if value is None and 'componentInputParameter' in source:
                if not definition.get('isOptional'):
                    raise Failure(f'input {name} is null')
                continue
            self.check_literals(name, value, definition)
            if source.get('parameterExpressionSelector'):
                value = select(value, source['parameterExpressionSelector'])
            parameters[name] = value
        execution.inputs = {'parameterValues': parameters, 'artifacts': {
            name: {'artifacts': self.artifact_list(source, dag)}
            for name, source in given.get('artifacts', {}).items()}}
        self.convert_types(execution, task.get('parameterIterator', {}).get('itemInput'))
        return execution.inputs

    def convert_types(self, execution, item_input=None):
        """Every input has the declared type; a STRING takes all, as text."""
        parameters = execution.inputs['parameterValues']
        for name, definition in execution.component.get('inputDefinitions', {}).get('parameters', {}).items():
            kind = definition.get('parameterType')
            if name == item_input or (name not in parameters and definition.get('isOptional')) or kind == 'TASK_CONFIG':
                continue
            if name not in parameters:
                if execution.place.endswith(']') and item_input is None:
                    continue  # the list that a loop goes over is not in its iterations
                if 'defaultValue' not in definition:
                    raise Failure(f'input {name} has neither value nor default')
                if kind != 'STRING':
                    raise Failure(f'input {name} has a default and is not isOptional: the backend finds no value')
                execution.warnings.append(f'input {name} has a default and is not isOptional: the backend passes ""')
                parameters[name] = ''
            value = parameters[name]
            if value is None and definition.get('isOptional'):
                continue
            if kind == 'STRING':
                parameters[name] = go_values.text_of(value)
                continue
            wanted = {'NUMBER_INTEGER': 'number', 'NUMBER_DOUBLE': 'number', 'BOOLEAN': 'bool', 'LIST': 'list',
                      'STRUCT': 'struct', 'TASK_FINAL_STATUS': 'struct'}.get(kind)
            if go_values.kind(value) != wanted:
                raise Failure(f'input {name} is a {go_values.kind(value)}, {kind} is declared')

    @staticmethod
    def check_literals(name, value, definition):
        literals = go_values.normal(definition.get('literals', []))
        if literals and not any(type(value) is type(one) and value == one for one in literals):
            raise Failure(f'input {name}: {value!r} is not among {literals}')

    def parameter(self, source, task, execution, dag):
        if 'componentInputParameter' in source:
            name = source['componentInputParameter']
            if name not in dag.inputs['parameterValues']:
                raise Failure(f'the DAG has no input {name}')
            return dag.inputs['parameterValues'][name]
        if 'taskOutputParameter' in source:
            output = source['taskOutputParameter']
            return self.output(dag.children[output['producerTask']], output['outputParameterKey'], 'parameters')
        if 'taskFinalStatus' in source:
            producer = dag.children[task['dependentTasks'][0]]
            return {'state': 'COMPLETE' if producer.state == 'SUCCEEDED' else 'FAILED', 'error': {},
                    'pipelineTaskName': producer.name, 'pipelineJobResourceName': f'{self.pipeline}-run'}
        value = source.get('runtimeValue', {}).get('constant')
        if isinstance(value, str):
            if '{{$.workspace_path}}' in value:
                return value.replace('{{$.workspace_path}}', self.places.workspace)
            named = {'job_name': f'{self.pipeline} run', 'job_resource_name': f'{self.pipeline}-run',
                     'job_uuid': self.run_id, 'task_name': execution.name, 'task_uuid': '1',
                     'job_create_time_utc': '2026-01-01T00:00:00Z', 'job_schedule_time_utc': '2026-01-01T00:00:00Z'}
            return {f'{{{{$.pipeline_{key}}}}}': text for key, text in named.items()}.get(value, value)
        return go_values.normal(value)

    def artifact_list(self, source, dag):
        if 'componentInputArtifact' in source:
            name = source['componentInputArtifact']
            if name not in dag.inputs['artifacts']:
                raise Failure(f'the DAG has no input artifact {name}')
            return dag.inputs['artifacts'][name]['artifacts']
        output = source['taskOutputArtifact']
        found = self.output(dag.children[output['producerTask']], output['outputArtifactKey'], 'artifacts')
        if found is None:
            raise Failure(f'{output["producerTask"]} has no artifact {output["outputArtifactKey"]}')
        return found if isinstance(found, list) else [found]

    def output(self, producer, key, what):
        """An output of a task, through DAGs and loops; what loops collect is one flat list."""
        if producer.kind == 'loop':
            if not producer.iterations:
                producer.warnings.append('the backend fails to collect the outputs of a loop without items')
            collected = []
            for iteration in producer.iterations:
                found = self.output(iteration, key, what)
                collected += found if isinstance(found, list) and self.collects(iteration, key, what) else [found]
            if None in collected:
                raise Failure(f'an iteration of {producer.name} has no output {key}')
            return collected
        if producer.kind != 'dag':
            return getattr(producer, what).get(key)
        outputs = producer.component['dag'].get('outputs', {}).get(what, {}).get(key)
        if outputs is None:
            raise Failure(f'{producer.name} has no output {key}')
        for child, child_key in selectors(outputs):
            child = producer.children.get(child)
            if child is not None and child.state == 'SUCCEEDED':
                return self.output(child, child_key, what)
        raise Failure(f'no task of {producer.name} gives the output {key}')

    def collects(self, execution, key, what):
        """Whether an output of a DAG is what a loop inside collected."""
        if execution.kind != 'dag':
            return execution.kind == 'loop'
        return any(self.collects(execution.children[child], child_key, what)
                   for child, child_key in selectors(execution.component['dag']['outputs'][what][key])
                   if execution.children[child].state == 'SUCCEEDED')


def selectors(output):
    """Where an output of a DAG comes from: (task, key), the first that succeeded counts."""
    if 'valueFromParameter' in output:
        found = [output['valueFromParameter']]
    else:
        found = output.get('valueFromOneof', {}).get('parameterSelectors', output.get('artifactSelectors', []))
    return [(one['producerSubtask'], one.get('outputParameterKey', one.get('outputArtifactKey'))) for one in found]


def dependencies(name, task, tasks):
    needs = set(task.get('dependentTasks', []))
    for kind, key in (('parameters', 'taskOutputParameter'), ('artifacts', 'taskOutputArtifact')):
        for source in task.get('inputs', {}).get(kind, {}).values():
            if key in source:
                needs.add(source[key]['producerTask'])
    if needs - tasks.keys():
        raise Unreadable(f'task {name} needs unknown tasks: {sorted(needs - tasks.keys())}')
    return needs


def select(value, selector):
    variables = {'string_value': go_values.text_of(value)}
    field = {'number': 'number_value', 'bool': 'bool_value', 'list': 'list_value', 'struct': 'struct_value'}
    if go_values.kind(value) in field:
        variables[field[go_values.kind(value)]] = cel.doubles(value)
    try:
        return go_values.normal(cel.evaluate(selector, variables))
    except cel.Error as error:
        raise Failure(f'selector {selector}: {error}') from None


def summary_of_artifact(artifact, places):
    path = places.path_of(artifact)
    sha256 = content_hash(path) if path else None
    return {'type': artifact.get('type', {}).get('schemaTitle'), 'uri': artifact['uri'], 'path': path,
            'exists': sha256 is not None, 'sha256': sha256, 'metadata': artifact.get('metadata', {})}


def summary_of(execution, places):
    summary = {'task': execution.name, 'place': execution.place, 'kind': execution.kind, 'state': execution.state}
    if execution.reason:
        summary['reason'] = execution.reason
    if execution.task:
        summary |= {'command': execution.task.command, 'exitCode': execution.task.exit_code,
                    'log': execution.task.log()}
    if execution.inputs:
        summary['parameters'] = execution.inputs['parameterValues']
    if execution.kind in ('container', 'importer'):
        summary['outputs'] = {'parameters': execution.parameters, 'artifacts': {
            name: summary_of_artifact(artifact, places) for name, artifact in sorted(execution.local.items())}}
    if execution.warnings:
        summary['warnings'] = execution.warnings
    return summary


def root_outputs(launcher, root):
    """The pipeline's own outputs, where their tasks ran."""
    found = {}
    for what in ('parameters', 'artifacts'):
        for name in root.component['dag'].get('outputs', {}).get(what, {}):
            try:
                value = launcher.output(root, name, what)
            except Failure:
                continue
            if what == 'artifacts':
                value = [one['uri'] for one in value] if isinstance(value, list) else value['uri']
            found.setdefault(what, {})[name] = value
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pipeline')
    parser.add_argument('--work', required=True, help='a new or empty folder: logs, output parameters')
    parser.add_argument('--parameters', help='JSON file: parameters of the pipeline')
    parser.add_argument('--program', action='append', default=[], metavar='COMMAND=PATH',
                        help='the program that stands for a command[0]; may be repeated')
    parser.add_argument('--local-root', help='artifacts lie below this folder, and URIs are paths')
    parser.add_argument('--pipeline-root', default='minio://mlpipeline/v2/artifacts')
    parser.add_argument('--run-id', default='run')
    parser.add_argument('--timeout', type=float, default=600, help='seconds per task')
    options = parser.parse_args(arguments)
    try:
        spec = next(yaml.safe_load_all(pathlib.Path(options.pipeline).read_text(encoding='utf-8')))
        given = json.loads(pathlib.Path(options.parameters).read_text('utf-8')) if options.parameters else {}
        work = pathlib.Path(options.work).absolute()
        work.mkdir(parents=True, exist_ok=True)
        if any(work.iterdir()):
            raise Unreadable(f'{work} is not empty')
        root = str(pathlib.Path(options.local_root).absolute()) if options.local_root else None
        places = Places(work, root, options.pipeline_root)
        launcher = Launcher(spec, places, dict(pair.split('=', 1) for pair in options.program), options.timeout,
                            options.run_id)
        execution = launcher.run(given)
    except Failure as failure:  # what the server refuses to start
        print(json.dumps({'state': 'FAILED', 'reason': str(failure), 'tasks': []}))
        return 1
    except (Unreadable, OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        print(f'launcher: {type(error).__name__}: {error}', file=sys.stderr)
        return 2
    summary = {'pipeline': launcher.pipeline, 'state': execution.state, 'outputs': root_outputs(launcher, execution),
               'tasks': [summary_of(one, places) for one in launcher.executions]}
    print(json.dumps(summary, indent=2, ensure_ascii=False))
    return 0 if execution.state == 'SUCCEEDED' else 1


if __name__ == '__main__':
    sys.exit(main())
