"""Runs ONNX files of calopipe with onnxruntime, after a check with onnx, for the tests of convert.
usage: run_onnx.py JOBS.json. A job: {"model", "inputs": {name: [file, [shape]]}, "outputs": {name: file},
"per_row": true|false}. Files are raw float32. With per_row, the only input is passed row by row as [1, n], as
Par04OnnxInference.cc calls a model. "expose": a value inside the graph that becomes an output too.
Prints a JSON list of the properties of each model.
"""

import json
import sys

import numpy
import onnx
import onnxruntime


def session(model):
    # Like Par04OnnxInference.cc with its optimisation flag at 0.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(job):
    model = onnx.load(job["model"])
    onnx.checker.check_model(model, full_check=True)
    described = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    assert [v.name for v in described.graph.output] == [v.name for v in model.graph.output]
    if "expose" in job:
        model.graph.output.append(onnx.ValueInfoProto(name=job["expose"]))
    runtime = session(model)
    inputs = {
        name: numpy.fromfile(file, numpy.float32).reshape(shape) for name, (file, shape) in job["inputs"].items()
    }
    names = [value.name for value in runtime.get_outputs()]
    if job["per_row"]:
        (name, rows), = inputs.items()
        assert name == runtime.get_inputs()[0].name and len(runtime.get_inputs()) == 1
        results = [runtime.run(None, {name: row[None, :]}) for row in rows]
        found = [numpy.concatenate([result[i] for result in results]) for i in range(len(names))]
    else:
        found = runtime.run(None, inputs)
    for name, values in zip(names, found):
        assert values.dtype == numpy.float32
        if name in job["outputs"]:
            values.tofile(job["outputs"][name])
    return {
        "opset": [entry.version for entry in model.opset_import],
        "ir": model.ir_version,
        "inputs": {value.name: value.shape for value in runtime.get_inputs()},
        "outputs": {name: list(values.shape) for name, values in zip(names, found)},
        "metadata": runtime.get_modelmeta().custom_metadata_map,
    }


with open(sys.argv[1]) as jobs:
    print(json.dumps([run(job) for job in json.load(jobs)]))
