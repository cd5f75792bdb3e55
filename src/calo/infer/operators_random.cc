#include <fmt/format.h>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

enum class Law { kNormal, kUniform };

// Noise comes from the caller's keys: the file's own seed would give every shower the same.
Operator random(const OnnxNode& node, Law law, bool like) {
  const bool normal = law == Law::kNormal;
  if (normal && like)
    only_attributes(node, {"dtype", "mean", "scale", "seed"});
  else if (normal)
    only_attributes(node, {"dtype", "mean", "scale", "seed", "shape"});
  else if (like)
    only_attributes(node, {"dtype", "low", "high", "seed"});
  else
    only_attributes(node, {"dtype", "low", "high", "seed", "shape"});
  const double low = float_attribute(node, "low", 0), high = float_attribute(node, "high", 1);
  const double first = normal ? float_attribute(node, "mean", 0) : low;
  const double factor = normal ? float_attribute(node, "scale", 1) : high - low;
  const bool typed = has_attribute(node, "dtype");
  const ElementType given = type_attribute(node, "dtype", ElementType::kFloat);
  if (!is_real(given)) refuse_node(node, fmt::format("makes {}", to_string(given)));
  const std::vector<std::int64_t> extents = ints_attribute(node, "shape");
  if (extents.size() > Shape::kMaxRank) refuse_node(node, "has more than 8 dimensions");
  return [=, shape_given = Shape(extents)](OperatorCall& call) {
    Shape shape = like ? call.input(0).shape : shape_given;
    const ElementType type = like && !typed ? call.input(0).type : given;
    if (!is_real(type)) call.fail(fmt::format("makes {}", to_string(type)));
    if (call.noise.empty()) call.fail("needs a seed");
    if (call.noise_by_row && !like) {
      if (shape.rank == 0) call.fail("has no rows");
      shape[0] = static_cast<std::int64_t>(call.noise.size());
    }
    Tensor& out = call.output(0, type, shape);
    const std::size_t count = out.size();
    const std::size_t rows =
        call.noise_by_row && shape.rank > 0 && shape[0] == static_cast<std::int64_t>(call.noise.size())
            ? call.noise.size()
            : 1;
    by_real(type, [&](auto kind) {
      using T = decltype(kind);
      for (std::size_t i = 0; i < count; ++i) {
        core::Philox& noise = call.noise[i / (count / rows)];
        const auto drawn = normal ? noise.normal() : noise.uniform();
        out.numbers<T>()[i] = static_cast<T>(first) + static_cast<T>(factor) * static_cast<T>(drawn);
      }
    });
  };
}

}  // namespace

void add_random_operators(OperatorTable& table) {
  const auto add = [&](const char* name, Law law, bool like) {
    table[name] = [law, like](const OnnxNode& node, std::int64_t) { return random(node, law, like); };
  };
  add("RandomNormal", Law::kNormal, false);
  add("RandomNormalLike", Law::kNormal, true);
  add("RandomUniform", Law::kUniform, false);
  add("RandomUniformLike", Law::kUniform, true);
}

}  // namespace calo::infer
