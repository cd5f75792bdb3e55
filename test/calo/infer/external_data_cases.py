"""Models with their weights in files beside them, as the onnx package and torch's exporter write them, with what
onnxruntime gives.

usage: external_data_cases.py FOLDER
Writes FOLDER/<case>/{model.onnx, …, in.bin, out.bin}.
"""

import hashlib
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, external_data_helper, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
RANDOM = np.random.default_rng(3)


def model():
    weights = {"w0": (6, 300), "b0": (300,), "w1": (300, 5), "b1": (5,)}
    constants = [numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32), name)
                 for name, shape in weights.items()]
    constants.append(numpy_helper.from_array(np.zeros((0, 5), np.float32), "nothing"))
    nodes = [helper.make_node("Gemm", ["x", "w0", "b0"], ["h"]), helper.make_node("Tanh", ["h"], ["t"]),
             helper.make_node("Gemm", ["t", "w1", "b1"], ["z"]),
             helper.make_node("Concat", ["z", "nothing"], ["y"], axis=0)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def finish(folder):
    x = RANDOM.standard_normal((2, 6)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    x.tofile(folder / "in.bin")
    session.run(None, {"x": x})[0].tofile(folder / "out.bin")


def case(name, edit=None, **options):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    made = model()
    onnx.save(made, folder / "model.onnx", save_as_external_data=True, **options)
    if edit:
        made = onnx.load(folder / "model.onnx", load_external_data=False)
        edit(made, folder)
        (folder / "model.onnx").write_bytes(made.SerializeToString())
    finish(folder)


def entries(tensor):
    return {entry.key: entry.value for entry in tensor.external_data}


def replace(tensor, **values):
    known = entries(tensor)
    known.update(values)
    del tensor.external_data[:]
    for key, value in known.items():
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))


def outside(made):
    return [tensor for tensor in made.graph.initializer if external_data_helper.uses_external_data(tensor)]


def in_folder(made, folder):
    (folder / "weights").mkdir()
    for tensor in outside(made):
        name = entries(tensor)["location"]
        if (folder / name).exists():
            (folder / name).rename(folder / "weights" / name)
        replace(tensor, location=f"weights/{name}")


def linked_inside(made, folder):
    (folder / "all.data").rename(folder / "real.data")
    (folder / "all.data").symlink_to("real.data")


def without_length(made, folder):
    for tensor in outside(made):
        replace(tensor, length=None)


def with_checksum(made, folder):
    for tensor in outside(made):
        digest = hashlib.sha1((folder / entries(tensor)["location"]).read_bytes()).hexdigest()
        replace(tensor, checksum=digest)


def as_constants(made, folder):
    """Tensors of Constant nodes, in the file beside the model too."""
    constants = list(made.graph.initializer)
    del made.graph.initializer[:]
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in constants]
    nodes += list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend(nodes)


case("one_file", location="all.data", size_threshold=0)
case("default_threshold", location="all.data")
case("one_file_per_tensor", all_tensors_to_one_file=False, size_threshold=0)
case("in_a_folder", edit=in_folder, location="all.data", size_threshold=0)
case("linked_inside", edit=linked_inside, location="all.data", size_threshold=0)
case("without_length", edit=without_length, location="all.data", size_threshold=100)
case("with_checksum", edit=with_checksum, location="all.data", size_threshold=100)
case("of_constants", edit=as_constants, location="all.data", size_threshold=100)
case("dots in name", location="weights v1.2 ü.data", size_threshold=0)
