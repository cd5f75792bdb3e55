#include "calo/infer/detail/row_shapes.h"

#include <algorithm>
#include <optional>
#include <set>

#include "calo/infer/detail/convolution.h"
#include "calo/infer/operators.h"
#include "core/error.h"

namespace calo::infer {
namespace {

using MaybeShape = std::optional<Shape>;

class Analysis {
 public:
  Analysis(const std::map<std::string, Shape>& constants,
           const std::map<std::string, std::vector<std::int64_t>>& integers, std::int64_t opset)
      : constants_(constants), integers_(integers), opset_(opset) {}

  RowShapes rows;

  void visit(const OnnxNode& node) {
    if (node.op_type == "Split") return split(node);
    if (node.outputs.size() != 1) return;
    if (MaybeShape shape = of(node)) rows[node.outputs[0]] = *shape;
  }

 private:
  MaybeShape row(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size()) return {};
    const auto found = rows.find(node.inputs[i]);
    return found != rows.end() ? MaybeShape(found->second) : MaybeShape();
  }
  MaybeShape constant(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size()) return {};
    const auto found = constants_.find(node.inputs[i]);
    return found != constants_.end() ? MaybeShape(found->second) : MaybeShape();
  }
  const std::vector<std::int64_t>* numbers(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size()) return nullptr;
    const auto found = integers_.find(node.inputs[i]);
    return found != integers_.end() ? &found->second : nullptr;
  }

  MaybeShape of(const OnnxNode& node) const {
    static const std::set<std::string> kUnary = {"Abs",         "Acos",     "Acosh",     "Asin",
                                                 "Asinh",       "Atan",     "Atanh",     "Cast",
                                                 "Ceil",        "Celu",     "Clip",      "Cos",
                                                 "Cosh",        "Elu",      "Erf",       "Exp",
                                                 "Floor",       "Gelu",     "HardSwish", "Identity",
                                                 "HardSigmoid", "IsInf",    "IsNaN",     "LeakyRelu",
                                                 "Log",         "Mish",     "Neg",       "Not",
                                                 "Reciprocal",  "Relu",     "Round",     "Selu",
                                                 "Shrink",      "Sigmoid",  "Sign",      "Sin",
                                                 "Sinh",        "Softplus", "Softsign",  "Sqrt",
                                                 "Tan",         "Tanh",     "Dropout",   "ThresholdedRelu"};
    static const std::set<std::string> kTogether = {
        "Add",  "Sub",   "Mul",     "Div",         "Pow",
        "Min",  "Max",   "Sum",     "Mean",        "Mod",
        "Less", "Equal", "Greater", "LessOrEqual", "GreaterOrEqual",
        "And",  "Or",    "Xor",     "Where"};
    const std::string& op = node.op_type;
    if (kUnary.contains(op)) return constants_from(node, 1) ? row(node, 0) : MaybeShape();
    if (kTogether.contains(op)) return together(node);
    if (op == "PRelu") return row(node, 0) ? together(node) : MaybeShape();
    if (op == "Gemm" || op == "MatMul") return product(node);
    if (op == "BatchNormalization" || op == "InstanceNormalization" || op == "GroupNormalization") {
      const MaybeShape in = row(node, 0);
      return in && in->rank > 1 && constants_from(node, 1) ? in : MaybeShape();
    }
    if (op == "LayerNormalization" || op == "LpNormalization") {
      return constants_from(node, 1) && along(node, -1) ? row(node, 0) : MaybeShape();
    }
    if (op == "Softmax" || op == "LogSoftmax")
      return along(node, opset_ < 13 ? 1 : -1) ? row(node, 0) : MaybeShape();
    if (op == "Conv" || op == "ConvTranspose") return convolution(node);
    if (op == "GlobalAveragePool" || op == "GlobalMaxPool") {
      MaybeShape in = row(node, 0);
      for (std::size_t d = 2; in && d < in->rank; ++d) (*in)[d] = 1;
      return in && in->rank > 2 ? in : MaybeShape();
    }
    if (op == "Transpose") return transpose(node);
    if (op == "Unsqueeze" || op == "Squeeze") return squeeze(node);
    if (op == "Pad") return pad(node);
    if (op.starts_with("Reduce")) return reduce(node);
    if (op == "Concat") return concat(node);
    if (op == "Slice") return slice(node);
    if (op == "Gather") return gather(node);
    if (op == "RandomNormal" || op == "RandomUniform") {
      const std::vector<std::int64_t> shape = ints_attribute(node, "shape");
      if (shape.size() < 2 || shape.size() > Shape::kMaxRank || shape[0] != 1) return {};
      Shape out(shape);
      out[0] = -1;
      return out;
    }
    if (op == "RandomNormalLike" || op == "RandomUniformLike") return row(node, 0);
    if (op == "Reshape" || op == "Flatten") return reshape(node);
    return {};
  }

  // A constant that is added to each row in the same way.
  static bool same_for_all(const Shape& constant, const Shape& row) {
    return constant.rank < row.rank || (constant.rank == row.rank && constant.rank > 0 && constant[0] == 1);
  }

  static MaybeShape merged(const Shape& row, const Shape& other) {
    Shape out = row;
    for (std::size_t i = 1; i <= std::min(row.rank, other.rank); ++i) {
      if (i == row.rank) break;  // the batch
      const std::int64_t a = row[row.rank - i], b = other[other.rank - i];
      if (a != b && a != 1 && b != 1) return {};
      out[row.rank - i] = a == 1 ? b : a;
    }
    return out;
  }

  bool constants_from(const OnnxNode& node, std::size_t first) const {
    for (std::size_t i = first; i < node.inputs.size(); ++i)
      if (!node.inputs[i].empty() && !constant(node, i)) return false;
    return true;
  }

  // Whether the attribute "axis" is one within rows.
  bool along(const OnnxNode& node, std::int64_t otherwise) const {
    const MaybeShape in = row(node, 0);
    const std::int64_t axis = int_attribute(node, "axis", otherwise);
    return in && in->rank > 1 && axis != 0 && axis > -static_cast<std::int64_t>(in->rank);
  }

  // Axes within rows, counted from the first; nothing if they are not known, or the batch is one.
  std::optional<std::vector<std::int64_t>> axes_of(const OnnxNode& node, std::size_t rank) const {
    std::vector<std::int64_t> axes = ints_attribute(node, "axes");
    if (node.inputs.size() > 1) {
      const std::vector<std::int64_t>* given = numbers(node, 1);
      if (given == nullptr) return {};
      axes = *given;
    }
    for (std::int64_t& axis : axes) {
      if (axis < 0) axis += static_cast<std::int64_t>(rank);
      if (axis <= 0 || axis >= static_cast<std::int64_t>(rank)) return {};
    }
    if (axes.empty()) return {};
    return axes;
  }

  // Rows and constants, combined element by element.
  MaybeShape together(const OnnxNode& node) const {
    MaybeShape out;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (const MaybeShape in = row(node, i)) {
        if (out && out->rank != in->rank) return {};
        out = out ? merged(*out, *in) : in;
        if (!out) return {};
      }
    for (std::size_t i = 0; out && i < node.inputs.size(); ++i) {
      if (row(node, i)) continue;
      const MaybeShape fixed = constant(node, i);
      out = fixed && same_for_all(*fixed, *out) ? merged(*out, *fixed) : MaybeShape();
    }
    return out;
  }

  MaybeShape convolution(const OnnxNode& node) const {
    const MaybeShape in = row(node, 0), weights = constant(node, 1);
    if (!in || !weights || !constants_from(node, 1)) return {};
    try {
      Shape one = *in;
      one[0] = 1;
      Shape out = Convolution(node, node.op_type == "ConvTranspose").output_shape(one, *weights);
      out[0] = -1;
      return out;
    } catch (const core::InputError&) {  // said again, with its place, when it runs
      return {};
    }
  }

  MaybeShape transpose(const OnnxNode& node) const {
    const MaybeShape in = row(node, 0);
    const std::vector<std::int64_t> order = ints_attribute(node, "perm");
    if (!in || order.size() != in->rank || order[0] != 0) return {};
    Shape out{-1};
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (order[i] <= 0 || order[i] >= static_cast<std::int64_t>(in->rank)) return {};
      out.push_back((*in)[static_cast<std::size_t>(order[i])]);
    }
    return out;
  }

  MaybeShape squeeze(const OnnxNode& node) const {
    const MaybeShape in = row(node, 0);
    if (!in) return {};
    const bool adds = node.op_type == "Unsqueeze";
    const std::size_t count = node.inputs.size() > 1 && numbers(node, 1) != nullptr
                                  ? numbers(node, 1)->size()
                                  : ints_attribute(node, "axes").size();
    const std::size_t rank = in->rank + (adds ? count : 0);
    if (rank > Shape::kMaxRank) return {};
    const auto axes = axes_of(node, rank);
    if (!axes) return {};
    const std::set<std::int64_t> named(axes->begin(), axes->end());
    if (named.size() != axes->size()) return {};
    Shape out;
    std::size_t next = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      if (named.contains(static_cast<std::int64_t>(i))) {
        if (adds)
          out.push_back(1);
        else if ((*in)[next++] != 1)
          return {};
      } else {
        out.push_back((*in)[next++]);
      }
    }
    return out;
  }

  MaybeShape reduce(const OnnxNode& node) const {
    const MaybeShape in = row(node, 0);
    if (!in) return {};
    const auto axes = axes_of(node, in->rank);
    if (!axes) return {};
    Shape out;
    for (std::size_t i = 0; i < in->rank; ++i) {
      const bool gone = std::find(axes->begin(), axes->end(), static_cast<std::int64_t>(i)) != axes->end();
      if (!gone)
        out.push_back((*in)[i]);
      else if (int_attribute(node, "keepdims", 1) != 0)
        out.push_back(1);
    }
    return out;
  }

  MaybeShape pad(const OnnxNode& node) const {
    MaybeShape in = row(node, 0);
    const std::vector<std::int64_t> attribute = ints_attribute(node, "pads");
    const std::vector<std::int64_t>* pads = opset_ < 11 ? &attribute : numbers(node, 1);
    if (!in || pads == nullptr || pads->size() != 2 * in->rank || !constants_from(node, 1)) return {};
    if (node.inputs.size() > 3 && !node.inputs[3].empty()) return {};
    if ((*pads)[0] != 0 || (*pads)[in->rank] != 0) return {};
    for (std::size_t i = 1; i < in->rank; ++i) {
      constexpr std::int64_t kMost = std::int64_t{1} << 30;
      const std::int64_t before = (*pads)[i], after = (*pads)[in->rank + i];
      if (before < -kMost || before > kMost || after < -kMost || after > kMost) return {};
      if (((*in)[i] += before + after) < 0) return {};
    }
    return in;
  }

  void split(const OnnxNode& node) {
    const MaybeShape in = row(node, 0);
    if (!in || node.outputs.empty()) return;
    std::int64_t axis = int_attribute(node, "axis", 0);
    if (axis < 0) axis += static_cast<std::int64_t>(in->rank);
    if (axis <= 0 || axis >= static_cast<std::int64_t>(in->rank)) return;
    std::vector<std::int64_t> sizes = ints_attribute(node, "split");
    const auto parts = static_cast<std::int64_t>(node.outputs.size());
    const std::int64_t extent = (*in)[static_cast<std::size_t>(axis)];
    if (node.inputs.size() > 1 && !node.inputs[1].empty()) {
      if (numbers(node, 1) == nullptr) return;
      sizes = *numbers(node, 1);
    } else if (sizes.empty()) {
      if (extent % parts != 0) return;
      sizes.assign(node.outputs.size(), extent / parts);
    }
    if (sizes.size() != node.outputs.size()) return;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] < 0 || sizes[i] > extent) return;
      if (node.outputs[i].empty()) continue;
      Shape out = *in;
      out[static_cast<std::size_t>(axis)] = sizes[i];
      rows[node.outputs[i]] = out;
    }
  }

  MaybeShape product(const OnnxNode& node) const {
    const bool gemm = node.op_type == "Gemm";
    const MaybeShape in = row(node, 0), weight = constant(node, 1);
    if (const MaybeShape other = row(node, 1); !gemm && in && other) {
      if (in->rank < 3 || other->rank != in->rank || (*in)[in->rank - 1] != (*other)[in->rank - 2]) return {};
      Shape out = *in;
      for (std::size_t i = 1; i + 2 < in->rank; ++i) {
        const std::int64_t a = (*in)[i], b = (*other)[i];
        if (a != b && a != 1 && b != 1) return {};
        out[i] = a == 1 ? b : a;
      }
      out[out.rank - 1] = (*other)[other->rank - 1];
      return out;
    }
    if (!in || !weight || weight->rank != 2 || in->rank < 2) return {};
    if (gemm && (in->rank != 2 || int_attribute(node, "transA", 0) != 0)) return {};
    const bool turned = gemm && int_attribute(node, "transB", 0) != 0;
    if (gemm && node.inputs.size() > 2 && !node.inputs[2].empty()) {
      const MaybeShape bias = constant(node, 2);
      if (!bias || (bias->rank == 2 && (*bias)[0] != 1)) return {};
    }
    Shape out = *in;
    if (out[out.rank - 1] != (*weight)[turned ? 1 : 0]) return {};
    out[out.rank - 1] = (*weight)[turned ? 0 : 1];
    return out;
  }

  MaybeShape concat(const OnnxNode& node) const {
    MaybeShape out;
    std::int64_t axis = int_attribute(node, "axis", 0);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const MaybeShape in = row(node, i);
      if (!in) return {};
      if (!out) {
        out = in;
        if (axis < 0) axis += static_cast<std::int64_t>(out->rank);
        if (axis <= 0 || axis >= static_cast<std::int64_t>(out->rank)) return {};
        continue;
      }
      if (in->rank != out->rank) return {};
      (*out)[static_cast<std::size_t>(axis)] += (*in)[static_cast<std::size_t>(axis)];
    }
    return out;
  }

  MaybeShape slice(const OnnxNode& node) const {
    MaybeShape in = row(node, 0);
    const auto *starts = numbers(node, 1), *ends = numbers(node, 2), *axes = numbers(node, 3);
    if (!in || starts == nullptr || ends == nullptr || axes == nullptr) return {};
    if (node.inputs.size() > 4) {
      const auto* steps = numbers(node, 4);
      if (steps == nullptr || std::any_of(steps->begin(), steps->end(), [](auto step) { return step != 1; }))
        return {};
    }
    if (starts->size() != axes->size() || ends->size() != axes->size()) return {};
    for (std::size_t i = 0; i < axes->size(); ++i) {
      std::int64_t axis = (*axes)[i];
      if (axis < 0) axis += static_cast<std::int64_t>(in->rank);
      if (axis <= 0 || axis >= static_cast<std::int64_t>(in->rank)) return {};
      std::int64_t& extent = (*in)[static_cast<std::size_t>(axis)];
      const auto within = [&](std::int64_t at) {
        if (at < 0) at = at < -extent ? 0 : at + extent;
        return std::min(at, extent);
      };
      extent = std::max<std::int64_t>(0, within((*ends)[i]) - within((*starts)[i]));
    }
    return in;
  }

  MaybeShape gather(const OnnxNode& node) const {
    const MaybeShape in = row(node, 0), indices = constant(node, 1);
    if (!in || !indices) return {};
    std::int64_t axis = int_attribute(node, "axis", 0);
    if (axis < 0) axis += static_cast<std::int64_t>(in->rank);
    if (axis <= 0 || axis >= static_cast<std::int64_t>(in->rank)) return {};
    if (in->rank - 1 + indices->rank > Shape::kMaxRank) return {};
    Shape out;
    for (std::size_t i = 0; i < in->rank; ++i) {
      if (i != static_cast<std::size_t>(axis)) {
        out.push_back((*in)[i]);
        continue;
      }
      for (const std::int64_t extent : indices->span()) out.push_back(extent);
    }
    return out;
  }

  MaybeShape reshape(const OnnxNode& node) const {
    const MaybeShape in = row(node, 0);
    if (!in) return {};
    std::int64_t each = 1;
    for (std::size_t i = 1; i < in->rank; ++i) {
      if ((*in)[i] <= 0 || each > (std::int64_t{1} << 40) / (*in)[i]) return {};
      each *= (*in)[i];
    }
    if (node.op_type == "Flatten")
      return int_attribute(node, "axis", 1) == 1 ? MaybeShape(Shape{-1, each}) : MaybeShape();
    const std::vector<std::int64_t>* target = numbers(node, 1);
    if (target == nullptr || target->empty() || target->size() > Shape::kMaxRank) return {};
    if ((*target)[0] < -1 || (*target)[0] > 1) return {};
    Shape out{-1};
    std::int64_t known = 1;
    std::size_t open = 0;
    for (std::size_t i = 1; i < target->size(); ++i) {
      std::int64_t extent = (*target)[i];
      if (extent == 0) extent = i < in->rank ? (*in)[i] : 0;
      if (extent == -1) {
        if (open != 0 || (*target)[0] == -1) return {};
        open = i;
      } else if (extent <= 0 || known > each / extent) {
        return {};
      } else {
        known *= extent;
      }
      out.push_back(extent);
    }
    if (each % known != 0 || (open == 0 && known != each)) return {};
    if (open != 0) out[open] = each / known;
    return out;
  }

  const std::map<std::string, Shape>& constants_;
  const std::map<std::string, std::vector<std::int64_t>>& integers_;
  std::int64_t opset_;
};

}  // namespace

RowShapes find_row_shapes(const OnnxGraph& graph, const std::map<std::string, Shape>& constants,
                          const std::map<std::string, std::vector<std::int64_t>>& integers) {
  Analysis analysis(constants, integers, graph.opset);
  for (const OnnxValue& input : graph.inputs) {
    if (input.shape.empty() || (input.shape[0] != 1 && input.shape[0] != -1)) continue;
    if (std::any_of(input.shape.begin() + 1, input.shape.end(), [](auto extent) { return extent < 0; }))
      continue;
    Shape shape(input.shape);
    shape[0] = -1;
    analysis.rows[input.name] = shape;
  }
  for (const OnnxNode& node : graph.nodes) analysis.visit(node);
  return analysis.rows;
}

}  // namespace calo::infer
