"""The interpreter of the launcher's contract, on tiny pipelines and on what the Python SDK compiled."""
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest

import yaml

import cel
import go_values
import launcher
import launcher_task

# Does what its first argument says: "write FILE TEXT", "print …", "fail", "output FILE JSON" or, with
# --executor_input, what a component of the Python SDK would: FAKE_OUTPUTS holds its output parameters by function.
PROGRAM = f'''#!{sys.executable}
import json, os, pathlib, sys
arguments = sys.argv[1:]
if '--executor_input' in arguments:
    given = json.loads(arguments[arguments.index('--executor_input') + 1])
    function = arguments[arguments.index('--function_to_execute') + 1]
    outputs = given['outputs']
    default = {{name: 'text' for name in outputs.get('parameters', {{}})}}
    values = json.loads(os.environ['FAKE_OUTPUTS']).get(function, default)
    if values == 'fail':
        sys.exit(7)
    for name, listed in outputs.get('artifacts', {{}}).items():
        if name == 'executor-logs':
            continue
        pathlib.Path(listed['artifacts'][0]['uri']).write_text(function)
    if values == 'inputs':
        values = {{'Output': given['inputs'].get('parameterValues', {{}}).get('content', '') + '!'}}
    file = pathlib.Path(outputs['outputFile'])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({{'parameterValues': values}}))
while arguments:
    verb = arguments.pop(0)
    if verb == 'write':
        pathlib.Path(arguments.pop(0)).write_bytes(arguments.pop(0).encode())
    elif verb == 'folder':
        folder = pathlib.Path(arguments.pop(0))
        (folder / 'sub').mkdir(parents=True)
        (folder / 'sub' / 'b').write_text('2')
        (folder / 'a').write_text('1')
    elif verb == 'output':
        file = pathlib.Path(json.loads(arguments.pop(0))['outputs']['outputFile'])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(arguments.pop(0))
    elif verb == 'fail':
        sys.exit(3)
    print(json.dumps([verb, *arguments]))
'''


def component(label, inputs=None, outputs=None, artifacts_in=(), artifacts_out=()):
    artifact = {'artifactType': {'schemaTitle': 'system.Dataset', 'schemaVersion': '0.0.1'}}
    parameters = {name: kind if isinstance(kind, dict) else {'parameterType': kind}
                  for name, kind in (inputs or {}).items()}
    return {'executorLabel': label,
            'inputDefinitions': {'parameters': parameters, 'artifacts': {name: artifact for name in artifacts_in}},
            'outputDefinitions': {'parameters': {n: {'parameterType': k} for n, k in (outputs or {}).items()},
                                  'artifacts': {name: artifact for name in artifacts_out}}}


def executor(*args, command=('tool',), env=()):
    return {'container': {'image': 'i', 'command': list(command), 'args': list(args), 'env': list(env)}}


def task(name, **fields):
    return {'componentRef': {'name': name}, 'taskInfo': {'name': name}, **fields}


def parameter(value):
    return {'runtimeValue': {'constant': value}}


class Case(unittest.TestCase):
    def setUp(self):
        self.kept = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.kept.name)
        self.program = self.folder / 'tool.py'
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)

    def tearDown(self):
        self.kept.cleanup()

    def run_file(self, file, parameters=None, outputs=None, code=0, commands=('tool', 'python3')):
        self.ran = getattr(self, 'ran', 0) + 1
        (self.folder / 'parameters.json').write_text(json.dumps(parameters or {}))
        programs = [f'--program={command}={self.program}' for command in commands]
        os.environ['FAKE_OUTPUTS'] = json.dumps(outputs or {})
        printed, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
            returned = launcher.main([str(file), f'--work={self.folder}/work{self.ran}',
                                      f'--local-root={self.folder}/root',
                                      f'--parameters={self.folder}/parameters.json', *programs])
        self.assertEqual(returned, code, errors.getvalue() + printed.getvalue())
        if code == 2:
            return errors.getvalue()
        summary = json.loads(printed.getvalue())
        self.by_place = {one['place']: one for one in summary['tasks']}
        return summary

    def run_spec(self, components, executors, tasks, root_inputs=None, outputs=None, **options):
        spec = {'pipelineInfo': {'name': 'p'}, 'components': components, 'deploymentSpec': {'executors': executors},
                'root': {'dag': {'tasks': tasks, 'outputs': outputs or {}},
                         'inputDefinitions': {'parameters': root_inputs or {}}}}
        file = self.folder / 'p.yaml'
        file.write_text(yaml.safe_dump(spec))
        return self.run_file(file, **options)

    def run_one(self, *args, inputs=None, given=None, outputs=None, artifacts_out=(), **options):
        """One task; gives its entry of the summary."""
        self.run_spec({'c': component('e', inputs, outputs, artifacts_out=artifacts_out)}, {'e': executor(*args)},
                      {'c': task('c', inputs={'parameters': {n: parameter(v) for n, v in (given or {}).items()}})},
                      **options)
        return self.by_place['c']


class Launcher(Case):
    def test_parameters_reach_the_program_as_go_writes_them(self):
        values = {'s': ('STRING', "a 'b' $(c)\n\"d\" é"), 'i': ('NUMBER_INTEGER', 3.0), 'd': ('NUMBER_DOUBLE', 1e-7),
                  'e': ('NUMBER_DOUBLE', 2.5), 'b': ('BOOLEAN', True), 'l': ('LIST', [1.0, 'x<y', None]),
                  'm': ('STRUCT', {'z': 1, 'a': {'k': False}}), 't': ('STRING', 1.5)}
        done = self.run_one('print', *(f"{{{{$.inputs.parameters['{name}']}}}}" for name in values),
                            "x={{$.inputs.parameters['e']}}; {{$.outputs.parameters['none'].output_file}}",
                            inputs={n: v[0] for n, v in values.items()}, given={n: v[1] for n, v in values.items()})
        self.assertEqual(done['command'][2:10], [
            "a 'b' $(c)\n\"d\" é", '3', '1e-07', '2.5', 'true', '[1,"x\\u003cy",null]', '{"a":{"k":false},"z":1}',
            '1.5'])
        self.assertEqual(done['command'][10], "x=2.5; {{$.outputs.parameters['none'].output_file}}")
        self.assertIn('nothing resolves', done['warnings'][0])

    def test_driver_and_launcher_differ(self):
        with_default = {'x': {'parameterType': 'NUMBER_DOUBLE', 'defaultValue': 1e-7, 'isOptional': True}}
        failed = self.run_one("{{$.inputs.parameters['x']}}", inputs=with_default, code=1)
        self.assertIn("'x'", failed['reason'])  # not passed: the driver does not know the default
        done = self.run_one('write', "{{$.outputs.parameters['y'].output_file}}", 'text', 'print',
                            "{{$.inputs.parameters['x']}}{{$.outputs.parameters['y'].output_file}}",
                            inputs=with_default, outputs={'y': 'STRING'})
        self.assertTrue(done['command'][-1].startswith('0.0000001/'))
        self.assertEqual(done['outputs']['parameters'], {'y': 'text'})

    def test_first_word_gets_the_executor_input_only(self):
        self.run_spec({'c': component('e', {'x': 'STRING'})}, {'e': executor(command=["{{$.inputs.parameters['x']}}"])},
                      {'c': task('c', inputs={'parameters': {'x': parameter('tool')}})}, code=1)
        self.assertIn("no program for the command \"{{$.inputs", self.by_place['c']['reason'])

    def test_executor_input(self):
        done = self.run_one('print', '{{$}}', inputs={'x': 'NUMBER_INTEGER'}, given={'x': 4}, outputs={'y': 'STRING'},
                            artifacts_out=['model'], code=1)  # y is not written
        given = json.loads(done['command'][2])
        self.assertEqual(given['inputs'], {'parameterValues': {'x': 4}})
        model = given['outputs']['artifacts']['model']['artifacts'][0]
        self.assertEqual(model['name'], 'model')
        self.assertEqual(model['type'], {'schemaTitle': 'system.Dataset', 'schemaVersion': '0.0.1'})
        self.assertTrue(model['uri'].startswith(str(self.folder / 'root/p/run/c/')))
        self.assertEqual(given['outputs']['outputFile'],
                         str(pathlib.Path(model['uri']).parent / 'output_metadata.json'))
        logs = given['outputs']['artifacts']['executor-logs']['artifacts'][0]
        self.assertTrue(logs['uri'].endswith('/executor-logs-0'))
        self.assertEqual(json.loads(pathlib.Path(done['log']).read_text().splitlines()[0])[0], 'print')
        self.assertTrue(pathlib.Path(given['outputs']['parameters']['y']['outputFile']).parent.is_dir())
        self.assertIn('output parameter y', done['reason'])

    def test_output_parameters(self):
        def written(kind, text, code=0):
            done = self.run_one('write', "{{$.outputs.parameters['y'].output_file}}", text, outputs={'y': kind},
                                code=code)
            return done['reason'] if code else done['outputs']['parameters']['y']

        self.assertEqual(written('NUMBER_INTEGER', ' +12\n'), 12)
        self.assertEqual(written('NUMBER_DOUBLE', '1e3\n'), 1000)
        self.assertIs(written('BOOLEAN', 'True\n'), True)
        self.assertEqual(written('STRING', ' a\n'), ' a\n')
        self.assertEqual(written('LIST', ' [1, {"a": null}]\n'), [1, {'a': None}])
        self.assertEqual(written('STRUCT', '{"a": 1.5}'), {'a': 1.5})
        for kind, text in (('NUMBER_INTEGER', '1.0'), ('NUMBER_INTEGER', ''), ('NUMBER_INTEGER', '9223372036854775808'),
                           ('NUMBER_DOUBLE', 'nan'), ('NUMBER_DOUBLE', '1,5'), ('BOOLEAN', 'yes'), ('LIST', '{}'),
                           ('LIST', '[NaN]'), ('STRUCT', '[]'), ('STRUCT', '{"a": 1, "a": 2}')):
            self.assertIn('output parameter y', written(kind, text, code=1))

    def test_executor_output_outranks_files_and_is_strict(self):
        def written(output, code=0):
            return self.run_one('write', "{{$.outputs.parameters['y'].output_file}}", '1', 'write',
                                "{{$.outputs.artifacts['m'].path}}", 'm', 'output', '{{$}}', output,
                                outputs={'y': 'NUMBER_INTEGER'}, artifacts_out=['m'], code=code)

        done = written('{"parameterValues": {"y": 2}, "artifacts": {"m": {"artifacts": [{"metadata": '
                       '{"chi2": 1.5, "good": true, "list": [1]}}]}}}')
        self.assertEqual(done['outputs']['parameters'], {'y': 2})
        self.assertEqual(done['outputs']['artifacts']['m']['metadata'], {'chi2': 1.5, 'good': True, 'list': [1]})
        self.assertEqual(written('{"parameter_values": {"y": 3}}')['outputs']['parameters'], {'y': 3})
        for output in ('{"extra": 1}', '{"parameterValues": {"y": NaN}}', '{"parameterValues": {"y": null}}',
                       '{"artifacts": {"m": {"artifacts": [{"metadata": {"a": null}}]}}}',
                       '{"artifacts": {"m": {"artifacts": [{"meta": {}}]}}}', '{"artifacts": {"m": []}}',
                       '{"artifacts": {"m": {"artifacts": [{"metadata": {"a": 1e999}}]}}}', '{', '[]',
                       '{"parameterValues": {}, "parameter_values": {}}'):
            self.assertEqual(written(output, code=1)['state'], 'FAILED', output)

    def test_artifacts_go_on(self):
        components = {
            'make': component('make', artifacts_out=['file', 'folder', 'none']),
            'use': component('use', artifacts_in=['file', 'folder'])}
        executors = {
            'make': executor('write', "{{$.outputs.artifacts['file'].path}}", 'content', 'folder',
                             "{{$.outputs.artifacts['folder'].path}}", 'output', '{{$}}',
                             '{"artifacts": {"file": {"artifacts": [{"metadata": {"ok": true, "rows": [1]}}]}}}'),
            'use': executor('print', "{{$.inputs.artifacts['file'].path}}", "{{$.inputs.artifacts['file'].uri}}",
                            '{{$}}')}
        inputs = {name: {'taskOutputArtifact': {'producerTask': 'make', 'outputArtifactKey': name}}
                  for name in ('file', 'folder')}
        self.run_spec(components, executors, {'make': task('make'), 'use': task('use', inputs={'artifacts': inputs})})
        made = self.by_place['make']['outputs']['artifacts']
        self.assertEqual(made['file']['sha256'], 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73')
        self.assertEqual(pathlib.Path(made['folder']['path'], 'sub/b').read_text(), '2')
        self.assertEqual(len(made['folder']['sha256']), 64)
        self.assertFalse(made['none']['exists'])
        self.assertIn('does not exist', self.by_place['make']['warnings'][0])
        command = self.by_place['use']['command']
        self.assertEqual(command[2:4], [made['file']['path'], made['file']['uri']])
        # ML Metadata knows neither bools nor lists.
        metadata = json.loads(command[4])['inputs']['artifacts']['file']['artifacts'][0]['metadata']
        self.assertEqual((metadata['ok'], metadata['rows'], metadata['display_name']), (1, {'list': [1]}, 'file'))

    def test_paths_of_the_cluster(self):
        cluster = launcher_task.Places('/w', None, 'minio://b/root/?region=x')
        self.assertEqual(cluster.pipeline_root, 'minio://b/root')
        for artifact, path in (({'uri': 'minio://b/k/a'}, '/minio/b/k/a'), ({'uri': 's3://b/k'}, '/s3/b/k'),
                               ({'uri': 'gs://b/k'}, '/gcs/b/k'), ({'uri': 'file:///a'}, None), ({'uri': '/a'}, None),
                               ({'uri': 'oci://r.io/m/n:1'}, '/oci/r.io_m_n:1/models'),
                               ({'uri': 'gs://b/k', 'customPath': '/mine'}, '/mine'),
                               ({'uri': 'gs://b/k', 'metadata': {'_kfp_workspace': True}},
                                '/kfp-workspace/.artifacts/gcs/b/k')):
            self.assertEqual(cluster.path_of(artifact), path)
        local = launcher_task.Places('/w', '/root', '')
        self.assertEqual(local.path_of({'uri': '/root/a'}), '/root/a')
        self.assertEqual(local.imported('gs://b/k'), '/root/gcs/b/k')

    def test_if_present(self):
        clause = json.dumps({'IfPresent': {'InputName': 'x', 'Then': ['--x', "{{$.inputs.parameters['x']}}"],
                                           'Else': ['--none']}})
        optional = {'x': {'parameterType': 'STRING', 'isOptional': True}}
        self.assertEqual(self.run_one('print', clause, inputs=optional)['command'][2:], ['--none'])
        self.assertEqual(self.run_one('print', clause, inputs=optional, given={'x': 'a b'})['command'][2:],
                         ['--x', 'a b'])
        concat = json.dumps({'Concat': ['a', 'b']})
        self.assertIn('nothing resolves', self.run_one('print', concat)['warnings'][0])

    def test_failures_and_exit_tasks(self):
        components = {'bad': component('bad'), 'next': component('good'), 'other': component('good'),
                      'exit': component('status', {'status': 'TASK_FINAL_STATUS'})}
        executors = {'bad': executor('fail'), 'good': executor('print'),
                     'status': executor('print', "{{$.inputs.parameters['status']}}")}
        tasks = {'bad': task('bad'), 'next': task('next', dependentTasks=['bad']), 'other': task('other'),
                 'exit': task('exit', dependentTasks=['bad'], inputs={
                     'parameters': {'status': {'taskFinalStatus': {'producerTask': 'bad'}}}},
                              triggerPolicy={'strategy': 'ALL_UPSTREAM_TASKS_COMPLETED'})}
        self.assertEqual(self.run_spec(components, executors, tasks, code=1)['state'], 'FAILED')
        self.assertEqual({place: one['state'] for place, one in self.by_place.items()},
                         {'bad': 'FAILED', 'next': 'SKIPPED', 'other': 'SUCCEEDED', 'exit': 'SUCCEEDED'})
        self.assertEqual(self.by_place['bad']['exitCode'], 3)
        self.assertEqual(json.loads(self.by_place['exit']['command'][2])['state'], 'FAILED')

    def test_defaults(self):
        not_optional = {'x': {'parameterType': 'NUMBER_DOUBLE', 'defaultValue': 1.0}}
        self.assertIn('isOptional', self.run_one('print', inputs=not_optional, code=1)['reason'])
        root = {'x': {'parameterType': 'NUMBER_INTEGER', 'defaultValue': 5.0, 'isOptional': True}}
        components = {'c': component('e', {'x': 'NUMBER_INTEGER'})}
        tasks = {'c': task('c', inputs={'parameters': {'x': {'componentInputParameter': 'x'}}})}
        executors = {'e': executor('print', "{{$.inputs.parameters['x']}}")}
        self.run_spec(components, executors, tasks, root_inputs=root)
        self.assertEqual(self.by_place['c']['command'][2], '5')
        self.run_spec(components, executors, tasks, root_inputs=root, parameters={'x': 6})
        self.assertEqual(self.by_place['c']['command'][2], '6')
        refused = self.run_spec(components, executors, tasks, root_inputs=root, parameters={'y': 6}, code=1)
        self.assertIn("'y'", refused['reason'])
        self.run_spec(components, executors, tasks, root_inputs=root, parameters={'x': 'six'}, code=1)
        self.assertIn('string', self.by_place['c']['reason'])

    def test_unreadable_pipelines(self):
        components, executors = {'c': component('e')}, {'e': executor('print')}
        self.assertIn('wait for each other', self.run_spec(
            components, executors, {'c': task('c', dependentTasks=['d']), 'd': task('c', dependentTasks=['c'])},
            code=2))
        self.assertIn('unknown tasks', self.run_spec(components, executors, {'c': task('c', dependentTasks=['x'])},
                                                     code=2))

    def test_importer(self):
        components = {'importer': component('importer', {'uri': 'STRING'}, artifacts_out=['artifact']),
                      'use': component('use', artifacts_in=['data'])}
        executors = {'importer': {'importer': {'artifactUri': {'runtimeParameter': 'uri'}, 'metadata': {'k': 'v'},
                                               'typeSchema': {'schemaTitle': 'system.Dataset'}}},
                     'use': executor('print', "{{$.inputs.artifacts['data'].path}}")}
        tasks = {'importer': task('importer', inputs={'parameters': {'uri': {'componentInputParameter': 'where'}}}),
                 'use': task('use', inputs={'artifacts': {'data': {'taskOutputArtifact': {
                     'producerTask': 'importer', 'outputArtifactKey': 'artifact'}}}})}
        root = {'where': {'parameterType': 'STRING'}}
        self.run_spec(components, executors, tasks, root_inputs=root, parameters={'where': 's3://bucket/a'})
        self.assertEqual(self.by_place['use']['command'][2], str(self.folder / 'root/s3/bucket/a'))
        self.run_spec(components, executors, tasks, root_inputs=root, parameters={'where': str(self.program)})
        self.assertEqual(self.by_place['use']['command'][2], str(self.program))
        self.assertTrue(self.by_place['importer']['outputs']['artifacts']['artifact']['exists'])


@unittest.skipUnless(os.environ.get('CALOPIPE_KFP_GOLDENS'), 'CALOPIPE_KFP_GOLDENS is not set')
class Goldens(Case):
    """Pipelines that the Python SDK compiled, with a program in place of Python."""

    def golden(self, name, **options):
        return self.run_file(pathlib.Path(os.environ['CALOPIPE_KFP_GOLDENS'], name), **options)

    def test_one_of(self):
        for coin, branch, other in (('heads', 'condition-2', 'condition-3'), ('tails', 'condition-3', 'condition-2')):
            done = self.golden('critical__if_else_with_oneof_artifacts.yaml', outputs={'flip_coin': {'Output': coin}})
            states = {place: one['state'] for place, one in self.by_place.items()}
            place = next(p for p in states if p.endswith(branch))
            self.assertEqual(states[place], 'SUCCEEDED')
            self.assertEqual(states[place.replace(branch, other)], 'SKIPPED')
            self.assertEqual(done['state'], 'SUCCEEDED')
            self.assertEqual(self.by_place['flip-coin-pipeline/print-artifact']['state'], 'SUCCEEDED')

    def test_conditions_in_loops(self):
        for number, parity, taken in ((20, 'even', 'condition-8/condition-branches-5/condition-6'),
                                      (20, 'odd', 'condition-8/condition-branches-5/condition-7'),
                                      (7000, 'even', 'condition-9/condition-branches-10/condition-11')):
            self.golden('if_elif_else_complex.yaml', outputs={
                'int_0_to_9999': {'Output': number}, 'is_even_or_odd': {'Output': parity},
                'is_even_or_odd_2': {'Output': parity}}, parameters={'trials': [1, 3]})
            states = {place: one['state'] for place, one in self.by_place.items()}
            for trial in (0, 1):
                self.assertEqual(states[f'for-loop-1[{trial}]/condition-branches-4/{taken}'], 'SUCCEEDED')
            # The innermost condition is "trials == 3".
            self.assertEqual([states[f'for-loop-1[{trial}]/condition-2/condition-3'] for trial in (0, 1)],
                             ['SKIPPED', 'SUCCEEDED'])
            self.assertEqual(self.by_place['print-ints']['parameters'], {'ints': [number, number]})

    def test_collected(self):
        done = self.golden('critical__collected_parameters.yaml', outputs={
            'split_ids': {'Output': ['a', 'b', 'c']}, 'prepend_id': 'inputs', 'split_ids_2': {'Output': ['a']},
            'prepend_id_2': 'inputs'})
        self.assertEqual(done['state'], 'SUCCEEDED')
        collected = [one for place, one in self.by_place.items() if place.endswith('/consume-ids')]
        self.assertEqual(collected[0]['parameters'], {'ids': ['a!', 'b!', 'c!']})

    def test_loops(self):
        self.golden('parallel_and_nested__pipeline_with_loops.yaml',
                    outputs={'args_generator_op': {'Output': [{'A_a': '1', 'B_b': '2'}]}},
                    parameters={'loop_parameter': [{'A_a': 'p', 'B_b': 'q'}, {'A_a': 'r', 'B_b': 's'}]})
        # The items of this list are declared as texts.
        self.assertEqual(self.by_place['for-loop-1[1]/print-text']['parameters'], {'msg': '{"A_a":"r","B_b":"s"}'})
        self.assertEqual(self.by_place['for-loop-4[1]/print-text-4']['parameters'], {'msg': '10'})

    def test_exit_handler(self):
        for outputs, state, final in (({}, 0, 'COMPLETE'), ({'echo': 'fail'}, 1, 'FAILED')):
            self.golden('local_execution__local_execution_pipeline_with_exit_handler.yaml', outputs=outputs, code=state)
            self.assertEqual(self.by_place['record-exit']['state'], 'SUCCEEDED')
            self.assertEqual(self.by_place['record-exit']['parameters']['status']['state'], final)


class Cel(unittest.TestCase):
    def test_values(self):
        variables = {'inputs': {'parameter_values': {'a': 'heads', 'n': 5.0, 's': '7', 'l': [1.0, 2.0], 'none': None}}}
        for text, value in (
                ("inputs.parameter_values['a'] == 'heads'", True), ('inputs.parameter_values["a"] != "heads"', False),
                ("int(inputs.parameter_values['n']) < 5000 && int(inputs.parameter_values['s']) >= 7", True),
                ("!(inputs.parameter_values['n'] == 5) || false", False),
                ("inputs.parameter_values['n'] == '5'", False),
                ("inputs.parameter_values['x'] == 1 || true", True), ("true ? 1 : 2", 1),
                ("'\\u00e9\\'' + r'\\n'", "é'\\n"),
                ("-7 / 2 == -3 && -7 % 2 == -1", True), ("2 in inputs.parameter_values['l']", True),
                ("size(inputs.parameter_values['a']) + 1", 6), ("inputs.parameter_values['none'] == null", True),
                ("'abc'.contains('b') && 'abc'.startsWith('a')", True), ("1.5 > 1", True), ("[1, 2][1]", 2),
                ("string(3) + string(1.5)", '31.5'), ("double('1e3')", 1000.0), ("0x10", 16)):
            self.assertEqual(cel.evaluate(text, variables), value, text)
        for text in ("inputs.parameter_values['x']", "1 +", "'a' < 1", "nothing", "1 2", "int('1.5')", "true && 1",
                     "9223372036854775807 + 1", "1 / 0", "'a", "f(1)", "@"):
            with self.assertRaises(cel.Error, msg=text):
                cel.evaluate(text, variables)


class GoValues(unittest.TestCase):
    def test_numbers(self):
        for number, f, g, as_json in ((1e21, '1000000000000000000000', '1e+21', '1e+21'), (0.1, '0.1', '0.1', '0.1'),
                                      (1.5e-7, '0.00000015', '1.5e-07', '1.5e-7'), (-2.0, '-2', '-2', '-2'),
                                      (1234567.5, '1234567.5', '1.2345675e+06', '1234567.5')):
            self.assertEqual((go_values.format_f(number), go_values.format_g(number), go_values.json_number(number)),
                             (f, g, as_json))
        self.assertEqual(go_values.normal(2**53 + 1), 2**53)


if __name__ == '__main__':
    unittest.main()
