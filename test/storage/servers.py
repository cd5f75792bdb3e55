"""Real servers for the tests of URLs, each on a free port of the loopback with all its files in a temporary folder:
XRootD (without a login, or with Kerberos), a KDC, S3 (moto), HTTP with ranges; and a relay that counts bytes."""
import http.server
import os
import pwd
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, log, seconds=30):
    for _ in range(seconds * 50):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f'{process.args[0]} did not start: {open(log, errors="replace").read()[-2000:]}')


class Xrootd:
    """A server of the folder `data`. It can be killed and started again on the same port."""

    def __init__(self, folder, keytab=None, principal=None, environment=None, disk=None, checksums=True,
                 checksum_program=''):
        self.folder = folder
        self.data = os.path.join(folder, 'data')
        self.port = free_port()
        self.environment = {**os.environ, **(environment or {})}
        self.disk = disk  # size of a disk of its own, "1m", which nobody else sees
        for name in ('data', 'admin'):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        # XRootD refuses to run as root.
        self.user = 'nobody' if os.geteuid() == 0 else None
        lines = ['all.export / r/w', f'oss.localroot {self.data}', f'xrd.port {self.port}',
                 f'all.adminpath {folder}/admin', f'all.pidpath {folder}/admin', 'xrd.network nodnr',
                 'xrd.allow host *']
        if checksums:
            lines.append(f'xrootd.chksum max 2 adler32 {checksum_program}')
        if keytab:
            lines += ['xrootd.seclib libXrdSec.so', f'sec.protocol krb5 {keytab} {principal}',
                      'sec.protbind * only krb5']
        with open(os.path.join(folder, 'xrootd.cfg'), 'w') as config:
            config.write('\n'.join(lines) + '\n')
        self.give_to_user(folder)
        self.process = None
        self.start()

    def give_to_user(self, path):
        if not self.user:
            return
        entry = pwd.getpwnam(self.user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
        for root, folders, files in os.walk(path):
            for name in folders + files:
                os.chown(os.path.join(root, name), entry.pw_uid, entry.pw_gid)

    def start(self):
        log = os.path.join(self.folder, 'log')
        words = ['xrootd', '-c', os.path.join(self.folder, 'xrootd.cfg'), '-l', log, '-n', 'test']
        user = self.user
        if self.disk:
            words = ['unshare', '-m', 'sh', '-c', f'mount -t tmpfs -o size={self.disk},mode=777 none {self.data} && '
                     'exec setpriv --reuid nobody --clear-groups "$@"', 'sh', *words]
            user = None
        self.process = subprocess.Popen(words, cwd=self.folder, env=self.environment, user=user,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process, self.log())

    def log(self):
        for root, _, files in os.walk(self.folder):
            if 'log' in files:
                return os.path.join(root, 'log')
        return os.devnull

    def kill(self):
        self.process.kill()
        self.process.wait()

    def put(self, local, name):
        path = os.path.join(self.data, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        (shutil.copytree if os.path.isdir(local) else shutil.copy)(local, path)
        self.give_to_user(self.data)

    def url(self, name, port=None):
        return f'root://127.0.0.1:{port or self.port}//{name}'


class Kdc:
    """A realm with a user `alice`, and a service for an XRootD server on this machine."""
    REALM = 'CALOPIPE.TEST'

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.keytab = os.path.join(folder, 'service.keytab')
        self.principal = f'xrootd/localhost@{self.REALM}'
        self.cache = os.path.join(folder, 'cache')
        with open(os.path.join(folder, 'krb5.conf'), 'w') as config:
            config.write(f'''[libdefaults]
 default_realm = {self.REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 {self.REALM} = {{
  kdc = 127.0.0.1:{self.port}
 }}
[domain_realm]
 localhost = {self.REALM}
''')
        with open(os.path.join(folder, 'kdc.conf'), 'w') as config:
            config.write(f'''[kdcdefaults]
 kdc_ports = {self.port}
 kdc_tcp_ports = {self.port}
[realms]
 {self.REALM} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
  max_life = 1h
  max_renewable_life = 2h
 }}
''')
        self.environment = {'KRB5_CONFIG': os.path.join(folder, 'krb5.conf'),
                            'KRB5_KDC_PROFILE': os.path.join(folder, 'kdc.conf'),
                            'KRB5CCNAME': 'FILE:' + self.cache}
        self.call(['kdb5_util', 'create', '-s', '-r', self.REALM, '-P', 'master'])
        self.call(['kadmin.local', '-q', 'addprinc -pw secret alice'])
        self.call(['kadmin.local', '-q', f'addprinc -randkey {self.principal}'])
        self.call(['kadmin.local', '-q', f'ktadd -k {self.keytab} {self.principal}'])
        self.process = subprocess.Popen([find_program('krb5kdc'), '-n'], env=self.all(),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process, os.devnull)

    def all(self):
        return {**os.environ, **self.environment}

    def call(self, words, text=None):
        words = [find_program(words[0])] + words[1:]
        done = subprocess.run(words, env=self.all(), input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f'{words}: {done.stdout}{done.stderr}')

    def kinit(self, life='1h'):
        self.call(['kinit', '-l', life, 'alice'], 'secret\n')

    def kdestroy(self):
        if os.path.exists(self.cache):
            os.remove(self.cache)

    def kill(self):
        self.process.kill()
        self.process.wait()


def find_program(name):
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin') or name


class Relay:
    """Passes connections on to a port of the loopback, and counts the bytes to the client. It can stop: after `stop`
    bytes, it closes its connections and accepts no further ones."""

    def __init__(self, port):
        self.target = port
        self.bytes = 0
        self.stop_after = None
        self.on_stop = None
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(('127.0.0.1', self.target))
            except OSError:
                client.close()
                continue
            for a, b, counted in ((client, server, False), (server, client, True)):
                threading.Thread(target=self.copy, args=(a, b, counted), daemon=True).start()

    def copy(self, source, target, counted):
        try:
            while data := source.recv(1 << 16):
                if counted:
                    with self.lock:
                        self.bytes += len(data)
                        reached = self.stop_after is not None and self.bytes > self.stop_after
                        if reached:
                            self.stop_after = None
                    if reached and self.on_stop:
                        self.on_stop()
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Web:
    """HTTP with ranges, WebDAV's PROPFIND, and, if wanted, a token. Counts the bytes of files that it sends."""

    def __init__(self, folder, token=None, webdav=True, ranges=True, certificate=None):
        web = self
        self.bytes = 0
        self.requests = []
        self.faults = []  # statuses for the next requests of files; 0 closes the connection in the middle

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def answer(self, status, body=b'', **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace('_', '-'), value)
                if 'Content_Length' not in headers:
                    self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                if self.command != 'HEAD':
                    self.wfile.write(body)

            def allowed(self):
                web.requests.append((self.command, self.path, dict(self.headers)))
                if token and self.headers.get('Authorization') != 'Bearer ' + token:
                    self.answer(401, b'who are you?')
                    return False
                return True

            def local(self):
                return os.path.join(folder, urllib.request.url2pathname(self.path.split('?')[0]).lstrip('/'))

            def do_PROPFIND(self):
                if not self.allowed():
                    return
                if not webdav:
                    return self.answer(501)
                path = self.local()
                if not os.path.exists(path):
                    return self.answer(404)
                names = [self.path.rstrip('/')]
                if self.headers.get('Depth') == '1' and os.path.isdir(path):
                    names += [names[0] + '/' + urllib.request.pathname2url(n) for n in sorted(os.listdir(path))]
                body = '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">'
                for name in names:
                    file = os.path.join(folder, urllib.request.url2pathname(name).lstrip('/'))
                    kind = '<D:collection/>' if os.path.isdir(file) else ''
                    body += (f'<D:response><D:href>{name}{"/" if kind else ""}</D:href><D:propstat><D:prop>'
                             f'<D:resourcetype>{kind}</D:resourcetype>'
                             f'<D:getcontentlength>{os.path.getsize(file)}</D:getcontentlength>'
                             f'<D:getlastmodified>{os.path.getmtime(file)}</D:getlastmodified>'
                             '</D:prop></D:propstat></D:response>')
                self.answer(207, (body + '</D:multistatus>').encode())

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                if not self.allowed():
                    return
                path = self.local()
                if not os.path.isfile(path):
                    return self.answer(404)
                fault = web.faults.pop(0) if web.faults else None
                if fault:
                    return self.answer(fault, b'not now')
                size = os.path.getsize(path)
                wanted = re.match(r'bytes=(\d+)-(\d+)', self.headers.get('Range', ''))
                begin, end = (int(wanted[1]), min(int(wanted[2]), size - 1)) if wanted and ranges else (0, size - 1)
                with open(path, 'rb') as file:
                    file.seek(begin)
                    body = file.read(end - begin + 1)
                if self.command != 'HEAD':
                    web.bytes += len(body)
                headers = {'ETag': f'"{os.path.getmtime(path)}"'}
                if wanted and ranges:
                    headers['Content_Range'] = f'bytes {begin}-{end}/{size}'
                if fault == 0:
                    self.answer(206, body[:len(body) // 2], Content_Length=str(len(body)), **headers)
                    self.close_connection = True
                    return
                self.answer(206 if wanted and ranges else 200, body, **headers)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that has read enough

        self.server = Server(('127.0.0.1', 0), Handler)
        self.scheme = 'https' if certificate else 'http'
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, name):
        return f'{self.scheme}://127.0.0.1:{self.port}/{name}'

    def close(self):
        self.server.shutdown()


class S3:
    """moto's server, with a bucket `showers`."""

    def __init__(self, folder):
        self.port = free_port()
        self.environment = {'AWS_ACCESS_KEY_ID': 'test', 'AWS_SECRET_ACCESS_KEY': 'secret',
                            'AWS_ENDPOINT_URL': f'http://127.0.0.1:{self.port}', 'AWS_REGION': 'us-east-1',
                            'AWS_CONFIG_FILE': '/dev/null', 'AWS_SHARED_CREDENTIALS_FILE': '/dev/null'}
        log = os.path.join(folder, 'moto.log')
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'moto.server', '-H', '127.0.0.1', '-p', str(self.port)],
            stdout=open(log, 'w'), stderr=subprocess.STDOUT)
        wait_for_port(self.port, self.process, log, 60)
        import boto3
        self.client = boto3.client('s3', endpoint_url=f'http://127.0.0.1:{self.port}', region_name='us-east-1',
                                   aws_access_key_id='test', aws_secret_access_key='secret')
        self.client.create_bucket(Bucket='showers')

    def kill(self):
        self.process.kill()
        self.process.wait()


def make_certificate(folder):
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    names = os.path.join(folder, 'certificate.pem'), os.path.join(folder, 'key.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test',
                    '-addext', 'subjectAltName=IP:127.0.0.1', '-out', names[0], '-keyout', names[1]],
                   check=True, capture_output=True)
    return names


def temporary_folder():
    folder = tempfile.mkdtemp(prefix='calopipe-servers-')
    os.chmod(folder, 0o755)
    return folder
