"""Outputs and logs of runs on Kubeflow, through the program itself. usage: outputs_test.py PATH-OF-CALOPIPE"""
import os
import pathlib
import signal
import sys
import time
import unittest

import commands_test

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'storage'))
import servers  # noqa: E402

ROOT = 'mlpipeline/v2/artifacts/training/run'


class Outputs(commands_test.Commands):
    def setUp(self):
        super().setUp()
        self.contents = self.folder / 'contents'
        self.contents.mkdir()

    def content(self, key, data):
        """A file of the store, as the server of the pages sees it."""
        file = self.contents / key.replace('/', '_')
        file.write_bytes(data)
        return {f'{ROOT}/{key}': str(file)}

    def outputs(self):
        """{task: outputs} of a training, in a store of files."""
        self.files = {**self.content('validate/report', b'<html>report</html>'), **self.content('validate/metrics', b'{"fpd": 1}')}
        uri = f'minio://{ROOT}/'
        return {'train': {'model': {'uri': uri + 'train/model', 'metadata': {'epochs': 3}}},
                'validate': {'report': {'uri': uri + 'validate/report'},
                             'metrics': {'uri': uri + 'validate/metrics', 'type': 'system.Metrics', 'metadata': {'fpd': 0.25, 'name': 'fpd', 'more': {'a': [1, None]}}}}}

    def script(self):
        self.server.control('/_script', [['', 'RUNNING'], ['train', 'RUNNING'], ['train', 'SUCCEEDED'],
                                         ['validate', 'SUCCEEDED'], ['', 'SUCCEEDED']])

    def a_run(self):
        return self.json_of('run', self.small, '--on', 'test', '--detach')['run']

    def s3(self):
        store = servers.S3(self.folder)
        self.addCleanup(store.kill)
        endpoint = store.environment.pop('AWS_ENDPOINT_URL')
        # The context's address counts, not that of another store.
        self.environment.update(store.environment, AWS_ENDPOINT_URL='http://127.0.0.1:9')
        store.client.create_bucket(Bucket='mlpipeline')
        self.ok('kubeflow', 'context', 'set', 'test', '--server', self.server.address, '--s3-endpoint', endpoint)
        return store.client

    def test_products_come_as_from_a_local_run(self):
        store = self.s3()
        outputs = self.outputs()
        self.server.control('/_outputs', outputs)
        big = os.urandom(9 << 20)
        for key, data in (('train/model/generator.onnx', big), ('train/model/deep/card.md', b'card'),
                          ('validate/report', b'<html>'), ('validate/metrics', b'{}')):
            store.put_object(Bucket='mlpipeline', Key=f'{ROOT}/{key}'.removeprefix('mlpipeline/'), Body=data)
        self.script()
        out = self.folder / 'out'
        done = self.ok('run', '--on', 'test', '--config', 'data/demo.yaml', '--out', out)
        self.assertIn(f'report: {out}/report.html\n', done)
        self.assertEqual({str(f.relative_to(out)) for f in out.rglob('*') if f.is_file()},
                         {'model/generator.onnx', 'model/deep/card.md', 'report.html', 'metrics.json'})
        self.assertEqual((out / 'model/generator.onnx').read_bytes(), big)
        # Who attaches later gets them, too, and who asks for them.
        self.script()
        later = self.folder / 'later'
        run = self.json_of('run', '--on', 'test', '--config', 'data/demo.yaml', '--out', later, '--detach')['run']
        self.assertFalse(later.exists())
        self.ok('runs', 'attach', run)
        self.assertEqual((later / 'report.html').read_bytes(), b'<html>')
        self.assertEqual(self.json_of('kubeflow', 'run', 'fetch', run, 'train', '--out', self.folder / 'some'),
                         [{'task': 'train', 'name': 'model', 'path': str(self.folder / 'some/train/model')}])
        self.assertEqual((self.folder / 'some/train/model/deep/card.md').read_bytes(), b'card')
        store.delete_object(Bucket='mlpipeline', Key=f'{ROOT}/validate/report'.removeprefix('mlpipeline/'))
        self.refused(3, 'does not exist in the store any more', 'kubeflow', 'run', 'fetch', run, 'validate.report', '--out',
                     self.folder / 'some')

    def test_without_a_store_of_its_own(self):
        self.server.control('/_outputs', self.outputs())
        self.server.control('/_pages', {'files': self.files})
        self.script()
        out = self.folder / 'out'
        done = self.refused(4, r'is done, but these products were not fetched: model .*--s3-endpoint', 'run', '--on', 'test',
                            '--config', 'data/demo.yaml', '--out', out)
        self.assertIn('warning: model: ', done.stderr)
        self.assertEqual((out / 'report.html').read_bytes(), b'<html>report</html>')
        self.assertFalse((out / 'model').exists())

    def test_metrics_of_runs_beside_each_other(self):
        runs = []
        for fpd in (0.25, 0.5):
            outputs = self.outputs()
            outputs['validate']['metrics']['metadata']['fpd'] = fpd
            self.server.control('/_outputs', outputs)
            self.script()
            runs.append(self.json_of('run', '--on', 'test', '--config', 'data/demo.yaml')['run'])
        [metric] = self.json_of('runs', 'show', runs[0])['metrics']
        self.assertEqual((metric['task'], metric['name'], metric['value']), ('validate', 'fpd', 0.25))
        compared = self.json_of('runs', 'compare', *runs)
        self.assertEqual([(one['name'], one['values']) for one in compared['metrics']], [('fpd', {runs[0]: 0.25, runs[1]: 0.5})])
        self.assertRegex(self.ok('runs', 'compare', *runs), r'fpd +0.25 +0.5')
        # Without ML Metadata there is a message, and the rest.
        self.server.control('/_faults', [{'path': 'ml_metadata', 'fault': 'status', 'status': 404, 'text': '404 page not found', 'times': 9}])
        done = self.call('runs', 'show', runs[0])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, f'metrics of run {runs[0]} cannot be read: .*/ml_metadata')
        self.assertIn('SUCCEEDED', done.stdout)

    def test_outputs_are_listed_with_their_metadata(self):
        run = self.a_run()
        self.assertEqual(self.ok('kubeflow', 'run', 'outputs', run), 'no outputs\n')
        outputs = self.outputs()
        # A task that failed first, and one whose result another run has computed.
        self.server.control('/_record', {'run': run, 'task': 'train', 'pod': 'first', 'state': 'FAILED'})
        [model] = self.server.control('/_record', {'run': 'elsewhere', 'task': 'train', 'outputs': outputs['train']})['artifacts']
        self.server.control('/_record', {'run': run, 'task': 'train', 'outputs': {'model': {'id': model}}, 'state': 'CACHED'})
        self.server.control('/_record', {'run': run, 'task': 'validate', 'outputs': outputs['validate'], 'inputs': [model]})
        listed = self.json_of('kubeflow', 'run', 'outputs', run)
        self.assertEqual([(o['task'], o['name'], o['reused'], o['uri']) for o in listed],
                         [('train', 'model', True, f'minio://{ROOT}/train/model'),
                          ('validate', 'metrics', False, f'minio://{ROOT}/validate/metrics'),
                          ('validate', 'report', False, f'minio://{ROOT}/validate/report')])
        self.assertEqual(listed[0]['metadata'], {'epochs': 3})
        self.assertEqual(listed[1]['metadata'], {'fpd': 0.25, 'name': 'fpd', 'more': {'a': [1.0, None]}})
        self.assertRegex(self.ok('kubeflow', 'run', 'outputs', run), rf'train.model +minio://{ROOT}/train/model\n')
        self.server.control('/_pages', {'files': self.files})
        self.ok('kubeflow', 'run', 'fetch', run, 'validate.report', '--out', self.folder / 'r')
        self.assertEqual([str(f.relative_to(self.folder)) for f in (self.folder / 'r').rglob('*') if f.is_file()],
                         ['r/validate/report'])
        self.refused(2, 'no output validate.raport', 'kubeflow', 'run', 'fetch', run, 'validate.raport', '--out', self.folder / 'r')

    def test_logs(self):
        run = self.a_run()
        for task, pod in (('preprocess', 'p'), ('train', 'first'), ('train', 'second'), ('done-before', '')):
            self.server.control('/_record', {'run': run, 'task': task, 'pod': pod})
        self.server.control('/_pages', {'logs': {'p': 'one\ntwo', 'first': 'failing\n', 'second': 'epoch 1\nepoch 2\nepoch 3\n'}})
        everything = ('preprocess | one\npreprocess | two\ntrain | failing\n'
                      'train | epoch 1\ntrain | epoch 2\ntrain | epoch 3\n')
        self.assertEqual(self.ok('runs', 'logs', run), everything)
        self.assertEqual(self.ok('kubeflow', 'run', 'logs', run), everything)
        self.assertEqual(self.ok('runs', 'logs', run, 'train', '--tail', '1'), 'failing\nepoch 3\n')
        self.assertEqual(self.json_of('runs', 'logs', run, 'preprocess'), {'run': run, 'task': 'preprocess', 'log': 'one\ntwo\n'})
        self.refused(2, 'no task trian, did you mean train', 'runs', 'logs', run, 'trian')
        self.refused(3, 'done-before has no log: its result was reused', 'runs', 'logs', run, 'done-before')
        # A pod that is gone.
        self.server.control('/_pages', {'logs': {'p': 'one\n'}})
        done = self.call('runs', 'logs', run)
        self.assertEqual((done.returncode, done.stdout), (4, 'preprocess | one\n'))
        self.assertRegex(done.stderr, 'the log of task train is missing: .*pods not found')
        self.refused(4, 'pods not found', 'runs', 'logs', run, 'train')

    def test_the_reason_of_a_failure_is_in_the_log(self):
        script = [['', 'RUNNING'], ['train', 'RUNNING'], ['train', 'FAILED', 'silent'], ['', 'FAILED']]
        self.server.control('/_script', script)
        self.server.control('/_pages', {'logs': {'train-pod': 'epoch 1\ncalopipe: prepared/low.h5: is cut off\n'
                                                              'F1 main.go:9] failed to execute component: exit status 3\n'}})
        self.refused(3, r'train: failed: calopipe: prepared/low.h5: is cut off \(calopipe kubeflow run logs \S+ train --context test\)',
                     'run', self.small, '--on', 'test')
        self.server.control('/_pages', {'logs': {'train-pod': 'Killed\n\n'}})
        self.refused(1, 'train: failed: Killed', 'run', self.small, '--on', 'test')
        self.server.control('/_pages', {'logs': {}})
        self.refused(1, 'train: a task of the run failed', 'run', self.small, '--on', 'test')

    def test_reused_results_are_named(self):
        outputs = self.outputs()
        [model] = self.server.control('/_record', {'run': 'elsewhere', 'task': 'train', 'outputs': outputs['train']})['artifacts']
        self.server.control('/_outputs', {'train': {'model': {'id': model}}, 'validate': outputs['validate']})
        self.script()
        self.assertIn('reused: train\n', self.ok('run', self.small, '--on', 'test'))

    def test_logs_are_followed_until_the_run_ends(self):
        self.server.control('/_script', [['', 'RUNNING']] * 3 + [['', 'SUCCEEDED']])
        run = self.a_run()
        self.server.control('/_record', {'run': run, 'task': 'train', 'pod': 'p', 'state': 'RUNNING'})
        self.server.control('/_pages', {'logs': {'p': 'epoch 1\nepo'}})
        follower = self.start('runs', 'logs', run, '--follow')
        self.assertEqual(follower.stdout.readline(), 'train | epoch 1\n')
        self.server.control('/_pages', {'logs': {'p': 'epoch 1\nepoch 2\nlast'}})
        out, err = follower.communicate(timeout=60)
        self.assertEqual((follower.returncode, out, err), (0, 'train | epoch 2\ntrain | last\n', ''))
        # Ctrl-C ends the command, not the run.
        self.server.control('/_script', [['', 'RUNNING']] * 1000)
        run = self.a_run()
        self.server.control('/_record', {'run': run, 'task': 'train', 'pod': 'p', 'state': 'RUNNING'})
        follower = self.start('runs', 'logs', run, 'train', '--follow')
        self.assertEqual(follower.stdout.readline(), 'epoch 1\n')
        time.sleep(0.2)
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=60)
        self.assertEqual(follower.returncode, 130)

    def test_a_server_without_the_record(self):
        run = self.a_run()
        self.server.control('/_faults', [{'path': 'ml_metadata', 'fault': 'status', 'status': 404, 'text': '404 page not found', 'times': 9}])
        self.refused(2, "address of Kubeflow's pages", 'kubeflow', 'run', 'outputs', run)
        self.server.control('/_faults', [{'path': 'ml_metadata', 'fault': 'text', 'text': '<html>login</html>', 'times': 9}])
        self.refused(3, 'the answer is not gRPC-Web', 'kubeflow', 'run', 'outputs', run)
        for cut in ('', '\0\0\0\0\1', '\0\0\0\0\1\xff'):
            self.server.control('/_faults', [{'path': 'ml_metadata', 'fault': 'text', 'text': cut, 'times': 9}])
            self.refused(3, 'ML Metadata', 'kubeflow', 'run', 'outputs', run)
        self.server.control('/_faults', [])
        self.server.control('/_pages', {'fail': 'the database is away'})
        self.refused(3, 'GetContextByTypeAndName of ML Metadata fails: *the database is away', 'kubeflow', 'run', 'outputs', run)


if __name__ == '__main__':
    commands_test.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
