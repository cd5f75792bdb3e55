"""One container task as the KFP launcher (backend/src/v2/component/launcher_v2.go) runs it."""
import hashlib
import json
import os
import pathlib
import re
import subprocess

import go_values
from go_values import Failure

INPUT_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)']}}")
WORKSPACE = '/kfp-workspace'
LOGS = 'executor-logs'  # an output that no component declares: the launcher keeps the log there


class Places:
    """Where artifacts lie. With a local root, URIs are paths and every folder is below it; without one, URIs and
    local paths are those of the cluster."""

    def __init__(self, work, local_root, pipeline_root):
        self.work = pathlib.Path(work)
        self.local_root = local_root
        self.pipeline_root = local_root or pipeline_root.split('?')[0].rstrip('/')
        self.workspace = (local_root or '') + WORKSPACE

    def path_of(self, artifact):
        """The local path of an artifact; None where the launcher knows none."""
        if artifact.get('customPath') is not None:
            return artifact['customPath']
        uri = artifact.get('uri', '')
        if artifact.get('metadata', {}).get('_kfp_workspace') is True:
            path = path_of_uri(uri)
            if path is None or uri.startswith('oci://'):
                raise Failure(f'{uri} cannot lie in the workspace')
            return os.path.normpath(f'{self.workspace}/.artifacts/{path.lstrip("/")}')
        if self.local_root and uri.startswith('/'):
            return uri
        return path_of_uri(uri)

    def imported(self, uri):
        """The URI under which an importer's artifact is handed on."""
        path = path_of_uri(uri)
        return self.local_root + path if self.local_root and path else uri


def path_of_uri(uri):
    for scheme in ('gs', 'minio', 's3'):
        if uri.startswith(scheme + '://'):
            return f"/{'gcs' if scheme == 'gs' else scheme}/{uri[len(scheme) + 3:]}"
    if uri.startswith('oci://'):
        return '/oci/' + uri[6:].replace('/', '_') + '/models'
    return None


def content_hash(path):
    """SHA-256 of a file, or of a folder: over its sorted relative names and their hashes, as core::sha256_of_path."""
    path = pathlib.Path(path)
    if not path.exists():
        return None
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob('*') if p.is_file() and not p.name.startswith('.')):
        total.update(f'{file.relative_to(path).as_posix()}\0{content_hash(file)}\n'.encode())
    return total.hexdigest()


def if_present(argument, parameters):
    """{"IfPresent": …} as a whole argument."""
    try:
        clause = json.loads(argument)['IfPresent']
        chosen = clause.get('Then' if parameters.get(clause['InputName']) is not None else 'Else')
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Failure(f'cannot read {argument!r}: {error}') from None
    chosen = [chosen] if isinstance(chosen, str) else chosen or []
    if not isinstance(chosen, list) or not all(isinstance(item, str) for item in chosen):
        raise Failure(f'{argument!r} gives something else than texts')
    return [driver_text(item, parameters) for item in chosen]


def driver_text(argument, parameters):
    def one(match):
        if match[1] not in parameters:
            raise Failure(f'parameter {match[1]!r} of {argument!r} was not passed')
        return go_values.text_of_driver(parameters[match[1]])

    return INPUT_PARAMETER.sub(one, argument)


def driver_arguments(arguments, parameters):
    """What the driver resolves before the launcher sees the command: input parameters, but not beside outputs."""
    resolved = []
    for argument in arguments:
        if '$.outputs' in argument:
            resolved.append(argument)
        elif argument.strip().startswith('{"IfPresent":'):
            resolved += if_present(argument, parameters)
        else:
            resolved.append(driver_text(argument, parameters))
    return resolved


class ContainerTask:
    """Runs one container. `inputs` holds parameterValues and artifacts (lists) as the driver resolved them."""

    def __init__(self, name, folder, component, container, inputs, places, uri_base):
        self.name, self.folder, self.component, self.container = name, pathlib.Path(folder), component, container
        self.inputs, self.places = inputs, places
        self.outputs = self.provision(uri_base)
        self.warnings = []
        self.exit_code = None
        self.command = None

    def provision(self, uri_base):
        definitions = self.component.get('outputDefinitions', {})
        artifacts = {}
        for name, spec in definitions.get('artifacts', {}).items():
            artifact = {'name': name, 'type': spec.get('artifactType', {}), 'uri': f'{uri_base}/{name}'}
            if spec.get('metadata'):
                artifact['metadata'] = go_values.normal(spec['metadata'])
            artifacts[name] = {'artifacts': [artifact]}
        base = self.places.path_of({'uri': uri_base})
        # By default (PUBLISH_LOGS); the number is that of the attempt.
        artifacts[LOGS] = {'artifacts': [{'name': LOGS, 'type': {'schemaTitle': 'system.Artifact'},
                                          'uri': f'{uri_base}/{LOGS}-0'}]}
        return {'parameters': {name: {'outputFile': str(self.folder / 'outputs' / name)}
                               for name in definitions.get('parameters', {})},
                'artifacts': artifacts,
                'outputFile': f'{base}/output_metadata.json' if base else str(self.folder / 'output_metadata.json')}

    def executor_input(self):
        """The JSON behind {{$}}, defaults of parameters that were not passed among it."""
        parameters = dict(self.inputs['parameterValues'])
        for name, spec in self.component.get('inputDefinitions', {}).get('parameters', {}).items():
            if 'defaultValue' in spec and name not in parameters:
                parameters[name] = go_values.normal(spec['defaultValue'])
        inputs = {'artifacts': self.inputs['artifacts'], 'parameterValues': parameters}
        return {part: {key: value for key, value in fields.items() if value}
                for part, fields in (('inputs', inputs), ('outputs', self.outputs))}

    def placeholders(self, executor_input):
        inputs, outputs = executor_input['inputs'], executor_input['outputs']
        found = {}
        for side, lists in (('inputs', inputs.get('artifacts', {})), ('outputs', outputs.get('artifacts', {}))):
            for name, listed in lists.items():
                if not listed.get('artifacts'):
                    continue
                first = listed['artifacts'][0]
                found[f"{{{{$.{side}.artifacts['{name}'].uri}}}}"] = first.get('uri', '')
                path = self.places.path_of(first)
                if path is not None:
                    found[f"{{{{$.{side}.artifacts['{name}'].path}}}}"] = path
                elif side == 'outputs':
                    raise Failure(f'output {name}: no local path for {first.get("uri")}')
        for name, value in inputs.get('parameterValues', {}).items():
            if value is None:
                raise Failure(f'parameter {name!r} is null')
            found[f"{{{{$.inputs.parameters['{name}']}}}}"] = go_values.text_of(value)
        for name, output in outputs.get('parameters', {}).items():
            found[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = output['outputFile']
        return found

    def compiled_command(self):
        parameters = self.inputs['parameterValues']
        command = self.container.get('command', [])
        arguments = command[1:] + self.container.get('args', []) if command else self.container.get('args', [])
        whole = command[:1] + driver_arguments(arguments, parameters)
        if not whole:
            raise Failure('command and arguments are empty: the image\'s entry point is not used')
        executor_input = self.executor_input()
        text = go_values.marshal(executor_input, html=False)
        placeholders = self.placeholders(executor_input)
        compiled = [whole[0].replace('{{$}}', text)]
        for argument in whole[1:]:
            argument = argument.replace('{{$}}', text)
            for placeholder in sorted(placeholders):
                argument = argument.replace(placeholder, placeholders[placeholder])
            compiled.append(argument)
        for argument in compiled:
            if '{{$' in argument.replace(text, ''):
                self.warnings.append(f'nothing resolves {argument!r}')
            if argument.startswith('{"Concat":'):
                self.warnings.append(f'nothing resolves {argument!r}')
        return compiled

    def log(self):
        return self.places.path_of(self.outputs['artifacts'][LOGS]['artifacts'][0])

    def run(self, programs, timeout):
        """Runs the program; gives output parameters and artifacts. Raises Failure."""
        for output in self.outputs['parameters'].values():
            pathlib.Path(output['outputFile']).parent.mkdir(parents=True, exist_ok=True)
        for listed in self.outputs['artifacts'].values():
            for artifact in listed['artifacts']:
                path = self.places.path_of(artifact)
                if path is None:
                    raise Failure(f'no local path for {artifact["uri"]}')
                pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.command = self.compiled_command()
        program = programs.get(self.command[0])
        if program is None:
            raise Failure(f'no program for the command {self.command[0]!r}: --program {self.command[0]}=PATH')
        environment = dict(os.environ, **{e['name']: e.get('value', '') for e in self.container.get('env', [])})
        working = self.folder / 'working'
        working.mkdir(parents=True)
        (self.folder / 'command.json').write_text(json.dumps([program, *self.command[1:]], indent=2))
        with open(self.log(), 'wb') as log:
            try:
                self.exit_code = subprocess.run([program, *self.command[1:]], cwd=working, env=environment,
                                                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                                timeout=timeout, check=False).returncode
            except (OSError, ValueError) as error:
                raise Failure(f'{program} cannot be started: {error}') from None
            except subprocess.TimeoutExpired:
                raise Failure(f'did not end within {timeout} s') from None
        if self.exit_code != 0:
            raise Failure(f'exit code {self.exit_code}')
        written = self.written_output()
        return self.collected_parameters(written), self.collected_artifacts(written)

    def written_output(self):
        file = pathlib.Path(self.outputs['outputFile'])
        if not file.exists():
            return {}
        try:
            text = file.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f'{file}: {error}') from None
        return go_values.message(go_values.strict_json(text), go_values.EXECUTOR_OUTPUT)

    def collected_parameters(self, written):
        values = dict(written.get('parameterValues', {}))
        definitions = self.component.get('outputDefinitions', {}).get('parameters', {})
        for name, value in values.items():
            # The cluster takes a null here and fails where it is read.
            if value is None:
                raise Failure(f'output parameter {name} is null')
            if name not in definitions:
                self.warnings.append(f'output parameter {name} is not declared')
        for name, output in self.outputs['parameters'].items():
            if name in values:
                continue
            try:
                text = pathlib.Path(output['outputFile']).read_bytes().decode()
                values[name] = go_values.value_of(text, definitions[name].get('parameterType'))
            except (OSError, UnicodeDecodeError, Failure) as error:
                raise Failure(f'output parameter {name}: {error}') from None
        return values

    def collected_artifacts(self, written):
        collected = {}
        for name in set(written.get('artifacts', {})) - set(self.outputs['artifacts']):
            self.warnings.append(f'output artifact {name} is not declared')
        for name, listed in self.outputs['artifacts'].items():
            if name == LOGS:
                continue
            artifact = listed['artifacts'][0]
            for source in written.get('artifacts', {}).get(name, {}).get('artifacts', [])[:1]:
                if source.get('uri'):
                    artifact['uri'] = source['uri']
                if 'metadata' in source:
                    artifact['metadata'] = {**artifact.get('metadata', {}), **source['metadata']}
                if source.get('customPath'):
                    artifact['customPath'] = source['customPath']
            for key, value in artifact.get('metadata', {}).items():
                if value is None:
                    raise Failure(f'output artifact {name}: metadata {key} is null')
            path = self.places.path_of(artifact)
            if path is None:
                self.warnings.append(f'output artifact {name}: no local path for {artifact["uri"]}')
            elif not os.path.exists(path):
                self.warnings.append(f'output artifact {name}: {path} does not exist')
            collected[name] = artifact
        return collected


def stored(name, artifact, number):
    """The artifact as tasks downstream get it: through ML Metadata, which has neither bools nor lists."""
    metadata = {'display_name': name, 'store_session_info': '{"Provider":"minio","Params":{"fromEnv":"true"}}'}
    for key, value in artifact.get('metadata', {}).items():
        what = go_values.kind(value)
        metadata[key] = {'bool': lambda: int(value), 'list': lambda: {'list': value},
                         'struct': lambda: {'struct': value}}.get(what, lambda: value)()
        if what == 'null':
            raise Failure(f'metadata {key} is null')
    return {'name': str(number), 'type': {'instanceSchema': ''}, 'uri': artifact['uri'], 'metadata': metadata}
