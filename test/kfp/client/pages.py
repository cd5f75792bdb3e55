"""What Kubeflow's pages serve beside the API, for server.py: the record of runs (ML Metadata, with the library of PyPI's
ml-metadata behind gRPC-Web), files of the store, and logs of pods. Runs are recorded as Kubeflow's drivers and launchers
do it (kubeflow/pipelines, backend/src/v2/metadata/client.go)."""
import pathlib
import struct
import urllib.parse

from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as core
from ml_metadata.proto import metadata_store_pb2 as messages
from ml_metadata.proto import metadata_store_service_pb2 as service

SERVICE = '/ml_metadata.MetadataStoreService/'
STATES = messages.Execution.State


class Pages:
    def __init__(self):
        config = messages.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = core.CreateMetadataStore(config.SerializeToString(), messages.MigrationOptions().SerializeToString())
        self.files = {}  # by "bucket/key"
        self.logs = {}   # by pod
        self.fail = None

    def call(self, name, request):
        """A method of the service: message in, (message, text of the error, code) out."""
        return getattr(core, name)(self.store, request)

    def ask(self, name, **fields):
        answer, error, code = self.call(name, getattr(service, name + 'Request')(**fields).SerializeToString())
        if code:
            raise RuntimeError(f'{name}: {error}')
        result = getattr(service, name + 'Response')()
        result.ParseFromString(answer)
        return result

    def context(self, run):
        found = self.ask('GetContextByTypeAndName', type_name='system.PipelineRun', context_name=run)
        if found.HasField('context'):
            return found.context
        kind = self.ask('PutContextType', context_type=messages.ContextType(name='system.PipelineRun')).type_id
        self.ask('PutContexts', contexts=[messages.Context(type_id=kind, name=run)])
        context = self.ask('GetContextByTypeAndName', type_name='system.PipelineRun', context_name=run).context
        # The run itself is the execution of a DAG without a task.
        dag = self.ask('PutExecutionType', execution_type=messages.ExecutionType(name='system.DAGExecution')).type_id
        self.ask('PutExecution', execution=messages.Execution(type_id=dag, name='run/' + run, last_known_state=STATES.RUNNING),
                 contexts=[context])
        return context

    def record(self, run, task, outputs=None, pod='', state='COMPLETE', inputs=()):
        """One execution. outputs: {name: {"uri", "metadata"}} or {name: {"id"}} for a reused artifact."""
        kind = self.ask('PutExecutionType', execution_type=messages.ExecutionType(name='system.ContainerExecution')).type_id
        execution = messages.Execution(type_id=kind, last_known_state=STATES.Value(state))
        for name, text in (('task_name', task), ('display_name', task), ('pod_name', pod), ('namespace', 'default')):
            execution.custom_properties[name].string_value = text
        execution.custom_properties['inputs'].struct_value.update({'n': 3, 'list': [1, {'a': None}]})
        pairs = [service.PutExecutionRequest.ArtifactAndEvent(event=messages.Event(artifact_id=i, type=messages.Event.INPUT))
                 for i in inputs]
        for name, output in (outputs or {}).items():
            event = messages.Event(type=messages.Event.OUTPUT)
            event.path.steps.add().key = name
            pair = service.PutExecutionRequest.ArtifactAndEvent(event=event)
            if 'id' in output:
                event.artifact_id = output['id']
                pair.event.CopyFrom(event)
            else:
                of = self.ask('PutArtifactType', artifact_type=messages.ArtifactType(name=output.get('type', 'system.Artifact'))).type_id
                artifact = messages.Artifact(type_id=of, uri=output['uri'])
                for key, value in output.get('metadata', {}).items():
                    slot = artifact.custom_properties[key]
                    if isinstance(value, dict):
                        slot.struct_value.update(value)
                    elif isinstance(value, str):
                        slot.string_value = value
                    elif isinstance(value, float):
                        slot.double_value = value
                    else:
                        slot.int_value = value
                pair.artifact.CopyFrom(artifact)
            pairs.append(pair)
        done = self.ask('PutExecution', execution=execution, contexts=[self.context(run)], artifact_event_pairs=pairs)
        return list(done.artifact_ids)[len(list(inputs)):]

    def grpc_web(self, path, headers, body):
        """(HTTP status, body): doc/PROTOCOL-WEB.md of gRPC."""
        name = path[len(SERVICE):]
        if headers.get('Content-Type') != 'application/grpc-web+proto':
            return 415, b''
        flag, length = struct.unpack('>BI', body[:5])
        assert flag == 0 and length == len(body) - 5, 'a frame that is not one message'
        if self.fail:
            answer, error, code = b'', self.fail, 13
        elif hasattr(core, name):
            answer, error, code = self.call(name, body[5:])
        else:
            answer, error, code = b'', f'unknown method {name}', 12
        error = error.decode() if isinstance(error, bytes) else error
        status = f'grpc-status: {code}\r\n' + (f'grpc-message: {error}\r\n' if code else '')
        frames = b'' if code else struct.pack('>BI', 0, len(answer)) + answer
        return 200, frames + struct.pack('>BI', 0x80, len(status)) + status.encode()

    def file(self, path):
        """/artifacts/SOURCE/BUCKET/KEY: (status, bytes)."""
        source, bucket, *key = [urllib.parse.unquote(part) for part in path.split('/')[2:]]
        place = self.files.get('/'.join([bucket, *key]))
        if source not in ('minio', 's3', 'gcs') or place is None:
            return 500, f'Failed to get object in bucket {bucket} at path {"/".join(key)}: S3Error: The specified key does not exist.'.encode()
        return 200, pathlib.Path(place).read_bytes()
