#include "calo/infer/detail/finite_constants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "calo/infer/detail/printable.h"
#include "core/error.h"

namespace calo::infer {
namespace {

// What is not finite in a row of numbers.
struct Found {
  std::size_t count = 0, count_nan = 0;
  std::size_t first = 0;  // of those counted; the first NaN where there is one
};

// Numbers of an unsigned type, whose exponent has all bits set where they are NaN or infinite.
template <class Bits>
Found look(std::span<const std::byte> bytes, Bits exponent, Bits mantissa) {
  Found found;
  const std::size_t count = bytes.size() / sizeof(Bits);
  const auto at = [&](std::size_t i) {
    Bits bits;
    std::memcpy(&bits, bytes.data() + i * sizeof(Bits), sizeof(Bits));
    return bits;
  };
  // Blocks without a branch, for nearly always there is nothing.
  constexpr std::size_t kBlock = 1024;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(count, begin + kBlock);
    unsigned any = 0;
    for (std::size_t i = begin; i < end; ++i) any |= static_cast<unsigned>((at(i) & exponent) == exponent);
    for (std::size_t i = begin; any != 0 && i < end; ++i) {
      if ((at(i) & exponent) != exponent) continue;
      const bool is_nan = (at(i) & mantissa) != 0;
      if (found.count == 0 || (is_nan && found.count_nan == 0)) found.first = i;
      ++found.count;
      found.count_nan += is_nan ? 1 : 0;
    }
  }
  return found;
}

Found look(std::span<const float> numbers) {
  return look<std::uint32_t>(std::as_bytes(numbers), 0x7f800000u, 0x007fffffu);
}

// Whatever the type that the numbers are kept in; integers are finite.
Found look(const OnnxTensor& tensor) {
  switch (tensor.type) {
    case ElementType::kFloat:
    case ElementType::kFloat16:  // widened
      return look<std::uint32_t>(tensor.floats, 0x7f800000u, 0x007fffffu);
    case ElementType::kBfloat16:
      return look<std::uint16_t>(tensor.narrow, std::uint16_t{0x7f80}, std::uint16_t{0x007f});
    case ElementType::kDouble:
      return look<std::uint64_t>(std::as_bytes(std::span(tensor.doubles)), 0x7ff0000000000000u,
                                 0x000fffffffffffffu);
    default:
      return {};
  }
}

// "[3, 5]" of the element at `flat`.
std::string place_in(const std::vector<std::int64_t>& shape, std::size_t flat) {
  std::vector<std::int64_t> place(shape.size());
  auto rest = static_cast<std::int64_t>(flat);
  for (std::size_t d = shape.size(); d-- > 0;) {
    place[d] = rest % shape[d];
    rest /= shape[d];
  }
  return fmt::format("[{}]", fmt::join(place, ", "));
}

[[noreturn]] void refuse_constant(const std::string& where, const Found& found, const std::string& place,
                                  std::size_t of) {
  throw core::InputError(
      {.message = fmt::format("holds {} at {}; {} of its {} numbers are not finite",
                              found.count_nan > 0 ? "NaN" : "an infinity", place, found.count, of),
       .field = where,
       .hint = found.count_nan > 0
                   ? "the training ran away, or the file is damaged: no result would mean anything"
                   : "infinities are let through as bounds and masks only, not as weights"});
}

bool is_one_of(const std::string& op, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (op == name) return true;
  return false;
}

// Takes an infinity for what it is.
bool is_bound(const std::string& op) {
  return is_one_of(
      op, {"Clip", "Max", "Min", "Where", "Pad", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal",
           "IsInf", "IsNaN", "Softmax", "LogSoftmax", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "TopK"});
}

// What scores with a mask on them go into.
bool ends_a_mask(const std::string& op) {
  return is_one_of(op, {"Softmax", "LogSoftmax", "ReduceMax", "Max", "Where"});
}

// Moves numbers and does not change them (but for their sign).
bool is_carrier(const std::string& op) {
  return is_one_of(
      op, {"Cast",      "CastLike", "Identity",       "Reshape",        "Flatten",   "Squeeze",
           "Unsqueeze", "Expand",   "Slice",          "Split",          "Concat",    "Transpose",
           "Tile",      "Gather",   "GatherElements", "GatherND",       "ScatterND", "ScatterElements",
           "Trilu",     "Neg",      "Dropout",        "ConstantOfShape"});
}

// A graph, with those around it.
struct Scope {
  const OnnxGraph& graph;
  const Scope* around = nullptr;
  std::set<std::string> captured{graph.captured.begin(), graph.captured.end()};
};

class Uses {
 public:
  explicit Uses(const OnnxGraph& graph) {
    add({.graph = graph});
    for (const OnnxValue& output : graph.outputs) outputs_.insert({&graph, output.name});
  }

  // A node that takes a value otherwise than as a bound or mask; null if there is none. What has been
  // found to be none is not looked at again.
  const OnnxNode* other_use(const OnnxGraph& graph, const std::string& name) {
    std::vector<std::pair<Name, bool>> left = {{{&graph, name}, false}};
    while (!left.empty()) {
      const auto value = std::move(left.back());
      left.pop_back();
      if (!seen_.insert(value).second) continue;
      const auto& [at, added] = value;  // added: to something, so that it must end in a Softmax
      if (outputs_.contains(at)) return &output_;
      for (const Name& same : passed_[at]) left.emplace_back(same, added);
      for (const auto& [node, in] : takers_[at]) {
        const std::string& op = node->op_type;
        const bool sum = op == "Add" || op == "Sub";
        if (sum || is_carrier(op)) {
          for (const std::string& made : node->outputs)
            if (!made.empty()) left.emplace_back(Name(in, made), added || sum);
        } else if (!(added ? ends_a_mask(op) : is_bound(op))) {
          return node;
        }
      }
    }
    return nullptr;
  }

 private:
  using Name = std::pair<const OnnxGraph*, std::string>;  // where it is made
  struct Taker {
    const OnnxNode* node;
    const OnnxGraph* in;
  };

  static Name found(const Scope& scope, const std::string& name) {
    const Scope* at = &scope;
    while (at->around != nullptr && at->captured.contains(name)) at = at->around;
    return {&at->graph, name};
  }

  void add(const Scope& scope) {
    for (const OnnxNode& node : scope.graph.nodes) {
      const OnnxGraph* loop = nullptr;
      for (const auto& [key, attribute] : node.attributes)
        if (attribute.g != nullptr) {
          const Scope body{.graph = *attribute.g, .around = &scope};
          add(body);
          pass_on(scope, node, body);
          if (node.op_type == "Loop") loop = attribute.g.get();
        }
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const std::string& input = node.inputs[i];
        if (input.empty()) continue;
        if (loop != nullptr && i >= 2) {
          if (i < loop->inputs.size()) passed_[found(scope, input)].emplace_back(loop, loop->inputs[i].name);
        } else {
          takers_[found(scope, input)].push_back({&node, &scope.graph});
        }
      }
    }
  }

  // What a body gives goes to the node's outputs, and into a loop's next iteration.
  void pass_on(const Scope& scope, const OnnxNode& node, const Scope& body) {
    const bool loop = node.op_type == "Loop";
    for (std::size_t i = loop ? 1 : 0; i < body.graph.outputs.size(); ++i) {
      std::vector<Name>& to = passed_[found(body, body.graph.outputs[i].name)];
      const std::size_t at = loop ? i - 1 : i;
      if (at < node.outputs.size() && !node.outputs[at].empty())
        to.emplace_back(&scope.graph, node.outputs[at]);
      if (loop && at + 2 < node.inputs.size() && at + 2 < body.graph.inputs.size())
        to.emplace_back(&body.graph, body.graph.inputs[at + 2].name);
    }
  }

  std::map<Name, std::vector<Taker>> takers_;
  std::map<Name, std::vector<Name>> passed_;  // the same numbers under other names
  std::set<Name> outputs_;
  std::set<std::pair<Name, bool>> seen_;
  OnnxNode output_{.name = "of the graph", .op_type = "output"};
};

// @param uses  of the whole graph; nearly always there is nothing to look for
void check(const OnnxGraph& whole, const OnnxGraph& graph, std::optional<Uses>& uses) {
  const auto check_use = [&](const std::string& value, const std::string& where, const Found& found,
                             const std::string& place, std::size_t of) {
    if (found.count_nan > 0) refuse_constant(where, found, place, of);
    if (!uses) uses.emplace(whole);
    if (const OnnxNode* node = uses->other_use(graph, value))
      refuse_constant(
          fmt::format("{}, used by node \"{}\" ({})", where, node->name, printable(node->op_type)), found,
          place, of);
  };
  for (const OnnxTensor& constant : graph.constants) {
    const Found found = look(constant);
    if (found.count > 0)
      check_use(constant.name, fmt::format("tensor \"{}\"", printable(constant.name)), found,
                place_in(constant.shape, found.first), static_cast<std::size_t>(constant.count));
  }
  for (const OnnxNode& node : graph.nodes)
    for (const auto& [name, attribute] : node.attributes) {
      using Kind = OnnxAttribute::Kind;
      const std::string where = fmt::format("node \"{}\" ({}), attribute \"{}\"", node.name,
                                            printable(node.op_type), printable(name));
      if (attribute.g != nullptr) check(whole, *attribute.g, uses);
      if (attribute.kind == Kind::kTensor) {
        const Found found = look(attribute.t);
        if (found.count > 0)
          check_use(node.outputs[0], where, found, place_in(attribute.t.shape, found.first),
                    static_cast<std::size_t>(attribute.t.count));
        continue;
      }
      if (attribute.kind != Kind::kFloat && attribute.kind != Kind::kFloats) continue;
      const std::span<const float> numbers =
          attribute.kind == Kind::kFloat ? std::span(&attribute.f, 1) : std::span(attribute.floats);
      const Found found = look(numbers);
      if (found.count > 0 && (found.count_nan > 0 || !is_bound(node.op_type)))
        refuse_constant(where, found, fmt::format("place {}", found.first), numbers.size());
    }
}

}  // namespace

void check_finite(const OnnxGraph& graph) {
  std::optional<Uses> uses;
  check(graph, graph, uses);
}

}  // namespace calo::infer
