"""The peer of the Argo tests: workflows by Argo's schema, and what they refer to.

peer.py FOLDER    every *.yaml of the folder: the JSON schema of Hera's models (generated from the one that Argo
                  publishes) without unknown fields; every template reached, every reference to something there
"""
import json
import pathlib
import re
import sys

import jsonschema
import yaml
from hera.workflows.models import Workflow


def strict(schema):
    """The schema with no fields but those it names."""
    if isinstance(schema, dict):
        if schema.get('type') == 'object' and 'properties' in schema:
            schema['additionalProperties'] = False
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


VALIDATOR = jsonschema.Draft202012Validator(strict(Workflow.model_json_schema(by_alias=True)))
TAG = re.compile(r'\{\{(.*?)\}\}')
GLOBAL = {'workflow.name', 'workflow.uid', 'workflow.creationTimestamp.RFC3339', 'retries', 'item.index', 'item.value'}


def names(parameters):
    listed = [parameter['name'] for parameter in parameters]
    assert len(listed) == len(set(listed)), f'twice: {listed}'
    return set(listed)


class Checker:
    def __init__(self, workflow):
        error = jsonschema.exceptions.best_match(VALIDATOR.iter_errors(workflow))
        assert error is None, f'{list(error.absolute_path)}: {error.message[:500]}'
        self.spec = workflow['spec']
        self.templates = {template['name']: template for template in self.spec['templates']}
        assert len(self.templates) == len(self.spec['templates']), 'two templates of one name'
        self.reached = set()

    def check(self):
        entry = self.templates[self.spec['entrypoint']]
        given = names(self.spec.get('arguments', {}).get('parameters', []))
        missing = names(entry.get('inputs', {}).get('parameters', [])) - given
        assert not missing, f'no arguments for {missing}'
        self.reach(entry['name'])
        assert self.reached == set(self.templates), f'never used: {set(self.templates) - self.reached}'
        for template in self.templates.values():
            self.check_template(template)

    def reach(self, name):
        assert name in self.templates, f'no template {name}'
        if name in self.reached:
            return
        self.reached.add(name)
        for task in self.templates[name].get('dag', {}).get('tasks', []):
            self.reach(task['template'])

    def check_template(self, template):
        inputs = names(template.get('inputs', {}).get('parameters', []))
        body = {key: value for key, value in template.items() if key != 'dag'}
        if 'container' in template or 'resource' in template:
            self.references(body, inputs, {})
            self.check_container(template)
            return
        outputs = {}
        upstream = {}
        for task in template['dag']['tasks']:
            used = self.templates[task['template']]
            outputs[task['name']] = names(used.get('outputs', {}).get('parameters', []))
            upstream[task['name']] = set(re.findall(r'([a-zA-Z0-9][-a-zA-Z0-9]*)\.[A-Z]', task.get('depends', '')))
        assert len(outputs) == len(template['dag']['tasks']), 'two tasks of one name'
        for task in template['dag']['tasks']:
            unknown = upstream[task['name']] - set(outputs)
            assert not unknown, f'{task["name"]} depends on {unknown}'
            before = self.before(task['name'], upstream)
            self.references(task, inputs, {name: outputs[name] for name in before})
            self.check_arguments(task)
        for name in template['dag'].get('target', '').split():
            assert name in outputs, f'no target {name}'
        self.references(template.get('outputs', {}), inputs, outputs)

    def before(self, task, upstream):
        found, queue = set(), [task]
        while queue:
            for name in upstream[queue.pop()] - found:
                found.add(name)
                queue.append(name)
        assert task not in found, f'{task} waits for itself'
        return found

    def check_arguments(self, task):
        used = self.templates[task['template']].get('inputs', {}).get('parameters', [])
        given = names(task.get('arguments', {}).get('parameters', []))
        required = {parameter['name'] for parameter in used if 'value' not in parameter}
        assert required <= given, f'{task["name"]} lacks {required - given}'
        assert given <= names(used), f'{task["name"]} passes {given - names(used)}, which nobody takes'

    def check_container(self, template):
        volumes = {volume['name'] for volume in template.get('volumes', [])}
        volumes |= {claim['metadata']['name'] for claim in self.spec.get('volumeClaimTemplates', [])}
        containers = template.get('initContainers', []) + [template.get('container', {})]
        for container in containers:
            paths = [mount['mountPath'] for mount in container.get('volumeMounts', [])]
            assert len(paths) == len(set(paths)), f'two volumes at one of {paths}'
            for mount in container.get('volumeMounts', []):
                assert mount['name'] in volumes, f'no volume {mount["name"]}'
        # What Argo gathers lies in a volume, whose folder is there before the program starts.
        for output in template.get('outputs', {}).get('parameters', []):
            path = output['valueFrom'].get('path')
            assert path is None or pathlib.PurePath(path).parent in map(pathlib.PurePath, paths), path
        for text in template.get('container', {}).get('args', []) + template.get('container', {}).get('command', []):
            if text.startswith('{"inputs":'):
                # Expressions give JSON; so does a variable that is a value, while one inside a text gives text.
                json.loads(TAG.sub(lambda tag: '"x"' if tag.group(1).startswith('=') else '1', text))

    def references(self, body, inputs, outputs):
        """Every variable in the tags and expressions of `body`."""
        def walk(value, key=''):
            if isinstance(value, dict):
                for name, inner in value.items():
                    walk(inner, name)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner, key)
            elif isinstance(value, str):
                tags = TAG.findall(value)
                for tag in tags:
                    if tag.startswith('='):
                        self.expression(tag[1:], inputs, outputs)
                    else:
                        self.variable(tag, inputs, outputs)
                if key == 'expression':
                    self.expression(TAG.sub('', value), inputs, outputs)
                else:
                    rest = TAG.sub('', value)
                    assert '{{' not in rest, f'an open tag in {value}'
        walk(body)

    def variable(self, tag, inputs, outputs):
        if tag in GLOBAL:
            return
        if tag.startswith('inputs.parameters.'):
            assert tag[len('inputs.parameters.'):] in inputs, f'no input {tag}'
            return
        match = re.fullmatch(r'tasks\.([^.]+)\.(?:status|outputs\.parameters\.([^.]+))', tag)
        assert match, f'unknown variable {tag}'
        self.output(match.group(1), match.group(2), outputs)

    def output(self, task, name, outputs):
        assert task in outputs, f'task {task} is not there or not waited for'
        assert name is None or name in outputs[task], f'task {task} gives no {name}'

    def expression(self, text, inputs, outputs):
        code = re.sub(r'(?<!\[)"(?:[^"\\]|\\.)*"', '""', text)
        assert '{' not in code.replace('({', '').replace('{}', '') or '#' in code, text
        for name in re.findall(r"inputs\.parameters\['([^']+)'\]", text):
            assert name in inputs, f'no input {name}'
        for task, name in re.findall(
                r"tasks\['([^']+)'\](?:\??\.outputs\??\.parameters(?:\?\.)?\[['\"]([^'\"]+)['\"]\])?", text):
            self.output(task, name or None, outputs)


def main():
    files = sorted(pathlib.Path(sys.argv[1]).glob('*.yaml'))
    failed = 0
    for file in files:
        try:
            Checker(yaml.safe_load(file.read_text())).check()
        except AssertionError as error:
            failed += 1
            print(f'{file.name}: {error}', file=sys.stderr)
    print(f'{len(files)} workflows, {failed} of them wrong')
    return 1 if failed or not files else 0


if __name__ == '__main__':
    sys.exit(main())
