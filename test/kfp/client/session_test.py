"""The session in doc/kubeflow.md: login, setup, run, logs, a second run, a recurring run, with the servers of the tests.
usage: session_test.py PATH-OF-CALOPIPE [--write]
Without --write, the session in the page must be the present one, apart from ids, ports, times and durations."""
import difflib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

import commands_test

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / 'doc/kubeflow.md'
BLOCK = re.compile(r'(## A session\n.*?```\n)(.*?)(```\n)', re.DOTALL)
for folder in ('storage', 'kfp/kubernetes'):
    sys.path.insert(0, str(ROOT / 'test' / folder))
import kube_server  # noqa: E402
import servers  # noqa: E402

TASKS = ('input-parameters', 'preprocess', 'train', 'validate')
LOG = ('epoch 39 of 40: loss 1411.2, held out 1414.9, 9310 showers/s, 4 s left\n'
       'epoch 40 of 40: loss 1410.8, held out 1414.7, 9304 showers/s, 0 s left\n')
KUBECONFIG = '''{{apiVersion: v1, kind: Config, current-context: test,
 contexts: [{{name: test, context: {{cluster: c, user: u, namespace: jdoe}}}}],
 clusters: [{{name: c, cluster: {{server: "{server}", certificate-authority: {authority}}}}}], users: [{{name: u, user: {{token: a-token}}}}]}}'''
SITE = '''image: calopipe:0.1.0
setup:
  config_maps: {settings: {data: {detector: SiW}}}
  service_accounts: {runner: {cluster_roles: [view]}}
'''


class Session(commands_test.Commands):
    def setUp(self):
        super().setUp()
        self.store = servers.S3(self.folder)
        self.addCleanup(self.store.kill)
        self.environment.update({k: v for k, v in self.store.environment.items() if k != 'AWS_ENDPOINT_URL'})
        self.provider = self.serve(script='oidc_server.py')
        self.cluster = kube_server.KubeServer(self.folder)
        self.addCleanup(self.cluster.close)
        self.cluster.tokens = {'a-token': 'admin'}
        (self.folder / 'kubeconfig').write_text(KUBECONFIG.format(server=self.cluster.address, authority=self.folder / 'ca.crt'))
        self.environment['KUBECONFIG'] = str(self.folder / 'kubeconfig')
        (self.folder / 'site.yaml').write_text(SITE)
        (self.folder / 'data').symlink_to(ROOT / 'data')
        self.ok('kubeflow', 'context', 'set', 'test', '--server', self.server.address)  # of the other tests
        (self.folder / 'config/calopipe/contexts.yaml').unlink()
        self.text = ''

    def says(self, command):
        """Runs a command as a user would type it, and writes down both streams."""
        done = subprocess.run([commands_test.PROGRAM, *shlex.split(command)[1:]], env=self.environment, cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False, stdin=subprocess.DEVNULL)
        self.text += f'$ {command}\n{done.stdout}'.replace(str(self.folder), '/home/jdoe')
        self.assertEqual(done.returncode, 0, self.text)
        return done.stdout

    def script(self):
        steps = [step for task in TASKS for step in ([task, 'RUNNING'], [task, 'SUCCEEDED'])]
        self.server.control('/_script', [['', 'RUNNING'], *steps, ['', 'SUCCEEDED']])

    def put_outputs(self):
        bucket = 'mlpipeline'
        self.store.client.create_bucket(Bucket=bucket)
        outputs = {}
        for task, names in (('train', ['model', 'metrics']), ('validate', ['report', 'metrics'])):
            for name in names:
                key = f'v2/artifacts/training/first/{task}/{name}'
                self.store.client.put_object(Bucket=bucket, Key=key + ('/calopipe.json' if name == 'model' else ''), Body=b'{}')
                outputs.setdefault(task, {})[name] = {'uri': f'minio://{bucket}/{key}'}
        return outputs

    def test_the_page_has_it(self):
        outputs = self.put_outputs()
        self.server.control('/_outputs', outputs)
        self.server.control('/_pages', {'logs': {'train-pod': LOG}})
        s3 = self.store.environment['AWS_ENDPOINT_URL']
        self.says(f'calopipe kubeflow context set site --server {self.server.address} --oidc-issuer {self.provider.address} '
                  f'--oidc-client-id calopipe --s3-endpoint {s3}')
        self.says('calopipe kubeflow login --device')
        self.says('calopipe kubeflow setup --site site.yaml --apply')
        self.script()
        run = 'calopipe run --on site --site site.yaml --config data/demo.yaml --out results'
        first = re.search(r'\nrun: (\S+)', self.says(run))[1]
        self.says(f'calopipe runs logs {first} train --tail 1')
        # The backend's cache finds the results of the first run.
        reused = {task: {name: {'id': self.artifact_id(first, task, name)} for name in names} for task, names in outputs.items()}
        self.server.control('/_outputs', reused)
        self.script()
        self.says(run)
        self.says('calopipe kubeflow recurring-run create --pipeline training --name nightly --cron "0 0 3 * * *" -p data=/eos/showers')
        self.says('calopipe runs list')
        self.compare()

    def artifact_id(self, run, task, name):
        [found] = [o for o in self.json_of('kubeflow', 'run', 'outputs', run) if (o['task'], o['name']) == (task, name)]
        return found['artifact_id']

    def compare(self):
        page = PAGE.read_text(encoding='utf-8')
        if os.environ.get('CALOPIPE_WRITE_SESSION'):
            PAGE.write_text(BLOCK.sub(lambda found: found[1] + self.text + found[3], page, count=1), encoding='utf-8')
            return
        mine, theirs = (self.settled(text).splitlines() for text in (self.text, BLOCK.search(page)[2]))
        self.assertEqual(mine, theirs, 'write it with --write:\n' + '\n'.join(difflib.unified_diff(theirs, mine, 'page', 'now', lineterm='')))

    @staticmethod
    def settled(text):
        for pattern, word in ((r'[0-9a-f]{8}-[0-9a-f-]{27}', 'ID'), (r'127\.0\.0\.1:\d+', 'SERVER'), (r'training-[0-9a-f]{12}', 'VERSION'),
                              (r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?', 'TIME'), (r'\b\d+(\.\d+)? (ms|s)\b', 'DURATION'),
                              (r'\b[A-Z0-9]{4}-[A-Z0-9]{4}\b', 'CODE'), (r' +', ' ')):
            text = re.sub(pattern, word, text)
        return text


if __name__ == '__main__':
    if '--write' in sys.argv:
        sys.argv.remove('--write')
        os.environ['CALOPIPE_WRITE_SESSION'] = '1'
    commands_test.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
