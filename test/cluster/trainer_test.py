"""A training by two pods, with Kubeflow's own Trainer and JobSet on a real node (scripts/test-cluster.sh)."""
import json
import os
import pathlib
import shutil
import unittest

import yaml

from cluster import CALOPIPE, IMAGE, ROOT, RUN, kubectl, run, shared_folder

DATA = ROOT / 'data/mlfastsim'


@unittest.skipUnless(pathlib.Path(os.environ['CLUSTER_CACHE'], 'bin/trainer.d').exists(), 'the programs (--prebuilt) have no Trainer')
class TrainerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = RUN / 'trainer'
        shutil.copytree(pathlib.Path(os.environ['CLUSTER_CACHE'], 'bin/trainer.d'), folder)
        kubectl('apply', '--server-side', '-k', folder)
        for space, name in (('jobset-system', 'jobset-controller-manager'), ('kubeflow-system', 'kubeflow-trainer-controller-manager')):
            kubectl('-n', space, 'wait', 'deployment/' + name, '--for=condition=Available', '--timeout=140s')

    def story(self, name):
        return (kubectl('get', 'trainjob,jobset,job,pod', '-o', 'wide') + kubectl('describe', 'trainjob/' + name) +
                kubectl('logs', '-l', 'jobset.sigs.k8s.io/jobset-name=' + name, '--tail=40', '--prefix'))

    def test_train_job(self):
        store = shared_folder('training')
        run(CALOPIPE, 'preprocess', '-q', '--showers', DATA, '--out', store / 'prepared')
        run('chmod', '-R', 'a+rX', store)
        site = RUN / 'train-site.yaml'
        site.write_text(yaml.safe_dump({'image': IMAGE, 'defaults': {'env': {'CALOPIPE_THREADS': '1'}},
                                        'argo': {'host_volumes': [{'host_path': str(store), 'mount_path': '/store'}]}}))
        arguments = ['--prepared', '/store/prepared', '--description', '/store/cascade.json', '--seed', '7']
        run(CALOPIPE, 'model-parameters', '-q', '--epochs', '2', '--out', store / 'cascade.json')
        try:
            done = json.loads(run(CALOPIPE, 'kubeflow', 'train-job', '--site', site, '--name', 'two-pods', '--nodes', '2', '--apply', '--wait',
                                  '--json', '--', *arguments, '--out', '/store/trained', timeout=400))
        except AssertionError as error:
            self.fail(f'{error}\n{self.story("two-pods")}')
        self.assertEqual(done['state'], 'Complete')
        pods = json.loads(kubectl('get', 'pod', '-l', 'jobset.sigs.k8s.io/jobset-name=two-pods', '-o', 'json'))['items']
        self.assertEqual([pod['status']['phase'] for pod in pods], ['Succeeded'] * 2)
        # The same as by two processes here.
        run(CALOPIPE, 'train', '-q', '--threads', '1', '--processes', '2', '--prepared', store / 'prepared', '--description', store / 'cascade.json',
            '--seed', '7', '--out', RUN / 'trained-here')
        for name in ('weights.h5', 'generator.onnx'):
            self.assertEqual((store / 'trained/model' / name).read_bytes(), (RUN / 'trained-here/model' / name).read_bytes(), name)
