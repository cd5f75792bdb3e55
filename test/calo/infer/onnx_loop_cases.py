"""Loop and If, for onnx_cases.py."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(13)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
TRIPS = {"m": np.array(5)}


def normal(*shape, scale=1.0):
    return (scale * RANDOM.standard_normal(shape)).astype(np.float32)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constants(values):
    return [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()]


def body(nodes, carried, outputs, initializers=None, condition=None, number="i", state="c"):
    """A loop's body; without a condition of its own it goes on as long as it is told to."""
    given = [value(number, [], INT64), value(state, [], BOOL), *carried]
    return helper.make_graph(nodes, "body", given, [value(condition or state, [], BOOL), *outputs],
                             constants(initializers or {}))


def branch(nodes, outputs, initializers=None):
    return helper.make_graph(nodes, "branch", [], outputs, constants(initializers or {}))


def add(case):
    """case(name, nodes, inputs, constants, opset, outputs, shapes) of onnx_cases.py."""
    x = normal(2, 3)
    v, w = value("v", [2, 3]), value("w", [2, 3])

    # a sum carried on, for each version of Loop
    step = node("Add", ["v", "d"], ["w"])
    for opset in [9, 11, 13, 16, 19, 21]:
        case(f"loop_sum_{opset}", [node("Loop", ["m", "k", "x"], ["y"], body=body([step], [v], [w], {"d": normal(3)}))],
             {"x": x}, {**TRIPS, "k": np.array(True)}, opset=opset)
    for name, inputs, more in [("count_only", ["m", "", "x"], TRIPS), ("count_list", ["m", "", "x"], {"m": np.array([4])}),
                               ("none", ["m", "", "x"], {"m": np.array(0)}), ("negative", ["m", "", "x"], {"m": np.array(-2)}),
                               ("never", ["m", "k", "x"], {**TRIPS, "k": np.array(False)})]:
        case(f"loop_{name}", [node("Loop", inputs, ["y"], body=body([step], [v], [w], {"d": normal(3)}))], {"x": x}, more)
    case("loop_count_given", [node("Loop", ["n", "", "x"], ["y"], body=body([step], [v], [w], {"d": normal(3)}))],
         {"x": x, "n": np.array(3)})

    # what ends it, with scan outputs as many as there were iterations
    double = [node("Add", ["v", "v"], ["w"]), node("ReduceMax", ["w"], ["top"], keepdims=0)]
    stop = [*double, node("Less", ["top", "limit"], ["on"])]
    limit = {"limit": np.float32(40)}
    for name, inputs in [("both", ["m", "k", "x"]), ("no_count", ["", "k", "x"]), ("neither", ["", "", "x"]),
                         ("no_condition", ["m", "", "x"])]:
        case(f"loop_stops_{name}",
             [node("Loop", inputs, ["y", "all", "tops"],
                   body=body(stop, [v], [w, value("w", [2, 3]), value("top", [])], limit, "on"))],
             {"x": np.abs(x) + 0.1}, {"m": np.array(20), "k": np.array(True)}, outputs=("y", "all", "tops"))
    case("loop_stops_not", [node("Loop", ["m", "k", "x"], ["y", "tops"], body=body(stop, [v], [w, value("top", [])], limit, "on"))],
         {"x": np.abs(x) + 0.1}, {"m": np.array(2), "k": np.array(True)}, outputs=("y", "tops"))
    case("loop_condition_made", [node("Less", ["s", "limit"], ["k"]),
                                 node("Loop", ["", "k", "x"], ["y"], body=body(stop, [v], [w], limit, "on"))],
         {"x": np.abs(x) + 0.1, "s": np.array(1, np.float32)}, limit)
    never = body([*double, node("Identity", ["no"], ["on"])], [v], [w], {"no": np.array(False)}, "on")
    case("loop_once", [node("Loop", ["m", "", "x"], ["y"], body=never)], {"x": x}, TRIPS)

    # scan outputs (of the iteration number itself onnxruntime gives the last one at every place)
    number = [node("Cast", ["i"], ["f"], to=FLOAT), node("Add", ["v", "f"], ["w"])]
    for trips in [0, 1, 5]:
        case(f"loop_scan_{trips}",
             [node("Loop", ["m", "", "x"], ["y", "a", "b", "n"],
                   body=body([*number, node("Add", ["i", "i"], ["n"])], [v], [w, value("v", [2, 3]), value("w", [2, 3]), value("n", [], INT64)]))],
             {"x": x}, {"m": np.array(trips)}, outputs=("y", "a", "b", "n"))
    case("loop_scan_only", [node("Loop", ["m", ""], ["y"], body=body([node("Cast", ["i"], ["f"], to=FLOAT), node("Mul", ["f", "x"], ["w"])],
                                                                     [], [w]))], {"x": x}, TRIPS)
    case("loop_scan_open", [node("Loop", ["m", "", "x"], ["y", "a"], body=body(number, [v], [w, value("w", ["p", 3])]))],
         {"x": x}, {"m": np.array(0)}, outputs=("y", "a"))
    case("loop_scan_constant", [node("Loop", ["m", "", "x"], ["y", "a"], body=body([*number, node("Identity", ["q"], ["o"])], [v], [w, value("o", [2])],
                                                                                   {"q": normal(2)}))],
         {"x": x}, TRIPS, outputs=("y", "a"))
    case("loop_scan_bools", [node("Loop", ["m", "", "x"], ["y", "a"],
                                  body=body([*number, node("Less", ["v", "w"], ["o"])], [v], [w, value("o", [2, 3], BOOL)]))],
         {"x": x}, TRIPS, outputs=("y", "a"))
    case("loop_scan_many", [node("Loop", ["m", ""], ["y"], body=body([node("Gather", ["x", "i"], ["w"], axis=0)], [], [value("w", [3])]))],
         {"x": normal(3000, 3)}, {"m": np.array(3000)})
    case("loop_scan_used", [node("Loop", ["m", "", "x"], ["l", "a"], body=body(number, [v], [w, value("w", [2, 3])])),
                            node("ReduceSum", ["a"], ["y"], keepdims=0)], {"x": x}, TRIPS)

    # values that pass by, change places, grow, or come twice
    a, b = value("a", [2, 3]), value("b", [2, 3])
    case("loop_turned", [node("Loop", ["m", "", "x", "z"], ["y", "u"], body=body([], [a, b], [b, a]))],
         {"x": x, "z": -x}, TRIPS, outputs=("y", "u"))
    case("loop_round", [node("Loop", ["m", "", "x", "z", "x"], ["y", "u", "t"],
                             body=body([node("Add", ["a", "b"], ["s"])], [a, b, value("e", [2, 3])], [b, value("e", [2, 3]), value("s", [2, 3])]))],
         {"x": x, "z": -2 * x}, TRIPS, outputs=("y", "u", "t"))
    case("loop_kept", [node("Loop", ["m", "", "x", "z"], ["y", "u"], body=body([node("Add", ["a", "b"], ["s"])], [a, b], [value("s", [2, 3]), b]))],
         {"x": x, "z": -2 * x}, TRIPS, outputs=("y", "u"))
    case("loop_twice", [node("Loop", ["m", "", "x", "z"], ["y", "u"],
                             body=body([node("Add", ["a", "b"], ["s"])], [a, b], [value("s", [2, 3]), value("s", [2, 3])]))],
         {"x": x, "z": -2 * x}, TRIPS, outputs=("y", "u"))
    case("loop_grows", [node("Loop", ["m", "", "x"], ["y"], body=body([node("Concat", ["v", "v"], ["w"], axis=0)], [value("v", ["p", 3])],
                                                                      [value("w", ["q", 3])]))], {"x": x}, {"m": np.array(4)})
    case("loop_integers", [node("Loop", ["m", "", "n", "t"], ["y", "u"],
                                body=body([node("Add", ["a", "i"], ["s"]), node("Mul", ["b", "b"], ["r"])], [value("a", [], INT64), value("b", [2], TensorProto.INT32)],
                                          [value("s", [], INT64), value("r", [2], TensorProto.INT32)]))],
         {"n": np.array(3), "t": np.array([7, -3], np.int32)}, TRIPS, outputs=("y", "u"))
    case("loop_double", [node("Loop", ["m", "", "x"], ["y", "u"],
                              body=body([node("Mul", ["v", "v"], ["w"])], [value("v", [2, 3], TensorProto.DOUBLE)],
                                        [value("w", [2, 3], TensorProto.DOUBLE), value("w", [2, 3], TensorProto.DOUBLE)]))],
         {"x": x.astype(np.float64)}, {"m": np.array(3)}, outputs=("y", "u"))
    case("loop_untyped", [node("Loop", ["m", "", "x"], ["y"], body=body([step], [helper.make_empty_tensor_value_info("v")], [w], {"d": normal(3)}))],
         {"x": x}, TRIPS)
    case("loop_number_list", [node("Loop", ["m", "", "x"], ["y", "a"],
                                   body=helper.make_graph(number, "body", [value("i", [1], INT64), value("c", [], BOOL), v],
                                                          [value("c", [], BOOL), w, value("f", [1])]))],
         {"x": x}, TRIPS, outputs=("y", "a"))

    # what a body takes from around it: inputs, constants, what was made before; and a name of its own that hides one
    outer = {"d": normal(3), "q": np.float32(0.5)}
    case("loop_captures",
         [node("Exp", ["z"], ["e"]), node("Neg", ["d"], ["nd"]),
          node("Loop", ["m", "", "x"], ["y", "u"],
               body=body([node("Mul", ["v", "q"], ["p"]), node("Add", ["p", "e"], ["s"]), node("Add", ["s", "nd"], ["t"]), node("Add", ["t", "d"], ["r"]),
                          node("Add", ["r", "z"], ["w"])], [v], [w, value("t", [2, 3])]))],
         {"x": x, "z": normal(2, 3)}, {**TRIPS, **outer}, outputs=("y", "u"))
    case("loop_captures_shared",
         [node("Exp", ["x"], ["e"]), node("Loop", ["m", "", "x"], ["l"], body=body([node("Add", ["v", "e"], ["w"])], [v], [w])),
          node("Add", ["l", "e"], ["y"])], {"x": x}, TRIPS)
    case("loop_hides", [node("Loop", ["m", "", "v"], ["y"], body=body([step], [v], [w], {"d": normal(3)}))], {"v": x}, {**TRIPS, "d": normal(3)})
    case("loops_alike", [node("Loop", ["m", "", "x"], ["l"], body=body([step], [v], [w], {"d": normal(3)})),
                         node("Loop", ["m", "", "l"], ["y"], body=body([step], [v], [w], {"d": normal(3)}))], {"x": x}, TRIPS)
    table = {"table": normal(5, 3)}
    gather = [node("Gather", ["table", "i"], ["row"], axis=0), node("Add", ["v", "row"], ["w"])]
    case("loop_gather", [node("Loop", ["m", "", "x"], ["y"], body=body(gather, [v], [w]))], {"x": x}, {**TRIPS, **table})
    case("loop_gather_own", [node("Loop", ["m", "", "x"], ["y"], body=body(gather, [v], [w], table))], {"x": x}, TRIPS)
    case("loop_gather_given", [node("Loop", ["m", "", "x"], ["y"], body=body(gather, [v], [w]))], {"x": x, **table}, TRIPS)

    # layers
    weights = {"g": normal(3, 3, scale=0.6), "h": normal(3)}
    statistics = {"bs": normal(3), "bb": normal(3), "bm": normal(3), "bv": np.abs(normal(3)) + 0.5}
    layer = [node("Gemm", ["v", "g", "h"], ["z"], transB=1), node("Tanh", ["z"], ["t"]),
             node("BatchNormalization", ["t", "bs", "bb", "bm", "bv"], ["w"])]
    for name, inner, around in [("outer", {}, {**weights, **statistics}), ("own", {**weights, **statistics}, {}), ("mixed", statistics, weights)]:
        case(f"loop_gemm_{name}", [node("Loop", ["m", "", "x"], ["y"], body=body(layer, [v], [w], inner))], {"x": x}, {**TRIPS, **around})
    case("loop_gemm_shared", [node("Gemm", ["x", "g"], ["s"]), node("Loop", ["m", "", "s"], ["l"], body=body(layer, [v], [w], statistics)),
                              node("Gemm", ["l", "g"], ["y"], transB=1)], {"x": x}, {**TRIPS, **weights})
    case("loop_matmul_folded", [node("Transpose", ["g"], ["gt"], perm=[1, 0]),
                                node("Loop", ["m", "", "x"], ["y"], body=body([node("Mul", ["gt", "q"], ["gq"]), node("MatMul", ["v", "gq"], ["p"]),
                                                                              node("Add", ["p", "h"], ["w"])], [v], [w]))],
         {"x": x}, {**TRIPS, **weights, "q": np.float32(0.7)})
    # Weights that large stay narrow until a layer packs them.
    wide, wv, ww = normal(2, 300), value("v", [2, 300]), value("w", [2, 300])
    narrow = {"n": RANDOM.integers(-127, 128, (300, 300), dtype=np.int8), "s": np.float32(0.0005)}
    for name, nodes, inner, inner_nodes in [
            ("outer", [node("DequantizeLinear", ["n", "s"], ["g"])], {}, []), ("own", [], narrow, [node("DequantizeLinear", ["n", "s"], ["g"])]),
            ("read_inside", [], {}, [node("DequantizeLinear", ["n", "s"], ["g"])])]:
        case(f"loop_narrow_{name}",
             [*nodes, node("Loop", ["m", "", "x"], ["y"], body=body([*inner_nodes, node("MatMul", ["v", "g"], ["w"])], [wv], [ww], inner))],
             {"x": wide}, {**TRIPS, **({} if inner else narrow)})
    case("loop_narrow_and_floats",
         [node("DequantizeLinear", ["n", "s"], ["g"]),
          node("Loop", ["m", "", "x"], ["l"], body=body([node("MatMul", ["v", "g"], ["p"]), node("Gather", ["g", "i"], ["r"], axis=0), node("Add", ["p", "r"], ["w"])],
                                                        [wv], [ww])),
          node("MatMul", ["l", "g"], ["y"])], {"x": wide}, {**TRIPS, **narrow})
    case("loop_conv", [node("Loop", ["m", "", "x"], ["y"],
                            body=body([node("Conv", ["v", "k", "kb"], ["z"], pads=[1, 1]), node("Relu", ["z"], ["w"])], [value("v", [1, 2, 7])],
                                      [value("w", [1, 2, 7])]))], {"x": normal(1, 2, 7)}, {**TRIPS, "k": normal(2, 2, 3), "kb": normal(2)})

    # loops in loops, which read every graph around them
    inner = body([node("Add", ["iv", "e"], ["p"]), node("Mul", ["p", "q"], ["r"]), node("Add", ["r", "f"], ["s"]), node("Add", ["s", "v"], ["t"]),
                  node("Add", ["t", "d"], ["iw"])], [value("iv", [2, 3])], [value("iw", [2, 3]), value("p", [2, 3])], {"d": normal(3)}, number="ii", state="ic")
    nested = body([node("Cast", ["i"], ["f"], to=FLOAT), node("Loop", ["i", "", "v"], ["w", "parts"], body=inner), node("ReduceSum", ["parts"], ["sum"], keepdims=0)],
                  [v], [w, value("sum", [])])
    case("loop_nested", [node("Exp", ["x"], ["e"]), node("Loop", ["m", "", "x"], ["y", "u"], body=nested)], {"x": normal(2, 3, scale=0.3)},
         {"m": np.array(4), "q": np.float32(0.3)}, outputs=("y", "u"))
    deep = body([node("Add", ["v7", "x"], ["w7"])], [value("v7", [2, 3])], [value("w7", [2, 3])], number="i7", state="c7")
    for k in range(6, -1, -1):
        deep = body([node("Loop", ["m", "", f"v{k}"], [f"w{k}"], body=deep)], [value(f"v{k}", [2, 3])], [value(f"w{k}", [2, 3])], number=f"i{k}", state=f"c{k}")
    case("loop_eight_deep", [node("Loop", ["m", "", "x"], ["y"], body=deep)], {"x": x}, {"m": np.array(2)})
    sub = body([node("Gemm", ["iv", "g", "h"], ["z"]), node("Tanh", ["z"], ["iw"])], [value("iv", [2, 3])], [value("iw", [2, 3])], number="ii", state="ic")
    case("loop_nested_gemm", [node("Loop", ["m", "", "x"], ["y"], body=body([node("Loop", ["m", "", "v"], ["w"], body=sub)], [v], [w]))],
         {"x": x}, {"m": np.array(3), **weights})

    # branches
    yes, no = branch([node("Mul", ["x", "e"], ["a"])], [value("a", [2, 3])]), branch([node("Gemm", ["x", "g", "h"], ["b"])], [value("b", [2, 3])])
    for k in [True, False]:
        case(f"if_{k}", [node("Exp", ["x"], ["e"]), node("If", ["k"], ["y"], then_branch=yes, else_branch=no)], {"x": x, "k": np.array(k)}, weights)
        case(f"if_constant_{k}", [node("Exp", ["x"], ["e"]), node("If", ["k"], ["y"], then_branch=yes, else_branch=no)], {"x": x},
             {**weights, "k": np.array([k])}, opset=16)
        case(f"if_shapes_{k}", [node("If", ["k"], ["y", "n"], then_branch=branch([node("Concat", ["x", "x"], ["a"], axis=0), node("Shape", ["a"], ["an"])],
                                                                                 [value("a", [4, 3]), value("an", [2], INT64)]),
                                     else_branch=branch([node("Identity", ["t"], ["b"]), node("Identity", ["tn"], ["bn"])], [value("b", [1, 3]), value("bn", [2], INT64)],
                                                        {"t": normal(1, 3), "tn": np.array([8, 9])}))],
             {"x": x, "k": np.array(k)}, outputs=("y", "n"))
    choice = node("If", ["even"], ["w"], then_branch=branch([node("Mul", ["v", "q"], ["a"])], [value("a", [2, 3])]),
                  else_branch=branch([node("Sub", ["v", "x"], ["b"])], [value("b", [2, 3])]))
    case("loop_if", [node("Loop", ["m", "", "x"], ["y"],
                          body=body([node("Mod", ["i", "two"], ["rest"]), node("Equal", ["rest", "zero"], ["even"]), choice], [v], [w],
                                    {"two": np.array(2), "zero": np.array(0)}))], {"x": x}, {**TRIPS, "q": np.float32(3)})
    case("if_loop", [node("If", ["k"], ["y"],
                          then_branch=branch([node("Loop", ["m", "", "x"], ["a"], body=body([node("Add", ["v", "x"], ["w"])], [v], [w]))], [value("a", [2, 3])]),
                          else_branch=branch([node("Neg", ["x"], ["b"])], [value("b", [2, 3])]))], {"x": x, "k": np.array(True)}, TRIPS)

    # a bound that is infinite
    case("loop_infinite_bound", [node("Loop", ["m", "", "start"], ["l"], body=body([node("Gather", ["x", "i"], ["row"], axis=0), node("Max", ["v", "row"], ["w"])],
                                                                                   [value("v", [3])], [value("w", [3])])),
                                 node("Max", ["l", "floor"], ["y"])],
         {"x": normal(5, 3)}, {**TRIPS, "start": np.full(3, -np.inf, np.float32), "floor": np.float32(-9)})
