"""Random attributes and shapes for the operators of generators (seeded), for onnx_cases.py."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(11)


def normal(*shape, scale=1.0):
    return (scale * RANDOM.standard_normal(shape)).astype(np.float32)


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **{k: v for k, v in attributes.items() if v is not None})


def pick(*choices):
    return choices[RANDOM.integers(len(choices))]


def some(low, high, count):
    return [int(v) for v in RANDOM.integers(low, high + 1, count)]


def add(case):
    """case(name, nodes, inputs, constants, opset, outputs, shapes) of onnx_cases.py."""

    def rows(name, nodes, x, constants=None, **options):
        """The first dimension of x may be any."""
        case(name, nodes, {"x": x}, constants, shapes={"x": ["N", *x.shape[1:]]}, **options)

    def convolutions():
        for i in range(60):
            rank, groups = 1 + i % 3, pick(1, 1, 1, 2, 3)
            depthwise = i % 7 == 0
            each = 1 if depthwise else int(RANDOM.integers(1, 5))
            channels = groups * each
            outputs = groups * int(RANDOM.integers(1, 11 if i % 5 else 23))
            kernel, strides, dilations = some(1, 4, rank), some(1, 3, rank), some(1, 3, rank)
            size = [int(RANDOM.integers((k - 1) * d + 1, (k - 1) * d + 9)) for k, d in zip(kernel, dilations)]
            auto_pad = pick(None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID")
            if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
                dilations = [1] * rank  # onnxruntime refuses others
            pads = some(0, 3, 2 * rank) if auto_pad is None else None
            x = normal(int(RANDOM.integers(1, 4)), channels, *size)
            constants = {"w": normal(outputs, each, *kernel), **({"b": normal(outputs)} if i % 3 else {})}
            rows(f"conv_{i}", [node("Conv", ["x", *constants], kernel_shape=kernel if i % 2 else None, strides=strides,
                                    dilations=dilations, pads=pads, auto_pad=auto_pad, group=groups)], x, constants)
        # weights that are not constant
        case("conv_dynamic", [node("Conv", ["x", "w"], pads=[1, 1, 1, 1])],
             {"x": normal(2, 3, 5, 6), "w": normal(4, 3, 3, 3)})
        rows("conv_one_by_one", [node("Conv", ["x", "w", "b"])], normal(2, 9, 5, 7),
             {"w": normal(17, 9, 1, 1), "b": normal(17)})
        rows("conv_wide", [node("Conv", ["x", "w", "b"], pads=[1, 1, 1, 1])], normal(1, 2, 40, 150),
             {"w": normal(3, 2, 3, 3), "b": normal(3)})
        for i in range(60):
            rank, groups = 1 + i % 3, pick(1, 1, 1, 2, 3)
            each, outputs = int(RANDOM.integers(1, 5)), int(RANDOM.integers(1, 9))
            kernel, strides, dilations = some(1, 4, rank), some(1, 3, rank), some(1, 2, rank)
            size = some(1, 5, rank)
            more = [int(RANDOM.integers(0, max(s, d))) for s, d in zip(strides, dilations)] if i % 2 else None
            reach = [(s - 1) * t + (m if more else 0) + (k - 1) * d + 1
                     for s, t, m, k, d in zip(size, strides, more or [0] * rank, kernel, dilations)]
            pads = [min(p, (r - 1) // 2) for p, r in zip(some(0, 2, 2 * rank), reach * 2)]
            sized = auto_pad = None
            if i % 6 == 0:
                sized, pads = [max(1, r - int(RANDOM.integers(0, 3))) for r in reach], None
            elif i % 6 == 1:
                # With an output_padding too, onnxruntime's numbers for SAME are none of a transposed convolution.
                auto_pad, pads, more = pick("SAME_UPPER", "VALID"), None, None
            x = normal(int(RANDOM.integers(1, 4)), groups * each, *size)
            constants = {"w": normal(groups * each, outputs, *kernel),
                         **({"b": normal(groups * outputs)} if i % 3 else {})}
            try:
                rows(f"conv_transpose_{i}",
                     [node("ConvTranspose", ["x", *constants], strides=strides, dilations=dilations, pads=pads,
                           group=groups, output_padding=more, output_shape=sized, auto_pad=auto_pad)], x, constants)
            except Exception as error:  # what onnx or onnxruntime itself refuses (pads of auto_pad that are negative)
                if auto_pad is None and sized is None:
                    raise error
        rows("conv_transpose_latent", [node("ConvTranspose", ["x", "w", "b"])], normal(3, 10, 1, 1),
             {"w": normal(10, 6, 4, 4), "b": normal(6)})

    def pools():
        for i in range(24):
            rank = 1 + i % 3
            kernel, strides = some(1, 3, rank), some(1, 3, rank)
            size = some(4, 9, rank)
            pads = [min(p, k - 1) for p, k in zip(some(0, 2, 2 * rank), kernel * 2)]
            x = normal(2, 3, *size)
            rows(f"max_pool_{i}", [node("MaxPool", ["x"], kernel_shape=kernel, strides=strides, pads=pads,
                                        ceil_mode=i % 2)], x)
            rows(f"average_pool_{i}", [node("AveragePool", ["x"], kernel_shape=kernel, strides=strides, pads=pads,
                                            count_include_pad=i // 2 % 2)], x, opset=11)
            rows(f"same_pool_{i}", [node("MaxPool", ["x"], kernel_shape=kernel, strides=strides,
                                         auto_pad=pick("SAME_UPPER", "SAME_LOWER", "VALID"))], x)
        for op in ["GlobalAveragePool", "GlobalMaxPool"]:
            rows(op, [node(op, ["x"])], normal(2, 3, 4, 5))

    def normalisations():
        for i, shape in enumerate([(2, 4, 6), (3, 6, 5, 3), (2, 2, 3, 4, 5), (2, 8, 33)]):
            c = shape[1]
            x = normal(*shape, scale=3) + 2
            rows(f"instance_normalization_{i}", [node("InstanceNormalization", ["x", "s", "b"], epsilon=10.0**-(2 + i))],
                 x, {"s": normal(c), "b": normal(c)})
            rows(f"batch_normalization_rank_{i}", [node("BatchNormalization", ["x", "s", "b", "m", "v"], epsilon=1e-3)], x,
                 {"s": normal(c), "b": normal(c), "m": normal(c), "v": np.abs(normal(c)) + 0.1})
            rows(f"group_normalization_18_{i}", [node("GroupNormalization", ["x", "s", "b"], num_groups=2)], x,
                 {"s": normal(2), "b": normal(2)}, opset=18)
            rows(f"group_normalization_21_{i}", [node("GroupNormalization", ["x", "s", "b"], num_groups=2)], x,
                 {"s": normal(c), "b": normal(c)}, opset=21)
            case(f"layer_normalization_three_{i}",
                 [node("LayerNormalization", ["x", "s"], ("y", "m", "f"), axis=-1)], {"x": x}, {"s": normal(shape[-1])},
                 outputs=("y", "m", "f"))
            for p in [1, 2]:
                rows(f"lp_normalization_{p}_{i}", [node("LpNormalization", ["x"], p=p, axis=-1)], x)
        for opset in [9, 11, 12, 13]:
            for axis in [None, 0, 1, 2, -1]:
                for op in ["Softmax", "LogSoftmax"]:
                    case(f"{op}_{opset}_{axis}", [node(op, ["x"], axis=axis)], {"x": normal(3, 4, 5, scale=3)}, opset=opset)

    def activations():
        x = normal(3, 4, 5, scale=3)
        x[0, 0, :4] = [0, -0.0, 30, -30]
        broken = x.copy()
        broken[1, 2] = [np.nan, np.inf, -np.inf, 0.5, 2.5]
        for op, attributes, opset in [
                ("Softsign", {}, 17), ("Mish", {}, 18), ("HardSwish", {}, 17), ("HardSigmoid", {}, 17),
                ("HardSigmoid", {"alpha": 1 / 6}, 17), ("Celu", {"alpha": 0.7}, 17), ("ThresholdedRelu", {"alpha": 0.3}, 17),
                ("Shrink", {"bias": 0.1, "lambd": 0.4}, 17), ("Round", {}, 17), ("Sign", {}, 17), ("Tan", {}, 17), ("Atan", {}, 17),
                ("Sinh", {}, 17), ("Cosh", {}, 17), ("Asinh", {}, 17), ("IsNaN", {}, 17), ("IsInf", {}, 17),
                ("IsInf", {"detect_negative": 0}, 17)]:
            rows(f"op_{op}_{len(attributes)}", [node(op, ["x"], **attributes)], x, opset=opset)
        for op, attributes in [("Relu", {}), ("LeakyRelu", {}), ("Elu", {}), ("Selu", {}), ("Abs", {}), ("Sign", {}), ("Neg", {}),
                               ("Sigmoid", {}), ("Tanh", {}), ("Exp", {}), ("Sqrt", {}), ("IsNaN", {}), ("IsInf", {}), ("Round", {}),
                               ("Floor", {}), ("Clip", {})]:
            rows(f"broken_{op}", [node(op, ["x"], **attributes)], broken)
        rows("broken_clip_limits", [node("Clip", ["x", "l", "h"])], broken, {"l": np.float32(-1), "h": np.float32(1)})
        for op in ["Max", "Min"]:
            rows(f"broken_{op}", [node(op, ["x", "l"])], broken, {"l": np.float32(0.1)})
            rows(f"broken_{op}_turned", [node(op, ["l", "x"])], broken, {"l": np.float32(0.1)})
        for op in ["Asin", "Acos", "Atanh"]:
            rows(f"op_{op}", [node(op, ["x"])], np.clip(x / 40, -0.9, 0.9))
        rows("op_Acosh", [node("Acosh", ["x"])], np.abs(x) + 1)
        rows("round_halves", [node("Round", ["x"])], np.array([[0.5, 1.5, -0.5, -2.5, 2.4999]], np.float32))
        for i, slope in enumerate([normal(1), normal(5), normal(4, 1), normal(1, 4, 1), normal(4, 5), normal(3, 4, 5)]):
            (rows if i < 5 else lambda n, g, v, c: case(n, g, {"x": v}, c))(
                f"prelu_{i}", [node("PRelu", ["x", "a"])], x, {"a": slope})
        rows("prelu_nan", [node("PRelu", ["x", "a"])], np.where(np.isinf(broken), 0, broken).astype(np.float32), {"a": normal(1)})
        for op in ["Sum", "Mean", "Max", "Min"]:
            for n in [1, 2, 3, 4]:
                others = {f"c{k}": normal(*pick((4, 5), (5,), (1,), (1, 1, 5))) for k in range(n - 1)}
                rows(f"variadic_{op}_{n}", [node(op, ["x", *others])], x, others)
        rows("dropout", [node("Dropout", ["x"])], x)
        case("dropout_mask", [node("Dropout", ["x", "r"], ("y", "m"))], {"x": x}, {"r": np.float32(0.3)}, outputs=("y", "m"))
        case("dropout_old", [node("Dropout", ["x"], ratio=0.4)], {"x": x}, opset=9)

    def logic():
        a, b = RANDOM.random((3, 4)) > 0.5, RANDOM.random((4,)) > 0.5
        for op in ["And", "Or", "Xor"]:
            case(f"logic_{op}", [node(op, ["a", "b"])], {"a": a, "b": b})
        case("logic_Not", [node("Not", ["a"])], {"a": a})
        x, y = np.array([7, -7, 9, -9, 5]), np.array([3, 3, -4, -4, 5])
        case("mod", [node("Mod", ["x", "z"])], {"x": x, "z": y})
        case("mod_c", [node("Mod", ["x", "z"], fmod=1)], {"x": x, "z": y})
        case("mod_floats", [node("Mod", ["x", "z"], fmod=1)], {"x": x.astype(np.float32) / 2, "z": y.astype(np.float32)})
        for dtype in [np.int32, np.int64, np.uint8, np.int8, np.float64]:
            p, q = np.array([1, 3, 100, 5]).astype(dtype), np.array([2, 3, 90, 1]).astype(dtype)
            for op in ["Less", "Greater", "Equal", "GreaterOrEqual", "LessOrEqual"]:
                case(f"compare_{op}_{np.dtype(dtype).name}", [node(op, ["p", "q"])], {"p": p, "q": q})
            if dtype not in (np.uint8, np.int8):
                for op in ["Add", "Sub", "Mul", "Div"]:
                    case(f"arithmetic_{op}_{np.dtype(dtype).name}", [node(op, ["p", "q"])], {"p": p, "q": q})
        case("wraps_around", [node("Mul", ["x", "x"])], {"x": np.array([70000, -3], np.int32)})

    def casts():
        numbers = np.array([[0, 1, -1, 2.5, -2.5, 3.5, 100.7, -100.7, 250, 3e4, 70000, 1e-7, 6e-8, 65519, 65521]])
        types = {"float": np.float32, "double": np.float64, "float16": np.float16, "int32": np.int32, "int64": np.int64, "bool": np.bool_}
        for name, dtype in types.items():
            with np.errstate(over="ignore"):
                values = numbers.astype(dtype)
            values = values[np.isfinite(values)][None]
            for to, target in types.items():
                rows(f"cast_{name}_{to}", [node("Cast", ["x"], to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))], values)
        small = np.array([[0, 1, 2.5, 100.7]], np.float32)
        for target in [np.uint8, np.int8, np.int16, np.uint16, np.uint32, np.uint64]:
            rows(f"cast_small_{np.dtype(target).name}",
                 [node("Cast", ["x"], ("i",), to=helper.np_dtype_to_tensor_dtype(np.dtype(target))),
                  node("Cast", ["i"], to=TensorProto.FLOAT)], small)
            rows(f"cast_wraps_{np.dtype(target).name}",
                 [node("Cast", ["x"], to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))], np.array([[300, -1, 70000, 5]]))
        rows("cast_like", [node("CastLike", ["x", "l"])], small, {"l": np.float64(1)})
        w, b = normal(5, 7), normal(7)
        for dtype, to in [(np.float16, TensorProto.FLOAT16), (np.float64, TensorProto.DOUBLE)]:
            name = np.dtype(dtype).name
            constants = {"w": w.astype(dtype), "b": b.astype(dtype), "w2": normal(7, 3).astype(dtype)}
            graph = [node("Gemm", ["h", "w", "b"], ("g",)), node("Relu", ["g"], ("r",)), node("MatMul", ["r", "w2"], ("m",)),
                     node("Sigmoid", ["m"], ("s",))]
            rows(f"weights_{name}", [node("Cast", ["x"], ("h",), to=to), *graph, node("Cast", ["s"], to=TensorProto.FLOAT)],
                 normal(4, 5), constants)
            rows(f"graph_{name}", [node("Identity", ["x"], ("h",)), *graph, node("Identity", ["s"])],
                 normal(4, 5).astype(dtype), constants)
            rows(f"stored_{name}", [node("Cast", ["w"], ("wf",), to=TensorProto.FLOAT), node("Gemm", ["x", "wf"])], normal(4, 5),
                 {"w": constants["w"]})
        rows("conv_float16", [node("Conv", ["x", "w"], pads=[1, 1])], normal(2, 3, 8).astype(np.float16),
             {"w": normal(4, 3, 3).astype(np.float16)})
        rows("float64_exact", [node("Add", ["x", "c"], ("a",)), node("Sub", ["a", "c"])], np.array([[1.0, 3.0]]),
             {"c": np.float64(2.0**40)})

    def shapes():
        for i in range(30):
            rank = 1 + i % 4
            x = normal(*some(2, 5, rank))
            mode = pick("constant", "reflect", "edge") if i < 24 else "wrap"
            pads = [min(p, s - 1) for p, s in zip(some(0, 3, 2 * rank), x.shape * 2)]
            opset = 19 if mode == "wrap" else pick(11, 13, 18)
            case(f"pad_{i}", [node("Pad", ["x", "p", "v"] if mode == "constant" else ["x", "p"], mode=mode)], {"x": x},
                 {"p": np.array(pads), **({"v": np.float32(1.5)} if mode == "constant" else {})}, opset=opset)
        x = normal(2, 3, 4)
        rows("pad_negative", [node("Pad", ["x", "p"])], x, {"p": np.array([0, -1, 2, 0, 1, -1])})
        rows("pad_old", [node("Pad", ["x"], pads=[0, 1, 0, 0, 0, 2], value=0.5)], x, opset=9)
        rows("pad_axes", [node("Pad", ["x", "p", "", "a"])], x, {"p": np.array([1, 2]), "a": np.array([-1])}, opset=18)
        for i, repeats in enumerate([[1, 2, 3], [2, 1, 1], [1, 1, 1], [3, 2, 2]]):
            case(f"tile_{i}", [node("Tile", ["x", "r"])], {"x": x}, {"r": np.array(repeats)}, shapes={"x": ["N", 3, 4]})
        for mode in ["DCR", "CRD"]:
            rows(f"depth_to_space_{mode}", [node("DepthToSpace", ["x"], blocksize=2, mode=mode)], normal(2, 12, 3, 5), opset=13)
        rows("space_to_depth", [node("SpaceToDepth", ["x"], blocksize=2)], normal(2, 3, 4, 6))
        for axis in [0, 1, 2]:
            indices = RANDOM.integers(-2, 2, (2, 2, 3))
            case(f"gather_elements_{axis}", [node("GatherElements", ["x", "i"], axis=axis)], {"x": x}, {"i": indices})
            unique = np.zeros((2, 1, 4), int) if axis == 1 else np.zeros((1, 3, 4), int) if axis == 0 else np.zeros((2, 3, 1), int)
            case(f"scatter_elements_{axis}", [node("ScatterElements", ["x", "i", "u"], axis=axis)], {"x": x, "u": normal(*unique.shape)},
                 {"i": unique + 1})
            case(f"scatter_elements_add_{axis}", [node("ScatterElements", ["x", "i", "u"], axis=axis, reduction="add")],
                 {"x": x, "u": normal(2, 2, 3)}, {"i": indices}, opset=16)
        case("gather_nd", [node("GatherND", ["x", "i"])], {"x": x}, {"i": np.array([[0, 1], [1, -1]])})
        case("gather_nd_batch", [node("GatherND", ["x", "i"], batch_dims=1)], {"x": x}, {"i": np.array([[1], [2]])})
        case("scatter_nd", [node("ScatterND", ["x", "i", "u"])], {"x": x, "u": normal(2, 4)}, {"i": np.array([[0, 1], [1, -1]])})
        case("range", [node("Range", ["a", "b", "c"])], {"a": np.array(2), "b": np.array(11), "c": np.array(3)})
        case("size", [node("Size", ["x"])], {"x": x})
        for upper in [0, 1]:
            case(f"trilu_{upper}", [node("Trilu", ["x", "k"], upper=upper)], {"x": x}, {"k": np.array(1)})
        case("one_hot", [node("OneHot", ["i", "d", "v"])], {"i": np.array([0, 2, -1, 5])}, {"d": np.array(4), "v": np.array([0.5, 2], np.float32)})

    def reductions():
        for i in range(60):
            op = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                  "ReduceLogSum", "ReduceLogSumExp"][i % 10]
            x = normal(2, 3, 4, 2)
            if op == "ReduceLogSum":
                x = np.abs(x) + 0.1
            axes = sorted(int(a) for a in RANDOM.choice(4, int(RANDOM.integers(1, 4)), replace=False))
            axes = [a - 4 if RANDOM.random() < 0.3 else a for a in axes]
            keep = int(RANDOM.integers(0, 2))
            rows(f"reduce_{i}_{op}", [node(op, ["x", "a"], keepdims=keep)], x, {"a": np.array(axes)}, opset=18)
            rows(f"reduce_old_{i}_{op}", [node(op, ["x"], axes=axes, keepdims=keep)], x, opset=11)
        # With the axes left out onnxruntime runs into a check of its own.
        case("reduce_nothing", [node("ReduceSum", ["x", "a"], noop_with_empty_axes=1)], {"x": normal(2, 3)},
             {"a": np.array([], np.int64)}, opset=18)
        case("reduce_int", [node("ReduceSum", ["x"], keepdims=0)], {"x": np.array([[1, 2], [3, -9]])})
        case("reduce_max_int", [node("ReduceMax", ["x"], keepdims=0)], {"x": np.array([[1, 2], [3, -9]], np.int32)})
        for i in range(16):
            x = np.round(normal(2, 3, 5) * 2)
            axis, keep, last = int(RANDOM.integers(-3, 3)), i % 2, i // 2 % 2
            case(f"arg_{i}", [node(pick("ArgMax", "ArgMin"), ["x"], axis=axis, keepdims=keep, select_last_index=last)], {"x": x})
            k, axis = int(RANDOM.integers(1, 3)), int(RANDOM.integers(-3, 3))
            case(f"top_k_{i}", [node("TopK", ["x", "k"], ("y", "i"), axis=axis, largest=i % 2)], {"x": x}, {"k": np.array([k])},
                 outputs=("y", "i"))
            case(f"cumsum_{i}", [node("CumSum", ["x", "a"], exclusive=i % 2, reverse=i // 2 % 2)], {"x": x},
                 {"a": np.array(axis)})

    def einsums():
        a, b, c = normal(3, 4), normal(4, 5), normal(3, 4, 5)
        for i, (equation, inputs) in enumerate([
                ("ij,jk->ik", (a, b)), ("ij,jk", (a, b)), ("bl,lrp->brp", (a, normal(4, 2, 3))), ("ij->ji", (a,)), ("ij->", (a,)),
                ("ij->j", (a,)), ("bij,bjk->bik", (c, normal(3, 5, 2))), ("...ij,jk->...ik", (c, normal(5, 2))),
                ("bhid,bhjd->bhij", (normal(2, 2, 3, 4), normal(2, 2, 5, 4))), ("i,j->ij", (normal(3), normal(4))),
                ("bi,ij,bj->b", (a, normal(4, 5), normal(3, 5))), ("b i j -> b j", (c,)), ("ijk->kji", (c,)), ("b...->b...", (c,)),
                ("ii->i", (normal(3, 3),)), ("...i,i->...", (c, normal(5)))]):
            names = ["x", "p", "q"][:len(inputs)]
            case(f"einsum_{i}", [node("Einsum", names, equation=equation)], dict(zip(names, inputs)))
            if len(inputs) == 2:
                shape = ["N", *inputs[0].shape[1:]] if equation.startswith("b") and "b" not in equation.split(",")[1].split("-")[0] else None
                case(f"einsum_weights_{i}", [node("Einsum", names, equation=equation)], {"x": inputs[0]}, {"p": inputs[1]},
                     shapes={"x": shape} if shape else None)

    def recurrent():
        gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
        for i in range(36):
            op = ["RNN", "GRU", "LSTM"][i % 3]
            steps, batch, size, hidden = some(1, 6, 4)
            direction = pick("forward", "reverse", "bidirectional")
            ways, g = 2 if direction == "bidirectional" else 1, gates[op]
            constants = {"w": normal(ways, g * hidden, size), "r": normal(ways, g * hidden, hidden)}
            names = ["x", "w", "r", "", "", ""]
            if i % 2:
                constants["b"], names[3] = normal(ways, 2 * g * hidden), "b"
            if i % 4 == 1:
                constants["l"], names[4] = RANDOM.integers(1, steps + 1, batch).astype(np.int32), "l"
            if i % 5 < 3:
                constants["h"], names[5] = normal(ways, batch, hidden), "h"
            outputs = ["y", "yh"]
            attributes = {"hidden_size": hidden, "direction": direction}
            if op == "LSTM":
                outputs.append("yc")
                names += ["", ""]
                if i % 5 < 3:
                    constants["c"], names[6] = normal(ways, batch, hidden), "c"
                if i % 4 == 2:
                    constants["p"], names[7] = normal(ways, 3 * hidden), "p"
            if op == "GRU":
                attributes["linear_before_reset"] = int(RANDOM.integers(0, 2))
            if i % 6 == 5:
                attributes["clip"] = 0.5
            if i % 7 == 3:
                attributes["activations"] = {"RNN": ["Relu"], "GRU": ["HardSigmoid", "Softsign"],
                                             "LSTM": ["HardSigmoid", "Tanh", "Relu"]}[op] * ways
            while names[-1] == "":
                names.pop()
            case(f"recurrent_{i}_{op}", [node(op, names, tuple(outputs), **attributes)], {"x": normal(steps, batch, size)},
                 constants, opset=14, outputs=tuple(outputs))

    def resizes():
        x = normal(2, 3, 4, 5)
        for mode in ["nearest", "linear"]:
            for coordinates in ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]:
                for i, scales in enumerate([(2.0, 3.0), (1.5, 0.6), (0.5, 1.0)]):
                    if coordinates == "half_pixel_symmetric" and i == 1:
                        continue  # places that are whole numbers but for rounding
                    for nearest in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] if mode == "nearest" else [None]:
                        rows(f"resize_{mode}_{coordinates}_{i}_{nearest}",
                             [node("Resize", ["x", "", "s"], mode=mode, coordinate_transformation_mode=coordinates, nearest_mode=nearest)],
                             x, {"s": np.array([1, 1, *scales], np.float32)}, opset=19)
        rows("resize_sizes", [node("Resize", ["x", "", "", "z"], mode="linear")], x, {"z": np.array([2, 3, 7, 9])}, opset=13)
        rows("resize_3d", [node("Resize", ["x", "", "s"], mode="linear", coordinate_transformation_mode="align_corners")],
             normal(2, 2, 3, 4, 5), {"s": np.array([1, 1, 2, 2, 2], np.float32)}, opset=13)
        for mode in ["nearest", "linear"]:
            rows(f"upsample_{mode}", [node("Upsample", ["x", "s"], mode=mode)], x, {"s": np.array([1, 1, 2, 3], np.float32)}, opset=9)
            rows(f"resize_ten_{mode}", [node("Resize", ["x", "s"], mode=mode)], x, {"s": np.array([1, 1, 2, 3], np.float32)}, opset=10)

    def generators():
        """As torch and Keras export them."""
        statistics = lambda c: {"bs": normal(c), "bb": normal(c), "bm": normal(c), "bv": np.abs(normal(c)) + 0.1}
        # torch: Linear, view, ConvTranspose3d, BatchNorm3d, Conv3d, flatten
        rows("torch_conv_transpose",
             [node("Gemm", ["x", "fw", "fb"], ("a",), transB=1), node("Relu", ["a"], ("r",)), node("Reshape", ["r", "s"], ("v",)),
              node("ConvTranspose", ["v", "w1", "b1"], ("c",), strides=[2, 2, 2], pads=[1] * 6, output_padding=[1] * 3),
              node("BatchNormalization", ["c", "bs", "bb", "bm", "bv"], ("n",)), node("Relu", ["n"], ("p",)),
              node("Conv", ["p", "w2", "b2"], ("q",), pads=[1] * 6), node("Sigmoid", ["q"], ("t",)), node("Flatten", ["t"])],
             normal(3, 20), {"fw": normal(96, 20), "fb": normal(96), "s": np.array([-1, 8, 2, 3, 2]), "w1": normal(8, 4, 3, 3, 3),
                             "b1": normal(4), "w2": normal(1, 4, 3, 3, 3), "b2": normal(1), **statistics(4)})
        # torch: GroupNorm up to operator set 17
        rows("torch_group_norm",
             [node("Gemm", ["x", "fw"], ("a",), transB=1), node("Reshape", ["a", "s"], ("v",)),
              node("InstanceNormalization", ["v", "one", "zero"], ("n",)), node("Shape", ["a"], ("k",)), node("Reshape", ["n", "k"], ("m",)),
              node("Mul", ["m", "g"], ("u",)), node("Add", ["u", "b"])],
             normal(3, 20), {"fw": normal(32, 20), "s": np.array([0, 4, -1]), "one": np.ones(4, np.float32), "zero": np.zeros(4, np.float32),
                             "g": normal(32), "b": normal(32)})
        # torch: x[:, None].repeat(1, 3, 1) into a GRU of batch_first; the initial state by shape arithmetic
        rows("torch_gru",
             [node("Unsqueeze", ["x", "one"], ("u",)), node("Expand", ["u", "e"], ("v",)), node("Transpose", ["v"], ("t",), perm=[1, 0, 2]),
              node("Shape", ["x"], ("k",)), node("Gather", ["k", "zero"], ("n",), axis=0), node("Unsqueeze", ["n", "first"], ("m",)),
              node("Concat", ["one", "m", "h"], ("sh",), axis=0), node("ConstantOfShape", ["sh"], ("h0",)),
              node("GRU", ["t", "w", "r", "b", "", "h0"], ("o", "last"), hidden_size=6, linear_before_reset=1),
              node("Squeeze", ["o", "one"], ("q",)), node("Transpose", ["q"], ("z",), perm=[1, 0, 2]),
              node("Gather", ["z", "minus"], axis=1)],
             normal(3, 5), {"one": np.array([1]), "e": np.array([1, 3, 1]), "zero": np.array(0), "first": np.array([0]), "h": np.array([6]),
                            "w": normal(1, 18, 5), "r": normal(1, 18, 6), "b": normal(1, 36), "minus": np.array(-1)})
        # torch: multi-head attention of a transformer layer, by shape arithmetic
        rows("torch_attention",
             [node("MatMul", ["x", "wq"], ("q",)), node("MatMul", ["x", "wk"], ("k",)), node("MatMul", ["x", "wv"], ("v",)),
              *[node("Reshape", [n, "heads"], (n + "h",)) for n in "qkv"], *[node("Transpose", [n + "h"], (n + "t",), perm=[0, 2, 1, 3]) for n in "qv"],
              node("Transpose", ["kh"], ("kt",), perm=[0, 2, 3, 1]), node("MatMul", ["qt", "kt"], ("s",)), node("Div", ["s", "root"], ("d",)),
              node("Softmax", ["d"], ("p",), axis=-1), node("MatMul", ["p", "vt"], ("o",)), node("Transpose", ["o"], ("ot",), perm=[0, 2, 1, 3]),
              node("Reshape", ["ot", "back"], ("f",)), node("Add", ["f", "x"], ("r",)), node("LayerNormalization", ["r", "ls", "lb"], axis=-1)],
             normal(2, 5, 8), {"wq": normal(8, 8), "wk": normal(8, 8), "wv": normal(8, 8), "heads": np.array([0, 0, 2, 4]),
                               "root": np.float32(2), "back": np.array([0, 0, 8]), "ls": normal(8), "lb": normal(8)})
        # Keras by tf2onnx: channels last, transposed around a convolution
        rows("keras_conv",
             [node("MatMul", ["x", "dw"], ("a",)), node("Add", ["a", "db"], ("d",)), node("Relu", ["d"], ("e",)),
              node("Reshape", ["e", "s"], ("v",)), node("Transpose", ["v"], ("t",), perm=[0, 3, 1, 2]),
              node("ConvTranspose", ["t", "w"], ("c",), strides=[2, 2], auto_pad="SAME_UPPER"), node("Add", ["c", "cb"], ("k",)),
              node("LeakyRelu", ["k"], ("l",), alpha=0.3), node("Transpose", ["l"], ("o",), perm=[0, 2, 3, 1]), node("Reshape", ["o", "z"])],
             normal(3, 14), {"dw": normal(14, 48), "db": normal(48), "s": np.array([-1, 2, 3, 8]), "w": normal(8, 4, 3, 3),
                             "cb": normal(1, 4, 1, 1), "z": np.array([-1, 96])})

    def wide_convolutions():
        """Many channels, which lie side by side in vectors; inputs of one place."""
        for i in range(24):
            rank, groups = 1 + i % 3, pick(1, 1, 1, 2)
            each, outputs = int(RANDOM.integers(3, 25)), groups * int(RANDOM.integers(8, 101))
            kernel, strides, dilations = some(1, 4, rank), some(1, 2, rank), some(1, 2, rank)
            size = [int(RANDOM.integers((k - 1) * d + 1, (k - 1) * d + 6)) for k, d in zip(kernel, dilations)]
            terms = each * int(np.prod(kernel))
            constants = {"w": normal(outputs, each, *kernel, scale=terms**-0.5), **({"b": normal(outputs)} if i % 2 else {})}
            rows(f"wide_conv_{i}", [node("Conv", ["x", *constants], strides=strides, dilations=dilations,
                                         pads=some(0, 2, 2 * rank) if i % 4 else None, group=groups)],
                 normal(int(RANDOM.integers(1, 4)), groups * each, *size), constants)
        for i in range(24):
            rank, groups = 1 + i % 3, pick(1, 1, 1, 2)
            each, outputs = int(RANDOM.integers(3, 40)), int(RANDOM.integers(1, 101))
            one = i % 4 < 2  # place
            kernel, strides, dilations = some(2, 5 if one else 4, rank), some(1, 3, rank), some(1, 2, rank)
            more = [int(RANDOM.integers(0, max(s, d))) for s, d in zip(strides, dilations)] if i % 5 == 0 else None
            pads = some(0, 1, 2 * rank) if i % 3 else None
            terms = each * int(np.prod(kernel) / np.prod(strides) + 1)
            constants = {"w": normal(groups * each, outputs, *kernel, scale=terms**-0.5),
                         **({"b": normal(groups * outputs)} if i % 2 else {})}
            rows(f"wide_conv_transpose_{i}",
                 [node("ConvTranspose", ["x", *constants], strides=strides, dilations=dilations, pads=pads, group=groups,
                       output_padding=more)],
                 normal(int(RANDOM.integers(1, 8)), groups * each, *([1] * rank if one else some(1, 5, rank))), constants)

    def folded():
        """What a convolution takes with it, and what it must not."""
        w, b, t = normal(12, 6, 3, 3, scale=0.2), normal(12), normal(6, 12, 4, 4, scale=0.2)
        x, latent = normal(2, 6, 7, 12), normal(5, 6, 1, 1)
        statistics = {"bs": normal(12), "bb": normal(12), "bm": normal(12), "bv": np.abs(normal(12)) + 0.7}
        batch = lambda i, o: node("BatchNormalization", [i, *statistics], (o,))
        functions = [("LeakyRelu", {"alpha": 0.2}, 17), ("Relu", {}, 17), ("Tanh", {}, 17), ("Sigmoid", {}, 17), ("Softplus", {}, 17),
                     ("Elu", {}, 17), ("Selu", {}, 17), ("Celu", {"alpha": 0.7}, 17), ("Mish", {}, 18), ("HardSwish", {}, 17),
                     ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, 17), ("HardSigmoid", {}, 17), ("Softsign", {}, 17), ("Exp", {}, 17),
                     ("Erf", {}, 17), ("Gelu", {}, 20), ("Gelu", {"approximate": "tanh"}, 20)]
        for i, (op, attributes, opset) in enumerate(functions):
            for name, value, first in [("conv", x, node("Conv", ["x", "w", "b"], ("c",), pads=[1] * 4)),
                                       ("latent", latent, node("ConvTranspose", ["x", "w", "b"], ("c",), strides=[1, 2]))]:
                constants = {"w": w if name == "conv" else t, "b": b, **statistics}
                rows(f"folded_{name}_{i}_{op}", [first, batch("c", "n"), node(op, ["n"], **attributes)], value, constants, opset=opset)
                rows(f"folded_{name}_{i}_{op}_first", [first, node(op, ["c"], ("n",), **attributes), batch("n", "y")], value, constants,
                     opset=opset)
        conv = lambda i: [node("Conv", ["x", "w", *(["b"] if i % 2 else [])], ("c",), pads=[1] * 4)]
        for i, (op, other) in enumerate([(op, other) for op in ["Add", "Sub", "Mul", "Div"]
                                         for other in [normal(12, 1, 1), normal(1, 12, 1, 1), normal(1), normal(12), normal(1, 1, 12),
                                                       normal(7, 1), normal(1, 1, 7, 1), np.float32(0.7)]]):
            other = (np.abs(other) + 0.5).astype(np.float32)
            constants = {"w": w, "o": other, **({"b": b} if i % 2 else {})}
            rows(f"folded_{op}_{i}", [*conv(i), node(op, ["c", "o"], ("n",)), node("Relu", ["n"])], x, constants)
            rows(f"folded_{op}_{i}_turned", [*conv(i), node("Exp", ["c"], ("f",)), node(op, ["o", "f"])], x, constants)
        # twice the same value; a value that others read too; an output behind which there is more; two functions
        rows("folded_square", [*conv(0), node("Mul", ["c", "c"])], x, {"w": w})
        rows("folded_shared", [*conv(0), node("Relu", ["c"], ("r",)), node("Add", ["c", "r"])], x, {"w": w})
        case("folded_output", [*conv(0), node("Relu", ["c"])], {"x": x}, {"w": w}, outputs=("c", "y"))
        rows("folded_two", [*conv(0), node("Relu", ["c"], ("r",)), node("Tanh", ["r"])], x, {"w": w})
        rows("folded_affine_twice", [*conv(1), batch("c", "n"), node("Mul", ["n", "o"], ("m",)), node("LeakyRelu", ["m"], ("l",)),
                                     batch("l", "k"), node("Add", ["k", "o"])], x, {"w": w, "b": b, "o": normal(12, 1, 1), **statistics})
        # weights, biases and statistics that are not constant
        case("folded_dynamic_bias", [node("Conv", ["x", "w", "b"], ("c",)), batch("c", "n"), node("Relu", ["n"])], {"x": x, "b": b},
             {"w": w, **statistics})
        case("folded_dynamic_function", [node("ConvTranspose", ["x", "w", "b"], ("c",)), node("Relu", ["c"])], {"x": latent, "b": b},
             {"w": t})
        case("folded_dynamic_statistics", [node("Conv", ["x", "w"], ("c",)), batch("c", "y")], {"x": x, "bm": statistics["bm"]},
             {"w": w, **{k: v for k, v in statistics.items() if k != "bm"}})
        # places of the output that no tap reaches
        rows("folded_gaps", [node("ConvTranspose", ["x", "w", "b"], ("c",), strides=[3, 3], kernel_shape=[2, 2]), batch("c", "n"),
                             node("Sigmoid", ["n"], ("s",)), node("Mul", ["s", "o"])], normal(2, 6, 3, 2),
             {"w": normal(6, 12, 2, 2), "b": b, "o": normal(12, 1, 1), **statistics})
        rows("folded_gaps_latent", [node("ConvTranspose", ["x", "w", "b"], ("c",), dilations=[2, 3]), node("Sigmoid", ["c"])], latent,
             {"w": t, "b": b})
        rows("folded_float16", [node("Conv", ["x", "w"], ("c",)), node("Relu", ["c"], ("r",)), node("Mul", ["r", "o"])],
             x.astype(np.float16), {"w": w.astype(np.float16), "o": normal(12, 1, 1).astype(np.float16)})

    for part in [convolutions, pools, normalisations, activations, logic, casts, shapes, reductions, einsums, recurrent, resizes, generators,
                 wide_convolutions, folded]:
        part()
