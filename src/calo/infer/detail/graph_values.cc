#include "calo/infer/detail/graph_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "calo/infer/detail/control_flow.h"
#include "core/error.h"

namespace calo::infer {
namespace {

Tensor to_tensor(const OnnxTensor& from) {
  Tensor tensor;
  tensor.type = from.type;
  tensor.shape = Shape(from.shape);
  const auto count = static_cast<std::size_t>(from.count);
  if (tensor.is_float()) {
    tensor.floats = LargeArray<float>(count);
    if (from.type != ElementType::kBfloat16) {
      if (count > 0) std::memcpy(tensor.floats.data(), from.floats.data(), count * sizeof(float));
      return tensor;
    }
    tensor.type = ElementType::kFloat;  // its Cast finds floats
    const WeightView view{
        .data = from.narrow.data(), .out_stride = 1, .storage = WeightView::Storage::kBfloat16};
    for (std::size_t i = 0; i < count; ++i) tensor.floats[i] = view.at(static_cast<std::int64_t>(i), 0);
  } else if (from.type == ElementType::kDouble) {
    tensor.doubles = LargeArray<double>(count);
    std::copy(from.doubles.begin(), from.doubles.end(), tensor.doubles.data());
  } else if (from.type == ElementType::kInt8) {
    tensor.integers = LargeArray<std::int64_t>(count);
    for (std::size_t i = 0; i < count; ++i) {
      const int byte = std::to_integer<int>(from.narrow[i]);
      tensor.integers[i] = byte < 128 ? byte : byte - 256;
    }
  } else {
    tensor.integers = LargeArray<std::int64_t>(count);
    std::copy(from.integers.begin(), from.integers.end(), tensor.integers.data());
  }
  return tensor;
}

// Whatever the operator is, needed or not.
void check_known(const OnnxNode& node, std::int64_t opset) {
  if (!has_bodies(node)) {
    make_operator(node, opset);
    return;
  }
  check_bodies(node);
  for (const auto& [name, attribute] : node.attributes)
    for (const OnnxNode& inner : attribute.g->nodes) check_known(inner, opset);
}

}  // namespace

GraphValues::GraphValues(OnnxGraph graph, const CompileOptions& options, GraphValues* around)
    : graph_(std::move(graph)), around_(around), options_(options) {
  program_.is_body = around != nullptr;
  if (around != nullptr) {
    graph_.opset = around->graph_.opset;
    work_ = around->work_;
  }
  program_.limits = options.limits;
  program_.isa = options.isa;
  program_.inputs = graph_.inputs;
  program_.outputs = graph_.outputs;
  program_.metadata = graph_.metadata;
}

void GraphValues::number_values() {
  const auto add = [&](const std::string& name) {
    if (!name.empty() && ids_.emplace(name, static_cast<int>(values_.size())).second) values_.emplace_back();
  };
  for (const OnnxTensor& constant : graph_.constants) {
    add(constant.name);
    value(constant.name).constant = &constant;
  }
  for (const OnnxValue& input : graph_.inputs) add(input.name);
  for (const std::string& name : graph_.captured) {
    add(name);
    value(name).constant = around_->value(name).constant;
    captured_[id(name)] = name;
  }
  for (const OnnxNode& node : graph_.nodes)
    for (const std::string& name : node.outputs) add(name);
  for (const OnnxValue& output : graph_.outputs) value(output.name).is_output = true;
  program_.constants.resize(values_.size());
  program_.is_constant.assign(values_.size(), false);
  done_.assign(graph_.nodes.size(), false);
}

void GraphValues::check_narrow_constants() {
  const auto refuse = [&](const std::string& name, const std::string& where) {
    if (name.empty() || value(name).constant == nullptr ||
        value(name).constant->type != ElementType::kBfloat16)
      return;
    throw core::InputError({.message = fmt::format("takes the bfloat16 constant \"{}\"", name),
                            .field = where,
                            .hint = "bfloat16 is known as what Cast makes floats of"});
  };
  for (const OnnxNode& node : graph_.nodes)
    if (node.op_type != "Cast")
      for (const std::string& name : node.inputs) refuse(name, where_of(node));  // bodies look for themselves
  for (const OnnxValue& output : graph_.outputs) refuse(output.name, "an output");
}

std::optional<Precision> GraphValues::precision_of_file() const {
  const auto found = graph_.metadata.find("calopipe.precision");
  if (found == graph_.metadata.end()) return {};
  try {
    return parse_precision(found->second);
  } catch (const core::UsageError& error) {
    throw core::InputError({.message = error.details().message, .field = "calopipe.precision"});
  }
}

void GraphValues::keep_what_is_needed() {
  std::set<std::string> needed;
  for (const OnnxValue& output : graph_.outputs) needed.insert(output.name);
  for (std::size_t n = graph_.nodes.size(); n-- > 0;) {
    const OnnxNode& node = graph_.nodes[n];
    check_known(node, graph_.opset);
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](const std::string& name) { return needed.contains(name); }))
      done_[n] = true;
    else {
      needed.insert(node.inputs.begin(), node.inputs.end());
      needed.insert(node.captured.begin(), node.captured.end());
    }
  }
}

bool GraphValues::is_constant(const std::string& name) {
  if (name.empty()) return false;
  return value(name).constant != nullptr || known(name) != nullptr || stored_by(name) != nullptr;
}

const Tensor* GraphValues::known(const std::string& name) const {
  if (is_captured(name)) return around_->known(name);
  const auto at = static_cast<std::size_t>(id(name));
  return program_.is_constant[at] ? &program_.constants[at] : nullptr;
}

const OnnxNode* GraphValues::stored_by(const std::string& name) const {
  if (is_captured(name)) return around_->stored_by(name);
  const auto found = stored_.find(id(name));
  return found != stored_.end() && known(name) == nullptr ? &graph_.nodes[found->second] : nullptr;
}

void GraphValues::materialise(const std::string& name) {
  if (is_captured(name)) return around_->materialise(name);
  const auto at = static_cast<std::size_t>(id(name));
  if (program_.is_constant[at]) return;
  if (const auto found = stored_.find(id(name)); found != stored_.end()) {
    fold(found->second);
    return;
  }
  program_.constants[at] = to_tensor(*values_[at].constant);
  program_.is_constant[at] = true;
}

void GraphValues::fold_constants() {
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const OnnxNode& node = graph_.nodes[n];
    if (done_[n] || node.inputs.empty() || node.op_type.starts_with("Random") || has_bodies(node)) continue;
    if (!std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](const std::string& name) { return name.empty() || is_constant(name); }))
      continue;
    if (is_stored_weight(node))
      stored_[id(node.outputs[0])] = n;
    else
      fold(n);
    done_[n] = true;
  }
}

bool GraphValues::is_stored_weight(const OnnxNode& node) {
  if ((node.op_type != "DequantizeLinear" && node.op_type != "Cast") || node.outputs.size() != 1)
    return false;
  const OnnxTensor* const weight = value(node.inputs[0]).constant;
  return weight != nullptr && is_narrow(weight->type) && weight->shape.size() == 2 &&
         weight->count >= kSmallLayer;
}

void GraphValues::fold(std::size_t n) {
  const OnnxNode& node = graph_.nodes[n];
  std::vector<const Tensor*> inputs;
  for (const std::string& name : node.inputs) {
    if (!name.empty()) materialise(name);
    inputs.push_back(name.empty() ? nullptr : known(name));
  }
  std::vector<Tensor> made(node.outputs.size());
  std::vector<Tensor*> outputs;
  outputs.reserve(made.size());
  for (std::size_t i = 0; i < made.size(); ++i)
    outputs.push_back(node.outputs[i].empty() ? nullptr : &made[i]);
  const std::string where = where_of(node);
  OperatorCall call{.where = where,
                    .inputs = inputs,
                    .outputs = outputs,
                    .limits = options_.limits,
                    .work = work_,
                    .noise = {}};
  make_operator(node, graph_.opset)(call);
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    settle(made[i]);
    const auto at = static_cast<std::size_t>(id(node.outputs[i]));
    program_.constants[at] = std::move(made[i]);
    program_.is_constant[at] = true;
  }
}

void GraphValues::count_consumers() {
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    if (done_[n]) continue;
    for (const std::vector<std::string>* names : {&graph_.nodes[n].inputs, &graph_.nodes[n].captured})
      for (const std::string& name : *names)
        if (!name.empty()) value(name).consumers.push_back(n);
  }
}

std::map<std::string, Shape> GraphValues::constant_shapes() {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, at] : ids_) {
    const auto i = static_cast<std::size_t>(at);
    if (program_.is_constant[i])
      shapes[name] = program_.constants[i].shape;
    else if (values_[i].constant != nullptr || stored_.contains(at))
      shapes[name] = constant_shape(name);
  }
  return shapes;
}

std::map<std::string, std::vector<std::int64_t>> GraphValues::constant_lists() {
  constexpr std::int64_t kLongest = 64;
  std::map<std::string, std::vector<std::int64_t>> lists;
  for (const auto& [name, at] : ids_) {
    const auto i = static_cast<std::size_t>(at);
    const Tensor& tensor = program_.constants[i];
    if (program_.is_constant[i]) {
      if (!is_real(tensor.type) && tensor.shape.rank <= 1 && tensor.shape.count() <= kLongest)
        lists[name].assign(tensor.integers.data(), tensor.integers.data() + tensor.size());
    } else if (const OnnxTensor* constant = values_[i].constant;
               constant != nullptr && !is_real(constant->type) && !is_narrow(constant->type) &&
               constant->shape.size() <= 1 && constant->count <= kLongest) {
      lists[name] = constant->integers;
    }
  }
  return lists;
}

std::optional<std::vector<float>> GraphValues::floats(const std::string& name, std::int64_t most) {
  if (!is_constant(name)) return {};
  if (is_captured(name)) return around_->floats(name, most);
  const auto at = static_cast<std::size_t>(id(name));
  if (!program_.is_constant[at]) {
    if (values_[at].constant == nullptr) return {};  // a stored weight, which is large
    const OnnxTensor& constant = *values_[at].constant;
    if (constant.type != ElementType::kFloat || constant.count > most) return {};
    std::vector<float> out(static_cast<std::size_t>(constant.count));
    for (std::int64_t i = 0; i < constant.count; ++i) out[static_cast<std::size_t>(i)] = constant.float_at(i);
    return out;
  }
  const Tensor& tensor = program_.constants[at];
  if (!tensor.is_float() || tensor.shape.count() > most) return {};
  return std::vector<float>(tensor.floats.data(), tensor.floats.data() + tensor.size());
}

std::optional<float> GraphValues::scalar(const std::string& name) {
  const auto all = floats(name, 1);
  return all && all->size() == 1 ? std::optional((*all)[0]) : std::nullopt;
}

Shape GraphValues::constant_shape(const std::string& name) {
  if (is_captured(name)) return around_->constant_shape(name);
  const auto at = static_cast<std::size_t>(id(name));
  if (program_.is_constant[at]) return program_.constants[at].shape;
  if (const auto found = stored_.find(id(name)); found != stored_.end())
    return Shape(value(graph_.nodes[found->second].inputs[0]).constant->shape);
  return Shape(values_[at].constant->shape);
}

std::optional<std::size_t> GraphValues::only_consumer(const std::string& name) {
  const Value& at = value(name);
  if (at.is_output || at.consumers.size() != 1) return {};
  return at.consumers[0];
}

}  // namespace calo::infer
