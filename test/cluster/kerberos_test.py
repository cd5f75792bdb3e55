"""Kerberos tickets in pods, with a real KDC on the node (scripts/test-cluster.sh)."""
import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from cluster import BUSYBOX, CALOPIPE, IMAGE, NODE_IP, ROOT, RUN, Workflow, apply, compile_workflow, kubectl, run, shared_folder, shell_pipeline

sys.path.insert(0, str(ROOT / 'test/storage'))
import servers  # noqa: E402


class KerberosTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.kdc = servers.Kdc(folder)
        cls.addClassCleanup(cls.kdc.kill)
        config = pathlib.Path(folder, 'krb5.conf').read_text().replace('127.0.0.1', NODE_IP)
        apply({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'krb5'}, 'data': {'krb5.conf': config}})

    def end_of(self, cache):
        """When the ticket of a cache (bytes) ends."""
        file = RUN / 'a-cache'
        file.write_bytes(cache)
        shown = run('klist', '-c', file, env=self.kdc.all())
        day, hour = re.search(r'(\S+) (\S+)  krbtgt/', shown).groups()
        month, day, year = day.split('/')
        return year, month, day, hour

    def cache_of(self, secret):
        return base64.b64decode(json.loads(kubectl('get', 'secret', secret, '-o', 'json'))['data']['krb5cc_1000'])

    def calopipe(self, *words):
        return run(CALOPIPE, 'kubeflow', *words, env=self.kdc.all())

    def succeeds(self, workflow):
        workflow.wait()
        if workflow.phase != 'Succeeded':
            self.fail(workflow.story())
        return workflow

    def test_renewing_sidecar(self):
        self.kdc.call(['kinit', '-l', '20s', '-r', '10m', 'alice'], 'secret\n')
        first = pathlib.Path(self.kdc.cache).read_bytes()
        apply({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 'short-ticket'},
               'data': {'krb5cc_1000': base64.b64encode(first).decode()}})
        out = shared_folder('tickets')
        # Until the copy in the pod is another one than that of the secret.
        script = ('file=${KRB5CCNAME#FILE:}; for i in $(seq 60); do cmp -s "$file" /secret/krb-secret-vol/krb5cc_1000 || break; sleep 1; done; '
                  'cp "$file" /tickets/renewed; printf "%s %s" "$(stat -c "%a %u" "$file")" "$KRB5_CONFIG" >"$0"')
        site = {'argo': {'kerberos': {'secret': 'short-ticket', 'image': BUSYBOX, 'renew_image': IMAGE, 'krb5_config_map': 'krb5'},
                         'host_volumes': [{'host_path': str(out), 'mount_path': '/tickets'}]}}
        workflow = self.succeeds(Workflow(compile_workflow(shell_pipeline(script), site)))
        self.assertEqual(workflow.output('said'), ['600 1000 /kfp/krb5/krb5.conf'])
        self.assertGreater(self.end_of((out / 'renewed').read_bytes()), self.end_of(first))

    def test_renewing_cron_job(self):
        site = RUN / 'renewing.yaml'
        site.write_text(yaml.safe_dump({'image': IMAGE, 'setup': {'namespace': 'calopipe', 'name': 'renewing', 'kerberos': {
            'secret': 'renewed-ticket', 'renew': {'krb5_config_map': 'krb5'}}}}))
        self.calopipe('setup', '--site', site, '--apply')
        self.kdc.call(['kinit', '-l', '20m', '-r', '1h', 'alice'], 'secret\n')
        self.calopipe('kerberos', 'push', '--secret', 'renewed-ticket', '--namespace', 'calopipe')
        first = self.cache_of('renewed-ticket')
        kubectl('create', 'job', '--from=cronjob/renewed-ticket-renewal', 'renew-now')
        try:
            kubectl('wait', 'job/renew-now', '--for=condition=Complete', '--timeout=120s')
        except AssertionError:
            self.fail(kubectl('describe', 'job/renew-now') + kubectl('logs', '-l', 'job-name=renew-now', '--tail=20'))
        self.assertGreater(self.end_of(self.cache_of('renewed-ticket')), self.end_of(first))
        self.calopipe('setup', '--site', site, '--delete', '--yes')

    def test_site_of_cern(self):
        site = yaml.safe_load((ROOT / 'deploy/sites/cern.yaml').read_text())
        site['image'] = IMAGE
        site['components']['validate'].pop('image')  # calopipe-train is not on the node
        site['argo']['kerberos']['image'] = BUSYBOX
        site['setup']['namespace'] = 'calopipe'
        file = RUN / 'cern.yaml'
        file.write_text(yaml.safe_dump(site))
        eos = pathlib.Path('/var/eos')
        eos.mkdir()
        eos.chmod(0o777)  # on EOS, the ticket decides
        (eos / 'showers').write_text('showers')
        store = shared_folder('cern-store')
        apply({'apiVersion': 'v1', 'kind': 'PersistentVolume', 'metadata': {'name': 'store'},
               'spec': {'capacity': {'storage': '100Gi'}, 'accessModes': ['ReadWriteMany'], 'hostPath': {'path': str(store)}}})
        self.calopipe('setup', '--site', file, '--apply')
        self.kdc.kinit()
        self.calopipe('kerberos', 'push', '--site', file, '--namespace', 'calopipe')
        script = ('file=${KRB5CCNAME#FILE:}; cmp "$file" /secret/krb-secret-vol/krb5cc_1000; touch /eos/written; '
                  'printf "%s %s" "$(cat /eos/showers)" "$(stat -c "%n %a %u" "$file")" >"$0"')
        workflow = self.succeeds(Workflow(compile_workflow(shell_pipeline(script), site)))
        self.assertEqual(workflow.output('said'), ['showers /tmp/krb5cc_1000 600 1000'])
        self.assertTrue((eos / 'written').exists())
        self.assertEqual(subprocess.run(['klist', '-s', '-c', self.kdc.cache], env=self.kdc.all(), check=False).returncode, 0)
        self.calopipe('setup', '--site', file, '--delete', '--yes')
