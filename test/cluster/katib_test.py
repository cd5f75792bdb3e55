"""Studies with Kubeflow's own Katib on a real node (scripts/test-cluster.sh), its database being a PostgreSQL server of this machine."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import yaml

from cluster import BUSYBOX, CALOPIPE, IMAGE, ROOT, RUN, kubectl, run, shared_folder

DATA = ROOT / 'data/mlfastsim'
KATIB = pathlib.Path(os.environ['CLUSTER_CACHE'], 'bin/katib.d')
# The space has a condition, which Katib itself lacks.
STUDY = {'space': {'model-parameters.lr': {'range': [1e-5, 1e-3], 'log': True}, 'model-parameters.optimizer': ['adam', 'adamw'],
                   'model-parameters.weight_decay': {'range': [1e-6, 1e-2], 'log': True, 'if': {'model-parameters.optimizer': 'adamw'}}},
         'objectives': ['training.json:validation_loss'], 'algorithm': 'random', 'seed': 7}


def postgres(*words):
    # The folder must be one that the server's user may enter: RUN itself is below a home folder.
    return run(ROOT / 'test/support/postgres.sh', words[0], '/run/node/postgres', *words[1:])


@unittest.skipUnless(KATIB.exists(), 'the programs (--prebuilt) have no Katib')
class KatibTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        RUN.chmod(0o755)
        postgres('start', '5433')
        folder = RUN / 'postgres/data'
        with open(folder / 'pg_hba.conf', 'a') as rules:
            rules.write('host all all 10.0.0.0/8 scram-sha-256\n')
        with open(folder / 'postgresql.conf', 'a') as settings:
            settings.write("listen_addresses = '*'\n")
        postgres('down')
        postgres('up')
        shutil.copytree(KATIB, RUN / 'katib', ignore=shutil.ignore_patterns('medianstop'))
        kubectl('apply', '--server-side', '-k', RUN / 'katib')
        for name in ('katib-db-manager', 'katib-controller'):
            kubectl('-n', 'kubeflow', 'wait', 'deployment/' + name, '--for=condition=Available', '--timeout=140s')
        # Katib changes the pods of trials in namespaces with this label.
        kubectl('label', 'namespace', 'calopipe', 'katib.kubeflow.org/metrics-collector-injection=enabled')
        cls.store = shared_folder('katib-data')
        shutil.copytree(DATA, cls.store / 'showers')
        run('chmod', '-R', 'a+rX', cls.store)

    @classmethod
    def tearDownClass(cls):
        kubectl('label', 'namespace', 'calopipe', 'katib.kubeflow.org/metrics-collector-injection-')
        postgres('down')

    def tune(self, name, study, *options, code=0):
        """Runs a study on the node; returns its trials, and what the program says."""
        folder = RUN / name
        folder.mkdir()
        (folder / 'study.yaml').write_text(yaml.safe_dump({
            'input-parameters': {'data': '/data/showers'}, 'preprocess': {'holdout_fraction': 0.3},
            'model-parameters': {'epochs': 3, 'cascade_width': 8}, 'validate': {'classifiers': [], 'replicas': 5},
            'optimise': {'precisions': ['bf16']}, 'tune': study}))
        (folder / 'site.yaml').write_text(yaml.safe_dump({
            'image': IMAGE, 'defaults': {'env': {'CALOPIPE_THREADS': '1'}},
            'argo': {'host_volumes': [{'host_path': str(self.store), 'mount_path': '/data'}]}}))
        done = subprocess.run([CALOPIPE, 'tune', '--space', folder / 'study.yaml', '--site', folder / 'site.yaml', '--name', name, '--trials', '6',
                               '--target', 'katib', '--shell-image', BUSYBOX, '--on', '', *options], capture_output=True, text=True, timeout=1500)
        self.assertEqual(done.returncode, code, f'{done.stdout}\n{done.stderr}\n{self.story(name)}')
        items = json.loads(kubectl('get', 'trials.kubeflow.org', '-l', 'katib.kubeflow.org/experiment=' + name, '-o', 'json'))['items']
        return items, done

    def story(self, name):
        words = [kubectl('get', 'experiments.kubeflow.org,suggestions.kubeflow.org,trials.kubeflow.org,job,pod', '-o', 'wide'),
                 kubectl('describe', 'experiments.kubeflow.org/' + name),
                 kubectl('-n', 'kubeflow', 'logs', 'deployment/katib-controller', '--tail=30')]
        for labels in ('katib.kubeflow.org/experiment=' + name,):
            words.append(kubectl('logs', '-l', labels, '--all-containers', '--prefix', '--tail=30'))
        return '\n'.join(words)

    @staticmethod
    def ended(trial):
        return [one['type'] for one in trial['status']['conditions'] if one['status'] == 'True'][-1]

    @staticmethod
    def objective(trial):
        return float(trial['status']['observation']['metrics'][0]['latest'])

    # Trials report their objective to Katib's database themselves.
    def test_katib_study(self):
        trials, done = self.tune('plain', STUDY, '--parallel', '2')
        self.assertEqual([self.ended(trial) for trial in trials], ['Succeeded'] * 6)
        best = min(trials, key=self.objective)
        self.assertIn(f"trial {best['metadata']['name']}: ", done.stdout)
        self.assertEqual(len(re.findall(r'^trial \d: done', done.stderr, re.M)), 6, done.stderr)
        # The command that is printed gives the same number here.
        settings = done.stdout.split('calopipe run')[1].split()
        here = run(CALOPIPE, 'run', '-q', '--config', RUN / 'plain/study.yaml', '--set', f'input-parameters.data={DATA}', *settings, '--threads', '1',
                   '--store', RUN / 'plain-store', '--print', 'loss=training.json:validation_loss')
        self.assertAlmostEqual(float(re.search('loss=(.*)', here)[1]), self.objective(best), places=6)
        again = self.tune_again('plain')
        self.assertEqual((again.returncode, 'already' in again.stderr), (2, True), again.stderr)
        again = self.tune_again('plain', '--resume')
        self.assertEqual((again.returncode, again.stdout), (0, done.stdout), again.stderr)

    def tune_again(self, name, *options):
        return subprocess.run([CALOPIPE, 'tune', '--space', RUN / name / 'study.yaml', '--name', name, '--trials', '6', '--target', 'katib', '--on', '',
                               *options], capture_output=True, text=True, timeout=60)

    # Katib's median rule stops trials by the numbers of their epochs.
    def test_katib_early_stopping(self):
        study = {**STUDY, 'space': {'model-parameters.lr': {'range': [1e-7, 1e-2], 'log': True}},
                 'early_stopping': {'kind': 'median', 'first_epoch': 2, 'fewest_trials': 2}}
        trials, done = self.tune('stopping', study, '--set', 'model-parameters.epochs=12', '--set', 'train.memory_mb=16')
        states = sorted(self.ended(trial) for trial in trials)
        self.assertEqual(set(states), {'EarlyStopped', 'Succeeded'}, states)
        self.assertEqual(len(states), 6)
        self.assertRegex(done.stderr, r'trial \d: stopped')
        best = min((trial for trial in trials if self.ended(trial) == 'Succeeded'), key=self.objective)
        self.assertIn(best['metadata']['name'], done.stdout)

    # All trials fail: the exit code and Katib's words.
    def test_katib_failing_trials(self):
        study = {**STUDY, 'algorithm': 'sobol', 'space': {'model-parameters.lr': {'range': [1e-6, 1e-2]}}}
        trials, done = self.tune('failing', study, '--max-failures', '1', '--set', 'input-parameters.data=/data/nowhere', code=1)
        self.assertIn('Failed', [self.ended(trial) for trial in trials])
        self.assertRegex(done.stderr, 'failed: .*the first one, failing-')
