"""calopipe kubeflow setup, calopipe kubeflow kerberos and calopipe kerberos, through the program itself, with a server of
the Kubernetes API and a real KDC. usage: kubernetes_test.py PATH-OF-CALOPIPE [TEST …]"""
import base64
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / 'storage'))
import kube_server
import servers

PROGRAM = None
ADMIN = 'geheimes-token-des-admins'
VIEWER = 'geheimes-token-des-lesers'

SITE = {'image': 'registry.example.org/calopipe@sha256:' + '0' * 64,
        'pipeline': {'activeDeadlineSeconds': 7200},
        'defaults': {'kubernetes': {'pvcMount': [{'constant': 'store', 'mountPath': '/store'}],
                                    'secretAsVolume': [{'secretName': 'krb-secret', 'mountPath': '/secret'}],
                                    'configMapAsVolume': [{'configMapName': 'elsewhere', 'mountPath': '/e'}]}},
        'setup': {'volume_claims': {'store': {'size': '20Gi'}},
                  'config_maps': {'settings': {'data': {'a': 'one'}, 'files': {'krb5.conf': 'krb5.conf'}}},
                  'service_accounts': {'worker': {'rules': [{'api_groups': ['argoproj.io'],
                                                             'resources': ['workflowtaskresults'],
                                                             'verbs': ['create', 'patch']}],
                                                  'cluster_roles': ['view']}},
                  'kerberos': {'secret': 'krb-secret', 'key': 'ticket', 'renew': {'krb5_config_map': 'settings'}}}}
MADE = ['ConfigMap settings', 'CronJob krb-secret-renewal', 'PersistentVolumeClaim store', 'Role krb-secret-renewal',
        'Role worker', 'RoleBinding krb-secret-renewal', 'RoleBinding worker', 'RoleBinding worker-view',
        'Secret krb-secret', 'ServiceAccount krb-secret-renewal', 'ServiceAccount worker']


class WithCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if 'CALOPIPE_PYTHON' not in os.environ:
            raise unittest.SkipTest('CALOPIPE_PYTHON is not set')
        cls.certificates = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.server = kube_server.KubeServer(cls.certificates)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / 'tmp').mkdir()
        self.server.objects, self.server.owners = {}, {}
        self.server.tokens = {ADMIN: 'admin', VIEWER: 'viewer'}
        self.server.expired, self.server.strangers = set(), set()
        self.server.faults, self.server.requests, self.server.page, self.server.on_apply = [], [], None, None
        self.config = self.kubeconfig({'token': ADMIN})
        self.environment = {**os.environ, 'HOME': str(self.folder), 'TMPDIR': str(self.folder / 'tmp'),
                            'KUBECONFIG': str(self.config), 'NO_PROXY': '127.0.0.1'}
        (self.folder / 'krb5.conf').write_text('[libdefaults]\n')
        self.site = self.write_site(SITE)

    def write_site(self, site):
        path = self.folder / 'site.yaml'
        path.write_text(yaml.safe_dump(site))
        return path

    def kubeconfig(self, user, name='kubeconfig', **cluster):
        authority = base64.b64encode((self.certificates / 'ca.crt').read_bytes()).decode()
        path = self.folder / name
        path.write_text(yaml.safe_dump({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'test', 'preferences': {},
            'contexts': [{'name': 'test', 'context': {'cluster': 'c', 'user': 'u', 'namespace': 'jdoe'}}],
            'clusters': [{'name': 'c', 'cluster': {'server': self.server.address,
                                                   'certificate-authority-data': authority, **cluster}}],
            'users': [{'name': 'u', 'user': user}]}))
        return path

    def calopipe(self, *words, code=0, environment=None):
        done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=200,
                              env={**self.environment, **(environment or {})}, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f'{words}\n{done.stdout}\n{done.stderr}')
        self.assertLessEqual(done.stderr.count('calopipe: '), 1, done.stderr)
        for token in (ADMIN, VIEWER):
            self.assertNotIn(token, done.stdout + done.stderr)
        self.errors = done.stderr
        return done.stdout if code == 0 else done.stderr

    def setup(self, *words, **options):
        return self.calopipe('kubeflow', 'setup', '--site', self.site, *words, **options)

    def made(self):
        return sorted(f'{kind} {name}' for kind, space, name in self.server.objects if space == 'jdoe')

    def object(self, kind, name):
        return self.server.objects[(kind, 'jdoe', name)]


class Setup(WithCluster):
    def test_dry_run_shows_what_would_be_made_and_changes_nothing(self):
        out = self.setup('--dry-run')
        self.assertIn('create: PersistentVolumeClaim store\n', out)
        self.assertIn('  + spec.resources.requests.storage: "20Gi"\n', out)
        self.assertIn('11 of 11 objects would be changed', out)
        self.assertEqual(self.made(), [])
        self.assertIn('ConfigMap elsewhere is missing', self.errors)
        self.assertNotIn('store is missing', self.errors)

    def test_apply_makes_all_and_a_second_one_nothing(self):
        self.setup('--apply')
        self.assertEqual(self.made(), MADE)
        self.assertEqual(self.object('ConfigMap', 'settings')['data'], {'a': 'one', 'krb5.conf': '[libdefaults]\n'})
        self.assertEqual(self.object('RoleBinding', 'worker-view')['roleRef']['kind'], 'ClusterRole')
        role = self.object('Role', 'krb-secret-renewal')['rules']
        self.assertEqual(role, [{'apiGroups': [''], 'resources': ['secrets'], 'resourceNames': ['krb-secret'],
                                 'verbs': ['get', 'patch']}])
        job = self.object('CronJob', 'krb-secret-renewal')['spec']['jobTemplate']['spec']['template']['spec']
        self.assertEqual(job['containers'][0]['args'],
                         ['kubeflow', 'kerberos', 'renew', '--secret', 'krb-secret', '--key', 'ticket'])
        for one in self.server.objects.values():
            self.assertEqual(one['metadata']['labels'], {'app.kubernetes.io/managed-by': 'calopipe',
                                                         'calopipe/setup': 'calopipe'})
        before = json.dumps(list(self.server.objects.values()))
        result = json.loads(self.setup('--apply', '--json'))
        self.assertEqual(result['changes'], 0)
        self.assertEqual({step['action'] for step in result['steps']}, {'unchanged'})
        self.assertEqual(json.dumps(list(self.server.objects.values())), before)

    def test_changed_file_is_shown_as_a_difference_and_applied(self):
        self.setup('--apply')
        site = json.loads(json.dumps(SITE))
        site['setup']['config_maps']['settings']['data'] = {'b': 'two'}
        self.write_site(site)
        out = self.setup('--dry-run')
        self.assertIn('change: ConfigMap settings\n  - data.a: "one"\n  + data.b: "two"\n', out)
        self.assertIn('1 of 11 objects would be changed', out)
        self.setup('--apply')
        self.assertEqual(self.object('ConfigMap', 'settings')['data'], {'b': 'two', 'krb5.conf': '[libdefaults]\n'})

    def test_delete_removes_what_setup_made_and_nothing_else(self):
        self.server.add('ConfigMap', 'jdoe', 'settings', data={'a': 'theirs'})
        self.server.add('ConfigMap', 'jdoe', 'other', data={'a': 'theirs'})
        self.server.page = 1
        out = self.setup('--apply')
        self.assertIn('not ours: ConfigMap settings', out)
        self.assertEqual(self.object('ConfigMap', 'settings')['data'], {'a': 'theirs'})
        self.assertIn('must be confirmed', self.setup('--delete', code=2))
        self.assertEqual(len(self.made()), 12)
        self.assertIn('delete: PersistentVolumeClaim store', self.setup('--delete', '--dry-run'))
        self.assertEqual(len(self.made()), 12)
        self.setup('--delete', '--yes')
        self.assertEqual(self.made(), ['ConfigMap other', 'ConfigMap settings'])
        self.assertIn('0 of 0 objects changed', self.setup('--delete', '--yes'))

    def test_object_that_is_no_longer_declared_is_named_and_pruned_on_request(self):
        self.setup('--apply')
        site = json.loads(json.dumps(SITE))
        del site['setup']['service_accounts']['worker']['cluster_roles']
        self.write_site(site)
        self.setup('--apply')
        self.assertIn('RoleBinding worker-view is not declared any more', self.errors)
        self.assertIn('RoleBinding worker-view', self.made())
        self.setup('--apply', '--prune', '--yes')
        self.assertEqual(self.made(), [name for name in MADE if name != 'RoleBinding worker-view'])

    def test_binding_to_a_role_that_nobody_makes_is_refused(self):
        self.write_site({'setup': {'service_accounts': {'w': {'roles': ['gone']}}}})
        self.assertIn('roles.rbac.authorization.k8s.io "gone" not found', self.setup('--apply', code=2))
        self.assertEqual(self.made(), [])

    def test_two_setups_in_one_namespace_do_not_touch_each_other(self):
        self.setup('--apply')
        other = {'setup': {'name': 'other', 'config_maps': {'more': {'data': {'x': 'y'}}}}}
        self.write_site(other)
        self.setup('--apply', '--prune')
        self.setup('--delete', '--yes')
        self.assertEqual(self.made(), MADE)

    def test_field_of_another_program_is_a_conflict(self):
        self.setup('--apply')
        key = ('ConfigMap', 'jdoe', 'settings')
        self.server.owners[key]['kubectl-edit'] = {('data', 'a')}
        self.server.objects[key]['data']['a'] = 'edited'
        error = self.setup('--apply', code=2)
        self.assertIn('ConfigMap settings', error)
        self.assertIn('conflict with "kubectl-edit": .data.a', error)
        self.setup('--apply', '--force')
        self.assertEqual(self.object('ConfigMap', 'settings')['data']['a'], 'one')

    def test_temporary_failures_are_overcome(self):
        self.server.faults = [503, 'close', 'half']
        self.setup('--apply')
        self.assertEqual(self.made(), MADE)
        self.server.faults = [500] * 4
        error = self.setup('--apply', code=4)
        self.assertIn('answers with 500', error)
        self.assertIn('etcdserver: request timed out', error)

    def test_failure_in_the_middle_is_repaired_by_a_second_run(self):
        def stop(key):
            if key[0] == 'RoleBinding' and ('Role', 'jdoe', 'worker') in self.server.objects:
                raise kube_server.Refusal(403, 'Forbidden', 'rolebindings is forbidden: attempting to grant privileges')
        self.server.on_apply = stop
        error = self.setup('--apply', code=4)
        self.assertIn('attempting to grant privileges', error)
        self.assertIn('Role worker', self.made())
        self.server.on_apply = None
        self.setup('--apply')
        self.assertEqual(self.made(), MADE)

    def test_refusals_have_one_clear_message(self):
        def error(code, *words):
            text = self.setup('--apply', *words, code=code)
            self.assertEqual(text.count('\n'), 1, text)
            return text
        self.assertIn('namespaces "nowhere" not found', error(2, '--namespace', 'nowhere'))
        self.kubeconfig({'token': VIEWER})
        self.assertIn('User "viewer" cannot patch', error(4))
        self.kubeconfig({'token': ADMIN})
        self.server.expired = {ADMIN}
        text = error(4)
        self.assertIn('does not accept the login, or it has expired', text)
        self.assertIn('renew the credentials of the context test', text)
        self.server.expired = set()
        self.server.faults = ['page']
        self.assertIn('answers with a page, unlike the API of Kubernetes', error(3))
        self.server.faults = []
        self.kubeconfig({'token': ADMIN}, **{'certificate-authority-data': None})
        self.assertIn('is not trusted', error(4))
        self.kubeconfig({'token': ADMIN}, server='https://127.0.0.1:1')
        self.assertIn('cannot be reached', error(4))
        self.assertEqual(self.made(), [])

    def test_change_that_kubernetes_does_not_allow_is_refused_before_anything_changes(self):
        self.setup('--apply')
        site = json.loads(json.dumps(SITE))
        site['setup']['volume_claims']['store']['storage_class'] = 'fast'
        site['setup']['config_maps']['settings']['data'] = {'b': 'two'}
        self.write_site(site)
        error = self.setup('--apply', code=3)
        self.assertIn('PersistentVolumeClaim store: rejects the request', error)
        self.assertIn('spec is immutable', error)
        self.assertIn('a', self.object('ConfigMap', 'settings')['data'])

    def test_site_of_cern_is_set_up(self):
        self.site = HERE.parent.parent.parent / 'deploy/sites/cern.yaml'
        self.setup('--apply')
        self.assertEqual(self.errors, '')
        self.assertEqual(self.made(), ['CronJob krb-secret-renewal', 'PersistentVolumeClaim calopipe-artifacts',
                                       'Role krb-secret-renewal', 'RoleBinding krb-secret-renewal', 'Secret krb-secret',
                                       'ServiceAccount krb-secret-renewal'])

    def test_mistakes_in_the_site_file_are_found_without_the_cluster(self):
        for setup, message in [({'volume_claims': {'Store': {'size': '1Gi'}}}, 'cannot be "Store"'),
                               ({'volume_claims': {'store': {'size': 'big'}}}, 'cannot be "big"'),
                               ({'volume_claims': {'store': {}}}, 'is required'),
                               ({'volume_claims': {'s': {'size': '1Gi', 'access_modes': ['Write']}}}, 'access_modes'),
                               ({'config_maps': {'m': {'files': {'a': 'nothing'}}}}, 'nothing'),
                               ({'config_maps': {'m': {'data': {'a/b': 'x'}}}}, 'key "a/b"'),
                               ({'config_maps': {'m': {'data': {'a': 'x'}, 'files': {'a': 'krb5.conf'}}}}, 'twice'),
                               ({'service_accounts': {'w': {'rules': [{'verbs': ['get']}]}}}, 'resources'),
                               ({'kerberos': {'renew': {}}}, 'needs an image'),
                               ({'volumes': {}}, 'volumes')]:
            self.write_site({'setup': setup})
            self.assertIn(message, self.setup('--apply', code=3))
        self.assertEqual(self.server.requests, [])
        self.assertIn('--dry-run', self.setup(code=2))


class Access(WithCluster):
    def dry_run(self, code=0, **environment):
        return self.setup('--dry-run', code=code, environment=environment)

    def test_client_certificate_as_data_and_as_files(self):
        def data(name):
            return base64.b64encode((self.certificates / name).read_bytes()).decode()
        self.kubeconfig({'client-certificate-data': data('carol.crt'), 'client-key-data': data('carol.key')})
        self.dry_run()
        for name in ('carol.crt', 'carol.key'):
            (self.folder / name).write_bytes((self.certificates / name).read_bytes())
        self.kubeconfig({'client-certificate': 'carol.crt', 'client-key': 'carol.key'})
        self.dry_run()
        self.server.strangers = {'carol'}
        self.assertIn('User "carol" cannot', self.dry_run(code=4))

    def test_token_file_is_read_again(self):
        (self.folder / 'token').write_text(ADMIN + '\n')
        self.kubeconfig({'tokenFile': 'token'})
        self.dry_run()
        (self.folder / 'token').write_text('old')
        self.assertIn('it has expired', self.dry_run(code=4))

    def test_list_of_files_where_the_first_that_has_a_name_wins(self):
        self.kubeconfig({'token': 'wrong'}, name='second')
        self.dry_run(KUBECONFIG=f'{self.folder}/missing:{self.config}:{self.folder}/second')
        self.dry_run(KUBECONFIG=f'{self.folder}/second:{self.config}', code=4)

    def plugin(self, text, code=0, **more):
        script = self.folder / 'plugin'
        script.write_text(f'#!/bin/sh\necho x >>"{self.folder}/calls"\ncat <<END\n{text}\nEND\nexit {code}\n')
        script.chmod(0o755)
        self.kubeconfig({'exec': {'apiVersion': 'client.authentication.k8s.io/v1', 'command': './plugin',
                                  'interactiveMode': 'IfAvailable', 'installHint': 'install the plugin', **more}})

    def credential(self, **status):
        return json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status': status})

    def test_exec_plugin_is_asked_once_and_again_after_the_end_of_its_token(self):
        self.plugin(self.credential(token=ADMIN))
        self.dry_run()
        self.assertEqual((self.folder / 'calls').read_text().count('x'), 1)
        self.plugin(self.credential(token=ADMIN, expirationTimestamp='2020-01-01T00:00:00Z'))
        self.dry_run()
        self.assertGreater((self.folder / 'calls').read_text().count('x'), 5)

    def test_exec_plugin_gets_variables_arguments_and_the_cluster(self):
        script = self.folder / 'plugin'
        script.write_text(f'#!/bin/sh\necho "$1 $COLOUR" >"{self.folder}/seen"\necho "$KUBERNETES_EXEC_INFO" >>"{self.folder}/seen"\n'
                          f"echo '{self.credential(token=ADMIN)}'\n")
        script.chmod(0o755)
        self.kubeconfig({'exec': {'apiVersion': 'client.authentication.k8s.io/v1', 'command': './plugin', 'args': ['get'],
                                  'env': [{'name': 'COLOUR', 'value': 'blue'}], 'interactiveMode': 'Never',
                                  'provideClusterInfo': True}})
        self.dry_run()
        first, second = (self.folder / 'seen').read_text().splitlines()
        self.assertEqual(first, 'get blue')
        information = json.loads(second)
        self.assertEqual(information['kind'], 'ExecCredential')
        self.assertEqual(information['spec']['cluster']['server'], self.server.address)

    def test_exec_plugin_that_fails_is_named_without_its_output(self):
        for text, code, message, exit_code in [(self.credential(token=ADMIN), 1, 'ends with exit code 1', 4),
                                               ('not JSON ' + ADMIN, 0, 'does not print an ExecCredential', 3),
                                               (self.credential(), 0, 'neither a token nor a certificate', 3),
                                               (self.credential(token=ADMIN, expirationTimestamp='soon'), 0, 'is no time', 3)]:
            self.plugin(text, code)
            self.assertIn(message, self.dry_run(code=exit_code))
        (self.folder / 'plugin').unlink()
        error = self.dry_run(code=4)
        self.assertIn('cannot be run', error)
        self.assertIn('install the plugin', error)

    def test_bad_kubeconfigs(self):
        good = yaml.safe_load(self.config.read_text())
        def case(code, message, change):
            document = json.loads(json.dumps(good))
            change(document)
            self.config.write_text(yaml.safe_dump(document))
            self.assertIn(message, self.dry_run(code=code))
        case(2, 'no current context', lambda d: d.pop('current-context'))
        case(2, 'has no context "gone"', lambda d: d.update({'current-context': 'gone'}))
        case(2, 'has no cluster "x"', lambda d: d['contexts'][0]['context'].update(cluster='x'))
        case(2, 'has no user "x"', lambda d: d['contexts'][0]['context'].update(user='x'))
        case(3, 'must be a list', lambda d: d.update(users={}))
        case(3, 'is not base64', lambda d: d['clusters'][0]['cluster'].update({'certificate-authority-data': '%%%'}))
        case(3, 'server: is required', lambda d: d['clusters'][0]['cluster'].pop('server'))
        case(3, 'client-key', lambda d: d['users'][0].update(user={'client-certificate': 'a'}))
        case(3, 'auth-provider', lambda d: d['users'][0].update(user={'auth-provider': {'name': 'gcp'}}))
        case(3, 'must be a string', lambda d: d['users'][0].update(user={'token': 5}))
        self.config.write_text('a: [')
        self.assertIn('kubeconfig', self.dry_run(code=3))
        self.assertIn('there is no kubeconfig file', self.dry_run(code=2, KUBECONFIG=str(self.folder / 'none')))
        self.assertIn('other', self.setup('--dry-run', '--kubeconfig', self.folder / 'other', code=3))


class Kerberos(WithCluster):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kdc = servers.Kdc(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.addClassCleanup(cls.kdc.kill)
        cls.keytab = os.path.join(cls.kdc.folder, 'alice.keytab')
        cls.kdc.call(['kadmin.local', '-q', f'ktadd -norandkey -k {cls.keytab} alice'])

    def setUp(self):
        super().setUp()
        self.environment |= self.kdc.environment
        self.kdc.kdestroy()

    def kinit(self, life='1h', renewable='2h'):
        self.kdc.call(['kinit', '-l', life, '-r', renewable, 'alice'], 'secret\n')

    def push(self, *words, **options):
        return self.calopipe('kubeflow', 'kerberos', 'push', *words, **options)

    def show(self, cache):
        return json.loads(self.calopipe('kerberos', 'show', '--cache', cache, '--json'))

    def stored(self, key='krb5cc_1000'):
        path = self.folder / 'fetched'
        path.write_bytes(base64.b64decode(self.object('Secret', 'krb-secret')['data'][key]))
        return path

    def usable(self, cache):
        """Whether the KDC gives a ticket for the service with this cache (Debian's kvno)."""
        return subprocess.run(['kvno', '-c', str(cache), self.kdc.principal], env={**self.environment},
                              capture_output=True, check=False).returncode == 0

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.folder / 'tmp'), [])

    def test_push_makes_the_secret_that_works_and_never_prints_it(self):
        self.kinit()
        out = self.push()
        self.assertIn('secret: krb-secret, key krb5cc_1000, namespace jdoe', out)
        self.assertIn('ticket: alice@CALOPIPE.TEST, valid until', out)
        self.assertTrue(self.usable(self.stored()))
        self.assertNotIn(self.object('Secret', 'krb-secret')['data']['krb5cc_1000'][40:80], out + self.errors)
        self.assert_nothing_left()

    def test_push_into_the_secret_of_setup_which_then_stays_unchanged(self):
        self.setup('--apply')
        self.kinit()
        self.push('--site', self.site)
        self.assertTrue(self.usable(self.stored('ticket')))
        self.assertEqual(json.loads(self.setup('--apply', '--json'))['changes'], 0)
        self.assertIn('ticket', self.object('Secret', 'krb-secret')['data'])
        self.setup('--delete', '--yes')
        self.assertEqual(self.made(), [])

    def test_push_keeps_other_keys_and_does_not_take_a_secret_of_others(self):
        self.server.add('Secret', 'jdoe', 'krb-secret', type='Opaque', data={'other': 'eA=='})
        self.kinit()
        self.push()
        self.assertEqual(set(self.object('Secret', 'krb-secret')['data']), {'other', 'krb5cc_1000'})
        self.setup('--delete', '--yes')
        self.assertEqual(self.made(), ['Secret krb-secret'])

    def test_push_from_a_keytab(self):
        self.push('--keytab', self.keytab)
        self.assertTrue(self.usable(self.stored()))
        self.push('--keytab', self.keytab, '--principal', 'alice@CALOPIPE.TEST')
        self.assert_nothing_left()
        self.assertIn('there is no such keytab', self.push('--keytab', self.folder / 'none', code=3))
        (self.folder / 'bad').write_text('nothing')
        self.push('--keytab', self.folder / 'bad', code=3)
        self.assertIn('gives no ticket', self.push('--keytab', self.keytab, '--principal', 'bob', code=4))
        self.assert_nothing_left()

    def test_push_warns_of_a_ticket_that_cannot_last(self):
        self.kinit()
        self.push('--run-h', '48')
        self.assertIn('the ticket lasts for 1.0 h, but a run may take 48.0 h', self.errors)
        self.push('--run-h', '0.5')
        self.assertNotIn('lasts', self.errors)
        self.push('--run-h', '1.5')
        self.assertIn('declare setup.kerberos.renew', self.errors)
        self.setup('--apply')
        # With renewals the ticket lasts for its renewable life.
        self.push('--site', self.site, '--run-h', '1.5')
        self.assertNotIn('lasts', self.errors)
        self.push('--site', self.site, '--run-h', '3')
        self.assertIn('with renewals', self.errors)
        site = {**SITE, 'setup': {'kerberos': {}}}
        self.write_site(site)
        self.push('--site', self.site)
        self.assertIn('but a run may take 2.0 h', self.errors)  # the site's activeDeadlineSeconds

    def test_push_without_a_ticket(self):
        self.assertIn('kinit', self.push(code=4))
        self.kdc.cache_file = self.kdc.cache
        pathlib.Path(self.kdc.cache).write_text('not a cache')
        self.push(code=4)
        self.assertEqual(self.made(), [])

    def test_renew_in_the_cluster_gives_a_later_ticket(self):
        self.kinit('30s', '1h')
        self.push()
        first = self.show(self.stored())
        time.sleep(2)
        self.calopipe('kubeflow', 'kerberos', 'renew')
        second = self.show(self.stored())
        self.assertGreater(second['end_s'], first['end_s'])
        self.assertTrue(self.usable(self.stored()))
        self.assert_nothing_left()

    def test_renew_without_a_secret_or_a_renewable_ticket(self):
        self.assertIn('there is no such secret', self.calopipe('kubeflow', 'kerberos', 'renew', code=4))
        self.kdc.kinit()
        self.push()
        self.assertIn('cannot be renewed', self.calopipe('kubeflow', 'kerberos', 'renew', code=4))

    def keep(self, *words):
        log = open(self.folder / 'log', 'w', encoding='utf-8')
        self.addCleanup(log.close)
        process = subprocess.Popen([PROGRAM, 'kerberos', 'keep', *map(str, words)], env=self.environment, stderr=log)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def log(self):
        return (self.folder / 'log').read_text()

    def wait_for(self, condition, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if condition():
                return
            time.sleep(0.1)
        self.fail(self.log())

    def test_keep_renews_tickets_of_ten_seconds_and_ends_with_the_signal(self):
        self.kinit('10s', '2h')
        cache = pathlib.Path(self.kdc.cache)
        first = self.show(cache)
        inode = cache.stat().st_ino
        process = self.keep('--cache', cache)
        # A program that reads the cache all the time always finds a whole one.
        end = time.time() + 25
        while time.time() < end:
            self.assertEqual(self.show(cache)['principal'], 'alice@CALOPIPE.TEST')
            time.sleep(0.2)
        self.assertGreater(self.show(cache)['end_s'], first['end_s'] + 10)
        self.assertTrue(self.usable(cache))
        self.assertNotEqual(cache.stat().st_ino, inode)
        self.assertEqual(stat.S_IMODE(cache.stat().st_mode), 0o600)
        self.assertGreaterEqual(self.log().count('ticket renewed'), 2)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0)
        self.assertEqual([f for f in os.listdir(cache.parent) if f.startswith('.krb5cc')], [])

    def test_keep_ends_with_an_error_at_the_end_of_the_renewable_life(self):
        self.kinit('5s', '8s')
        process = self.keep('--cache', self.kdc.cache)
        self.assertEqual(process.wait(60), 4)
        self.assertIn('there is no valid ticket', self.log())

    def test_keep_copies_a_newer_ticket_from_the_secret(self):
        self.kinit('30m', '2h')  # not due for a quarter of an hour
        secret, cache = self.folder / 'secret', self.folder / 'cache'
        secret.write_bytes(pathlib.Path(self.kdc.cache).read_bytes())
        secret.chmod(0o644)
        process = self.keep('--from', secret, '--cache', cache, '--look-s', '1')
        self.wait_for(cache.exists)
        self.assertEqual(stat.S_IMODE(cache.stat().st_mode), 0o600)
        first = self.show(cache)
        self.kinit('1h', '2h')
        newer = self.folder / 'newer'
        newer.write_bytes(pathlib.Path(self.kdc.cache).read_bytes())
        newer.rename(secret)
        self.wait_for(lambda: self.show(cache)['end_s'] > first['end_s'] + 600)
        self.assertIn('ticket copied', self.log())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0)

    def test_keep_with_a_keytab_outlives_the_renewable_life(self):
        cache = self.folder / 'cache'
        process = self.keep('--keytab', self.keytab, '--cache', cache, '--life-h', 4 / 3600, '--renewable-h', 6 / 3600)
        self.wait_for(cache.exists)
        first = self.show(cache)
        self.wait_for(lambda: self.show(cache)['end_s'] > first['renew_until_s'] + 2)
        self.assertIsNone(process.poll())
        self.assertTrue(self.usable(cache))

    def test_keep_survives_a_pause_of_the_kdc(self):
        self.kinit('20s', '2h')
        self.kdc.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.kdc.process.send_signal, signal.SIGCONT)
        process = self.keep('--cache', self.kdc.cache)
        end_s = self.show(self.kdc.cache)['end_s']
        self.wait_for(lambda: time.time() > end_s - 9)
        self.kdc.process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: self.show(self.kdc.cache)['end_s'] > end_s)
        self.assertIsNone(process.poll())

    def test_keep_once(self):
        self.kinit('1h', '2h')
        first = self.show(self.kdc.cache)
        time.sleep(1.1)
        self.calopipe('kerberos', 'keep', '--once', '--cache', 'FILE:' + self.kdc.cache)
        self.assertGreater(self.show(self.kdc.cache)['end_s'], first['end_s'])
        self.assertIn('there is no valid ticket', self.calopipe('kerberos', 'keep', '--once', '--cache',
                                                                self.folder / 'none', code=4))
        self.assertIn('not a cache in a file', self.calopipe('kerberos', 'keep', '--cache', 'KCM:1', code=2))


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
