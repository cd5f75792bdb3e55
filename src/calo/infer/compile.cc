#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "calo/infer/cascade/stored.h"
#include "calo/infer/detail/control_flow.h"
#include "calo/infer/detail/convolution.h"
#include "calo/infer/detail/graph_values.h"
#include "calo/infer/detail/row_shapes.h"
#include "calo/infer/program.h"
#include "core/error.h"

namespace calo::infer {
namespace {

class Compiler : GraphValues {
 public:
  /// @param outer  of a body: what compiles the graph around it
  Compiler(OnnxGraph graph, const CompileOptions& options, Compiler* outer = nullptr)
      : GraphValues(std::move(graph), options, outer), outer_(outer) {}

  Program compile() {
    number_values();
    check_narrow_constants();
    wanted_ = outer_ != nullptr    ? outer_->wanted_
              : options_.precision ? options_.precision
                                   : precision_of_file();
    if (options_.fuse && outer_ == nullptr)
      if (const auto cascade = cascade::stored_cascade(graph_))
        program_.sampler = std::make_shared<cascade::Sampler>(
            *cascade,
            PackedLayer::Options{.precision = wanted_.value_or(Precision::kFp32), .isa = options_.isa});
    keep_what_is_needed();
    fold_constants();
    count_consumers();
    // What a body is given is not by row: nothing is known of it.
    if (options_.fuse && outer_ == nullptr)
      rows_ = find_row_shapes(graph_, constant_shapes(), constant_lists());
    program_.by_row = !graph_.outputs.empty() &&
                      std::all_of(graph_.outputs.begin(), graph_.outputs.end(),
                                  [&](const OnnxValue& output) { return rows_.contains(output.name); });
    std::map<std::size_t, Program::Step> steps;  // by the node that they stand for last
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (done_[n]) continue;
      if (options_.fuse && (fuse_output(n, steps) || fuse_dense(n, steps) || fuse_convolution(n, steps)))
        continue;
      steps[n] = interpreted(n);
      done_[n] = true;
    }
    for (auto& [n, step] : steps) program_.steps.push_back(std::move(step));
    finish();
    return std::move(program_);
  }

 private:
  // A product of rows with constant weights: Gemm, or MatMul and perhaps an Add.
  struct Product {
    std::string input, result, weight;
    WeightView view;
    std::vector<float> bias, scales;  // scales: what view.scales sees
    std::int64_t in = 0;
    std::vector<std::size_t> nodes;
    bool is_matrix = false;  // surely of two dimensions
    bool is_half = false;    // float16, rounded after each operator
  };

  std::optional<Product> product(std::size_t n) {
    const OnnxNode& node = graph_.nodes[n];
    const bool gemm = node.op_type == "Gemm";
    if ((!gemm && node.op_type != "MatMul") || node.inputs.size() < 2 || node.outputs.size() != 1) return {};
    const std::string& weight = node.inputs[1];
    if (weight.empty() || node.inputs[0].empty() || is_constant(node.inputs[0]) || !is_constant(weight))
      return {};
    const Shape shape = constant_shape(weight);
    if (shape.rank != 2 || shape.count() == 0) return {};
    if (gemm && int_attribute(node, "transA", 0) != 0) return {};
    const bool turned = gemm && int_attribute(node, "transB", 0) != 0;
    Product out{.input = node.inputs[0],
                .result = node.outputs[0],
                .weight = weight,
                .in = shape[turned ? 1 : 0],
                .nodes = {n},
                .is_matrix = gemm};
    const std::int64_t size = shape[turned ? 0 : 1];
    out.view.out_stride = turned ? out.in : 1;
    out.view.in_stride = turned ? 1 : size;
    if (const OnnxNode* const by = stored_by(weight);
        by != nullptr && !maker_of(weight).view_stored(*by, turned ? 0 : 1, size, out))
      materialise(weight);
    if (stored_by(weight) != nullptr) {
      // seen where it is stored
    } else if (const Tensor* const tensor = known(weight)) {
      if (!tensor->is_float()) return {};
      out.is_half = tensor->type == ElementType::kFloat16;
      out.view.data = reinterpret_cast<const std::byte*>(tensor->floats.data());
    } else {
      const OnnxTensor& constant = *value(weight).constant;
      if (constant.type != ElementType::kFloat && constant.type != ElementType::kFloat16) return {};
      out.is_half = constant.type == ElementType::kFloat16;
      out.view.data = constant.floats.data();
    }
    out.bias.assign(static_cast<std::size_t>(size), 0.0f);
    const auto take_bias = [&](const std::string& name, float factor) {
      const auto bias = floats(name, size);
      if (!bias) return false;
      const Shape bias_shape = constant_shape(name);
      if (bias_shape.count(0, bias_shape.rank > 0 ? bias_shape.rank - 1 : 0) != 1 || bias_shape.rank > 2)
        return false;
      if (bias->size() != 1 && bias->size() != out.bias.size()) return false;
      for (std::size_t i = 0; i < out.bias.size(); ++i)
        out.bias[i] = factor * (*bias)[bias->size() == 1 ? 0 : i];
      return true;
    };
    if (gemm) {
      out.view.factor = float_attribute(node, "alpha", 1);
      if (node.inputs.size() > 2 && !node.inputs[2].empty() &&
          !take_bias(node.inputs[2], float_attribute(node, "beta", 1)))
        return {};
      return out;
    }
    if (const auto next = only_consumer(out.result); next && graph_.nodes[*next].op_type == "Add") {
      const OnnxNode& add = graph_.nodes[*next];
      if (add.inputs.size() != 2 || add.outputs.size() != 1) return out;
      if (take_bias(add.inputs[add.inputs[0] == out.result ? 1 : 0], 1)) {
        out.result = add.outputs[0];
        out.nodes.push_back(*next);
      }
    }
    return out;
  }

  // The graph that has the value, of those around a body.
  Compiler& maker_of(const std::string& name) {
    Compiler* at = this;
    while (at->is_captured(name)) at = at->outer_;
    return *at;
  }

  // False where the weights are not what a layer's can be: other than one scale for each output, or a zero
  // point.
  bool view_stored(const OnnxNode& node, std::int64_t out_axis, std::int64_t size, Product& product) {
    const OnnxTensor& weight = *value(node.inputs[0]).constant;
    if (node.op_type == "Cast") {
      if (int_attribute(node, "to", 0) != 1) return false;
      product.view.storage = WeightView::Storage::kBfloat16;
    } else {
      if (node.inputs.size() < 2 || node.inputs[1].empty() || int_attribute(node, "block_size", 0) != 0)
        return false;
      auto scales = floats(node.inputs[1], size);
      if (!scales) return false;
      const std::int64_t axis = int_attribute(node, "axis", 1);
      if (scales->size() == 1)
        scales->assign(static_cast<std::size_t>(size), scales->front());
      else if (static_cast<std::int64_t>(scales->size()) != size || (axis < 0 ? axis + 2 : axis) != out_axis)
        return false;
      if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
        const OnnxTensor* const zero = value(node.inputs[2]).constant;
        if (zero == nullptr || zero->type != ElementType::kInt8 ||
            std::any_of(zero->narrow.begin(), zero->narrow.end(),
                        [](std::byte point) { return point != std::byte{0}; }))
          return false;
      }
      product.scales = std::move(*scales);
      product.view.storage = WeightView::Storage::kInt8;
      product.view.scales = product.scales;
    }
    product.view.data = weight.narrow.data();
    return true;
  }

  static std::optional<Activation> activation(const OnnxNode& node) {
    using Kind = Activation::Kind;
    const std::string& op = node.op_type;
    if (op == "Relu") return Activation{Kind::kRelu};
    if (op == "LeakyRelu") return Activation{Kind::kLeakyRelu, float_attribute(node, "alpha", 0.01f)};
    if (op == "Elu") return Activation{Kind::kElu, float_attribute(node, "alpha", 1)};
    if (op == "Selu")
      return Activation{Kind::kSelu, float_attribute(node, "alpha", Activation::kSeluAlpha),
                        float_attribute(node, "gamma", Activation().gamma)};
    if (op == "Tanh") return Activation{Kind::kTanh};
    if (op == "Sigmoid") return Activation{Kind::kSigmoid};
    if (op == "Softplus") return Activation{Kind::kSoftplus};
    return {};
  }

  // Those, and others that only kernels for whole arrays know.
  static std::optional<Activation> array_activation(const OnnxNode& node) {
    using Kind = Activation::Kind;
    const std::string& op = node.op_type;
    if (op == "Celu") return Activation{Kind::kCelu, float_attribute(node, "alpha", 1)};
    if (op == "Mish") return Activation{Kind::kMish};
    if (op == "HardSwish") return Activation{Kind::kHardSwish};
    if (op == "HardSigmoid")
      return Activation{Kind::kHardSigmoid, float_attribute(node, "alpha", 0.2f),
                        float_attribute(node, "beta", 0.5f)};
    if (op == "Softsign") return Activation{Kind::kSoftsign};
    if (op == "Exp") return Activation{Kind::kExp};
    if (op == "Erf") return Activation{Kind::kErf};
    if (op == "Gelu")
      return Activation{string_attribute(node, "approximate", "none") == "tanh" ? Kind::kGeluTanh
                                                                                : Kind::kGelu};
    return activation(node);
  }

  PackedLayer pack(const Product& product) {
    PackedLayer::Options options{.isa = options_.isa};
    const auto weights = static_cast<std::int64_t>(product.bias.size()) * product.in;
    if (weights >= kSmallLayer) {
      using Storage = WeightView::Storage;
      const Storage storage = product.view.storage;
      options.precision = wanted_.value_or(storage == Storage::kInt8       ? Precision::kInt8
                                           : storage == Storage::kBfloat16 ? Precision::kBf16
                                                                           : Precision::kFp32);
    }
    if (weights > largest_) {
      largest_ = weights;
      program_.precision = options.precision;
    }
    const Value& source = value(product.weight);
    if (options_.release && product.view.in_stride == 1 && source.consumers.size() == 1 &&
        !source.is_output && !is_captured(product.weight)) {
      // Weights that are packed already are not read again.
      options.packed = [this, released = std::int64_t{0}, &product](std::int64_t output) mutable {
        constexpr std::int64_t kAtOnce = std::int64_t{1} << 20;
        const std::int64_t bytes = output * product.in * product.view.element_bytes();
        if (bytes - released < kAtOnce) return;
        options_.release({product.view.data + released, static_cast<std::size_t>(bytes - released)});
        released = bytes;
      };
    }
    PackedLayer layer(product.view, product.bias, product.in, options);
    program_.weight_bytes += layer.bytes();
    return layer;
  }

  // scale · x + shift, where a node is that to every channel: the last dimension, or the second of `rank`
  // (0 = what stands last, of which a BatchNormalization is known only with is_matrix).
  bool affine(const OnnxNode& node, const std::string& x, bool is_matrix, std::size_t rank,
              std::vector<double>& scale, std::vector<double>& shift) {
    const auto size = static_cast<std::int64_t>(scale.size());
    if (node.op_type == "BatchNormalization") {
      if ((rank == 0 && !is_matrix) || node.inputs.size() != 5 || node.inputs[0] != x) return false;
      std::vector<std::vector<float>> parts;
      for (std::size_t i = 1; i < 5; ++i) {
        auto part = floats(node.inputs[i], size);
        if (!part || static_cast<std::int64_t>(part->size()) != size) return false;
        parts.push_back(std::move(*part));
      }
      const double epsilon = float_attribute(node, "epsilon", 1e-5f);
      for (std::size_t i = 0; i < scale.size(); ++i) {
        const double factor = parts[0][i] / std::sqrt(parts[3][i] + epsilon);
        scale[i] *= factor;
        shift[i] = (shift[i] - parts[2][i]) * factor + parts[1][i];
      }
      return true;
    }
    const std::string& op = node.op_type;
    if ((op != "Mul" && op != "Add" && op != "Sub" && op != "Div") || node.inputs.size() != 2) return false;
    const bool first = node.inputs[0] == x;
    const std::string& other = node.inputs[first ? 1 : 0];
    if (other == x || (!first && (op == "Sub" || op == "Div"))) return false;
    const auto by = floats(other, size);
    if (!by || (by->size() != 1 && static_cast<std::int64_t>(by->size()) != size)) return false;
    if (!is_by_channel(constant_shape(other), rank)) return false;
    for (std::size_t i = 0; i < scale.size(); ++i) {
      const double y = (*by)[by->size() == 1 ? 0 : i];
      if (op == "Mul" || op == "Div") {
        scale[i] = op == "Mul" ? scale[i] * y : scale[i] / y;
        shift[i] = op == "Mul" ? shift[i] * y : shift[i] / y;
      } else {
        shift[i] += op == "Add" ? y : -y;
      }
    }
    return true;
  }

  // Whether what is added or multiplied depends on the channel alone.
  static bool is_by_channel(const Shape& shape, std::size_t rank) {
    if (rank == 0) return shape.rank < 2 || (shape.rank == 2 && shape[0] == 1);
    if (shape.rank > rank) return false;
    for (std::size_t i = 0; i < shape.rank; ++i)
      if (i + rank != shape.rank + 1 && shape[i] != 1) return false;
    return true;
  }

  void take(const std::vector<std::size_t>& nodes) {
    for (const std::size_t n : nodes) done_[n] = true;
  }

  static std::string where(const OnnxNode& first) { return where_of(first); }

  bool fuse_dense(std::size_t n, std::map<std::size_t, Program::Step>& steps) {
    std::optional<Product> found = product(n);
    if (!found || found->is_half) return false;
    DenseLayer dense;
    std::vector<double> scale(found->bias.size(), 1.0), shift(found->bias.size(), 0.0);
    bool has_function = false, has_affine = false;
    while (const auto next = only_consumer(found->result)) {
      const OnnxNode& node = graph_.nodes[*next];
      if (node.outputs.size() != 1) break;
      if (const auto function = activation(node); function && !has_function && !has_affine) {
        dense.activation = *function;
        has_function = true;
      } else if (affine(node, found->result, found->is_matrix, 0, scale, shift)) {
        has_affine = true;
      } else {
        break;
      }
      found->nodes.push_back(*next);
      found->result = node.outputs[0];
    }
    if (has_affine) {
      dense.scale.assign(scale.begin(), scale.end());
      dense.shift.assign(shift.begin(), shift.end());
    }
    dense.layer = pack(*found);
    dense.isa = options_.isa;
    steps[found->nodes.back()] = {.where = where(graph_.nodes[n]),
                                  .inputs = {id(found->input)},
                                  .outputs = {id(found->result)},
                                  .dense = static_cast<int>(program_.dense.size())};
    program_.dense.push_back(std::move(dense));
    take(found->nodes);
    return true;
  }

  // A convolution with constant weights, which are ordered for the kernels once: with the affine maps behind
  // it in its weights and its bias, with a function, and with the maps behind that.
  bool fuse_convolution(std::size_t n, std::map<std::size_t, Program::Step>& steps) {
    const OnnxNode& node = graph_.nodes[n];
    if ((node.op_type != "Conv" && node.op_type != "ConvTranspose") || node.inputs.size() < 2 ||
        node.inputs.size() > 3 || node.outputs.size() != 1 || !is_constant(node.inputs[1]))
      return false;
    materialise(node.inputs[1]);
    const Tensor& weights = *known(node.inputs[1]);
    if (!weights.is_float() || weights.shape.rank < 3 || weights.shape.rank > Shape::kMaxRank ||
        weights.size() == 0)
      return false;
    const bool transposed = node.op_type == "ConvTranspose";
    const auto convolution = std::make_shared<Convolution>(node, transposed, options_.isa);
    Program::Step step{.where = where(node), .inputs = {id(node.inputs[0]), -1}};
    const std::string bias = node.inputs.size() > 2 ? node.inputs[2] : "";
    if (!bias.empty()) {
      if (is_constant(bias)) materialise(bias);
      step.inputs.push_back(id(bias));
    }
    std::vector<std::size_t> nodes = {n};
    std::string result = node.outputs[0];
    Convolution::Folded folded;
    if (weights.type == ElementType::kFloat)
      folded = fold_behind(*convolution, weights.shape, bias, nodes, result);
    if (!folded.bias.empty()) step.inputs.resize(2);
    const OperatorCall call{.where = step.where,
                            .inputs = {},
                            .outputs = {},
                            .limits = options_.limits,
                            .work = work_,
                            .noise = {}};
    const auto packed =
        std::make_shared<const Convolution::Packed>(convolution->pack(call, weights, std::move(folded)));
    program_.weight_bytes += packed->bytes();
    step.op = [convolution, packed, type = weights.type](OperatorCall& now) {
      if (now.input(0).type != type) now.fail("has weights of another type");
      convolution->run(now, packed.get());
    };
    step.outputs = {id(result)};
    steps[nodes.back()] = std::move(step);
    take(nodes);
    return true;
  }

  Convolution::Folded fold_behind(const Convolution& convolution, const Shape& weights,
                                  const std::string& bias, std::vector<std::size_t>& nodes,
                                  std::string& result) {
    const auto outputs = static_cast<std::size_t>(convolution.output_channels(weights));
    std::optional<std::vector<float>> own;  // bias that is known
    if (bias.empty())
      own.emplace(outputs, 0.0f);
    else
      own = floats(bias, static_cast<std::int64_t>(outputs));
    const bool known = own && own->size() == outputs;
    using Map = std::vector<double>;
    Map before(outputs, 1.0), before_shift(outputs, 0.0), after(outputs, 1.0), after_shift(outputs, 0.0);
    Convolution::Folded out;
    if (known) before_shift.assign(own->begin(), own->end());
    bool has_function = false, has_before = false, has_after = false;
    while (const auto next = only_consumer(result)) {
      const OnnxNode& node = graph_.nodes[*next];
      if (node.outputs.size() != 1 || node.inputs.empty()) break;
      if (const auto function = array_activation(node);
          function && !has_function && !has_after && node.inputs[0] == result) {
        out.after.activation = *function;
        has_function = true;
      } else if (has_function || !known) {
        if (!finite_affine(node, result, weights.rank, after, after_shift)) break;
        has_after = true;
      } else {
        if (!finite_affine(node, result, weights.rank, before, before_shift)) break;
        has_before = true;
      }
      nodes.push_back(*next);
      result = node.outputs[0];
    }
    if (has_before) {
      out.factor = std::move(before);
      out.bias.assign(before_shift.begin(), before_shift.end());
    }
    if (has_after) {
      out.after.scale.assign(after.begin(), after.end());
      out.after.shift.assign(after_shift.begin(), after_shift.end());
    }
    return out;
  }

  // Only as long as what is folded stays well within the range of floats.
  bool finite_affine(const OnnxNode& node, const std::string& x, std::size_t rank, std::vector<double>& scale,
                     std::vector<double>& shift) {
    std::vector<double> factor = scale, sum = shift;
    if (!affine(node, x, false, rank, factor, sum)) return false;
    constexpr double kMost = 1e15, kLeast = 1e-15;
    for (std::size_t i = 0; i < factor.size(); ++i)
      if (!(std::abs(factor[i]) < kMost) || !(std::abs(sum[i]) < kMost) ||
          (factor[i] != 0 && std::abs(factor[i]) < kLeast))
        return false;
    scale = std::move(factor);
    shift = std::move(sum);
    return true;
  }

  // A value with one number for each row.
  bool is_row_scale(const std::string& name) {
    const auto found = rows_.find(name);
    return found != rows_.end() && found->second == Shape{-1, 1};
  }

  // From a product to an output of the graph: a function, factors, another shape.
  bool fuse_output(std::size_t n, std::map<std::size_t, Program::Step>& steps) {
    if (program_.output) return false;
    std::optional<Product> found = product(n);
    if (!found || found->is_half) return false;
    const auto shape = rows_.find(found->result);
    if (shape == rows_.end() || shape->second.rank != 2) return false;
    Program::Output output;
    Activation function;
    bool has_function = false, has_factor = false, negated = false, is_reshaped = false;
    Shape row_shape = shape->second;
    const auto scale_by = [&](const std::string& name, bool over) {
      if (name.empty() || is_reshaped) return false;
      if (const auto constant = scalar(name)) {
        if (constant_shape(name).rank > 2) return false;
        output.factor = over ? output.factor / *constant : output.factor * *constant;
        return true;
      }
      if (!is_row_scale(name)) return false;
      (over ? output.over : output.times).push_back(id(name));
      return true;
    };
    while (!value(found->result).is_output) {
      const auto next = only_consumer(found->result);
      if (!next) return false;
      const OnnxNode& node = graph_.nodes[*next];
      if (node.outputs.size() != 1) return false;
      std::vector<std::size_t> taken = {*next};
      std::string result = node.outputs[0];
      const std::string& op = node.op_type;
      if (const auto known = activation(node);
          known && !has_function && !has_factor && !is_reshaped && !negated) {
        function = *known;
        has_function = true;
      } else if (op == "Neg" && !has_function && !has_factor && !is_reshaped) {
        negated = !negated;
      } else if (op == "Exp" && !has_function && !has_factor && !is_reshaped) {
        // 1 / (1 + exp(z)) is a sigmoid of -z.
        const auto add = only_consumer(result);
        if (!add || graph_.nodes[*add].op_type != "Add") return false;
        const OnnxNode& sum = graph_.nodes[*add];
        if (sum.inputs.size() != 2 || sum.outputs.size() != 1) return false;
        const std::string& one = sum.inputs[sum.inputs[0] == result ? 1 : 0];
        if (one.empty() || scalar(one) != 1.0f || constant_shape(one).rank > 2) return false;
        const auto quotient = only_consumer(sum.outputs[0]);
        if (!quotient) return false;
        const OnnxNode& inverse = graph_.nodes[*quotient];
        if (inverse.outputs.size() != 1) return false;
        if (inverse.op_type == "Div") {
          if (inverse.inputs.size() != 2 || inverse.inputs[1] != sum.outputs[0] ||
              !scale_by(inverse.inputs[0], false))
            return false;
          has_factor = true;
        } else if (inverse.op_type != "Reciprocal") {
          return false;
        }
        negated = !negated;
        function = {Activation::Kind::kSigmoid};
        has_function = true;
        taken = {*next, *add, *quotient};
        result = inverse.outputs[0];
      } else if (op == "Mul" && node.inputs.size() == 2) {
        if (!scale_by(node.inputs[node.inputs[0] == found->result ? 1 : 0], false)) return false;
        has_factor = true;
      } else if (op == "Div" && node.inputs.size() == 2 && node.inputs[0] == found->result) {
        if (!scale_by(node.inputs[1], true)) return false;
        has_factor = true;
      } else if (op == "Reshape" || op == "Flatten") {
        is_reshaped = true;
      } else if (op != "Identity") {
        return false;
      }
      const auto shape_now = rows_.find(result);
      if (shape_now == rows_.end()) return false;
      row_shape = shape_now->second;
      found->nodes.insert(found->nodes.end(), taken.begin(), taken.end());
      found->result = result;
    }
    if (!value(found->result).consumers.empty()) return false;
    if (negated) {
      found->view.factor = -found->view.factor;
      for (float& bias : found->bias) bias = -bias;
    }
    output.row_shape = row_shape;
    output.value = id(found->result);
    output.layer = OutputLayer(pack(*found), function, options_.isa);
    Program::Step step{.where = where(graph_.nodes[n]),
                       .inputs = {id(found->input)},
                       .outputs = {output.value},
                       .is_output = true};
    step.inputs.insert(step.inputs.end(), output.times.begin(), output.times.end());
    step.inputs.insert(step.inputs.end(), output.over.begin(), output.over.end());
    steps[*std::max_element(found->nodes.begin(), found->nodes.end())] = std::move(step);
    take(found->nodes);
    program_.output = std::move(output);
    return true;
  }

  int taken(const std::string& name) {
    if (!name.empty() && is_constant(name)) materialise(name);
    return id(name);
  }

  // A body becomes a program of its own. What it captures is read by its step, once for all bodies.
  Body compiled(OnnxGraph& graph, Program::Step& step, std::map<std::string, std::size_t>& places) {
    Compiler inner(std::move(graph), options_, this);
    Body body{.program = std::make_shared<const Program>(inner.compile())};
    work_ = inner.work_;
    program_.weight_bytes += body.program->weight_bytes;
    if (inner.largest_ > largest_) {
      largest_ = inner.largest_;
      program_.precision = body.program->precision;
    }
    for (const int value : body.program->captured) {
      const std::string& name = inner.captured_.at(value);
      const auto [place, is_new] = places.emplace(name, step.inputs.size());
      if (is_new) step.inputs.push_back(taken(name));
      body.places.push_back(place->second);
    }
    return body;
  }

  Program::Step interpreted(std::size_t n) {
    const OnnxNode& node = graph_.nodes[n];
    Program::Step step{.where = where_of(node)};
    for (const std::string& name : node.inputs) step.inputs.push_back(taken(name));
    for (const std::string& name : node.outputs) step.outputs.push_back(id(name));
    if (has_bodies(node)) {
      std::map<std::string, std::size_t> places;
      const auto body = [&](const char* name) { return compiled(*node.attributes.at(name).g, step, places); };
      if (node.op_type == "Loop") {
        step.op = make_loop(node, body("body"));
      } else {
        Body then_branch = body("then_branch");
        step.op = make_if(std::move(then_branch), body("else_branch"));
      }
      return step;
    }
    const auto shape = node.outputs.empty() ? rows_.end() : rows_.find(node.outputs[0]);
    if (shape != rows_.end() && node.op_type == "Reshape") {
      // A reshape to a batch of one would hold for one row only.
      step.op = [row_shape = shape->second](OperatorCall& call) {
        const Tensor& in = call.input(0);
        Tensor& out = call.output(0, in.type, with_rows(row_shape, in.shape.rank > 0 ? in.shape[0] : 1));
        if (out.size() != in.size()) call.fail("does not fit its rows");
        copy(in, 0, out, 0, in.shape.count());
      };
    } else {
      step.op = make_operator(node, graph_.opset);
    }
    return step;
  }

  void finish() {
    for (const OnnxValue& input : graph_.inputs) program_.input_values.push_back(id(input.name));
    for (const OnnxValue& output : graph_.outputs) {
      program_.output_values.push_back(id(output.name));
      if (!is_constant(output.name)) continue;
      materialise(output.name);
      if (outer_ != nullptr) continue;
      Tensor& constant = program_.constants[static_cast<std::size_t>(id(output.name))];
      if (!is_double(constant.type)) continue;
      constant.floats = LargeArray<float>(constant.size());  // as outputs are given
      for (std::size_t i = 0; i < constant.size(); ++i)
        constant.floats[i] = static_cast<float>(constant.doubles[i]);
    }
    // Constants that no step reads were packed, or folded into others.
    std::vector<bool> read(values_.size(), false);
    for (const Program::Step& step : program_.steps)
      for (const int at : step.inputs)
        if (at >= 0) read[static_cast<std::size_t>(at)] = true;
    for (const int at : program_.output_values) read[static_cast<std::size_t>(at)] = true;
    for (const auto& [at, name] : captured_)
      if (read[static_cast<std::size_t>(at)]) program_.captured.push_back(at);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (!read[i]) program_.constants[i] = Tensor();
      program_.weight_bytes += program_.constants[i].floats.size() * sizeof(float);
    }
    if (program_.sampler) {
      program_.precision = wanted_.value_or(Precision::kFp32);
      program_.weight_bytes += program_.sampler->weight_bytes();
    }
  }

  Compiler* outer_;
  std::optional<Precision> wanted_;
  std::int64_t largest_ = 0;  // weights of a layer so far
  RowShapes rows_;
};

// One run over zeros finds what cannot work for any input. Integers may be places or sizes, for which zero
// may be wrong. Loops that go on for long are left: zeros may never end them.
void try_out(const Program& program) {
  if (std::any_of(program.inputs.begin(), program.inputs.end(),
                  [](const OnnxValue& input) { return !is_real(input.type); }))
    return;
  RunState state;
  state.values.resize(program.num_values());
  state.noise.emplace_back(0, 0, 0);
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    const OnnxValue& input = program.inputs[i];
    Tensor& tensor = state.values[static_cast<std::size_t>(program.input_values[i])];
    tensor.type = input.type;
    for (const std::int64_t extent : input.shape) tensor.shape.push_back(extent < 0 ? 1 : extent);
    tensor.make_room();
    by_real(tensor.type, [&](auto kind) {
      using T = decltype(kind);
      std::fill_n(tensor.numbers<T>(), tensor.size(), T(0));
    });
  }
  constexpr std::int64_t kMostIterations = 1000;
  std::int64_t work = program.limits.work;
  std::int64_t iterations = std::min(program.limits.iterations, kMostIterations);
  try {
    run_steps(program, state, {.work = work, .iterations = iterations, .noise = state.noise});
  } catch (const EndlessLoop&) {
    return;
  }
  for (std::size_t i = 0; i < program.outputs.size(); ++i) {
    const OnnxValue& output = program.outputs[i];
    const auto at = static_cast<std::size_t>(program.output_values[i]);
    const Tensor& made = program.is_constant[at] ? program.constants[at] : state.values[at];
    bool fits = made.type == output.type && (output.shape.empty() || made.shape.rank == output.shape.size());
    for (std::size_t d = 0; fits && d < output.shape.size(); ++d)
      fits = output.shape[d] < 0 || output.shape[d] == made.shape[d];
    if (!fits)
      throw core::InputError(
          {.message = fmt::format("declares another type or shape than what the graph computes, {} {}",
                                  to_string(made.type), made.shape.to_string()),
           .field = fmt::format("output \"{}\"", output.name)});
  }
}

}  // namespace

Program compile(OnnxGraph graph, const CompileOptions& options) {
  Program program = Compiler(std::move(graph), options).compile();
  if (!program.sampler) try_out(program);
  return program;
}

}  // namespace calo::infer
