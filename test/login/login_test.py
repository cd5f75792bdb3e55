"""Logins with programs that clusters have: Dex, oauth2-proxy as in Kubeflow's manifests, and the provider of zitadel/oidc.
scripts/test-login.sh builds and runs them. usage: login_test.py PATH-OF-CALOPIPE [TEST …]
Environment: CALOPIPE_LOGIN_PROGRAMS: folder with providers, oauth2-proxy and Dex's pages (web)."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

from browser import Browser

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'test/kfp/client'))
import commands_test  # noqa: E402

PROGRAMS = pathlib.Path(os.environ['CALOPIPE_LOGIN_PROGRAMS'])
USER, PASSWORD = 'jdoe@example.org', 'showers'
ZITADEL_USERS = {USER: {'ID': USER, 'Username': 'jdoe', 'Password': PASSWORD, 'Email': USER, 'EmailVerified': True},
                 'jdoe': {'ID': 'jdoe', 'Username': USER, 'Password': PASSWORD, 'Email': USER, 'EmailVerified': True}}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Program:
    """A server in the background, until the test ends."""

    def __init__(self, folder, ready, *command):
        self.log = folder / f'{pathlib.Path(command[0]).name}-{free_port()}.log'
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        for _ in range(300):
            try:
                urllib.request.urlopen(ready, timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
            assert self.process.poll() is None, self.log.read_text()
        raise AssertionError(f'{command[0]} does not start: {self.log.read_text()}')

    def close(self):
        self.process.kill()
        self.process.wait()


class Logins(commands_test.Commands):
    def setUp(self):
        self.output, self.secrets, self.proxy_port = '', {PASSWORD}, free_port()
        super().setUp()
        self.addCleanup(self.no_secret_was_shown)

    def call(self, *arguments):
        done = super().call(*arguments)
        self.output += done.stdout + done.stderr
        return done

    def no_secret_was_shown(self):
        for secret in self.secrets:
            self.assertNotIn(secret, self.output)

    def program(self, *command, ready):
        started = Program(self.folder, ready, *command)
        self.addCleanup(started.close)
        return started

    def dex(self, lifetime='1h', port=None):
        self.dex_port = port or free_port()
        self.issuer = f'http://127.0.0.1:{self.dex_port}/dex'
        return self.program(PROGRAMS / 'providers', 'dex', self.dex_port, PROGRAMS / 'web', lifetime,
                            f'http://127.0.0.1:{self.proxy_port}', ready=self.issuer + '/healthz')

    def zitadel(self):
        port, users = free_port(), self.folder / 'users.json'
        self.issuer = f'http://127.0.0.1:{port}'
        users.write_text(json.dumps(ZITADEL_USERS))
        return self.program(PROGRAMS / 'providers', 'zitadel', port, users, ready=self.issuer + '/healthz')

    def proxy(self, *options):
        """oauth2-proxy in front of the tests' server, with the settings of Kubeflow's manifests."""
        self.gate = f'http://127.0.0.1:{self.proxy_port}'
        return self.program(
            PROGRAMS / 'oauth2-proxy', '--http-address', f'127.0.0.1:{self.proxy_port}', '--provider', 'oidc', '--oidc-issuer-url',
            self.issuer, '--client-id', 'kubeflow', '--client-secret', 'secret-of-the-proxy', '--redirect-url',
            self.gate + '/oauth2/callback', '--scope', 'profile email groups openid', '--email-domain', '*',
            '--insecure-oidc-allow-unverified-email', '--upstream', self.server.address, '--skip-jwt-bearer-tokens',
            '--extra-jwt-issuers', f'{self.issuer}=calopipe,{self.issuer}=calopipe-device', '--cookie-name', 'oauth2_proxy_kubeflow',
            '--cookie-secret', '0123456789abcdef0123456789abcdef', '--cookie-secure=false', '--code-challenge-method', 'S256',
            '--api-route', '/api/', '--api-route', '/apis/', '--api-route', '^/ml_metadata', *options, ready=self.gate + '/ping')

    def context(self, *options):
        self.ok('kubeflow', 'context', 'set', 'site', '--server', self.gate, *options)
        self.ok('kubeflow', 'context', 'use', 'site')

    def oidc_context(self, *options, client='calopipe'):
        self.context('--oidc-issuer', self.issuer, '--oidc-client-id', client, *options)

    def dex_context(self):
        # Dex takes only this name of the loopback from clients without a secret.
        self.oidc_context('--oidc-redirect-uri', 'http://localhost/callback')

    def begin(self, pattern, *options):
        """Starts a login. Returns the process, and a browser at the address that it prints."""
        login = self.start('kubeflow', 'login', *options)
        self.addCleanup(login.communicate)
        self.addCleanup(login.kill)  # runs before
        self.shown = ''
        for line in login.stderr:
            self.shown += line
            if re.search(pattern, line):
                break
        browser = Browser()
        browser.open(line.strip())
        return login, browser

    def end(self, login, code=0):
        out, err = login.communicate(timeout=60)
        self.output += out + err + self.shown
        self.assertEqual(login.returncode, code, self.shown + err)
        return out + err

    def log_in(self):
        login, browser = self.begin('/auth')
        browser.submit(login=USER, password=PASSWORD)
        self.assertIn('You are logged in', browser.text)
        out = self.end(login)
        self.assertRegex(out, rf'logged in: +{USER}')
        return self.tokens()

    def tokens(self):
        [file] = (self.folder / 'config/calopipe/logins').glob('*.json')
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        stored = json.loads(file.read_text())
        self.secrets |= {stored[name] for name in ('id_token', 'access_token', 'refresh_token') if stored[name]}
        return file, stored


class Dex(Logins):
    def test_password_form_then_runs_through_the_proxy(self):
        self.dex()
        self.proxy()
        self.dex_context()
        self.refused(4, 'nobody is logged in .*calopipe kubeflow login', 'kubeflow', 'health')
        login, browser = self.begin('/auth')
        browser.submit(login=USER, password='wrong')
        self.assertIn('Invalid', browser.text)
        browser.submit(login=USER, password=PASSWORD)
        self.assertIn('You are logged in', browser.text)
        self.assertRegex(self.end(login), rf'logged in: +{USER}\n(?s:.*)renewed automatically')
        self.tokens()
        self.ok('kubeflow', 'health')
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], ['a', 'SUCCEEDED'], ['', 'SUCCEEDED']])
        self.assertRegex(self.call('run', self.small, '--on', 'site').stderr, r'run \S+ done in')
        self.assertEqual(len(self.json_of('kubeflow', 'run', 'list')), 1)
        self.assertEqual(self.ok('kubeflow', 'logout'), 'logged out: site\n')
        self.refused(4, 'nobody is logged in', 'kubeflow', 'health')

    def test_a_login_that_the_user_gives_up(self):
        self.dex()
        self.proxy()
        self.dex_context()
        login, browser = self.begin('/auth')
        browser.submit(login=USER, password='wrong')
        self.assertIsNone(login.poll())  # it waits for another try
        login.send_signal(signal.SIGINT)
        self.end(login, 130)
        self.refused(4, 'nobody is logged in', 'kubeflow', 'health')

    def test_tokens_are_renewed_by_refresh_tokens_that_serve_once(self):
        self.dex(lifetime='20s')  # less than what a call may take, so that each one renews the token
        self.proxy()
        self.dex_context()
        _, first = self.log_in()
        self.ok('kubeflow', 'health')
        file, second = self.tokens()
        self.assertNotEqual(first['refresh_token'], second['refresh_token'])
        together = [self.start('kubeflow', 'health') for _ in range(4)]
        for one in together:
            out, err = one.communicate(timeout=60)
            self.output += out + err
            self.assertEqual(one.returncode, 0, err)
        self.tokens()
        file.write_text(json.dumps(first))
        self.refused(4, 'does not renew the login: .*calopipe kubeflow login', 'kubeflow', 'health')
        self.log_in()
        self.ok('kubeflow', 'health')

    def test_a_provider_that_is_gone_or_has_forgotten_the_login(self):
        dex = self.dex(lifetime='20s')
        self.proxy()
        self.dex_context()
        self.log_in()
        dex.close()
        self.refused(4, 'cannot be reached', 'kubeflow', 'health')
        self.dex(lifetime='20s', port=self.dex_port)
        self.refused(4, 'does not renew the login: .*calopipe kubeflow login', 'kubeflow', 'health')

    def test_wrong_settings_of_the_login(self):
        self.dex()
        self.proxy()
        self.oidc_context('--oidc-redirect-uri', 'http://localhost/callback', client='unknown')
        _, browser = self.begin('/auth')
        self.assertIn('Invalid client_id', browser.text)
        self.oidc_context()  # returns to 127.0.0.1, which is no address of this client for Dex
        _, browser = self.begin('/auth')
        self.assertIn('Unregistered redirect_uri', browser.text)
        self.dex_context()
        self.refused(4, 'has no device_authorization_endpoint.*leave out --device', 'kubeflow', 'login', '--device')
        self.issuer = self.issuer.removesuffix('/dex')
        self.dex_context()
        self.refused(3, 'is no provider of OIDC logins', 'kubeflow', 'login')


class Proxy(Logins):
    """Answers of oauth2-proxy to those who are not logged in: 401, 403 with a page, and redirections."""

    CALLS = (('kubeflow', 'health'), ('kubeflow', 'run', 'list'), ('kubeflow', 'pipeline', 'list'))

    def all_refused(self, pattern):
        for words in self.CALLS:
            self.refused(4, pattern, *words)
        self.refused(4, pattern, 'run', self.small, '--on', 'site')

    def run_of_the_server(self):
        self.server.control('/_script', [['', 'RUNNING'], ['a', 'RUNNING'], ['a', 'SUCCEEDED'], ['', 'SUCCEEDED']])
        self.assertEqual(self.call('run', self.small, '--on', 'test').returncode, 0)
        return self.json_of('kubeflow', 'run', 'list', '--context', 'test')[0]['run_id']

    def test_without_a_login(self):
        run = self.run_of_the_server()
        for options in ((), ('--skip-provider-button',)):
            with self.subTest(options=options):
                self.dex()
                proxy = self.proxy(*options)
                self.context()
                self.all_refused('requires a login|redirects the request, to .*requires a login')
                for words in (('outputs', run), ('logs', run), ('fetch', run, '--out', self.folder / 'out')):
                    self.refused(4, 'login', 'kubeflow', 'run', *words)
                proxy.close()

    def test_tokens_that_are_none_or_foreign_or_expired(self):
        self.dex(lifetime='2s')
        token = self.folder / 'token'
        for options in ((), ('--skip-provider-button',)):
            with self.subTest(options=options):
                proxy = self.proxy(*options)
                self.context('--token-file', token)
                token.write_text('no-token-of-dex')
                self.secrets.add('no-token-of-dex')
                self.all_refused('expired.*log in again|redirects the request.*log in again')
                self.dex_context()
                _, tokens = self.log_in()
                self.context('--token-file', token)
                token.write_text(tokens['id_token'])
                time.sleep(3)
                self.all_refused('expired.*log in again|redirects the request.*log in again')
                proxy.close()

    def session(self):
        """Logs in at the proxy itself, as a browser does, and saves its cookies."""
        browser = Browser()
        browser.open(self.gate + '/')
        self.assertEqual(browser.status, 403)  # the page with the button
        browser.submit()
        browser.submit(login=USER, password=PASSWORD)
        jar = self.folder / 'cookies.txt'
        browser.save_cookies(jar)
        [session] = [cookie for cookie in browser.cookies if cookie.name == 'oauth2_proxy_kubeflow']
        self.secrets.add(session.value)
        return jar, session

    def test_the_session_of_a_browser(self):
        self.dex()
        self.proxy()
        jar, session = self.session()
        self.context('--cookie-file', jar)
        self.ok('kubeflow', 'health')
        plain = self.folder / 'cookies-as-text'
        plain.write_text(f'{session.name}={session.value}')
        self.context('--cookie-file', plain)
        self.ok('kubeflow', 'health')
        plain.write_text(f'{session.name}={session.value[:-8]}AAAAAAA=')
        self.all_refused('does not accept the login, or it has expired.*log in again')

    def test_a_session_that_has_expired(self):
        self.dex()
        self.proxy('--cookie-expire', '4s')
        jar, session = self.session()
        plain = self.folder / 'cookies-as-text'  # a jar drops expired cookies by itself
        plain.write_text(f'{session.name}={session.value}')
        self.context('--cookie-file', plain)
        self.ok('kubeflow', 'health')
        time.sleep(5)
        self.all_refused('does not accept the login, or it has expired.*log in again')
        self.context('--cookie-file', jar)
        self.all_refused('does not accept the login, or it has expired.*log in again')


class Zitadel(Logins):
    """A provider that requires PKCE of clients without a secret, and has device codes."""

    def test_code_with_pkce(self):
        self.zitadel()
        self.proxy()
        self.oidc_context()
        login, browser = self.begin('/auth')
        browser.submit(username=USER, password='wrong')
        self.assertIn('username or password wrong', browser.text)
        browser.submit(username=USER, password=PASSWORD)
        self.assertIn('You are logged in', browser.text)
        self.assertRegex(self.end(login), 'logged in: +jdoe\n(?s:.*)renewed automatically')  # its ID token has no address
        self.tokens()
        self.ok('kubeflow', 'health')

    def device_context(self):
        secret = self.folder / 'client-secret'
        secret.write_text('secret-of-the-device\n')
        self.secrets.add('secret-of-the-device')
        self.oidc_context('--oidc-client-secret-file', secret, client='calopipe-device')

    def test_device_code(self):
        self.zitadel()
        self.proxy()
        self.device_context()
        login, browser = self.begin('/device', '--device')
        browser.submit(username=USER, password=PASSWORD)
        self.assertIn('grant device', browser.text)
        browser.open('confirm?action=allowed')
        self.end(login)
        self.tokens()
        self.ok('kubeflow', 'health')

    def test_device_code_that_is_denied_and_a_wrong_secret(self):
        self.zitadel()
        self.proxy()
        self.device_context()
        login, browser = self.begin('/device', '--device')
        browser.submit(username=USER, password=PASSWORD)
        browser.open('confirm?action=denied')
        self.assertIn('access_denied', self.end(login, 4))
        (self.folder / 'client-secret').write_text('another\n')
        self.refused(4, 'refuses the login: (invalid|unauthorized)_client .*client_secret_file', 'kubeflow', 'login', '--device')


if __name__ == '__main__':
    commands_test.PROGRAM = sys.argv.pop(1)
    unittest.main()
