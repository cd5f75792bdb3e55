"""The commands that speak to Kubeflow, through the program itself. usage: commands_test.py PATH-OF-CALOPIPE"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import yaml

PROGRAM = None
HERE = pathlib.Path(__file__).resolve().parent
TOKEN = 'geheimer-token-7391'

SMALL = {'pipelineInfo': {'name': 'small'}, 'schemaVersion': '2.1.0', 'sdkVersion': 'kfp-2.17.0',
         'components': {'comp-a': {'executorLabel': 'exec-a',
                                   'inputDefinitions': {'parameters': {'n': {'parameterType': 'NUMBER_INTEGER'}}}}},
         'deploymentSpec': {'executors': {'exec-a': {'container': {'image': 'tools@sha256:' + '0' * 64,
                                                                   'command': ['count'], 'args': ['1']}}}},
         'root': {'inputDefinitions': {'parameters': {'n': {'parameterType': 'NUMBER_INTEGER', 'defaultValue': 1}}},
                  'dag': {'tasks': {'a': {'componentRef': {'name': 'comp-a'}, 'taskInfo': {'name': 'a'},
                                          'inputs': {'parameters': {'n': {'componentInputParameter': 'n'}}}}}}}}


class Server:
    def __init__(self, folder, *arguments, script='server.py'):
        port_file = folder / 'port'
        self.process = subprocess.Popen([sys.executable, HERE / script, port_file, *arguments], stdin=subprocess.PIPE)
        for _ in range(3000):
            if port_file.exists():
                break
            time.sleep(0.01)
        self.address = 'http://127.0.0.1:' + port_file.read_text(encoding='utf-8')

    def control(self, path, body=None):
        request = urllib.request.Request(self.address + path, data=json.dumps(body or {}).encode(), method='POST')
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def seen(self):
        return self.control('/_seen')

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Commands(unittest.TestCase):
    def setUp(self):
        if 'CALOPIPE_PYTHON' not in os.environ:
            self.skipTest('CALOPIPE_PYTHON is not set')
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.server = self.serve()
        self.environment = {**os.environ, 'XDG_CONFIG_HOME': str(self.folder / 'config'),
                            'CALOPIPE_STORE': str(self.folder / 'store')}
        self.environment['NO_PROXY'] = os.environ['NO_PROXY'] = '127.0.0.1'
        for name in ('CALOPIPE_CONTEXT', 'CALOPIPE_THREADS', 'DISPLAY', 'WAYLAND_DISPLAY', 'KF_PIPELINES_ENDPOINT', 'KF_PIPELINES_SA_TOKEN_PATH'):
            self.environment.pop(name, None)
        self.ok('kubeflow', 'context', 'set', 'test', '--server', self.server.address)
        self.small = self.folder / 'small.yaml'
        self.small.write_text(yaml.safe_dump(SMALL), encoding='utf-8')

    def serve(self, *arguments, **options):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        server = Server(folder, *arguments, **options)
        self.addCleanup(server.close)
        return server

    def tearDown(self):
        self.assertEqual(self.server.seen()['violations'], [])

    def call(self, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], env=self.environment, capture_output=True, text=True,
                              timeout=120, check=False, stdin=subprocess.DEVNULL)

    def ok(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, f'{arguments}: {done.stdout}{done.stderr}')
        return done.stdout

    def refused(self, code, pattern, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, code, f'{arguments}: {done.stdout}{done.stderr}')
        self.assertRegex(done.stderr, pattern)
        last = [line for line in done.stderr.splitlines() if line.startswith('calopipe: ')]
        self.assertEqual(len(last), 1, done.stderr)  # one clear message
        return done

    def json_of(self, *arguments):
        return json.loads(self.ok(*arguments, '--json'))

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *map(str, arguments)], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)


class Login(Commands):
    def set_up(self, *arguments):
        provider = self.serve(script='oidc_server.py')
        self.ok('kubeflow', 'context', 'set', 'site', '--server', self.server.address, '--oidc-issuer', provider.address,
                '--oidc-client-id', 'calopipe', *arguments)
        self.ok('kubeflow', 'context', 'use', 'site')
        return provider

    def test_in_a_browser(self):
        self.set_up()
        self.refused(4, 'nobody is logged in .*calopipe kubeflow login', 'kubeflow', 'health')
        login = self.start('kubeflow', 'login')
        address = next(line.strip() for line in login.stderr if 'authorize?' in line)
        with urllib.request.urlopen(address, timeout=20) as page:
            self.assertIn(b'You are logged in', page.read())
        out, err = login.communicate(timeout=60)
        self.assertEqual(login.returncode, 0, err)
        self.assertRegex(out, r'logged in: +jdoe@example.org\n(?s:.*)renewed automatically')
        self.ok('kubeflow', 'health')
        self.assertEqual({one['name']: one['login'] for one in self.json_of('kubeflow', 'context', 'list')},
                         {'site': 'oidc', 'test': 'none'})
        [tokens] = (self.folder / 'config' / 'calopipe' / 'logins').glob('*.json')
        for secret in ('id_token', 'refresh_token'):
            self.assertNotIn(json.loads(tokens.read_text())[secret], out + err)
        self.assertEqual(self.ok('kubeflow', 'logout'), 'logged out: site\n')
        self.assertEqual(self.ok('kubeflow', 'logout'), 'not logged in: site\n')
        self.refused(4, 'nobody is logged in', 'kubeflow', 'health')

    def test_with_a_code(self):
        provider = self.set_up()
        provider.control('/_orders', {'pending': 1})
        done = self.call('kubeflow', 'login', '--device', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)['who'], 'jdoe@example.org')
        self.assertIn('/activate?user_code=', done.stderr)

    def test_mistakes(self):
        self.refused(2, 'logs in with nothing, and needs no command', 'kubeflow', 'login', '--context', 'test')
        for wrong, message in ((('--oidc-issuer', 'http://y'), 'requires --oidc-client-id'),
                               (('--oidc-issuer', 'http://y', '--oidc-client-id', 'a', '--token-file', 'b'), 'excludes')):
            done = self.call('kubeflow', 'context', 'set', 'x', '--server', 'http://x', *wrong)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)
        self.set_up('--oidc-redirect-uri', 'http://example.org/')
        self.refused(3, 'redirect_uri: .*no address on the loopback', 'kubeflow', 'login')

    def test_ctrl_c(self):
        self.set_up()
        login = self.start('kubeflow', 'login')
        next(line for line in login.stderr if 'authorize?' in line)
        login.send_signal(signal.SIGINT)
        login.communicate(timeout=60)
        self.assertEqual(login.returncode, 130)


class Contexts(Commands):
    def test_they_are_set_listed_and_used(self):
        self.ok('kubeflow', 'context', 'set', 'other', '--server', 'https://example.org/pipeline', '--namespace', 'jdoe',
                '--cookie-file', self.folder / 'cookies.txt')
        self.assertEqual(self.ok('kubeflow', 'context', 'use', 'other'), 'current: other\n')
        listed = self.json_of('kubeflow', 'context', 'list')
        self.assertEqual([(one['name'], one['current'], one['login']) for one in listed],
                         [('other', True, 'cookies'), ('test', False, 'none')])
        self.assertRegex(self.ok('kubeflow', 'context', 'list'), r'\* +other +https://example.org/pipeline +jdoe')
        self.assertIn('database', self.ok('kubeflow', 'health', '--context', 'test'))
        self.environment['CALOPIPE_CONTEXT'] = 'test'
        self.assertEqual(self.json_of('kubeflow', 'health')['context'], 'test')
        self.refused(2, 'did you mean test', 'kubeflow', 'health', '--context', 'tset')
        self.refused(2, 'https', 'kubeflow', 'context', 'set', 'x', '--server', 'example.org')

    def test_the_environment_of_the_python_sdk(self):
        secured = self.serve('--token', TOKEN)
        (self.folder / 'token').write_text(TOKEN, encoding='utf-8')
        self.environment['KF_PIPELINES_ENDPOINT'] = secured.address
        self.refused(4, 'requires a login', 'kubeflow', 'health')
        self.environment['KF_PIPELINES_SA_TOKEN_PATH'] = str(self.folder / 'token')
        self.assertEqual(self.json_of('kubeflow', 'health')['server'], secured.address)

    def test_mistakes_in_the_file(self):
        (self.folder / 'config/calopipe/contexts.yaml').write_text('test: {sever: x}\n', encoding='utf-8')
        self.refused(3, r'contexts.yaml: test: has an unknown field .sever. .did you mean server', 'kubeflow', 'health')


class Administration(Commands):
    def test_pipelines_and_versions(self):
        made = self.json_of('kubeflow', 'pipeline', 'create', self.small, '--description', 'first')
        self.assertEqual(made['display_name'], 'small')
        self.refused(2, 'already exists', 'kubeflow', 'pipeline', 'create', self.small)
        self.refused(3, 'small.yaml|broken.yaml', 'kubeflow', 'pipeline', 'create', self.folder / 'broken.yaml')
        self.ok('kubeflow', 'version', 'create', 'small', self.small, '--name', 'second')
        self.assertRegex(self.ok('kubeflow', 'version', 'list', 'small'), r'(?s)NAME.*second.*small')
        self.assertEqual(self.json_of('kubeflow', 'version', 'get', 'small', 'second')['pipeline_spec']['pipelineInfo'],
                         {'name': 'small'})
        self.ok('kubeflow', 'version', 'delete', made['pipeline_id'], 'second', '--yes')
        self.assertEqual(len(self.json_of('kubeflow', 'version', 'list', 'small')), 1)
        self.assertIn('first', self.ok('kubeflow', 'pipeline', 'get', 'small'))
        self.assertIn(made['pipeline_id'], self.ok('kubeflow', 'pipeline', 'list', '--name', 'mal'))
        self.assertEqual(self.json_of('kubeflow', 'pipeline', 'list', '--name', 'large'), [])
        self.refused(2, '--yes', 'kubeflow', 'pipeline', 'delete', 'small')
        self.refused(3, 'has versions', 'kubeflow', 'pipeline', 'delete', 'small', '--yes')
        self.ok('kubeflow', 'pipeline', 'delete', 'small', '--versions', '--yes')
        self.refused(2, 'not found', 'kubeflow', 'pipeline', 'get', 'small')
        self.assertEqual(self.ok('kubeflow', 'pipeline', 'list'), 'no pipelines\n')

    def test_experiments(self):
        self.ok('kubeflow', 'experiment', 'create', 'calo')
        self.assertRegex(self.ok('kubeflow', 'experiment', 'list'), r'calo +AVAILABLE')
        self.ok('kubeflow', 'experiment', 'archive', 'calo')
        self.assertNotIn('calo', self.ok('kubeflow', 'experiment', 'list'))
        self.assertRegex(self.ok('kubeflow', 'experiment', 'list', '--archived'), r'calo +ARCHIVED')
        self.ok('kubeflow', 'experiment', 'unarchive', 'calo')
        self.assertEqual(self.json_of('kubeflow', 'experiment', 'get', 'calo')['storage_state'], 'AVAILABLE')
        self.ok('kubeflow', 'experiment', 'delete', 'calo', '-y')
        self.refused(2, 'no experiment', 'kubeflow', 'experiment', 'get', 'calo')

    def test_runs(self):
        self.ok('kubeflow', 'pipeline', 'create', self.small)
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], ['a', 'FAILED'], ['', 'FAILED']])
        values = self.folder / 'values.yaml'
        values.write_text('n: 2\n', encoding='utf-8')
        made = self.json_of('kubeflow', 'run', 'create', '--pipeline', 'small', '--name', 'r 1', '--parameters', values,
                            '--experiment', 'calo', '--pipeline-root', 's3://bucket/x')
        self.assertEqual(made['runtime_config'], {'parameters': {'n': 2}, 'pipeline_root': 's3://bucket/x'})
        self.assertIn(made['experiment_id'], self.ok('kubeflow', 'experiment', 'get', 'calo'))
        run = made['run_id']
        self.refused(2, 'either a pipeline or a file', 'kubeflow', 'run', 'create', '--name', 'x')
        for _ in range(4):
            self.ok('kubeflow', 'run', 'get', run)
        text = self.ok('kubeflow', 'run', 'get', 'r 1')
        self.assertRegex(text, r'(?s)state: FAILED.*error: a task of the run failed.*n +2.*a +FAILED.*exit code 3')
        self.assertIn(run, self.ok('kubeflow', 'run', 'list', '--state', 'failed', '--experiment', 'calo'))
        self.assertEqual(self.ok('kubeflow', 'run', 'list', '--state', 'RUNNING'), 'no runs\n')
        self.ok('kubeflow', 'run', 'retry', run)
        self.assertEqual(self.json_of('kubeflow', 'run', 'get', run)['state'], 'SUCCEEDED')
        self.refused(3, 'it is over', 'kubeflow', 'run', 'terminate', run)
        self.ok('kubeflow', 'run', 'archive', run)
        self.assertEqual(self.json_of('kubeflow', 'run', 'list'), [])
        self.assertEqual(len(self.json_of('kubeflow', 'run', 'list', '--archived')), 1)
        self.ok('kubeflow', 'run', 'unarchive', run)
        # With its spec, and a text that looks like none of JSON.
        second = self.json_of('kubeflow', 'run', 'create', '--file', self.small, '--name', 'r 2', '-p', 'n=7')
        self.assertEqual(second['pipeline_spec']['pipelineInfo'], {'name': 'small'})
        self.ok('kubeflow', 'run', 'terminate', 'r 2')
        self.assertEqual(self.json_of('kubeflow', 'run', 'get', 'r 2')['state'], 'CANCELED')
        self.refused(2, 'not UTF-8', 'kubeflow', 'run', 'create', '--file', self.small, '--name', os.fsdecode(b'r\xff'))
        self.refused(3, 'parameter m is not an input', 'kubeflow', 'run', 'create', '--file', self.small, '--name', 'r 3',
                     '-p', 'm=7')
        self.ok('kubeflow', 'run', 'delete', 'r 2', '--yes')
        self.assertEqual(len(self.json_of('kubeflow', 'run', 'list', '--all')), 1)

    def test_recurring_runs(self):
        self.ok('kubeflow', 'pipeline', 'create', self.small)
        made = self.json_of('kubeflow', 'recurring-run', 'create', '--pipeline', 'small', '--name', 'nightly', '--cron',
                            '0 0 3 * * *', '--concurrency', '2', '-p', 'n=4', '--no-catchup')
        self.assertEqual((made['max_concurrency'], made['trigger'], made['no_catchup'], made['status']),
                         ('2', {'cron_schedule': {'cron': '0 0 3 * * *'}}, True, 'ENABLED'))
        self.ok('kubeflow', 'recurring-run', 'disable', 'nightly')
        self.assertRegex(self.ok('kubeflow', 'recurring-run', 'list'), r'nightly +DISABLED +0 0 3 \* \* \*')
        self.ok('kubeflow', 'recurring-run', 'enable', made['recurring_run_id'])
        self.assertIn('ENABLED', self.ok('kubeflow', 'recurring-run', 'get', 'nightly'))
        hourly = self.json_of('kubeflow', 'recurring-run', 'create', '--file', self.small, '--name', 'hourly', '--every-s',
                              '3600', '--disabled')
        self.assertEqual((hourly['trigger'], hourly['status']),
                         ({'periodic_schedule': {'interval_second': '3600'}}, 'DISABLED'))
        self.refused(2, 'one schedule', 'kubeflow', 'recurring-run', 'create', '--file', self.small, '--name', 'x')
        self.ok('kubeflow', 'recurring-run', 'delete', 'nightly', '--yes')
        self.assertEqual(len(self.json_of('kubeflow', 'recurring-run', 'list')), 1)

    def test_long_lists(self):
        self.server.control('/_runs', {'count': 450})
        self.assertEqual(len(self.json_of('kubeflow', 'run', 'list')), 20)
        self.assertEqual(len(self.json_of('kubeflow', 'run', 'list', '--limit', '210')), 210)
        self.assertEqual(len(self.json_of('kubeflow', 'run', 'list', '--all')), 450)
        self.assertEqual(self.ok('kubeflow', 'run', 'list', '--sort-by', 'display_name asc').splitlines()[1][:9],
                         'run 00000')

    def test_every_command_has_examples(self):
        def leaves(words):
            text = self.ok(*words, '--help')
            inside = re.split(r'^Subcommands:$', text.split('Examples:')[0], flags=re.M)
            if len(inside) == 1:
                yield words, text
                return
            for name in re.findall(r'^  ([a-z-]+) ', inside[1], flags=re.M):
                yield from leaves([*words, name])
        found = list(leaves(['kubeflow']))
        self.assertEqual(len(found), 42, [' '.join(words) for words, _ in found])
        for words, text in found:
            self.assertRegex(text, r'Examples:\n  calopipe ' + ' '.join(words), words)


class Refusals(Commands):
    def test_the_login_has_expired_and_no_token_is_shown(self):
        secured = self.serve('--token', 'another')
        token = self.folder / 'token'
        token.write_text(TOKEN, encoding='utf-8')
        self.ok('kubeflow', 'context', 'set', 'secured', '--server', secured.address, '--token-file', token)
        for words in (('kubeflow', 'health', '--context', 'secured'), ('kubeflow', 'run', 'list', '--context', 'secured'),
                      ('run', self.small, '--on', 'secured')):
            done = self.refused(4, 'expired.*log in again', *words)
            self.assertNotIn('geheim', done.stdout + done.stderr)
        secured.control('/_faults', [{'fault': 'echo'}])
        done = self.refused(3, r'Bearer \*\*\*', 'kubeflow', 'health', '--context', 'secured')
        self.assertNotIn('geheim', done.stdout + done.stderr)
        self.assertNotIn('geheim', self.ok('kubeflow', 'context', 'list', '--json'))

    def test_no_permission_and_a_server_that_is_ill_or_none(self):
        self.server.control('/_faults', [{'fault': 'status', 'status': 403, 'message': 'User jdoe cannot list runs'}])
        self.refused(4, 'does not permit.*jdoe.*namespace', 'kubeflow', 'run', 'list')
        self.server.control('/_faults', [{'fault': 'status', 'status': 503, 'times': 10}])
        self.refused(4, '503', 'kubeflow', 'run', 'list')
        self.server.control('/_faults', [])
        self.ok('kubeflow', 'context', 'set', 'gone', '--server', 'http://127.0.0.1:1')
        self.refused(4, 'cannot be reached', 'kubeflow', 'run', 'list', '--context', 'gone')
        self.ok('kubeflow', 'context', 'set', 'wrong', '--server', self.server.address + '/elsewhere')
        self.refused(2, 'has no such object|nothing at', 'kubeflow', 'run', 'list', '--context', 'wrong')


class RunOnKubeflow(Commands):
    def test_training_with_parameters_and_site(self):
        site = self.folder / 'site.yaml'
        site.write_text('image: registry/calopipe@sha256:' + 'a' * 64 + '\n', encoding='utf-8')
        self.server.control('/_script', [['', 'RUNNING'], ['root', 'RUNNING'], ['train-driver', 'RUNNING'],
                                         ['train-driver', 'SUCCEEDED'], ['train', 'RUNNING'], ['executor', 'RUNNING'],
                                         ['train', 'SUCCEEDED'], ['', 'SUCCEEDED']])
        arguments = ('run', '--on', 'test', '--config', 'data/demo.yaml', '--set', 'train.epochs=7', '--site', site)
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r'(?s)run \S+ of training .*\[train\] running.*\[train\] done in .*done in')
        self.assertNotRegex(done.stderr, 'driver|executor|root|warning')
        self.assertRegex(done.stdout, r'version: training-[0-9a-f]{12} \(uploaded\)')
        self.assertIn('products: in the store of the cluster (calopipe kubeflow run fetch ', done.stdout)
        run = self.server.seen()['runs'][0]
        self.assertEqual(run['runtime_config']['parameters']['train_epochs'], 7)
        self.assertEqual(run['runtime_config']['parameters']['data'], 'data/mlfastsim')
        version = self.json_of('kubeflow', 'version', 'get', 'training', re.search('training-[0-9a-f]+', done.stdout)[0])
        images = {e['container']['image'] for e in version['pipeline_spec']['deploymentSpec']['executors'].values()}
        self.assertEqual(images, {'registry/calopipe@sha256:' + 'a' * 64})
        # The same content: the version that is there.
        again = self.json_of(*arguments, '--detach', '--name', 'second', '-q')
        self.assertFalse(again['uploaded'])
        recorded = self.json_of('runs', 'list')[0]['parameters']
        self.assertEqual((recorded['train_epochs'], repr(recorded['latent_dim'])), (7, '10'))
        self.assertEqual(again['name'], 'second')
        self.assertEqual(len(self.server.seen()['versions']), 1)
        # Another site: another version.
        self.assertTrue(self.json_of('run', '--on', 'test', '--config', 'data/demo.yaml', '--detach')['uploaded'])

    def test_records_for_mlflow(self):
        done = self.json_of('run', '--on', 'test', '--config', 'data/demo.yaml', '--detach', '--log', 'mlflow=http://mlflow.example.org/')
        version = self.json_of('kubeflow', 'version', 'get', 'training', done['version'])
        for executor in version['pipeline_spec']['deploymentSpec']['executors'].values():
            self.assertIn({'name': 'CALOPIPE_LOG', 'value': 'mlflow=http://mlflow.example.org'}, executor['container']['env'])
        refused = self.call('run', '--on', 'test', '--config', 'data/demo.yaml', '--detach', '--log', 'mlflow=somewhere')
        self.assertEqual(refused.returncode, 2)
        self.assertIn('https://', refused.stderr)

    def test_a_compiled_pipeline(self):
        self.ok('kubeflow', 'context', 'set', 'test', '--server', self.server.address, '--experiment', 'calo')
        done = self.json_of('run', self.small, '--set', 'n=3', '--on', 'test')
        self.assertEqual((done['state'], done['pipeline'], done['context']), ('SUCCEEDED', 'small', 'test'))
        run = self.server.seen()['runs'][0]
        self.assertEqual(run['runtime_config']['parameters'], {'n': 3})
        self.assertEqual(run['experiment_id'], self.json_of('kubeflow', 'experiment', 'get', 'calo')['experiment_id'])

    def test_what_is_wrong_is_said_before_anything_is_sent(self):
        self.refused(2, 'not a component', 'run', '--on', 'test', '--set', 'tarin.epochs=7')
        broken = json.loads(json.dumps(SMALL))
        broken['root']['dag']['tasks']['a']['componentRef']['name'] = 'comp-b'
        self.small.write_text(json.dumps(broken), encoding='utf-8')
        self.refused(3, 'small.yaml: root.dag.tasks.a', 'run', self.small, '--on', 'test')
        self.refused(2, 'did you mean test', 'run', '--on', 'tets')
        for option, value in (('--no-cache', None), ('--force', 'train'), ('--cpus', '1'),
                              ('--memory-gib', '1'), ('--threads', '2'), ('--threads=2', None)):
            self.refused(2, option.split('=')[0] + ': applies only to runs on this machine', 'run', '--on', 'test', option,
                         *([value] if value else []))
        self.refused(2, '--on: is empty', 'run', self.small, '--on', '')
        self.refused(3, 'small.yaml: is a file, but a store is a folder', 'run', self.small, '--on', 'test', '--store',
                     self.small)
        self.assertEqual(self.call('run', '--detach').returncode, 2)
        self.assertEqual(self.server.seen()['requests'], [])

    def test_a_run_that_fails(self):
        for message_state, code in ((('a', 'FAILED'), 3),):
            self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], list(message_state), ['', 'FAILED']])
            done = self.refused(code, r'calopipe: a: failed: exit code 3 \(calopipe kubeflow run get', 'run', self.small,
                                '--on', 'test')
            self.assertIn('[a] failed', done.stderr)
        self.server.control('/_script', [['', 'RUNNING'], ['', 'FAILED']])
        self.refused(1, 'a task of the run failed', 'run', self.small, '--on', 'test')
        self.server.control('/_script', [['', 'RUNNING'], ['', 'CANCELED']])
        self.refused(130, 'was terminated on the server', 'run', self.small, '--on', 'test')

    def test_a_lost_answer_and_a_restart(self):
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], ['a', 'RUNNING'], ['a', 'SUCCEEDED'],
                                         ['', 'SUCCEEDED']])
        self.server.control('/_faults', [{'fault': 'lost', 'method': 'POST', 'path': '/runs$'}])
        run = self.start('run', self.small, '--on', 'test')
        line = ''
        for line in run.stderr:
            if '[a] running' in line:
                break
        self.assertIn('[a] running', line)
        self.server.control('/_restart', {'down_s': 6})
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, err)
        self.assertRegex(err, r'(?s)warning: .*cannot be reached.*the run continues.*answers again.*\[a\] done')
        self.assertEqual(len(self.server.seen()['runs']), 1)
        self.assertIn(self.server.seen()['runs'][0]['run_id'], out)

    def interrupted(self, *signals):
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING']] + [['a', 'RUNNING']] * 3 +
                            [['a', 'SUCCEEDED'], ['', 'SUCCEEDED']])
        run = self.start('run', self.small, '--on', 'test')
        for line in run.stderr:
            if '[a] running' in line:
                break
        for number in signals:
            run.send_signal(number)
        _, err = run.communicate(timeout=30)
        return run.returncode, err

    def test_ctrl_c_detaches(self):
        code, err = self.interrupted(signal.SIGINT)
        self.assertEqual(code, 130)
        attach = re.search(r'detached; run (\S+) continues \(attach again: calopipe (.*)\)', err)
        self.assertIsNotNone(attach, err)
        self.assertNotIn('terminate', ' '.join(self.server.seen()['requests']))
        self.assertEqual(self.server.seen()['runs'][0]['state'], 'RUNNING')
        # What it says works.
        done = self.call(*attach[2].split())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('[a] done', done.stderr)
        self.assertEqual(self.server.seen()['runs'][0]['state'], 'SUCCEEDED')

    def test_a_second_ctrl_c_does_not_terminate_the_run(self):
        code, _ = self.interrupted(signal.SIGINT, signal.SIGINT)
        self.assertIn(code, (130, -signal.SIGINT))
        self.assertNotIn('terminate', ' '.join(self.server.seen()['requests']))
        self.assertEqual(self.server.seen()['runs'][0]['state'], 'RUNNING')

    def test_the_login_expires_and_the_run_is_deleted_meanwhile(self):
        steps = [['', 'RUNNING'], ['a', 'RUNNING']] + [['a', 'RUNNING']] * 20
        for status, pattern in ((401, r'; run \S+ continues \(.*attach again: calopipe kubeflow run attach'),
                                (404, r'has no such object: gone \(')):
            self.server.control('/_script', steps)
            self.server.control('/_faults', [{'fault': 'status', 'status': status, 'message': 'gone', 'method': 'GET',
                                              'path': '/runs/', 'skip': 2, 'times': 9}])
            done = self.refused(4 if status == 401 else 2, pattern, 'run', self.small, '--on', 'test')
            self.assertIn('[a] running', done.stderr)
        self.server.control('/_faults', [])

    def test_only_started(self):
        out = self.ok('run', self.small, '--on', 'test', '--detach')
        self.assertRegex(out, r'run: \S+\n.*\nattach: calopipe kubeflow run attach \S+ --context test')
        self.assertEqual(self.server.seen()['runs'][0]['state'], 'PENDING')

    def test_threads_of_the_environment_are_no_option(self):
        self.environment['CALOPIPE_THREADS'] = '2'
        self.ok('run', self.small, '--on', 'test', '--detach')
        self.refused(2, '--threads', 'run', self.small, '--on', 'test', '--detach', '--threads', '3')


class RecordedRuns(Commands):
    def begin(self, *arguments, on='test'):
        return self.json_of('run', self.small, '--on', on, '--detach', *arguments)['run']

    def requests(self):
        return self.server.seen()['requests']

    def local_run(self):
        spec = json.loads(json.dumps(SMALL))
        spec['deploymentSpec']['executors']['exec-a']['container'].update(command=['true'], args=[])
        file = self.folder / 'local.yaml'
        file.write_text(json.dumps(spec), encoding='utf-8')
        return self.json_of('run', file, '--quiet')['run']

    def test_a_run_is_listed_with_its_last_known_state(self):
        self.server.control('/_script', [['', 'RUNNING'], ['root', 'RUNNING'], ['a', 'RUNNING'], ['a', 'SUCCEEDED'],
                                         ['', 'SUCCEEDED']])
        here = self.local_run()
        self.assertNotIn('WHERE', self.ok('runs', 'list'))
        run = self.begin('--set', 'n=3', '--name', 'third')
        self.server.control('/_forget')
        first, second = self.json_of('runs', 'list')
        self.assertEqual((first['id'], first['pipeline'], first['name'], first['state'], first['parameters']),
                         (run, 'small', 'third', 'PENDING', {'n': 3}))
        self.assertEqual({key: first['remote'][key] for key in ('context', 'server', 'state', 'problem')},
                         {'context': 'test', 'server': self.server.address, 'state': 'PENDING', 'problem': ''})
        self.assertEqual((second['id'], second['remote']), (here, None))
        self.assertRegex(self.ok('runs', 'list'), rf'(?s)WHERE.*{run} +small +test +PENDING.*{here} +small +here')
        self.assertEqual(self.requests(), [])
        self.assertRegex(self.ok('runs', 'list', '--refresh'), rf'{run} +small +test +RUNNING')
        self.ok('runs', 'show', run)
        self.assertRegex(self.ok('runs', 'show', run[:8]), r'(?s)context +test.*n +3.*a +RUNNING +20')
        self.assertNotIn('root', self.ok('runs', 'show', 'latest'))
        listed = self.json_of('runs', 'list', '--refresh', '--state', 'succeeded', '--limit', '1')
        self.assertEqual([one['id'] for one in listed], [run])
        self.assertGreater(listed[0]['finished_s'], listed[0]['created_s'])
        # A run that is over is not asked for by the list.
        self.server.control('/_forget')
        self.ok('runs', 'list', '--refresh')
        self.assertEqual(self.requests(), [])
        shown = self.json_of('runs', 'show', run)
        self.assertEqual([(task['path'], task['state']) for task in shown['tasks']], [('a', 'SUCCEEDED')])
        self.assertNotIn('memory', self.ok('runs', 'show', run, '--task', 'a'))

    def test_what_was_watched_is_known_without_the_server(self):
        other = self.serve()
        self.ok('kubeflow', 'context', 'set', 'other', '--server', other.address)
        other.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], ['a', 'FAILED'], ['', 'FAILED']])
        self.refused(3, 'exit code 3', 'run', self.small, '--on', 'other')
        other.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING']] + [['a', 'RUNNING']] * 3 +
                      [['a', 'SUCCEEDED'], ['', 'SUCCEEDED']])
        run = self.start('run', self.small, '--on', 'other')
        for line in run.stderr:
            if '[a] running' in line:
                break
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
        second, first = self.json_of('runs', 'list')
        self.assertEqual((first['state'], first['error'], second['state']),
                         ('FAILED', 'a task of the run failed', 'RUNNING'))
        done = self.call('runs', 'attach', second['id'])
        self.assertEqual((done.returncode, done.stdout), (0, f'run: {second["id"]}\n'), done.stderr)
        self.assertIn('[a] done', done.stderr)
        self.assertEqual(self.json_of('runs', 'list')[0]['state'], 'SUCCEEDED')
        unfinished = self.begin(on='other')
        other.close()
        self.assertEqual(other.process.returncode, 0)
        # The last known states remain, with a mark.
        mark = r'state of 20\S+ \S+, not refreshed: .*cannot be reached'
        lines = {line.split()[0]: line for line in self.ok('runs', 'list', '--refresh').splitlines()}
        self.assertRegex(lines[unfinished], 'other +PENDING.*' + mark)
        self.assertNotIn('not refreshed', lines[second['id']])
        self.assertRegex(self.ok('runs', 'show', first['id']), rf'(?s)state +FAILED.*note +{mark}.*a +FAILED.*exit code 3')
        self.assertIn('cannot be reached', self.json_of('runs', 'show', first['id'])['remote']['problem'])

    def test_contexts_and_runs_that_are_gone(self):
        run = self.begin()
        self.ok('kubeflow', 'run', 'delete', run, '--yes')
        self.assertRegex(self.ok('runs', 'list', '--refresh'), 'PENDING.*not refreshed: the server no longer has this run')
        self.refused(2, 'no such object', 'runs', 'attach', run)
        self.ok('kubeflow', 'context', 'set', 'test', '--server', 'http://127.0.0.1:1')
        self.assertIn('context test now names http://127.0.0.1:1', self.ok('runs', 'show', run))
        self.refused(2, 'now names', 'runs', 'attach', run)
        (self.folder / 'config/calopipe/contexts.yaml').write_text('tset: {server: "http://127.0.0.1:1"}\n',
                                                                   encoding='utf-8')
        self.assertRegex(self.ok('runs', 'list', '--refresh'), 'PENDING.*not refreshed: .*did you mean tset')
        self.refused(2, 'did you mean tset', 'runs', 'attach', run)

    def test_no_token_is_recorded(self):
        secured = self.serve('--token', TOKEN)
        token = self.folder / 'token'
        token.write_text(TOKEN, encoding='utf-8')
        self.ok('kubeflow', 'context', 'set', 'secured', '--server', secured.address, '--token-file', token)
        run = self.begin(on='secured')
        self.assertIn('RUNNING', self.ok('runs', 'list', '--refresh'))
        secured.control('/_login', {'token': 'another'})
        text = self.ok('runs', 'list', '--refresh') + self.ok('runs', 'show', run, '--json')
        self.assertRegex(text, 'RUNNING.*not refreshed: .*expired')
        self.assertNotIn('geheim', text)
        for file in (self.folder / 'store').rglob('*'):
            if file.is_file():
                self.assertNotIn(b'geheim', file.read_bytes(), file)

    def test_what_the_server_cannot_give(self):
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], ['a', 'FAILED'], ['', 'FAILED']])
        self.refused(3, 'exit code 3', 'run', self.small, '--on', 'test')
        run = self.json_of('runs', 'list')[0]['id']
        self.assertEqual(self.ok('runs', 'open', run), f'{self.server.address}/#/runs/details/{run}\n')
        self.assertEqual(self.json_of('runs', 'open', run)['opened'], False)
        self.refused(2, 'store of the cluster .*kubeflow run fetch', 'runs', 'open', run, 'a/model')
        browser = self.folder / 'bin/xdg-open'
        browser.parent.mkdir()
        browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {self.folder}/opened\n', encoding='utf-8')
        browser.chmod(0o755)
        path = self.environment['PATH']
        self.environment.update(DISPLAY=':0', PATH=f'{browser.parent}:{path}')
        self.assertEqual(self.json_of('runs', 'open', run)['opened'], True)
        self.assertTrue((self.folder / 'opened').read_text(encoding='utf-8').endswith('/#/runs/details/' + run))
        advice = self.refused(2, 'is not resumed from here', 'runs', 'resume', 'latest').stderr
        retry = re.search(r'calopipe (kubeflow run retry \S+ --context test)', advice)
        self.ok(*retry[1].split())
        self.assertIn('SUCCEEDED', self.ok('runs', 'show', run))
        here = self.local_run()
        self.refused(2, 'on this machine, not on Kubeflow .*runs logs', 'runs', 'attach', here)
        self.refused(2, 'there is no run', 'runs', 'attach', 'f00d')

    def test_a_record_that_is_lost_does_not_end_the_watching(self):
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING']] + [['a', 'RUNNING']] * 2 +
                            [['a', 'SUCCEEDED'], ['', 'SUCCEEDED']])
        run = self.start('run', self.small, '--on', 'test')
        for line in run.stderr:
            if '[a] running' in line:
                break
        self.ok('runs', 'delete', 'latest', '--yes')
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, err)
        self.assertRegex(err, 'warning: the run continues, but its record is incomplete: .*there is no run')
        self.assertIn(self.server.seen()['runs'][0]['run_id'], out)
        self.assertEqual(self.ok('runs', 'list'), 'no runs\n')

    def test_comparing_and_deleting(self):
        here, run = self.local_run(), self.begin('--set', 'n=3')
        done = self.call('runs', 'compare', here, run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r'(?s)where +here +test.*state +SUCCEEDED +RUNNING.*n +1 +3')
        self.assertIn(f'run {run} is on Kubeflow: its artifacts are not compared', done.stderr)
        # An unfinished run is deleted only by its name.
        self.assertEqual(self.json_of('runs', 'delete', '--keep', '0', '--yes'), {'deleted': [here]})
        done = self.call('runs', 'delete', run, '--yes')
        self.assertEqual((done.returncode, done.stdout), (0, f'deleted {run}\n'))
        self.assertIn(f'stays on the server: calopipe kubeflow run delete {run} --context test', done.stderr)
        self.assertEqual(self.ok('runs', 'list'), 'no runs\n')
        self.assertEqual(self.json_of('kubeflow', 'run', 'get', run)['run_id'], run)


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
