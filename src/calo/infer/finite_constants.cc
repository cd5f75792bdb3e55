#include "calo/infer/finite_constants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "calo/infer/printable.h"
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

[[noreturn]] void refuse(const std::string& where, const Found& found, const std::string& place,
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

class Uses {
 public:
  using Value = std::pair<std::string, bool>;

  explicit Uses(const OnnxGraph& graph) {
    for (const OnnxNode& node : graph.nodes)
      for (const std::string& input : node.inputs)
        if (!input.empty()) takers_[input].push_back(&node);
    for (const OnnxValue& output : graph.outputs) outputs_.insert(output.name);
  }

  // A node that takes a value otherwise than as a bound or mask; null if there is none. What has been
  // found to be none is not looked at again.
  const OnnxNode* other_use(const std::string& name) {
    std::vector<Value> left = {{name, false}};
    while (!left.empty()) {
      const Value value = std::move(left.back());
      left.pop_back();
      if (!seen_.insert(value).second) continue;
      const auto& [at, added] = value;  // added: to something, so that it must end in a Softmax
      if (outputs_.contains(at)) return &output_;
      for (const OnnxNode* node : takers_[at]) {
        const std::string& op = node->op_type;
        const bool sum = op == "Add" || op == "Sub";
        if (sum || is_carrier(op)) {
          for (const std::string& made : node->outputs)
            if (!made.empty()) left.emplace_back(made, added || sum);
        } else if (!(added ? ends_a_mask(op) : is_bound(op))) {
          return node;
        }
      }
    }
    return nullptr;
  }

 private:
  std::unordered_map<std::string, std::vector<const OnnxNode*>> takers_;
  std::set<std::string> outputs_;
  std::set<Value> seen_;
  OnnxNode output_{.name = "of the graph", .op_type = "output"};
};

}  // namespace

void check_finite(const OnnxGraph& graph) {
  std::optional<Uses> uses;  // nearly always there is nothing to look for
  const auto check_use = [&](const std::string& value, const std::string& where, const Found& found,
                             const std::string& place, std::size_t of) {
    if (found.count_nan > 0) refuse(where, found, place, of);
    if (!uses) uses.emplace(graph);
    if (const OnnxNode* node = uses->other_use(value))
      refuse(fmt::format("{}, used by node \"{}\" ({})", where, node->name, printable(node->op_type)), found,
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
        refuse(where, found, fmt::format("place {}", found.first), numbers.size());
    }
}

}  // namespace calo::infer
