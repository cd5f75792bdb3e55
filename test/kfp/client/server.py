"""A server of the Kubeflow Pipelines API v2beta1 for tests, after the contract that PyPI's kfp_server_api publishes: the
paths, methods and query parameters are read from its calls, and every request and answer is checked with its models.
It has no cluster: runs go through the states of a script. Faults are ordered by POST /_faults.

usage: server.py PORT_FILE [--token TOKEN | --cookie NAME=VALUE] [--prefix /pipeline] [--tls CERT KEY]
"""
import argparse
import datetime
import email.parser
import email.policy
import functools
import http.server
import inspect
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

import kfp_server_api
import yaml
from kfp_server_api.api_client import ApiClient

API = '/apis/v2beta1'


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


# --- the contract -----------------------------------------------------------------------------------------------------

def read_contract():
    """[(method, pattern, names of query parameters, model of the body, model of the answer)]"""
    routes = []
    for api in (kfp_server_api.HealthzServiceApi, kfp_server_api.PipelineServiceApi,
                kfp_server_api.PipelineUploadServiceApi, kfp_server_api.ExperimentServiceApi,
                kfp_server_api.RunServiceApi, kfp_server_api.RecurringRunServiceApi):
        for name, function in inspect.getmembers(api, inspect.isfunction):
            if not name.endswith('_with_http_info'):
                continue
            source = inspect.getsource(function)
            called = re.search(r"call_api\(\s*'([^']+)', '([A-Z]+)'", source)
            query = set(re.findall(r"query_params\.append\(\('([^']+)'", source))
            answer = re.search(r"response_type='([^']+)'", source).group(1)
            body = re.search(r"body_params = local_var_params\['(\w+)'\]", source)
            model = None
            if body:
                model = re.search(r':type %s: (\w+)' % body.group(1), source).group(1)
            # A colon ends an id: /runs/{run_id}:archive.
            pattern = re.sub(r'\\\{([a-z_.]+)\\\}', lambda m: '(?P<%s>[^/:]+)' % m.group(1).replace('.', '_'),
                             re.escape(called.group(1)))
            routes.append((called.group(2), re.compile(pattern + '$'), query, model, answer, name))
    # Names are more exact than ids: /pipelines/names/{name} before /pipelines/{pipeline_id}.
    return sorted(routes, key=lambda route: route[1].pattern.count('(?P'))


def check(value, model, place):
    """Every field is known to the model and of its type."""
    if model in ('object', 'bool', 'int', 'float', 'str', 'datetime'):
        kinds = {'object': object, 'bool': bool, 'int': int, 'float': (int, float), 'str': str, 'datetime': str}
        if not isinstance(value, kinds[model]) or model == 'int' and isinstance(value, bool):
            raise Refusal(400, f'{place}: {value!r} is no {model}')
        if model == 'datetime':
            datetime.datetime.fromisoformat(value.replace('Z', '+00:00'))
        return
    inside = re.match(r'list\[(.*)\]$', model)
    if inside:
        for i, item in enumerate(value):
            check(item, inside.group(1), f'{place}[{i}]')
        return
    inside = re.match(r'dict\(str, (.*)\)$', model)
    if inside:
        for key, item in value.items():
            check(item, inside.group(1), f'{place}.{key}')
        return
    kind = getattr(kfp_server_api.models, model)
    if not kind.openapi_types:  # an enumeration
        if value not in kind.allowable_values:
            raise Refusal(400, f'{place}: {value!r} is none of {kind.allowable_values}')
        return
    if not isinstance(value, dict):
        raise Refusal(400, f'{place}: {value!r} is no object')
    names = {name: attribute for attribute, name in kind.attribute_map.items()}
    for name, item in value.items():
        if name not in names:
            raise Refusal(400, f'{place}: unknown field "{name}"')
        check(item, kind.openapi_types[names[name]], f'{place}.{name}' if place else name)
    # What the models themselves object to.
    ApiClient()._ApiClient__deserialize(value, model)


# --- the server's memory ----------------------------------------------------------------------------------------------

def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')


class State:
    def __init__(self):
        self.lock = threading.RLock()
        self.pipelines, self.versions, self.experiments, self.runs, self.recurring = {}, {}, {}, {}, {}
        self.specs = {}
        self.violations = []
        self.requests = []  # what came in: method and path
        self.faults = []
        self.outputs = {}   # of tasks that succeed from now on: {task: {name: {"uri", "metadata"} or {"id"}}}
        self.script = []    # of runs that start from now on: [[task, state] or ["", state of the run]]
        self.add_experiment({'display_name': 'Default', 'description': 'All runs without an experiment'})

    def add_experiment(self, body):
        if any(e['display_name'] == body.get('display_name') for e in self.experiments.values()):
            raise Refusal(409, f'experiment {body.get("display_name")} already exists')
        new = {**body, 'experiment_id': str(uuid.uuid4()), 'created_at': now(), 'storage_state': 'AVAILABLE'}
        self.experiments[new['experiment_id']] = new
        return new


state = State()


@functools.cache
def pages():
    import pages as module  # a large library, which few tests need  # pylint: disable=import-outside-toplevel
    return module.Pages()


def found(collection, key, what):
    if key not in collection:
        raise Refusal(404, f'{what} {key} not found')
    return collection[key]


def listed(items, query, field):
    """filter, sort_by, page_size, page_token as the server takes them."""
    if query.get('filter'):
        text = json.loads(query['filter'])
        check(text, 'V2beta1Filter', 'filter')
        for predicate in text['predicates']:
            key, operation = predicate['key'], predicate['operation']
            if operation == 'EQUALS':
                items = [i for i in items if i.get(key) == predicate['string_value']]
            elif operation == 'NOT_EQUALS':
                items = [i for i in items if i.get(key) != predicate['string_value']]
            elif operation == 'IS_SUBSTRING':
                items = [i for i in items if predicate['string_value'] in i.get(key, '')]
            elif operation == 'IN':
                items = [i for i in items if i.get(key) in predicate['string_values']['values']]
            elif operation == 'GREATER_THAN':
                items = [i for i in items if i.get(key, '') > predicate['timestamp_value']]
            else:
                raise Refusal(400, f'operation {operation} is not implemented here')
    key, _, direction = query.get('sort_by', 'created_at').partition(' ')
    if direction not in ('', 'asc', 'desc'):
        raise Refusal(400, f'cannot sort {direction}')
    items = sorted(items, key=lambda item: str(item.get(key, '')), reverse=direction == 'desc')
    size = int(query.get('page_size', 20))
    if not 0 < size <= 200:
        raise Refusal(400, f'page_size {size} is not in 1..200')
    begin = int(query.get('page_token') or 0)
    answer = {'total_size': len(items)}
    if items[begin:begin + size]:
        answer[field] = items[begin:begin + size]
    if begin + size < len(items):
        answer['next_page_token'] = str(begin + size)
    return answer


def reference(body):
    """Checks what a run is made from; fills in the newest version."""
    if ('pipeline_version_reference' in body) == ('pipeline_spec' in body):
        raise Refusal(400, 'a run needs a pipeline version or a pipeline spec, and not both')
    if 'pipeline_spec' in body:
        spec = body['pipeline_spec']
        spec = spec.get('pipeline_spec', spec)
        if 'pipelineInfo' not in spec:
            raise Refusal(400, 'Failed to create a run: the pipeline spec is invalid')
        return spec
    chosen = body['pipeline_version_reference']
    found(state.pipelines, chosen.get('pipeline_id'), 'pipeline')
    if not chosen.get('pipeline_version_id'):
        newest = max((v for v in state.versions.values() if v['pipeline_id'] == chosen['pipeline_id']),
                     key=lambda v: v['created_at'], default=None)
        if newest is None:
            raise Refusal(400, 'the pipeline has no version')
        chosen['pipeline_version_id'] = newest['pipeline_version_id']
    version = found(state.versions, chosen['pipeline_version_id'], 'pipeline version')
    return state.specs[version['pipeline_version_id']]


def check_parameters(spec, body):
    known = spec.get('root', {}).get('inputDefinitions', {}).get('parameters', {})
    given = body.get('runtime_config', {}).get('parameters', {})
    for name in given:
        if name not in known:
            raise Refusal(400, f'parameter {name} is not an input of the pipeline')
    for name, definition in known.items():
        if name not in given and 'defaultValue' not in definition and not definition.get('isOptional'):
            raise Refusal(400, f'parameter {name} has no value')


def create_run(body):
    check_parameters(reference(body), body)
    if not body.get('display_name'):
        raise Refusal(400, 'a run needs a name')
    experiment = body.get('experiment_id') or next(
        e['experiment_id'] for e in state.experiments.values() if e['display_name'] == 'Default')
    found(state.experiments, experiment, 'experiment')
    run = {**body, 'run_id': str(uuid.uuid4()), 'experiment_id': experiment, 'created_at': now(),
           'scheduled_at': now(), 'finished_at': '1970-01-01T00:00:00Z', 'state': 'PENDING',
           'storage_state': 'AVAILABLE'}
    run['_script'] = [list(step) for step in state.script] or [['', 'RUNNING'], ['', 'SUCCEEDED']]
    state.runs[run['run_id']] = run
    return run


def advance(run):
    """One step of its script each time somebody asks."""
    if run['_script']:
        task, new, *silent = run['_script'].pop(0)
        if not task:
            run['state'] = new
            if new in ('SUCCEEDED', 'FAILED', 'CANCELED'):
                run['finished_at'] = now()
            if new == 'FAILED':
                run['error'] = {'code': 13, 'message': 'a task of the run failed'}
        else:
            details = run.setdefault('run_details', {}).setdefault('task_details', [])
            detail = next((d for d in details if d['display_name'] == task), None)
            if detail is None:
                detail = {'run_id': run['run_id'], 'task_id': str(uuid.uuid4()), 'display_name': task,
                          'create_time': now(), 'start_time': now(), 'end_time': '0001-01-01T00:00:00Z'}
                details.append(detail)
            detail['state'] = new
            if new in ('SUCCEEDED', 'FAILED', 'SKIPPED'):
                detail['end_time'] = now()
            if new == 'SUCCEEDED' and task in state.outputs:
                outputs = state.outputs[task]
                reused = any('id' in output for output in outputs.values())
                pages().record(run['run_id'], task, outputs, '' if reused else f'{task}-pod', 'CACHED' if reused else 'COMPLETE')
            elif new == 'FAILED' and silent:  # as Kubeflow's server, whose API has no reasons
                pages().record(run['run_id'], task, {}, f'{task}-pod', 'FAILED')
            if new == 'FAILED' and not silent:
                detail['error'] = {'code': 9, 'message': 'exit code 3'}


def shown(thing):
    return {key: value for key, value in thing.items() if not key.startswith('_')}


def uploaded(data, content_type):
    head = f'Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n'.encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
    parts = [p for p in message.iter_parts() if p.get_param('name', header='content-disposition') == 'uploadfile']
    if len(parts) != 1 or not parts[0].get_filename('').endswith('.yaml'):
        raise Refusal(400, 'the form has no file "uploadfile" that ends in .yaml')
    documents = list(yaml.safe_load_all(parts[0].get_payload(decode=True)))
    if not isinstance(documents[0], dict) or 'pipelineInfo' not in documents[0]:
        raise Refusal(400, 'Failed to parse the parameter: unknown template format: pipeline spec is invalid')
    return documents


def add_version(pipeline_id, query, documents):
    name = query.get('name') or query.get('display_name')
    if any(v['pipeline_id'] == pipeline_id and v['name'] == name for v in state.versions.values()):
        raise Refusal(409, f'pipeline version {name} already exists')
    version = {'pipeline_id': pipeline_id, 'pipeline_version_id': str(uuid.uuid4()), 'name': name,
               'display_name': query.get('display_name') or name, 'description': query.get('description', ''),
               'created_at': now(),
               'pipeline_spec': documents[0] if len(documents) == 1 else
               {'pipeline_spec': documents[0], 'platform_spec': documents[1]}}
    state.versions[version['pipeline_version_id']] = version
    state.specs[version['pipeline_version_id']] = documents[0]
    return version


def add_pipeline(body):
    name = body.get('name') or body.get('display_name')
    if not name:
        raise Refusal(400, 'a pipeline needs a name')
    if any(p['name'] == name and p.get('namespace') == body.get('namespace') for p in state.pipelines.values()):
        raise Refusal(409, f'pipeline {name} already exists')
    pipeline = {'pipeline_id': str(uuid.uuid4()), 'name': name, 'display_name': body.get('display_name') or name,
                'description': body.get('description', ''), 'created_at': now()}
    if body.get('namespace'):
        pipeline['namespace'] = body['namespace']
    state.pipelines[pipeline['pipeline_id']] = pipeline
    return pipeline


def in_scope(items, query):
    for name in ('namespace', 'experiment_id'):
        if query.get(name):
            items = [i for i in items if i.get(name, query[name] if name == 'namespace' else None) == query[name]]
    return items


def answer_to(name, ids, query, body, data, content_type):
    """The work of each call, by the name that kfp_server_api gives it."""
    name = name.replace('_with_http_info', '')
    if name == 'healthz_service_get_healthz':
        return {'multi_user': False, 'pipeline_store': 'database'}
    if name == 'pipeline_service_list_pipelines':
        return listed(in_scope(state.pipelines.values(), query), query, 'pipelines')
    if name == 'pipeline_service_get_pipeline':
        return found(state.pipelines, ids['pipeline_id'], 'pipeline')
    if name == 'pipeline_service_get_pipeline_by_name':
        wanted = urllib.parse.unquote(ids['name'])
        return found({p['name']: p for p in in_scope(state.pipelines.values(), query)}, wanted, 'pipeline')
    if name == 'pipeline_service_create_pipeline':
        return add_pipeline(body)
    if name == 'pipeline_service_delete_pipeline':
        found(state.pipelines, ids['pipeline_id'], 'pipeline')
        versions = [i for i, v in state.versions.items() if v['pipeline_id'] == ids['pipeline_id']]
        if versions and query.get('cascade') != 'true':
            raise Refusal(400, 'the pipeline has versions')
        for version in versions:
            del state.versions[version]
        del state.pipelines[ids['pipeline_id']]
        return {}
    if name == 'upload_pipeline':
        documents = uploaded(data, content_type)
        pipeline = add_pipeline(query)
        add_version(pipeline['pipeline_id'], query, documents)
        return pipeline
    if name == 'upload_pipeline_version':
        found(state.pipelines, query.get('pipelineid'), 'pipeline')
        return add_version(query['pipelineid'], query, uploaded(data, content_type))
    if name == 'pipeline_service_list_pipeline_versions':
        found(state.pipelines, ids['pipeline_id'], 'pipeline')
        return listed([v for v in state.versions.values() if v['pipeline_id'] == ids['pipeline_id']], query,
                      'pipeline_versions')
    if name == 'pipeline_service_get_pipeline_version':
        return found(state.versions, ids['pipeline_version_id'], 'pipeline version')
    if name == 'pipeline_service_delete_pipeline_version':
        found(state.versions, ids['pipeline_version_id'], 'pipeline version')
        del state.versions[ids['pipeline_version_id']]
        return {}
    if name == 'experiment_service_list_experiments':
        return listed(in_scope(state.experiments.values(), query), query, 'experiments')
    if name == 'experiment_service_create_experiment':
        return state.add_experiment(body)
    if name.startswith('experiment_service_'):
        experiment = found(state.experiments, ids['experiment_id'], 'experiment')
        if name == 'experiment_service_delete_experiment':
            del state.experiments[ids['experiment_id']]
            return {}
        if name == 'experiment_service_get_experiment':
            return experiment
        experiment['storage_state'] = 'AVAILABLE' if 'unarchive' in name else 'ARCHIVED'
        return {}
    if name == 'run_service_create_run':
        return create_run(body)
    if name == 'run_service_list_runs':
        return listed(in_scope([shown(r) for r in state.runs.values()], query), query, 'runs')
    if name.startswith('run_service_'):
        run = found(state.runs, ids['run_id'], 'run')
        if name == 'run_service_get_run':
            advance(run)
            return run
        if name == 'run_service_delete_run':
            del state.runs[ids['run_id']]
        elif name == 'run_service_terminate_run':
            if run['state'] in ('SUCCEEDED', 'FAILED', 'CANCELED'):
                raise Refusal(400, 'Failed to terminate the run: it is over')
            run['state'] = 'CANCELING'
            run['_script'] = [['', 'CANCELED']]
        elif name == 'run_service_retry_run':
            if run['state'] != 'FAILED':
                raise Refusal(400, 'Failed to retry the run: only failed or terminated runs can be retried')
            run.pop('error', None)
            run['state'] = 'RUNNING'
            run['_script'] = [['', 'SUCCEEDED']]
        else:
            run['storage_state'] = 'AVAILABLE' if 'unarchive' in name else 'ARCHIVED'
        return {}
    if name == 'recurring_run_service_create_recurring_run':
        check_parameters(reference(body), body)
        if not 1 <= int(body.get('max_concurrency', 0)) <= 10:
            raise Refusal(400, 'max_concurrency must be in 1..10')
        if len(body.get('trigger', {})) != 1:
            raise Refusal(400, 'a recurring run needs one trigger')
        new = {**body, 'recurring_run_id': str(uuid.uuid4()), 'created_at': now(),
               'status': 'DISABLED' if body.get('mode') == 'DISABLE' else 'ENABLED'}
        state.recurring[new['recurring_run_id']] = new
        return new
    if name == 'recurring_run_service_list_recurring_runs':
        return listed(in_scope(state.recurring.values(), query), query, 'recurringRuns')
    if name.startswith('recurring_run_service_'):
        recurring = found(state.recurring, ids['recurring_run_id'], 'recurring run')
        if name == 'recurring_run_service_delete_recurring_run':
            del state.recurring[ids['recurring_run_id']]
            return {}
        if name == 'recurring_run_service_get_recurring_run':
            return recurring
        recurring['status'] = 'ENABLED' if 'enable' in name.split('_service_')[1] else 'DISABLED'
        return {}
    raise Refusal(501, f'{name} is not implemented here')


# --- HTTP -------------------------------------------------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'  # connections are kept
    disable_nagle_algorithm = True
    wbufsize = 65536
    routes = read_contract()
    arguments = None

    def setup(self):
        super().setup()
        open_connections.append(self.connection)

    def log_message(self, *unused):
        pass

    def answer(self, status, value, headers=None, content_type='application/json', half=False):
        data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header('Content-Type', content_type)
        self.send_header('Content-Length', str(len(data)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data[:len(data) // 2] if half else data)
        if half:
            self.close()

    def close(self):
        self.wfile.flush()
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def fault(self, path):
        """The first fault that fits, used up."""
        with state.lock:
            for fault in state.faults:
                if fault.get('method', self.command) == self.command and re.search(fault.get('path', ''), path):
                    if fault.get('skip', 0) > 0:
                        fault['skip'] -= 1
                        continue
                    fault['times'] = fault.get('times', 1) - 1
                    if fault['times'] <= 0:
                        state.faults.remove(fault)
                    return fault
        return None

    def control(self, path, data):
        with state.lock:
            if path == '/_faults':
                state.faults = json.loads(data)
            elif path == '/_script':
                state.script = json.loads(data)
            elif path == '/_outputs':
                state.outputs = json.loads(data)
            elif path == '/_record':  # an execution of a run
                self.answer(200, {'artifacts': pages().record(**json.loads(data))})
                return
            elif path == '/_pages':  # {"files": {BUCKET/KEY: FILE}, "logs": {POD: TEXT}, "fail": TEXT}
                for name, value in json.loads(data).items():
                    setattr(pages(), name, value)
            elif path == '/_login':
                self.arguments.token = json.loads(data)['token']
            elif path == '/_restart':
                threading.Thread(target=restart, args=(float(json.loads(data)['down_s']),)).start()
            elif path == '/_runs':  # many, at once
                for _ in range(int(json.loads(data)['count'])):
                    create_run({'display_name': f'run {len(state.runs):05}', 'pipeline_spec': {'pipelineInfo': {}}})
            seen = {'violations': state.violations, 'requests': state.requests,
                    'runs': [shown(r) for r in state.runs.values()],
                    'versions': [{k: v[k] for k in ('name', 'description')} for v in state.versions.values()]}
            if path == '/_forget':
                state.requests = []
            self.answer(200, seen)

    def handle_request(self):
        data = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith('/_'):
            self.control(url.path, data)
            return
        prefix = self.arguments.prefix
        path = url.path[len(prefix):] if url.path.startswith(prefix) else url.path
        with state.lock:
            state.requests.append(f'{self.command} {path}')
        fault = self.fault(path)
        if fault and self.inject(fault):
            return
        self.serve(path, url, data, fault)

    def inject(self, fault):
        kind = fault['fault']
        if kind == 'status':
            value = fault.get('text', {'code': 13, 'message': fault.get('message', 'made to fail')})
            self.answer(fault['status'], value, fault.get('headers'),
                        'application/json' if isinstance(value, dict) else 'text/html')
        elif kind == 'hang':
            time.sleep(fault['seconds'])
            self.close()
        elif kind == 'drop':
            self.close()
        elif kind == 'text':
            self.answer(200, fault['text'], content_type=fault.get('type', 'application/json'))
        elif kind == 'echo':  # as a careless proxy
            self.answer(400, {'message': 'bad headers: ' + str(self.headers)})
        else:  # half, lost: behind the work
            return False
        return True

    def serve_pages(self, path, data):
        """What Kubeflow's pages serve beside the API; False if it is none of that."""
        log = re.fullmatch(r'/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log', path)
        if path.startswith('/ml_metadata.'):
            with state.lock:
                status, answer = pages().grpc_web(path, self.headers, data)
            self.answer(status, answer, content_type='application/grpc-web+proto')
        elif path.startswith('/artifacts/'):
            status, answer = pages().file(path)
            self.answer(status, answer, content_type='application/octet-stream')
        elif log:
            text = pages().logs.get(log.group(2)) if log.group(1) in state.runs else None
            if text is None:
                self.answer(500, {'error_message': f'failed to get the log of {log.group(2)}: pods not found', 'error_details': ''})
            else:
                self.answer(200, text, content_type='text/plain')
        else:
            return False
        return True

    def serve(self, path, url, data, fault):
        try:
            self.authorise()
            if self.serve_pages(path, data):
                return
            query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=bool(url.query)))
            route, ids = None, None
            for candidate in self.routes:
                matched = candidate[1].match(path) if candidate[0] == self.command else None
                if matched and (route is None or len(matched.groupdict()) < len(ids)):
                    route, ids = candidate, matched.groupdict()
            if route is None:
                raise Refusal(404, f'no call is {self.command} {path}')
            _, _, names, model, answer_model, name = route
            for parameter in query:
                if parameter not in names:
                    raise Refusal(400, f'unknown query parameter {parameter}')
            body = None
            if model:
                if self.headers.get('Content-Type') != 'application/json':
                    raise Refusal(400, 'the body is not application/json')
                body = json.loads(data)
                check(body, model, '')
            elif data and not name.startswith('upload'):
                raise Refusal(400, 'a body where none belongs')
            with state.lock:
                value = shown(answer_to(name, ids, query, body, data, self.headers.get('Content-Type', '')))
            if answer_model != 'object':
                try:
                    check(value, answer_model, 'answer')
                except Refusal as error:  # a mistake of this server
                    state.violations.append(error.message)
                if isinstance(value, dict):
                    value['field_of_the_future'] = {'a': [1]}  # servers grow
        except Refusal as error:
            if error.status == 400 and ('unknown field' in error.message or 'unknown query' in error.message
                                        or ' is no ' in error.message or 'belongs' in error.message):
                state.violations.append(error.message)
            self.answer(error.status, {'code': 3, 'message': error.message, 'details': []})
            return
        except Exception as error:  # pylint: disable=broad-except
            state.violations.append(repr(error))
            self.answer(500, {'code': 13, 'message': repr(error)})
            return
        if fault and fault['fault'] == 'lost':
            time.sleep(fault.get('seconds', 0))
            self.close()
        elif fault and fault['fault'] == 'refuse late':  # a gateway that gave up on a server that did not
            self.answer(fault['status'], {'message': 'upstream timed out'})
        else:
            self.answer(200, value, half=bool(fault and fault['fault'] == 'half'))

    def authorise(self):
        if self.arguments.token and self.headers.get('Authorization') != 'Bearer ' + self.arguments.token:
            raise Refusal(401, 'Request header error: the token is invalid or expired')
        if self.arguments.cookie:
            cookies = [c.strip() for c in self.headers.get('Cookie', '').split(';')]
            if self.arguments.cookie not in cookies:
                raise Refusal(401, 'no session')

    do_GET = do_POST = do_DELETE = do_PATCH = handle_request


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # clients that go away


server = None
open_connections = []


def start(port):
    global server
    server = Server(('127.0.0.1', port), Handler)
    if Handler.arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*Handler.arguments.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def restart(down_s):
    """The database stays; connections do not."""
    port = server.server_address[1]
    time.sleep(0.05)  # the answer to the order itself
    server.shutdown()
    server.server_close()
    while open_connections:
        try:
            open_connections.pop().shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # was closed before
    time.sleep(down_s)
    start(port)
    server.serve_forever(poll_interval=0.02)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('port_file')
    parser.add_argument('--token')
    parser.add_argument('--cookie')
    parser.add_argument('--prefix', default='')
    parser.add_argument('--tls', nargs=2)
    Handler.arguments = parser.parse_args()
    started = start(0)
    with open(Handler.arguments.port_file + '.new', 'w', encoding='utf-8') as file:
        file.write(str(started.server_address[1]))
    os.rename(Handler.arguments.port_file + '.new', Handler.arguments.port_file)
    threading.Thread(target=started.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
    sys.stdin.read()  # ends with the test


if __name__ == '__main__':
    main()
