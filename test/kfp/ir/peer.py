"""The peers of the IR tests: PyYAML, protobuf and the Python SDK's descriptors.

peer.py same ORIGINALS WRITTEN    what we wrote is the same data, parses strictly, and has the SDK's comment
peer.py schema SCHEMA.json        our structs know every field of the descriptors, with its type
peer.py yaml VALUES.json FILE     PyYAML reads the documents of FILE as the values
"""
import json
import pathlib
import sys

import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from kfp import components
from kfp.compiler import pipeline_spec_builder
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2 as spec_pb2


def strict(data, message):
    json_format.ParseDict(data, message)  # refuses unknown fields
    return message


def parse(documents):
    """All messages of a file: Structs that hold messages are parsed as those, too."""
    spec = strict(documents[0], spec_pb2.PipelineSpec())
    messages = [spec, strict(json_format.MessageToDict(spec.deployment_spec), spec_pb2.PipelineDeploymentConfig())]
    for document in documents[1:]:
        platform = strict(document, spec_pb2.PlatformSpec())
        messages.append(platform)
        executors = platform.platforms['kubernetes'].deployment_spec.executors
        for name in sorted(executors):
            messages.append(
                strict(json_format.MessageToDict(executors[name]), kubernetes.KubernetesExecutorConfig()))
    return messages


def same(originals, written):
    files = sorted(pathlib.Path(originals).glob('*.yaml'))
    assert files
    for file in files:
        original = list(yaml.safe_load_all(file.read_text()))
        text = (pathlib.Path(written) / file.name).read_text()
        loaded = components.load_component_from_text(text)
        expected = components.load_component_from_text(file.read_text())
        assert loaded.pipeline_spec == expected.pipeline_spec, f'{file.name}: loaded as another pipeline'
        assert loaded.platform_spec == expected.platform_spec, f'{file.name}: loaded with other settings'
        ours = list(yaml.safe_load_all(text))
        assert ours == original, f'{file.name}: other data'
        assert parse(ours) == parse(original), f'{file.name}: other messages'
        # As in the SDK: the description is that of the pipeline.
        spec = json_format.MessageToDict(parse(original)[0])
        header = pipeline_spec_builder.extract_comments_from_pipeline_spec(
            spec, spec['pipelineInfo'].get('description'))
        assert text.startswith(header), f'{file.name}: {text[:len(header)]!r} is not {header!r}'
        assert not text[len(header):].startswith('#')


KINDS = {
    FieldDescriptor.TYPE_STRING: 'string', FieldDescriptor.TYPE_BOOL: 'bool', FieldDescriptor.TYPE_INT32: 'int32',
    FieldDescriptor.TYPE_INT64: 'int64', FieldDescriptor.TYPE_DOUBLE: 'double'}
WELL_KNOWN = {'google.protobuf.Value': 'value', 'google.protobuf.Struct': 'struct',
              'google.protobuf.Duration': 'duration'}
# Structs of the descriptors that hold a message; ours are that message.
TYPED = {'ml_pipelines.PipelineSpec.deploymentSpec': spec_pb2.PipelineDeploymentConfig.DESCRIPTOR,
         'ml_pipelines.PlatformDeploymentConfig.executors': kubernetes.KubernetesExecutorConfig.DESCRIPTOR}
# Fields of kubeflow/pipelines' main branch that the released descriptors lack.
NEWER = {'kfp_kubernetes.KubernetesExecutorConfig': {'initContainers', 'podResourceClaims'}}


def compare(message, fields, place):
    checked = 0
    assert {f.json_name for f in message.fields} <= set(fields), (
        f'{place}: we lack {({f.json_name for f in message.fields} - set(fields))}')
    extra = set(fields) - {f.json_name for f in message.fields} - NEWER.get(message.full_name, set())
    assert not extra, f'{place}: {extra} is not in the descriptor'
    for field in message.fields:
        where = f'{place}.{field.json_name}'
        ours = fields[field.json_name]
        value, of = field, field.message_type
        is_map = bool(of and of.GetOptions().map_entry)
        if is_map:
            value = of.fields_by_name['value']
            of = value.message_type
        full_name = f'{message.full_name}.{field.json_name}'
        if full_name == 'ml_pipelines.PlatformSpec.platforms':
            # Ours has a member per known platform.
            checked += compare(of, ours['fields']['kubernetes']['fields'], where + '.kubernetes')
            continue
        of = TYPED.get(full_name, of)
        assert ours.get('map', False) == is_map, where
        assert ours.get('repeated', False) == (field.is_repeated and not is_map), where
        oneof = field.containing_oneof
        # "optional" makes a oneof of one, whose name begins with an underscore.
        group = oneof.name if oneof and not oneof.name.startswith('_') else None
        assert ours.get('oneof') == group, where
        checked += 1
        if value.enum_type:
            assert ours['type'] == 'enum' and ours['names'] == [
                v.name for v in sorted(value.enum_type.values, key=lambda v: v.number)], where
        elif of is None:
            assert ours['type'] == KINDS[value.type], where
        elif of.full_name in WELL_KNOWN:
            assert ours['type'] == WELL_KNOWN[of.full_name], where
        else:
            assert ours['type'] == 'message', where
            checked += compare(of, ours['fields'], where)
    return checked


def schema(file):
    ours = json.loads(pathlib.Path(file).read_text())
    checked = compare(spec_pb2.PipelineSpec.DESCRIPTOR, ours['PipelineSpec']['fields'], 'PipelineSpec')
    checked += compare(spec_pb2.PlatformSpec.DESCRIPTOR, ours['PlatformSpec']['fields'], 'PlatformSpec')
    assert checked > 200, checked


def exact(a, b):
    """Equal with types and signs of zeros: 1 is not 1.0, nor True."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(exact(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(exact, a, b))
    return repr(a) == repr(b)


def yaml_values(values, file):
    values = json.loads(pathlib.Path(values).read_text())
    # Bytes: a file in text mode would turn \r into \n before PyYAML sees it.
    read = list(yaml.safe_load_all(pathlib.Path(file).read_bytes()))
    assert values and len(read) == len(values)
    for number, value in enumerate(values):
        assert exact(read[number], value), f'{number}: {read[number]!r} is not {value!r}'


if __name__ == '__main__':
    {'same': same, 'schema': schema, 'yaml': yaml_values}[sys.argv[1]](*sys.argv[2:])
