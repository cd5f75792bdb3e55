"""Workflows that calopipe compiles for Argo, on a real node (scripts/test-cluster.sh)."""
import difflib
import json
import pathlib
import pprint
import random
import sys
import tempfile
import unittest

import boto3

from cluster import (BUSYBOX, CALOPIPE, IMAGE, NODE_IP, ROOT, RUN, Workflow, apply, compile_workflow, kubectl, run, secret,
                     shared_folder, shell_pipeline)

sys.path.insert(0, str(ROOT / 'test/pipeline'))
import contract_test  # noqa: E402

DATA = ROOT / 'data/mlfastsim'
SETTINGS = [f'input-parameters.data={DATA}', 'input-parameters.max_energy_gev=64', 'input-parameters.energies_gev=1,64',
            'model-parameters.epochs=2', 'train.seed=7', 'preprocess.holdout_fraction=0.2', 'validate.classifiers=["trees"]']
DEFAULTS = {'env': {'CALOPIPE_THREADS': '2'}}
DATA_VOLUME = {'host_path': str(DATA), 'mount_path': str(DATA), 'read_only': True}
S3_HOST = 's3.calopipe.svc.cluster.local:9000'


class LocalRun:
    """The same pipeline by `calopipe run` on this machine, once for all tests."""
    artifacts = None

    @classmethod
    def outputs(cls):
        if cls.artifacts is None:
            words = [word for setting in SETTINGS for word in ('--set', setting)]
            store = ['--store', RUN / 'local-store']
            ran = json.loads(run(CALOPIPE, 'run', '-q', '--json', '--threads', '2', *store, *words, '--out', RUN / 'local-out'))
            shown = json.loads(run(CALOPIPE, 'runs', 'show', ran['run'], '--json', *store))
            cls.artifacts = {(a['task'], a['name']): pathlib.Path(a['path']) for a in shown['artifacts'] if a['direction'] == 'output'}
        return cls.artifacts


def site(store, **settings):
    return {'image': IMAGE, 'defaults': DEFAULTS, 'argo': {'host_volumes': [DATA_VOLUME], **store, **settings}}


def volume_store(name):
    return {'volume': {'host_path': str(shared_folder(name)), 'mount_path': '/artifacts'}}


class ArgoTest(unittest.TestCase):
    maxDiff = None

    def succeeds(self, workflow):
        workflow.wait()
        if workflow.phase != 'Succeeded':
            self.fail(workflow.story())
        return workflow

    def is_as_the_local_run(self, folder):
        """Every output in `folder` (TASK/OUTPUT) has the content of the local run's, except for measured speeds."""
        local = LocalRun.outputs()
        self.assertGreaterEqual(len(local), 15)
        for (task, name), path in local.items():
            mine, theirs = contract_test.content(path), contract_test.content(folder / task / name)
            if mine != theirs:
                lines = [pprint.pformat(value, width=200).splitlines() for value in (mine, theirs)]
                self.fail(f'{task}.{name} differs:\n' + '\n'.join(list(difflib.unified_diff(*lines, 'local', 'cluster', lineterm=''))[:60]))
        print(f'{len(local)} artifacts have the same content as those of a local run', flush=True)

    def test_volume(self):
        store = volume_store('volume')
        workflow = self.succeeds(Workflow(compile_workflow('training', site(store), *SETTINGS)))
        self.is_as_the_local_run(RUN / 'volume' / workflow.name)

    def test_s3(self):
        bucket = boto3.resource('s3', endpoint_url=f'http://{NODE_IP}:9000', region_name='us-east-1', aws_access_key_id='test',
                                aws_secret_access_key='testtest').create_bucket(Bucket='runs')
        store = {'s3': {'bucket': 'runs', 'endpoint': S3_HOST, 'insecure': True, 'prefix': 'calo/', 'access_key': {'name': 's3-keys', 'key': 'access'},
                        'secret_key': {'name': 's3-keys', 'key': 'secret'}}}
        workflow = self.succeeds(Workflow(compile_workflow('training', site(store), *SETTINGS)))
        with tempfile.TemporaryDirectory() as fetched:
            prefix = f'calo/{workflow.name}/'
            for item in bucket.objects.filter(Prefix=prefix):
                file = pathlib.Path(fetched) / item.key.removeprefix(prefix)
                file.parent.mkdir(parents=True, exist_ok=True)
                bucket.download_file(item.key, str(file))
            self.is_as_the_local_run(pathlib.Path(fetched))

    def test_failing_task(self):
        settings = ['input-parameters.data=/nothing/here', *SETTINGS[1:]]
        workflow = Workflow(compile_workflow('training', site(volume_store('failing')), *settings)).wait()
        self.assertEqual(workflow.phase, 'Failed')
        failed, = workflow.pods('input-parameters')
        self.assertEqual((failed['phase'], failed['outputs']['exitCode']), ('Failed', '3'))
        self.assertIn('/nothing/here', workflow.logs())
        self.assertEqual(workflow.pods('preprocess') + workflow.pods('train'), [])

    def test_retries(self):
        state = {'host_path': str(shared_folder('tries')), 'mount_path': '/tries'}
        script = 'n=$(ls /tries | wc -l); touch /tries/$n; test $n -ge 2; printf %s $n >"$0"'
        policy = {'maxRetryCount': 3, 'backoffDuration': '1s', 'backoffFactor': 1.0, 'backoffMaxDuration': '5s'}
        workflow = self.succeeds(Workflow(compile_workflow(shell_pipeline(script, policy), {'argo': {'host_volumes': [state]}})))
        self.assertEqual(workflow.output('said'), ['2'])
        self.assertEqual([pod['phase'] for pod in workflow.pods()], ['Failed', 'Failed', 'Succeeded'])

    def test_too_few_retries(self):
        policy = {'maxRetryCount': 1, 'backoffDuration': '1s', 'backoffFactor': 1.0, 'backoffMaxDuration': '5s'}
        workflow = Workflow(compile_workflow(shell_pipeline('exit 5', policy), {'argo': {}})).wait()
        self.assertEqual(workflow.phase, 'Failed')
        self.assertEqual([pod['outputs']['exitCode'] for pod in workflow.pods()], ['5', '5'])

    def test_secrets(self):
        secret('letters', user='ada', token='s3cret')
        settings = {'secretAsEnv': [{'secretName': 'letters', 'keyToEnv': [{'secretKey': 'user', 'envVar': 'WHO'}]}],
                    'secretAsVolume': [{'secretName': 'letters', 'mountPath': '/letters'}]}
        script = 'printf "%s %s %s" "$WHO" "$(cat /letters/token)" "$(cat /site/token)" >"$0"'
        mounts = {'argo': {'secret_volumes': [{'secret': 'letters', 'mount_path': '/site'}]}}
        workflow = self.succeeds(Workflow(compile_workflow(shell_pipeline(script, settings=settings), mounts)))
        self.assertEqual(workflow.output('said'), ['ada s3cret s3cret'])

    def test_kerberos_ticket(self):
        secret('krb-secret', krb5cc_1000='a ticket')
        kerberos = {'argo': {'kerberos': {'secret': 'krb-secret', 'key': 'krb5cc_1000', 'uid': 1000, 'image': BUSYBOX}}}
        script = 'file=${KRB5CCNAME#FILE:}; printf "%s %s" "$(stat -c "%a %u" "$file")" "$(cat "$file")" >"$0"'
        workflow = self.succeeds(Workflow(compile_workflow(shell_pipeline(script), kerberos)))
        self.assertEqual(workflow.output('said'), ['600 1000 a ticket'])

    def test_random_user_with_read_only_root(self):
        out = shared_folder('random-user')
        user = random.randrange(20000, 60000)
        options = ['generate', '--model', 'siw-lowgran', '--geometry', 'SiW', '--energy-gev', '64', '--events', '20', '--seed', '3', '--threads', '2',
                   '--quiet', '--out']
        apply({'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'random-user'}, 'spec': {
            'restartPolicy': 'Never',
            'securityContext': {'runAsUser': user, 'runAsGroup': 0, 'runAsNonRoot': True, 'seccompProfile': {'type': 'RuntimeDefault'}},
            'containers': [{'name': 'main', 'image': IMAGE, 'args': [*options, '/out/showers.h5'],
                            'securityContext': {'readOnlyRootFilesystem': True, 'allowPrivilegeEscalation': False, 'capabilities': {'drop': ['ALL']}},
                            'volumeMounts': [{'name': 'out', 'mountPath': '/out'}, {'name': 'tmp', 'mountPath': '/tmp'}]}],
            'volumes': [{'name': 'out', 'hostPath': {'path': str(out)}}, {'name': 'tmp', 'emptyDir': {}}]}})
        try:
            kubectl('wait', 'pod/random-user', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=120s')
        except AssertionError:
            self.fail(kubectl('describe', 'pod/random-user') + kubectl('logs', 'random-user'))
        file = out / 'showers.h5'
        self.assertEqual(file.stat().st_uid, user)
        run(CALOPIPE, *options, RUN / 'showers.h5')
        self.assertEqual(file.read_bytes(), (RUN / 'showers.h5').read_bytes())
