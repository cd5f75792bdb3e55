"""Graphs made with the onnx package, run by onnxruntime: what the engine must agree with.

usage: onnx_cases.py FOLDER
Writes FOLDER/<case>/{model.onnx, case.json, in_<i>.bin, out_<i>.bin}.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnx_loop_cases
import onnx_operator_cases
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
RANDOM = np.random.default_rng(7)


def normal(*shape, scale=1.0):
    return (scale * RANDOM.standard_normal(shape)).astype(np.float32)


def case(name, nodes, inputs, constants=None, opset=17, outputs=("y",), shapes=None):
    """`shapes`: declared shapes of inputs, where they are not those of the numbers."""
    shapes = shapes or {}
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), shapes.get(key, value.shape))
         for key, value in inputs.items()],
        [helper.make_empty_tensor_value_info(key) for key in outputs],
        [value if isinstance(value, TensorProto) else numpy_helper.from_array(value, key)
         for key, value in (constants or {}).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    typed = True
    for i, value in enumerate(model.graph.output):
        if not value.type.tensor_type.elem_type:  # of operators that onnx infers no type for
            model.graph.output[i].CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, None))
            typed = False
        typed = typed and value.type.tensor_type.HasField("shape")  # of loops it infers none
    if typed:
        onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run(list(outputs), inputs)
    for value, result in zip(model.graph.output, results):  # onnx infers some wrongly (ceil_mode, VALID)
        said = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if len(said) != result.ndim or any(a not in (0, b) for a, b in zip(said, result.shape)):
            value.type.tensor_type.ClearField("shape")
    save(name, model, inputs, results)


def save(name, model, inputs, results):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    half = any(np.asarray(value).dtype == np.float16 for value in [*inputs.values(), *results]) or any(
        tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)

    def write(prefix, arrays):
        entries = []
        for i, value in enumerate(arrays):
            integers = not np.issubdtype(value.dtype, np.floating)
            value.astype(np.int64 if integers else np.float32).tofile(folder / f"{prefix}_{i}.bin")
            entries.append({"shape": list(value.shape), "integers": integers})
        return entries

    (folder / "case.json").write_text(json.dumps({"half": half, "inputs": write("in", inputs.values()),
                                                  "outputs": write("out", results)}))


def faults():
    """Files that torch exported (see data/README.md)."""
    for file in sorted((pathlib.Path(__file__).parent / "data").glob("*.onnx")):
        model = onnx.load(file)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        inputs = {value.name: normal(3, value.shape[1]).astype(np.float16 if "float16" in value.type else np.float32)
                  for value in session.get_inputs()}
        save("file_" + file.stem, model, inputs, session.run(None, inputs))


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def elementwise():
    x = normal(3, 4, scale=2)
    x[0, :3] = [0, -0.0, 30]
    for op, attributes in [("Relu", {}), ("LeakyRelu", {"alpha": 0.3}), ("LeakyRelu", {}), ("Elu", {"alpha": 0.7}),
                           ("Selu", {}), ("Selu", {"alpha": 1.1, "gamma": 2.0}), ("Tanh", {}), ("Sigmoid", {}),
                           ("Softplus", {}), ("Neg", {}), ("Exp", {}), ("Erf", {}), ("Abs", {}), ("Sin", {}),
                           ("Cos", {}), ("Floor", {}), ("Ceil", {}), ("Identity", {})]:
        case(f"unary_{op}_{len(attributes)}_{attributes.get('alpha', 0)}", [node(op, ["x"], **attributes)], {"x": x})
    for op in ["Log", "Sqrt", "Reciprocal"]:
        case(f"unary_{op}", [node(op, ["x"])], {"x": np.abs(x[1:]) + 0.1})
    for approximate in ["none", "tanh"]:
        case(f"gelu_{approximate}", [node("Gelu", ["x"], approximate=approximate)], {"x": x}, opset=20)
    for op in ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Less", "Greater", "LessOrEqual", "GreaterOrEqual",
               "Equal"]:
        a = np.abs(normal(2, 1, 4)) + 0.5
        for i, b in enumerate([normal(2, 3, 4), normal(3, 1), normal(1)[0], normal(4), normal(2, 1, 4)]):
            case(f"binary_{op}_{i}", [node(op, ["a", "b"])], {"a": a, "b": np.asarray(b)})
    for op in ["Add", "Sub", "Mul", "Div"]:
        case(f"integers_{op}", [node(op, ["a", "b"])], {"a": np.array([[7, -7, 9]]), "b": np.array([[2], [-3]])})
    case("pow_integer", [node("Pow", ["a", "b"])], {"a": x, "b": np.array(2)})
    case("where", [node("Where", ["c", "a", "b"])],
         {"c": np.array([[True], [False], [True]]), "a": x, "b": normal(4)})
    case("clip", [node("Clip", ["x", "low", "high"])], {"x": x},
         {"low": np.float32(-0.5), "high": np.float32(0.7)})
    case("clip_low", [node("Clip", ["x", "low"])], {"x": x}, {"low": np.float32(-0.5)})
    case("clip_old", [node("Clip", ["x"], min=-0.3, max=0.4)], {"x": x}, opset=9)
    for to in [TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.FLOAT]:
        case(f"cast_{to}", [node("Cast", ["x"], to=to)], {"x": x})
    case("cast_back", [node("Cast", ["x"], to=TensorProto.FLOAT)], {"x": np.array([[1, -5, 0]])})


def stored():
    """Weights in narrow types."""
    x, w = normal(3, 4), RANDOM.integers(-127, 128, (4, 5), dtype=np.int8)
    gemm = node("Gemm", ["x", "f"])
    for name, scale, axis in [("all", np.float32(0.1), 1), ("columns", np.abs(normal(5)), 1), ("rows", np.abs(normal(4)), 0)]:
        case(f"dequantize_{name}", [node("DequantizeLinear", ["w", "s"], ["f"], axis=axis), gemm], {"x": x},
             {"w": w, "s": np.asarray(scale)})
    case("dequantize_zero_point", [node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=-1), gemm], {"x": x},
         {"w": w, "s": np.abs(normal(5)), "z": np.array([0, 3, -4, 0, 7], np.int8)})
    large = RANDOM.integers(-127, 128, (300, 256), dtype=np.int8)
    for name, scale, axis, turned in [("large_all", np.float32(0.01), 1, 0), ("large_outputs", np.abs(normal(256, scale=0.01)), 1, 0),
                                      ("large_inputs", np.abs(normal(300, scale=0.01)), 0, 0),
                                      ("large_turned", np.abs(normal(300, scale=0.01)), 0, 1)]:
        case(f"dequantize_{name}", [node("DequantizeLinear", ["w", "s"], ["f"], axis=axis),
                                    node("Gemm", ["x", "f"], transB=turned)],
             {"x": normal(3, 256 if turned else 300, scale=0.1)}, {"w": large, "s": np.asarray(scale)})
    case("dequantize_large_zero_point",
         [node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=1), node("MatMul", ["x", "f"])],
         {"x": normal(3, 300, scale=0.1)},
         {"w": large, "s": np.abs(normal(256, scale=0.01)), "z": RANDOM.integers(-9, 9, 256, dtype=np.int8)})
    half = helper.make_tensor("w", TensorProto.BFLOAT16, (300, 256), normal(300, 256, scale=0.1).ravel())
    for name, used in [("gemm", node("Gemm", ["x", "f"])), ("add", node("Add", ["x", "f"]))]:
        shape = (3, 300) if name == "gemm" else (300, 256)
        case(f"bfloat16_{name}", [node("Cast", ["w"], ["f"], to=TensorProto.FLOAT), used], {"x": normal(*shape)},
             {"w": half})


def shapes():
    x = normal(2, 3, 4)
    for i, target in enumerate([[6, 4], [0, -1], [2, 2, -1, 3], [-1], [4, 6]]):
        case(f"reshape_{i}", [node("Reshape", ["x", "s"])], {"x": x}, {"s": np.array(target)})
    for axis in [0, 1, 2, 3, -1]:
        case(f"flatten_{axis}", [node("Flatten", ["x"], axis=axis)], {"x": x})
    y = normal(1, 3, 1, 2)
    case("squeeze", [node("Squeeze", ["x", "a"])], {"x": y}, {"a": np.array([0, -2])})
    case("squeeze_all", [node("Squeeze", ["x"])], {"x": y})
    case("squeeze_old", [node("Squeeze", ["x"], axes=[2])], {"x": y}, opset=11)
    case("unsqueeze", [node("Unsqueeze", ["x", "a"])], {"x": x}, {"a": np.array([0, -1])})
    case("unsqueeze_old", [node("Unsqueeze", ["x"], axes=[1])], {"x": x}, opset=11)
    for axis in [0, 1, -1]:
        other = normal(*[5 if i == axis % 3 else e for i, e in enumerate((2, 3, 4))])
        case(f"concat_{axis}", [node("Concat", ["x", "z", "x"], axis=axis)], {"x": x, "z": other})
    big = 2**63 - 1
    for i, (starts, ends, axes, steps) in enumerate([
            ([0], [1], [1], [1]), ([1, 0], [2, 3], [0, 2], [1, 2]), ([-1], [-big], [2], [-1]), ([1], [big], [1], [1]),
            ([3], [0], [2], [-2]), ([0], [0], [1], [1]), ([-2], [-1], [-1], [1]), ([0], [4], [2], [3])]):
        case(f"slice_{i}", [node("Slice", ["x", "s", "e", "a", "t"])], {"x": x},
             {"s": np.array(starts), "e": np.array(ends), "a": np.array(axes), "t": np.array(steps)})
    case("slice_without_axes", [node("Slice", ["x", "s", "e"])], {"x": x}, {"s": np.array([1, 1]), "e": np.array([2, 3])})
    case("slice_old", [node("Slice", ["x"], starts=[1], ends=[3], axes=[1])], {"x": x}, opset=9)
    for i, (axis, indices) in enumerate([(0, np.array(1)), (1, np.array([0, -1, 2])), (2, np.array([[3, 0], [1, 1]]))]):
        case(f"gather_{i}", [node("Gather", ["x", "i"], axis=axis)], {"x": x}, {"i": indices})
    for perm in [[2, 0, 1], [0, 2, 1], [1, 0, 2]]:
        case("transpose_" + "".join(map(str, perm)), [node("Transpose", ["x"], perm=perm)], {"x": x})
    case("transpose", [node("Transpose", ["x"])], {"x": x})
    case("expand", [node("Expand", ["x", "s"])], {"x": normal(3, 1)}, {"s": np.array([2, 1, 4])})
    case("shape", [node("Shape", ["x"])], {"x": x})
    case("shape_part", [node("Shape", ["x"], start=1, end=-1)], {"x": x})
    case("constant_of_shape",
         [node("ConstantOfShape", ["s"], value=numpy_helper.from_array(np.array([2.5], dtype=np.float32)))],
         {"s": np.array([2, 3])})
    case("split", [node("Split", ["x", "s"], ("y", "z"), axis=2)], {"x": x}, {"s": np.array([1, 3])}, outputs=("y", "z"))
    case("split_even", [node("Split", ["x"], ("y", "z"), axis=2)], {"x": x}, outputs=("y", "z"))
    # The shape arithmetic that exporters write for "as many rows as there are".
    case("batch_from_shape",
         [node("Shape", ["x"], ("s",)), node("Gather", ["s", "zero"], ("n",), axis=0),
          node("Concat", ["n", "rest"], ("t",), axis=0), node("Reshape", ["x", "t"])],
         {"x": x}, {"zero": np.array([0]), "rest": np.array([12])}, shapes={"x": ["N", 3, 4]})


def products():
    a, b, c = normal(3, 5), normal(5, 4), normal(4)
    for ta in [0, 1]:
        for tb in [0, 1]:
            case(f"gemm_{ta}{tb}", [node("Gemm", ["a", "b", "c"], transA=ta, transB=tb, alpha=0.5, beta=2.0)],
                 {"a": a.T.copy() if ta else a, "b": b.T.copy() if tb else b, "c": c})
            case(f"gemm_constant_{ta}{tb}", [node("Gemm", ["a", "b", "c"], transA=ta, transB=tb, alpha=0.5, beta=2.0)],
                 {"a": a.T.copy() if ta else a}, {"b": b.T.copy() if tb else b, "c": c})
    case("gemm_without_bias", [node("Gemm", ["a", "b"])], {"a": a}, {"b": b})
    for i, bias in enumerate([normal(1, 4), normal(3, 1), normal(1), np.float32(0.5), normal(3, 4)]):
        case(f"gemm_bias_{i}", [node("Gemm", ["a", "b", "c"])], {"a": a}, {"b": b, "c": np.asarray(bias)})
    for i, (x, y) in enumerate([((3, 5), (5, 4)), ((2, 3, 5), (5, 4)), ((2, 3, 5), (2, 5, 4)), ((5,), (5, 4)),
                                ((3, 5), (5,)), ((2, 1, 3, 5), (6, 5, 2)), ((5,), (5,))]):
        case(f"matmul_{i}", [node("MatMul", ["a", "b"])], {"a": normal(*x), "b": normal(*y)})
        case(f"matmul_constant_{i}", [node("MatMul", ["a", "b"])], {"a": normal(*x)}, {"b": normal(*y)})
    for shape in [(3, 4), (2, 4, 5)]:
        case(f"batch_normalization_{len(shape)}", [node("BatchNormalization", ["x", "g", "b", "m", "v"], epsilon=1e-3)],
             {"x": normal(*shape)}, {"g": normal(4), "b": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.1})
    x = normal(2, 3, 4, scale=3)
    for axis in [0, 1, -1]:
        case(f"softmax_{axis}", [node("Softmax", ["x"], axis=axis)], {"x": x})
    for op in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"]:
        for keep in [0, 1]:
            case(f"{op}_{keep}", [node(op, ["x", "a"], keepdims=keep)], {"x": x}, {"a": np.array([0, -1])}, opset=18)
        case(f"{op}_all", [node(op, ["x"])], {"x": x}, opset=18)
    case("reduce_mean_old", [node("ReduceMean", ["x"], axes=[1])], {"x": x}, opset=13)
    case("layer_normalization", [node("LayerNormalization", ["x", "g", "b"], axis=-1)], {"x": x},
         {"g": normal(4), "b": normal(4)})
    case("layer_normalization_two", [node("LayerNormalization", ["x", "g"], axis=1, epsilon=1e-3)], {"x": x},
         {"g": normal(3, 4)})


def fused():
    """What the engine packs together must be what the single operators give."""
    x = normal(5, 6)
    w, b = normal(6, 70), normal(70)
    statistics = {"g": normal(70), "t": normal(70), "m": normal(70), "v": np.abs(normal(70)) + 0.1}
    for op in ["Relu", "LeakyRelu", "Elu", "Selu", "Tanh", "Sigmoid", "Softplus"]:
        case(f"fused_{op}",
             [node("Gemm", ["x", "w", "b"], ("h",)), node(op, ["h"], ("a",)),
              node("BatchNormalization", ["a", "g", "t", "m", "v"], ("n",)),
              node("Gemm", ["n", "w2"], ("z",), transB=1), node("Sigmoid", ["z"])],
             {"x": x}, {"w": w, "b": b, "w2": normal(200, 70, scale=0.2), **statistics}, shapes={"x": ["N", 6]})
    case("fused_matmul_add",
         [node("MatMul", ["x", "w"], ("h",)), node("Add", ["b", "h"], ("s",)), node("Relu", ["s"], ("a",)),
          node("Mul", ["a", "g"], ("c",)), node("Add", ["c", "t"], ("d",)), node("Sub", ["d", "m"], ("e",)),
          node("Div", ["e", "v"])],
         {"x": normal(2, 5, 6)}, {"w": w, "b": b, **statistics})
    # Values that are read twice are kept.
    case("fused_read_twice",
         [node("Gemm", ["x", "w", "b"], ("h",)), node("Relu", ["h"], ("a",)), node("Add", ["a", "h"])],
         {"x": x}, {"w": w, "b": b})
    case("fused_output_inside",
         [node("Gemm", ["x", "w", "b"], ("h",)), node("Relu", ["h"], ("y",)), node("Gemm", ["y", "w2"], ("z",))],
         {"x": x}, {"w": w, "b": b, "w2": normal(70, 3)}, outputs=("y", "z", "h"))
    half = {"half": np.float32(0.5), "one": np.float32(1), "root": np.float32(np.sqrt(0.5))}
    case("gelu_composite",
         [node("Gemm", ["x", "w", "b"], ("h",)), node("Mul", ["h", "root"], ("s",)), node("Erf", ["s"], ("e",)),
          node("Add", ["e", "one"], ("g",)), node("Mul", ["h", "half"], ("hh",)), node("Mul", ["hh", "g"], ("a",)),
          node("Gemm", ["a", "w2"])],
         {"x": x}, {"w": w, "b": b, "w2": normal(70, 9), **half})
    for i, (op, order) in enumerate([("Mul", 0), ("Mul", 1), ("Div", 0)]):
        case(f"output_scaled_{i}",
             [node("Gemm", ["x", "w", "b"], ("z",)), node("Softplus", ["z"], ("f",)),
              node(op, ["f", "s"] if order == 0 else ["s", "f"], ("m",)), node("Mul", ["m", "k"], ("o",)),
              node("Reshape", ["o", "r"])],
             {"x": x, "s": np.abs(normal(5, 1)) + 0.1},
             {"w": w, "b": b, "k": np.float32(1000), "r": np.array([-1, 7, 10])}, shapes={"x": ["N", 6], "s": ["N", 1]})
    case("output_not_by_row",
         [node("Gemm", ["x", "w", "b"], ("z",)), node("Sigmoid", ["z"], ("f",)), node("Mul", ["f", "s"])],
         {"x": normal(1, 6), "s": normal(1, 1)}, {"w": w, "b": b})
    case("output_scaled_by_cell",
         [node("Gemm", ["x", "w", "b"], ("z",)), node("Sigmoid", ["z"], ("f",)), node("Mul", ["f", "g"])],
         {"x": x}, {"w": w, "b": b, "g": statistics["g"]}, shapes={"x": ["N", 6]})
    case("output_normalised",
         [node("Gemm", ["x", "w", "b"], ("z",)), node("Softmax", ["z"], ("f",), axis=1), node("Mul", ["f", "s"])],
         {"x": x, "s": normal(5, 1)}, {"w": w, "b": b}, shapes={"x": ["N", 6], "s": ["N", 1]})
    case("attention",
         [node("MatMul", ["x", "q"], ("xq",)), node("MatMul", ["x", "k"], ("xk",)), node("MatMul", ["x", "v"], ("xv",)),
          node("Transpose", ["xk"], ("kt",), perm=[0, 2, 1]), node("MatMul", ["xq", "kt"], ("s",)),
          node("Mul", ["s", "f"], ("sf",)), node("Softmax", ["sf"], ("p",), axis=-1), node("MatMul", ["p", "xv"])],
         {"x": normal(2, 7, 6)}, {"q": normal(6, 4), "k": normal(6, 4), "v": normal(6, 5), "f": np.float32(0.5)})


elementwise()
stored()
shapes()
products()
fused()
onnx_operator_cases.add(case)
onnx_loop_cases.add(case)
faults()
