"""The program with a real MLflow server: what train, validate, run and tune record; a server that is away, slow or wrong,
answers that are lost, logins; records that are sent later. usage: mlflow_test.py PATH-OF-CALOPIPE (from the source root)"""
import base64
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import h5py
import yaml

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'storage'))
from servers import S3, free_port, wait_for_port  # noqa: E402

os.environ.update({'MLFLOW_DISABLE_TELEMETRY': 'true', 'MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR': 'false'})
import mlflow  # noqa: E402
import onnx  # noqa: E402

CALOPIPE = os.path.abspath(sys.argv.pop(1))
WORK = tempfile.mkdtemp(prefix='calopipe-test-')


class Relay:
    """An address in front of the server that loses, delays and changes what a test wants; it counts the calls."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.port = free_port()
        self.server = None
        self.reset()
        self.start()

    def reset(self):
        self.calls = []        # paths
        self.answers = {}      # path → statuses that it answers before it passes calls on
        self.lost = {}         # path → number of calls that are executed without an answer
        self.late = {}         # path → before which next call one call of it is executed, without an answer
        self.held = {}
        self.login = None      # "user:password" that is required
        self.refused = None    # a text of bodies that are answered with 400
        self.artifacts = None  # place that it says the artifacts of runs are in
        self.broken_uploads = 0  # number of artifacts that are answered with 500
        self.silent = False    # accepts calls and does not answer

    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.server = None

    def start(self):
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *words):
                pass

            def answer(self, status, body, kind='application/json'):
                self.send_response(status)
                self.send_header('Content-Type', kind)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def handle_call(self):
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                path = self.path.split('?')[0].removeprefix('/api/2.0/mlflow/')
                relay.calls.append(path)
                call = (self.command, self.path, body, self.headers.get('Content-Type', ''))
                if relay.silent:
                    time.sleep(5)
                    self.close_connection = True
                    return
                if relay.login:
                    wanted = 'Basic ' + base64.b64encode(relay.login.encode()).decode()
                    if self.headers.get('Authorization') != wanted:
                        self.answer(401, b'You are not authenticated: ' + self.headers.get('Authorization', '').encode(), 'text/plain')
                        return
                if self.command == 'PUT' and relay.broken_uploads > 0:
                    relay.broken_uploads -= 1
                    self.answer(500, b'disk full', 'text/plain')
                    return
                if relay.answers.get(path):
                    self.answer(relay.answers[path].pop(0), b'{"message": "out of order"}')
                    return
                if relay.refused and relay.refused in body:
                    self.answer(400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "not this one"}')
                    return
                if path in relay.late:
                    relay.held[relay.late.pop(path)] = call
                    self.close_connection = True
                    return
                if path in relay.held:
                    relay.forward(relay.held.pop(path))
                status, kind, text = relay.forward(call)
                if relay.lost.get(path, 0) > 0:
                    relay.lost[path] -= 1
                    self.close_connection = True
                    return
                if relay.artifacts:
                    text = re.sub(rb'"mlflow-artifacts:[^"]*"', json.dumps(relay.artifacts).encode(), text)
                self.answer(status, text, kind)

            do_GET = do_POST = do_PUT = handle_call

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *words):
                pass  # a process that was killed does not wait for its answer

        self.server = Server(('127.0.0.1', self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def forward(self, call):
        method, path, body, kind = call
        connection = http.client.HTTPConnection('127.0.0.1', self.server_port)
        connection.request(method, path, body, {'Content-Type': kind})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers.get('Content-Type', ''), text


def setUpModule():
    global relay, client, mlflow_server, epochs
    port = free_port()
    log = os.path.join(WORK, 'mlflow.log')
    mlflow_server = subprocess.Popen(
        [sys.executable, '-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', str(port), '--workers', '1',
         '--backend-store-uri', f'sqlite:///{WORK}/mlflow.db', '--artifacts-destination', os.path.join(WORK, 'artifacts')],
        cwd=WORK, stdout=open(log, 'wb'), stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, 'PATH': os.path.dirname(sys.executable) + ':' + os.environ['PATH']})
    # Few showers for trainings of a second, while the server starts.
    showers = os.path.join(WORK, 'showers', 'SiW')
    os.makedirs(showers)
    with h5py.File('data/mlfastsim/SiW/SiW_angle_90.h5') as whole, h5py.File(showers + '/SiW_angle_90.h5', 'w') as part:
        for name, value in whole.attrs.items():
            part.attrs[name] = value
        for name, cells in whole.items():
            part.create_dataset(name, data=cells[::10], compression='gzip')
    epochs = 3
    run('preprocess', '--showers', os.path.join(WORK, 'showers'), '--holdout-fraction', '0.3', '--out', os.path.join(WORK, 'prepared'))
    run('model-parameters', '--epochs', str(epochs), '--cascade-width', '8', '--out', os.path.join(WORK, 'description.json'))
    run('model-parameters', '--epochs', '100', '--cascade-width', '8', '--out', os.path.join(WORK, 'long.json'))
    wait_for_port(port, mlflow_server, log, 120)
    relay = Relay(port)
    mlflow.set_tracking_uri(f'http://127.0.0.1:{port}')
    client = mlflow.MlflowClient()
    os.environ.pop('MLFLOW_TRACKING_URI', None)  # set_tracking_uri() sets it


def tearDownModule():
    os.killpg(mlflow_server.pid, signal.SIGKILL)
    mlflow_server.wait()
    shutil.rmtree(WORK)


# A busy machine's server answers late: only tests of servers that do not answer at all give up soon. After a lost answer, the
# program waits for half of this.
PATIENT = {'MLFLOW_HTTP_REQUEST_TIMEOUT': '30'}
HASTY = {'MLFLOW_HTTP_REQUEST_TIMEOUT': '4'}


def run(*words, code=0, **environment):
    done = subprocess.run([CALOPIPE, *words], capture_output=True, text=True, env={**os.environ, **PATIENT, **environment})
    assert done.returncode == code, f'{words}: exit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}'
    return done.stdout + done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        relay.reset()
        self.experiment = self.id().split('.')[-1]
        self.folder = os.path.join(WORK, self.experiment)
        os.mkdir(self.folder)
        os.environ['CALOPIPE_STORE'] = os.path.join(self.folder, 'store')

    def tearDown(self):
        self.assertEqual(self.sync('--dry-run'), 'no records wait\n')

    def run_logged(self, *words, code=0, **environment):
        return run(*words, code=code, CALOPIPE_LOG='mlflow=' + relay.url(), MLFLOW_EXPERIMENT_NAME=self.experiment, **environment)

    def train_words(self, description='description.json', out='trained'):
        return ('train', '-q', '--prepared', os.path.join(WORK, 'prepared'), '--description', os.path.join(WORK, description),
                '--out', os.path.join(self.folder, out))

    def train(self, *words, **environment):
        return self.run_logged(*self.train_words(), *words, **environment)

    def sync(self, *words, code=0, **environment):
        return run('runs', 'sync', *words, code=code, **environment)

    def runs(self, name=None):
        experiment = client.get_experiment_by_name(self.experiment)
        if experiment is None:
            return []
        found = client.search_runs([experiment.experiment_id])
        return [one for one in found if name in (None, one.info.run_name)]

    def only_run(self, name='train'):
        found = self.runs(name)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def losses(self, one, name='validation_loss'):
        return [(point.step, point.value) for point in client.get_metric_history(one.info.run_id, name)]

    def written_losses(self, out='trained', name='validation_loss'):
        with open(os.path.join(self.folder, out, 'logs', 'metrics.jsonl')) as lines:
            return [(record['epoch'], record[name]) for record in map(json.loads, lines)]

    def check_complete(self, one):
        self.assertEqual(one.info.status, 'FINISHED')
        self.assertEqual(self.losses(one), self.written_losses())
        self.assertEqual(len(self.losses(one)), epochs)


class Recorded(Case):
    def test_a_training(self):
        self.train('--log-model', 'toy')
        one = self.only_run()
        self.check_complete(one)
        self.assertEqual(self.losses(one, 'rings'), self.written_losses(name='rings'))
        self.assertEqual(one.data.params['seed'], '42')
        self.assertEqual(one.data.params['model.cascade_width'], '8')
        with open(os.path.join(self.folder, 'trained', 'training.json')) as file:
            summary = json.load(file)
        self.assertEqual(one.data.metrics['final_validation_loss'], summary['validation_loss'])
        self.assertEqual(one.data.metrics['best_epoch'], summary['best_epoch'])

        artifacts = mlflow.artifacts.download_artifacts(run_id=one.info.run_id, dst_path=os.path.join(self.folder, 'back'))
        for name in ('model/weights.h5', 'model/generator.onnx', 'model/model.json', 'logs/metrics.jsonl', 'training.json'):
            with open(os.path.join(self.folder, 'trained', name), 'rb') as ours, open(os.path.join(artifacts, name), 'rb') as theirs:
                self.assertEqual(ours.read(), theirs.read(), name)

        version = client.get_model_version('toy', '1')
        self.assertEqual(version.run_id, one.info.run_id)
        info = mlflow.models.get_model_info('models:/toy/1')
        graph = mlflow.onnx.load_model('models:/toy/1').graph
        self.assertIn('onnx', info.flavors)
        self.assertEqual([(tensor.name, tensor.type.name, len(tensor.shape)) for tensor in info.signature.inputs],
                         [(tensor.name, onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type).name,
                           len(tensor.type.tensor_type.shape.dim)) for tensor in graph.input])
        self.assertEqual([tensor.name for tensor in info.signature.outputs], [tensor.name for tensor in graph.output])
        self.assertIsNotNone(mlflow.pyfunc.load_model('models:/toy/1'))

        # Nothing of it is in the products.
        run(*self.train_words(out='without'))
        for name in ('model/weights.h5', 'model/generator.onnx', 'model/model.json', 'model/calopipe.json'):
            with open(os.path.join(self.folder, 'trained', name), 'rb') as ours, open(os.path.join(self.folder, 'without', name), 'rb') as other:
                self.assertEqual(ours.read(), other.read(), name)

    def test_a_failure(self):
        with open(os.path.join(WORK, 'description.json')) as file:
            description = json.load(file)
        description['lr'] = 1e30
        with open(os.path.join(self.folder, 'wrong.json'), 'w') as file:
            json.dump(description, file)
        self.run_logged('train', '-q', '--prepared', os.path.join(WORK, 'prepared'), '--description',
                        os.path.join(self.folder, 'wrong.json'), '--out', os.path.join(self.folder, 'none'), code=3)
        one = self.only_run()
        self.assertEqual(one.info.status, 'FAILED')
        self.assertIn('lr: cannot be 1e+30', one.data.tags['calopipe.error'])

    def test_a_pipeline_with_its_tasks(self):
        config = {'input-parameters': {'data': os.path.join(WORK, 'showers')}, 'preprocess': {'holdout_fraction': 0.3},
                  'model-parameters': {'epochs': 2, 'cascade_width': 8}, 'validate': {'classifiers': [], 'replicas': 5},
                  'optimise': {'precisions': ['bf16']}}
        file = os.path.join(self.folder, 'config.yaml')
        with open(file, 'w') as stream:
            yaml.safe_dump(config, stream)
        words = ('run', '--config', file, '--out', os.path.join(self.folder, 'out'))
        # The training does not send its artifacts; the run does when it ends.
        relay.broken_uploads = 2
        self.run_logged(*words, '--log-model', 'toy-of-a-run')
        self.assertEqual(relay.broken_uploads, 0)
        parent = self.only_run('training')
        self.assertEqual(parent.info.status, 'FINISHED')
        children = {one.info.run_name: one for one in self.runs() if one.data.tags.get('mlflow.parentRunId') == parent.info.run_id}
        self.assertEqual(set(children), {'train', 'generate', 'validate', 'optimise'})
        self.assertEqual({one.info.status for one in children.values()}, {'FINISHED'})
        with open(os.path.join(self.folder, 'out', 'metrics.json')) as stream:
            metrics = json.load(stream)
        self.assertEqual(children['validate'].data.metrics['fpd'], parent.data.metrics['validate/fpd'])
        self.assertEqual(children['validate'].data.metrics['fpd'], metrics['summary']['fpd'])
        self.assertEqual({one.path for one in client.list_artifacts(children['validate'].info.run_id)},
                         {'metrics.json', 'classification.json', 'plots.json', 'report.html'})
        self.assertEqual(client.get_model_version('toy-of-a-run', '1').run_id, children['train'].info.run_id)
        self.assertIn('runs sync', run('runs', 'logs', 'latest', 'train'))

        # Records change no keys of the cache, neither by the option nor by a site.
        self.assertEqual(run(*words).count('unchanged since'), 7)
        site = os.path.join(self.folder, 'site.yaml')
        with open(site, 'w') as stream:
            yaml.safe_dump({'defaults': {'env': {'CALOPIPE_LOG': 'mlflow=' + relay.url()}}}, stream)
        output = run(*words, '--site', site, MLFLOW_EXPERIMENT_NAME='site')
        self.assertEqual(output.count('unchanged since'), 7)
        self.assertEqual(len(client.search_runs([client.get_experiment_by_name('site').experiment_id])), 1)

    def test_a_study(self):
        space = {'input-parameters': {'data': os.path.join(WORK, 'showers')}, 'preprocess': {'holdout_fraction': 0.3},
                 'model-parameters': {'epochs': 1, 'cascade_width': 8}, 'validate': {'classifiers': [], 'replicas': 5},
                 'optimise': {'precisions': ['bf16']},
                 'tune': {'space': {'model-parameters.lr': {'range': [1e-4, 1e-2], 'log': True}},
                          'objectives': ['training.json:validation_loss']}}
        file = os.path.join(self.folder, 'tune.yaml')
        with open(file, 'w') as stream:
            yaml.safe_dump(space, stream)
        study = os.path.join(self.folder, 'lr.study')
        self.run_logged('tune', '-q', '--space', file, '--study', study, '--trials', '1')
        self.run_logged('tune', '-q', '--resume', '--study', study, '--trials', '2', '--log-model', 'best')
        trials = json.loads(run('tune', 'show', study, '--json'))['trials']
        parent = self.only_run('lr.study')
        self.assertEqual(parent.info.status, 'FINISHED')
        self.assertEqual(sorted(self.losses(parent, 'training/validation_loss')),
                         [(trial['number'], trial['values'][0]) for trial in trials])
        for trial in trials:
            one = self.only_run(f'trial {trial["number"]}')
            self.assertEqual(one.data.tags['mlflow.parentRunId'], parent.info.run_id)
            self.assertEqual(float(one.data.params['model-parameters.lr']), trial['parameters']['model-parameters.lr'])
            tasks = [task.info.run_name for task in self.runs() if task.data.tags.get('mlflow.parentRunId') == one.info.run_id]
            self.assertIn('train', tasks)
        best = min(trials, key=lambda trial: trial['values'][0])['number']
        self.assertEqual(parent.data.tags['calopipe.best_trial'], str(best))
        made = client.get_run(client.get_model_version('best', '1').run_id)
        self.assertEqual(made.info.run_name, 'train')
        self.assertEqual(made.data.tags['mlflow.parentRunId'], self.only_run(f'trial {best}').info.run_id)
        self.assertEqual(len(client.search_model_versions("name='best'")), 1)

    def test_an_interrupted_training_goes_on_in_the_same_run(self):
        words = self.train_words('long.json') + ('--checkpoints', os.path.join(self.folder, 'checkpoints'))
        process = subprocess.Popen([CALOPIPE, *words], stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, 'CALOPIPE_LOG': 'mlflow=' + relay.url(),
                                        'MLFLOW_EXPERIMENT_NAME': self.experiment})
        while not relay.calls.count('runs/log-batch') > 2:
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.terminate()
        self.assertIn('saved', process.communicate()[1])
        self.assertEqual(process.returncode, 130)
        one = self.only_run()
        self.assertEqual(one.info.status, 'KILLED')
        before = self.losses(one)
        self.run_logged(*words, '--resume')
        again = self.only_run()
        self.assertEqual(again.info.run_id, one.info.run_id)
        self.assertEqual(again.info.status, 'FINISHED')
        self.assertGreater(len(before), 0)
        self.assertEqual(self.losses(again)[:len(before)], before)
        self.assertEqual(self.losses(again), self.written_losses())


class Trouble(Case):
    def test_runs_that_refer_to_each_other(self):
        """A study, its trial and a training, written here as the program does, and sent later: the study first."""
        queue = os.path.join(self.folder, 'store', 'tracking')
        to = 'mlflow=' + relay.url()

        def write(name, parent, time_ms, *records):
            os.makedirs(os.path.join(queue, name, 'files'))
            start = {'record': 'start', 'id': name, 'to': to, 'experiment': self.experiment, 'name': name.split('-')[0], 'parent': parent,
                     'time_ms': time_ms, 'tags': {}}
            with open(os.path.join(queue, name, 'journal.jsonl'), 'w') as file:
                for record in (start, *records, {'record': 'end', 'status': 'FINISHED', 'time_ms': time_ms + 100}):
                    file.write(json.dumps(record) + '\n')

        write('study-1', '', 1000, {'record': 'model', 'path': 'model', 'name': 'of-a-study', 'of': 'trial-1'})
        write('trial-1', 'study-1', 2000)
        write('train-1', 'trial-1', 3000)
        self.sync()
        self.assertEqual(client.get_model_version('of-a-study', '1').run_id, self.only_run('train').info.run_id)
        self.assertEqual(self.only_run('trial').data.tags['mlflow.parentRunId'], self.only_run('study').info.run_id)

    def test_a_server_that_is_away_and_comes_back(self):
        relay.stop()
        try:
            output = self.train()
            self.assertIn('cannot be reached', output)
            self.assertIn('calopipe runs sync sends them', output)
            self.assertEqual(output.count('warning'), 2, output)
            self.assertIn('records wait', self.sync('--dry-run'))
            output = self.sync(code=4)
            self.assertIn('cannot be reached', output)
        finally:
            relay.start()
        listed = json.loads(self.sync('--dry-run', '--json'))
        self.assertEqual([(one['name'], one['sent'], one['live']) for one in listed], [('train', 0, False)])
        self.assertGreater(listed[0]['waiting'], 10)
        # What was sent, was as it was at the end of the run.
        shutil.rmtree(os.path.join(self.folder, 'trained', 'model'))
        self.assertIn('records sent', self.sync())
        one = self.only_run()
        self.check_complete(one)
        self.assertIn('model/weights.h5', [file.path for file in client.list_artifacts(one.info.run_id, 'model')])

    def test_a_server_that_does_not_answer(self):
        relay.silent = True
        self.assertIn('does not answer in time', self.train(**HASTY))
        relay.silent = False
        self.sync()
        self.check_complete(self.only_run())

    def test_a_server_that_is_out_of_order(self):
        relay.answers = {'runs/log-batch': [500, 503], 'runs/create': [500], 'experiments/get-by-name': [502]}
        output = self.train()
        self.assertIn('502', output)
        self.sync()
        self.check_complete(self.only_run())

    def test_lost_answers_double_nothing(self):
        relay.lost = {'experiments/create': 1, 'runs/create': 1, 'runs/log-batch': 1, 'runs/update': 1, 'model-versions/create': 1}
        self.train('--log-model', 'lost', **HASTY)
        while 'no records' not in self.sync('--dry-run'):
            subprocess.run([CALOPIPE, 'runs', 'sync'], capture_output=True, env={**os.environ, **HASTY})
        self.check_complete(self.only_run())
        self.assertEqual(len(client.search_model_versions("name='lost'")), 1)
        self.assertGreater(relay.calls.count('runs/log-batch'), 1)

    def test_a_run_that_is_made_late(self):
        for until in ('runs/create', 'runs/update'):
            with self.subTest(until):
                relay.reset()
                relay.late = {'runs/create': until}
                self.train(**HASTY)
                self.sync(**HASTY)
                self.assertEqual(relay.calls.count('runs/create'), 2)
                self.assertEqual(relay.held, {})
                self.check_complete(self.only_run())
                client.delete_run(self.only_run().info.run_id)

    def test_a_killed_training(self):
        process = subprocess.Popen([CALOPIPE, *self.train_words('long.json')], stdout=subprocess.DEVNULL,
                                   env={**os.environ, 'CALOPIPE_LOG': 'mlflow=' + relay.url(),
                                        'MLFLOW_EXPERIMENT_NAME': self.experiment})
        while not relay.calls.count('runs/log-batch') > 5:
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        self.assertIn('its process is at work', self.sync())
        process.kill()
        process.wait()
        self.sync()
        one = self.only_run()
        self.assertEqual(one.info.status, 'KILLED')
        steps = [step for step, _ in self.losses(one)]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))
        self.assertGreater(len(steps), 1)

    def test_a_wrong_password(self):
        relay.login = 'alice:geheim-1'
        output = self.train(MLFLOW_TRACKING_USERNAME='alice', MLFLOW_TRACKING_PASSWORD='geheim-2')
        self.assertIn('does not accept the login', output)
        self.assertIn('MLFLOW_TRACKING_PASSWORD', output)
        output += self.sync(code=4, MLFLOW_TRACKING_USERNAME='alice', MLFLOW_TRACKING_PASSWORD='geheim-3')
        output += self.sync(code=4)
        self.assertIn('requires a login', output)
        output += self.sync(MLFLOW_TRACKING_USERNAME='alice', MLFLOW_TRACKING_PASSWORD='geheim-1')
        self.assertNotIn('geheim', output)
        self.assertNotIn(base64.b64encode(b'alice:geheim').decode()[:12], output)
        self.check_complete(self.only_run())
        with open(os.path.join(WORK, 'mlflow.log')) as log:
            self.assertNotIn('Traceback', log.read())

    def test_a_parameter_that_the_server_refuses(self):
        relay.refused = b'"model.cascade_width"'
        output = self.train()
        self.assertIn('the parameter model.cascade_width is left out', output)
        one = self.only_run()
        self.check_complete(one)
        self.assertIn('model.cascade_depth', one.data.params)
        self.assertNotIn('model.cascade_width', one.data.params)

    def test_artifacts_that_only_the_server_can_write(self):
        relay.artifacts = '/somewhere/else'
        output = self.train()
        self.assertEqual(output.count('artifacts are left out'), 1, output)
        one = self.only_run()
        self.check_complete(one)
        self.assertEqual(client.list_artifacts(one.info.run_id), [])

    def test_artifacts_in_s3(self):
        storage = S3(self.folder)
        try:
            relay.artifacts = 's3://showers/run/artifacts'
            self.train(**storage.environment)
            self.check_complete(self.only_run())
            got = storage.client.get_object(Bucket='showers', Key='run/artifacts/model/weights.h5')['Body'].read()
            with open(os.path.join(self.folder, 'trained', 'model', 'weights.h5'), 'rb') as file:
                self.assertEqual(got, file.read())
        finally:
            storage.kill()

    def test_a_folder_for_records_that_cannot_be_written(self):
        output = self.train(CALOPIPE_LOG_QUEUE='/proc/none')
        self.assertIn('records of the run are incomplete', output)
        self.assertEqual(self.runs(), [])

    def test_records_are_dropped(self):
        relay.stop()
        try:
            self.train()
            run_id = json.loads(self.sync('--dry-run', '--json'))[0]['id']
        finally:
            relay.start()
        self.assertIn('no records of a run', self.sync('--drop', 'none', code=2))
        self.assertIn('dropped', self.sync('--drop', run_id))
        self.assertEqual(self.runs(), [])

    def test_bad_options(self):
        for log in ('wandb=http://a', 'mlflow=ftp://a', 'mlflow=http://alice:geheim@a', 'mlflow'):
            output = run(*self.train_words(), '--log', log, code=2)
            self.assertIn('--log', output)
            self.assertNotIn('geheim', output)
        self.assertFalse(os.path.exists(os.path.join(self.folder, 'trained')))


if __name__ == '__main__':
    unittest.main(verbosity=2)
