"""calopipe kubeflow setup and kerberos push with a real cluster, whose kubeconfig $KUBECONFIG names: by hand, or from the
tests of clusters. It makes its objects in the namespace `calopipe-setup-test`, which it deletes at the end; kubectl and kinit
are not needed. usage: cluster_test.py PATH-OF-CALOPIPE"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / 'storage'))
import kubernetes
import servers

PROGRAM = None
SPACE = 'calopipe-setup-test'


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        kubernetes.config.load_kube_config(os.environ['KUBECONFIG'])
        cls.core = kubernetes.client.CoreV1Api()
        cls.core.create_namespace({'metadata': {'name': SPACE}})
        cls.addClassCleanup(cls.core.delete_namespace, SPACE)

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.site = {'image': 'calopipe:1', 'setup': {
            'namespace': SPACE, 'volume_claims': {'store': {'size': '1Gi', 'storage_class': 'none'}},
            'config_maps': {'settings': {'data': {'a': 'one'}}},
            'service_accounts': {'worker': {'rules': [{'resources': ['pods'], 'verbs': ['get']}], 'cluster_roles': ['view']}},
            'kerberos': {'renew': {'krb5_config_map': 'settings'}}}}

    def calopipe(self, *words, code=0, **environment):
        done = subprocess.run([PROGRAM, 'kubeflow', *words], capture_output=True, text=True, timeout=300, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def setup(self, *words, code=0):
        path = self.folder / 'site.yaml'
        path.write_text(yaml.safe_dump(self.site), encoding='utf-8')
        out = self.calopipe('setup', '--site', str(path), '--json', *words, code=code)
        return json.loads(out) if code == 0 else out

    def test_whole_life_of_a_setup(self):
        self.assertEqual(self.setup('--dry-run')['changes'], 11)
        self.assertEqual(self.core.list_namespaced_secret(SPACE).items, [])
        self.assertEqual(self.setup('--apply')['changes'], 11)
        self.assertEqual({step['action'] for step in self.setup('--apply')['steps']}, {'unchanged'})

        self.site['setup']['config_maps']['settings']['data'] = {'b': 'two'}
        steps = [step for step in self.setup('--apply')['steps'] if step['action'] == 'change']
        self.assertEqual(steps[0]['changes'], [{'field': 'data.a', 'from': '"one"', 'to': ''},
                                               {'field': 'data.b', 'from': '', 'to': '"two"'}])
        self.assertEqual(self.core.read_namespaced_config_map('settings', SPACE).data, {'b': 'two'})

        self.site['setup']['volume_claims']['store']['storage_class'] = 'other'
        self.assertIn('immutable', self.setup('--apply', code=3))
        self.site['setup']['volume_claims']['store']['storage_class'] = 'none'

        self.core.patch_namespaced_config_map('settings', SPACE, {'data': {'b': 'edited'}})
        self.assertIn('conflict', self.setup('--apply', code=2))
        self.setup('--apply', '--force')

        with tempfile.TemporaryDirectory() as folder:
            kdc = servers.Kdc(folder)
            try:
                kdc.call(['kinit', '-l', '1h', '-r', '2h', 'alice'], 'secret\n')
                self.calopipe('kerberos', 'push', '--namespace', SPACE, **kdc.environment)
                stored = base64.b64decode(self.core.read_namespaced_secret('krb-secret', SPACE).data['krb5cc_1000'])
                (self.folder / 'cc').write_bytes(stored)
                subprocess.run(['klist', '-s', '-c', self.folder / 'cc'], check=True, env={**os.environ, **kdc.environment})
                self.calopipe('kerberos', 'renew', '--namespace', SPACE, **kdc.environment)
                self.assertNotEqual(base64.b64decode(self.core.read_namespaced_secret('krb-secret', SPACE).data['krb5cc_1000']), stored)
            finally:
                kdc.kill()
        self.assertEqual(self.setup('--apply')['changes'], 0)

        del self.site['setup']['service_accounts']['worker']['cluster_roles']
        self.assertEqual(self.setup('--apply', '--prune', '--yes')['changes'], 1)
        self.core.create_namespaced_config_map(SPACE, {'metadata': {'name': 'theirs'}})
        self.assertEqual(self.setup('--delete', '--yes')['changes'], 10)
        maps = [one.metadata.name for one in self.core.list_namespaced_config_map(SPACE).items]
        self.assertIn('theirs', maps)
        self.assertNotIn('settings', maps)

    def test_namespace_that_does_not_exist(self):
        self.site['setup']['namespace'] = 'nowhere'
        self.assertIn('namespaces "nowhere" not found', self.setup('--apply', code=2))


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
