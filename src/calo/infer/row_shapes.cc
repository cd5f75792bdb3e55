#include "calo/infer/row_shapes.h"

#include <algorithm>
#include <optional>
#include <set>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

using Found = std::optional<Shape>;

class Analysis {
 public:
  Analysis(const std::map<std::string, Shape>& constants,
           const std::map<std::string, std::vector<std::int64_t>>& integers)
      : constants_(constants), integers_(integers) {}

  RowShapes rows;

  void visit(const OnnxNode& node) {
    if (node.outputs.size() != 1) return;
    if (Found shape = of(node)) rows[node.outputs[0]] = *shape;
  }

 private:
  Found row(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size()) return {};
    const auto found = rows.find(node.inputs[i]);
    return found != rows.end() ? Found(found->second) : Found();
  }
  Found constant(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size()) return {};
    const auto found = constants_.find(node.inputs[i]);
    return found != constants_.end() ? Found(found->second) : Found();
  }
  const std::vector<std::int64_t>* numbers(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size()) return nullptr;
    const auto found = integers_.find(node.inputs[i]);
    return found != integers_.end() ? &found->second : nullptr;
  }

  Found of(const OnnxNode& node) const {
    static const std::set<std::string> kUnary = {
        "Relu", "LeakyRelu", "Elu",        "Selu",     "Tanh",  "Sigmoid", "Softplus", "Gelu",
        "Clip", "Cast",      "Neg",        "Exp",      "Log",   "Sqrt",    "Erf",      "Abs",
        "Sin",  "Cos",       "Reciprocal", "Identity", "Floor", "Ceil"};
    static const std::set<std::string> kBinary = {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"};
    const std::string& op = node.op_type;
    if (kUnary.contains(op)) {
      for (std::size_t i = 1; i < node.inputs.size(); ++i)
        if (!node.inputs[i].empty() && !constant(node, i)) return {};
      return row(node, 0);
    }
    if (kBinary.contains(op)) return binary(node);
    if (op == "Gemm" || op == "MatMul") return product(node);
    if (op == "BatchNormalization") {
      for (std::size_t i = 1; i < 5; ++i)
        if (!constant(node, i)) return {};
      const Found in = row(node, 0);
      return in && in->rank > 1 ? in : Found();
    }
    if (op == "Concat") return concat(node);
    if (op == "Slice") return slice(node);
    if (op == "Gather") return gather(node);
    if (op == "Softmax") {
      const Found in = row(node, 0);
      const std::int64_t axis = int_attribute(node, "axis", -1);
      return in && in->rank > 1 && axis != 0 && axis > -static_cast<std::int64_t>(in->rank) ? in : Found();
    }
    if (op == "RandomNormal") {
      const std::vector<std::int64_t> shape = ints_attribute(node, "shape");
      if (shape.size() < 2 || shape.size() > Shape::kMaxRank || shape[0] != 1) return {};
      Shape out(shape);
      out[0] = -1;
      return out;
    }
    if (op == "RandomNormalLike") return row(node, 0);
    if (op == "Reshape" || op == "Flatten") return reshape(node);
    return {};
  }

  // A constant that is added to each row in the same way.
  static bool same_for_all(const Shape& constant, const Shape& row) {
    return constant.rank < row.rank || (constant.rank == row.rank && constant.rank > 0 && constant[0] == 1);
  }

  static Found merged(const Shape& row, const Shape& other) {
    Shape out = row;
    for (std::size_t i = 1; i <= std::min(row.rank, other.rank); ++i) {
      if (i == row.rank) break;  // the batch
      const std::int64_t a = row[row.rank - i], b = other[other.rank - i];
      if (a != b && a != 1 && b != 1) return {};
      out[row.rank - i] = a == 1 ? b : a;
    }
    return out;
  }

  Found binary(const OnnxNode& node) const {
    const Found a = row(node, 0), b = row(node, 1), c = constant(node, 0), d = constant(node, 1);
    if (a && b) return a->rank == b->rank ? merged(*a, *b) : Found();
    if (a && d && same_for_all(*d, *a)) return merged(*a, *d);
    if (b && c && same_for_all(*c, *b)) return merged(*b, *c);
    return {};
  }

  Found product(const OnnxNode& node) const {
    const bool gemm = node.op_type == "Gemm";
    const Found in = row(node, 0), weight = constant(node, 1);
    if (!in || !weight || weight->rank != 2 || in->rank < 2) return {};
    if (gemm && (in->rank != 2 || int_attribute(node, "transA", 0) != 0)) return {};
    const bool turned = gemm && int_attribute(node, "transB", 0) != 0;
    if (gemm && node.inputs.size() > 2 && !node.inputs[2].empty()) {
      const Found bias = constant(node, 2);
      if (!bias || (bias->rank == 2 && (*bias)[0] != 1)) return {};
    }
    Shape out = *in;
    if (out[out.rank - 1] != (*weight)[turned ? 1 : 0]) return {};
    out[out.rank - 1] = (*weight)[turned ? 0 : 1];
    return out;
  }

  Found concat(const OnnxNode& node) const {
    Found out;
    std::int64_t axis = int_attribute(node, "axis", 0);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Found in = row(node, i);
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

  Found slice(const OnnxNode& node) const {
    Found in = row(node, 0);
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

  Found gather(const OnnxNode& node) const {
    const Found in = row(node, 0), indices = constant(node, 1);
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

  Found reshape(const OnnxNode& node) const {
    const Found in = row(node, 0);
    if (!in) return {};
    std::int64_t each = 1;
    for (std::size_t i = 1; i < in->rank; ++i) {
      if ((*in)[i] <= 0 || each > (std::int64_t{1} << 40) / (*in)[i]) return {};
      each *= (*in)[i];
    }
    if (node.op_type == "Flatten")
      return int_attribute(node, "axis", 1) == 1 ? Found(Shape{-1, each}) : Found();
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
};

}  // namespace

RowShapes find_row_shapes(const OnnxGraph& graph, const std::map<std::string, Shape>& constants,
                          const std::map<std::string, std::vector<std::int64_t>>& integers) {
  Analysis analysis(constants, integers);
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
