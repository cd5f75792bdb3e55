"""A server of the Kubernetes API for the tests, after its published contract (the models of the package `kubernetes`):
server-side apply with owners of fields, dry runs, label selectors, pages, preconditions, roles; over TLS with tokens and
client certificates; and with faults. It runs in the test's process."""
import base64
import copy
import datetime
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

import kubernetes.client.models as models

KINDS = {
    ('v1', 'configmaps'): ('ConfigMap', models.V1ConfigMap),
    ('v1', 'secrets'): ('Secret', models.V1Secret),
    ('v1', 'persistentvolumeclaims'): ('PersistentVolumeClaim', models.V1PersistentVolumeClaim),
    ('v1', 'serviceaccounts'): ('ServiceAccount', models.V1ServiceAccount),
    ('v1', 'pods'): ('Pod', models.V1Pod),
    ('rbac.authorization.k8s.io/v1', 'roles'): ('Role', models.V1Role),
    ('rbac.authorization.k8s.io/v1', 'rolebindings'): ('RoleBinding', models.V1RoleBinding),
    ('batch/v1', 'cronjobs'): ('CronJob', models.V1CronJob),
}
NAME = re.compile(r'[a-z0-9]([-a-z0-9.]*[a-z0-9])?')


class Refusal(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.body = {'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Failure', 'message': message,
                     'reason': reason, 'code': code}
        self.code = code


def check(value, kind, place):
    """Checks a value against a type of the models: 'str', 'list[V1Rule]', 'dict(str, str)', 'V1PodSpec'."""
    def wrong():
        raise Refusal(400, 'BadRequest', f'{place}: not a {kind}: {json.dumps(value)[:80]}')
    if kind.startswith('list['):
        if not isinstance(value, list):
            wrong()
        for i, element in enumerate(value):
            check(element, kind[5:-1], f'{place}[{i}]')
    elif kind.startswith('dict('):
        if not isinstance(value, dict):
            wrong()
        for name, element in value.items():
            check(element, kind[5:-1].split(', ')[1], f'{place}.{name}')
    elif kind in ('str', 'datetime'):
        if not isinstance(value, str):
            wrong()
    elif kind == 'int':
        if not isinstance(value, int) or isinstance(value, bool):
            wrong()
    elif kind == 'bool':
        if not isinstance(value, bool):
            wrong()
    elif kind in ('object', 'float'):
        pass
    else:
        check_model(value, getattr(models, kind), place)


def check_model(value, model, place):
    if not isinstance(value, dict):
        raise Refusal(400, 'BadRequest', f'{place}: not a mapping')
    names = {json_name: field for field, json_name in model.attribute_map.items()}
    for name, element in value.items():
        if name not in names:
            raise Refusal(400, 'BadRequest', f'{place}.{name}: field not declared in schema')
        check(element, model.openapi_types[names[name]], f'{place}.{name}')


def leaves(value, path=()):
    """The fields of an object; lists are one field."""
    if isinstance(value, dict) and value:
        for name, element in value.items():
            yield from leaves(element, path + (name,))
    else:
        yield path, value


def at(value, path):
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def put(value, path, element):
    for name in path[:-1]:
        value = value.setdefault(name, {})
    value[path[-1]] = copy.deepcopy(element)


def drop(value, path):
    if len(path) > 1 and isinstance(value.get(path[0]), dict):
        drop(value[path[0]], path[1:])
        if not value[path[0]]:
            del value[path[0]]
    elif len(path) == 1:
        value.pop(path[0], None)


def make_certificates(folder):
    """An authority, the server's certificate, and one of a client `carol`."""
    def openssl(*words):
        subprocess.run(['openssl', *words], cwd=folder, check=True, capture_output=True)
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj',
            '/CN=test authority')
    with open(os.path.join(folder, 'san'), 'w', encoding='utf-8') as file:
        file.write('subjectAltName=IP:127.0.0.1')
    for name in ('server', 'carol'):
        openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', f'{name}.key', '-out', f'{name}.csr', '-subj', f'/CN={name}')
        openssl('x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
                '-out', f'{name}.crt', '-extfile', 'san')


class KubeServer:
    """`objects` by (kind, namespace, name); `faults` for the next requests: a status, or 'close', 'half', 'page', 'slow'."""

    def __init__(self, folder):
        make_certificates(folder)
        self.objects, self.owners = {}, {}
        self.namespaces = {'default', 'jdoe'}
        self.tokens = {}          # token: user
        self.expired = set()      # tokens
        self.readers = {'viewer'}  # users who may only read
        self.strangers = set()    # users who may do nothing
        self.faults, self.requests = [], []
        self.page = None          # largest number of items in a page
        self.on_apply = None
        self.lock = threading.RLock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.serve(self)

            do_PATCH = do_DELETE = do_POST = do_GET

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(('127.0.0.1', 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, 'server.crt'), os.path.join(folder, 'server.key'))
        context.load_verify_locations(os.path.join(folder, 'ca.crt'))
        context.verify_mode = ssl.CERT_OPTIONAL
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f'https://127.0.0.1:{self.server.server_address[1]}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        length = int(handler.headers.get('Content-Length') or 0)
        text = handler.rfile.read(length)
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            self.requests.append((handler.command, url.path, query))
            fault = self.faults.pop(0) if self.faults else None
        if fault == 'slow':
            time.sleep(40)
        if fault == 'close':
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        kind = 'application/json'
        try:
            if fault == 'page':
                status, body, kind = 200, b'<html>log in</html>', 'text/html'
            elif isinstance(fault, int):
                raise Refusal(fault, 'InternalError', 'etcdserver: request timed out')
            else:
                with self.lock:
                    status, body = 200, json.dumps(self.answer(handler, url.path, query, text)).encode()
        except Refusal as refusal:
            status, body = refusal.code, json.dumps(refusal.body).encode()
        handler.send_response(status)
        handler.send_header('Content-Type', kind)
        handler.send_header('Content-Length', str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:len(body) // 2] if fault == 'half' else body)
        if fault == 'half':
            handler.close_connection = True

    def user(self, handler):
        given = handler.headers.get('Authorization', '')
        certificate = handler.connection.getpeercert()
        if given.startswith('Bearer ') and given[7:] in self.tokens and given[7:] not in self.expired:
            return self.tokens[given[7:]]
        if certificate and not given:
            return dict(pair[0] for pair in certificate['subject'])['commonName']
        raise Refusal(401, 'Unauthorized', 'Unauthorized')

    def answer(self, handler, path, query, text):
        user = self.user(handler)
        if path == '/version':
            return {'gitVersion': 'v1.34.0-test'}
        match = re.fullmatch(r'/api(?:/(v1)|s/([a-z0-9.]+/v1))/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?', path)
        resource = match and (match[1] or match[2], match[4])
        if not match or resource not in KINDS:
            raise Refusal(404, 'NotFound', 'the server could not find the requested resource')
        kind, model = KINDS[resource]
        space, name = match[3], match[5] and urllib.parse.unquote(match[5])
        verb = {'GET': 'get' if name else 'list', 'PATCH': 'patch', 'DELETE': 'delete'}[handler.command]
        if user in self.strangers or (user in self.readers and verb not in ('get', 'list')):
            raise Refusal(403, 'Forbidden', f'{resource[1]} "{name}" is forbidden: User "{user}" cannot {verb} resource '
                          f'"{resource[1]}" in API group "" in the namespace "{space}"')
        if verb == 'list':
            return self.listed(resource, kind, space, query)
        key = (kind, space, name)
        if verb == 'patch':
            if handler.headers.get('Content-Type') != 'application/apply-patch+yaml':
                raise Refusal(415, 'UnsupportedMediaType', 'the body of the request was in an unknown format')
            return self.apply(key, resource, model, query, json.loads(text))
        if key not in self.objects:
            raise Refusal(404, 'NotFound', f'{resource[1]} "{name}" not found')
        if verb == 'delete':
            options = json.loads(text)
            check_model(options, models.V1DeleteOptions, 'options')
            if options['preconditions']['uid'] != self.objects[key]['metadata']['uid']:
                raise Refusal(409, 'Conflict', 'the UID in the precondition does not match')
            del self.objects[key]
            self.owners.pop(key, None)
            return {'kind': 'Status', 'status': 'Success'}
        return self.objects[key]

    def listed(self, resource, kind, space, query):
        wanted = dict(pair.split('=') for pair in query.get('labelSelector', '').split(',') if pair)
        items = [o for (k, s, _), o in sorted(self.objects.items()) if (k, s) == (kind, space) and
                 all(o['metadata'].get('labels', {}).get(label) == text for label, text in wanted.items())]
        begin, limit = int(query.get('continue', 0)), min(int(query.get('limit', 500)), self.page or 500)
        page = [{name: part for name, part in o.items() if name not in ('kind', 'apiVersion')}
                for o in items[begin:begin + limit]]
        more = {'continue': str(begin + limit)} if begin + limit < len(items) else {}
        return {'kind': kind + 'List', 'apiVersion': resource[0], 'metadata': {'resourceVersion': '1', **more}, 'items': page}

    def apply(self, key, resource, model, query, given):
        kind, space, name = key
        check_model(given, model, kind)
        if not NAME.fullmatch(name):
            raise Refusal(422, 'Invalid', f'{kind} "{name}" is invalid: metadata.name: Invalid value')
        if given.get('kind') != kind or given.get('apiVersion') != resource[0] or given['metadata'].get('name') != name:
            raise Refusal(400, 'BadRequest', 'the object does not match the address')
        if 'fieldManager' not in query:
            raise Refusal(422, 'Invalid', 'PatchOptions.meta.k8s.io is invalid: fieldManager: Required value')
        if space not in self.namespaces:
            raise Refusal(404, 'NotFound', f'namespaces "{space}" not found')
        if kind == 'RoleBinding' and given['roleRef']['kind'] == 'Role' and \
                ('Role', space, given['roleRef']['name']) not in self.objects:
            # What users get who are not administrators of the cluster.
            raise Refusal(404, 'NotFound', f'roles.rbac.authorization.k8s.io "{given["roleRef"]["name"]}" not found')
        if self.on_apply:
            self.on_apply(key)
        for value in given.get('data', {}).values() if kind == 'Secret' else ():
            base64.b64decode(value, validate=True)
        manager, fields = query['fieldManager'], dict(leaves({n: v for n, v in given.items() if n not in ('kind', 'apiVersion')}))
        fields.pop(('metadata', 'name'))
        old = self.objects.get(key)
        new = copy.deepcopy(old) if old else {'kind': kind, 'apiVersion': resource[0], 'metadata': {
            'name': name, 'namespace': space, 'uid': str(uuid.uuid4()),
            'creationTimestamp': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')}}
        owners = copy.deepcopy(self.owners.get(key, {}))
        for path, value in fields.items():
            others = [o for o, theirs in owners.items() if o != manager and path in theirs]
            if others and at(new, path) != value:
                if query.get('force') != 'true':
                    raise Refusal(409, 'Conflict', f'Apply failed with 1 conflict: conflict with "{others[0]}": .' + '.'.join(path))
                for other in others:
                    owners[other].discard(path)
        for path in owners.get(manager, set()) - set(fields):
            if not any(path in theirs for o, theirs in owners.items() if o != manager):
                drop(new, path)
        for path, value in fields.items():
            put(new, path, value)
        owners[manager] = set(fields)
        if kind == 'PersistentVolumeClaim':
            new['spec'].setdefault('volumeMode', 'Filesystem')
            new.setdefault('status', {'phase': 'Pending'})
            if old and {**old['spec'], 'resources': 0} != {**new['spec'], 'resources': 0}:
                raise Refusal(422, 'Invalid', f'PersistentVolumeClaim "{name}" is invalid: spec: Forbidden: spec is immutable '
                              'after creation except resources.requests and volumeAttributesClassName for bound claims')
        if kind == 'RoleBinding' and old and old['roleRef'] != new['roleRef']:
            raise Refusal(422, 'Invalid', f'RoleBinding "{name}" is invalid: roleRef: cannot change roleRef')
        if new != old:
            new['metadata']['resourceVersion'] = str(len(self.requests))
        new['metadata']['managedFields'] = [{'manager': o, 'operation': 'Apply'} for o in sorted(owners)]
        if query.get('dryRun') != 'All':
            self.objects[key], self.owners[key] = new, owners
        return new

    def add(self, kind, space, name, manager='kubectl', **parts):
        """An object that somebody else made."""
        made = {'kind': kind, 'apiVersion': 'v1', 'metadata': {'name': name, 'namespace': space, 'uid': str(uuid.uuid4())}, **parts}
        self.objects[(kind, space, name)] = made
        self.owners[(kind, space, name)] = {manager: {p for p, _ in leaves(parts)}}
