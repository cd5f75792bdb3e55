"""Models as somebody else writes them for Geant4's example Par04: no properties of calopipe. What onnxruntime makes of
given inputs, called as Par04 does, one shower at a time.

usage: foreign_models.py FOLDER
Reads FOLDER/vae.in [N, 14] and dit.in [N, 8], float32; writes FOLDER/<name>.onnx and <name>.out [N, 660].
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
RANDOM = np.random.default_rng(5)
CELLS = 660


def array(name, *shape, scale=0.3):
    return numpy_helper.from_array((scale * RANDOM.standard_normal(shape)).astype(np.float32), name)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def network(inputs, x, y):
    """Two layers, the first normalised."""
    constants = [array("w0", inputs, 30), array("b0", 30), array("w1", 30, CELLS), array("b1", CELLS),
                 array("mean", 30, scale=0.1)]
    for name in ("gamma", "variance"):
        constants.append(numpy_helper.from_array(RANDOM.uniform(0.5, 1.5, 30).astype(np.float32), name))
    nodes = [node("Gemm", [x, "w0", "b0"], ["h"]), node("LeakyRelu", ["h"], ["a"], alpha=0.3),
             node("BatchNormalization", ["a", "gamma", "b0", "mean", "variance"], ["n"]),
             node("Gemm", ["n", "w1", "b1"], ["z"]), node("Softplus", ["z"], [y])]
    return nodes, constants


def write(name, nodes, constants, width, output, batch=1, random=False):
    graph = helper.make_graph(nodes, "theirs", [helper.make_tensor_value_info("in", TensorProto.FLOAT, [batch, width])],
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="theirs")
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / f"{name}.onnx")
    if random:
        return
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = np.fromfile(FOLDER / f"{name.split('_')[0]}.in", np.float32).reshape(-1, width)
    cells = [session.run(None, {"in": row[None]})[0].reshape(-1) for row in rows]
    np.stack(cells).tofile(FOLDER / f"{name}.out")


nodes, constants = network(14, "in", "out")
vae_constants = constants
write("vae", nodes, constants, 14, [1, CELLS])
write("vae_anybatch", nodes, constants, 14, ["N", "cells"], batch="N")
shaped = nodes[:-1] + [node("Softplus", ["z"], ["flat"]), node("Reshape", ["flat", "shape"], ["out"])]
write("vae_shaped", shaped, constants + [numpy_helper.from_array(np.array([1, 6, 10, 11]), "shape")], 14, [1, 6, 10, 11])
flat = nodes[:-1] + [node("Softplus", ["z"], ["two"]), node("Reshape", ["two", "shape"], ["out"])]
write("vae_flat", flat, constants + [numpy_helper.from_array(np.array([-1]), "shape")], 14, [CELLS])

# In another type, as torch's .half() and .double() make them; of operators that onnxruntime has for both.
plain = [node("Gemm", ["in", "w0", "b0"], ["h"]), node("Relu", ["h"], ["a"]), node("Gemm", ["a", "w1", "b1"], ["z"]),
         node("Sigmoid", ["z"], ["out"])]
for name, kind, numbers in (("vae_double", TensorProto.DOUBLE, np.float64), ("vae_half", TensorProto.FLOAT16, np.float16)):
    converted = [numpy_helper.from_array(numpy_helper.to_array(constant).astype(numbers), constant.name)
                 for constant in vae_constants if constant.name[0] in "wb"]
    graph = helper.make_graph(plain, "theirs", [helper.make_tensor_value_info("in", kind, ["N", 14])],
                              [helper.make_tensor_value_info("out", kind, ["N", CELLS])], converted)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / f"{name}.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = np.fromfile(FOLDER / "vae.in", np.float32).reshape(-1, 14)
    cells = [session.run(None, {"in": row[None].astype(numbers)})[0].reshape(-1) for row in rows]
    np.stack(cells).astype(np.float32).tofile(FOLDER / f"{name}.out")

# The noise drawn inside, as diffusion models have it; without weight on it, and with.
nodes, constants = network(8, "x", "out")
for name, weight in (("dit", 0.0), ("dit_noisy", 1.0)):
    noise = [node("RandomNormalLike", ["in"], ["first"]), node("RandomNormalLike", ["in"], ["second"]),
             node("Mul", ["first", "second"], ["both"]), node("Mul", ["both", "weight"], ["noise"]),
             node("Add", ["in", "noise"], ["x"])]
    weights = constants + [numpy_helper.from_array(np.float32(weight), "weight")]
    write(name, noise + nodes, weights, 8, [1, CELLS], random=weight > 0)
