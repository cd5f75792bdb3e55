"""A DB manager of Katib for tests, with Python's gRPC: prints what trials report as JSON, one line for each call.
Usage: katib_database.py PORT-FILE [--refuse]
The real one is that of test/cluster/katib_test.py."""
import concurrent.futures
import json
import pathlib
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

FIELDS = {'Metric': [('name', 1, None), ('value', 2, None)],
          'MetricLog': [('time_stamp', 1, None), ('metric', 2, 'Metric')],
          'ObservationLog': [('metric_logs', 1, 'MetricLog')],
          'ReportObservationLogRequest': [('trial_name', 1, None), ('observation_log', 2, 'ObservationLog')]}


def request_class():
    file = descriptor_pb2.FileDescriptorProto(name='api.proto', package='api.v1.beta1', syntax='proto3')
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.add(name=field, number=number, label=3 if field == 'metric_logs' else 1, type=11 if kind else 9,
                              type_name=f'.api.v1.beta1.{kind}' if kind else None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName('api.v1.beta1.ReportObservationLogRequest'))


def report(request, context):
    if '--refuse' in sys.argv:
        context.abort(grpc.StatusCode.INTERNAL, 'there is no database')
    print(json.dumps(json_format.MessageToDict(request)), flush=True)
    return b''


server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('api.v1.beta1.DBManager', {
    'ReportObservationLog': grpc.unary_unary_rpc_method_handler(report, request_deserializer=request_class().FromString)}),))
port = server.add_insecure_port('127.0.0.1:0')
server.start()
pathlib.Path(sys.argv[1] + '.new').write_text(str(port))
pathlib.Path(sys.argv[1] + '.new').rename(sys.argv[1])
server.wait_for_termination()
