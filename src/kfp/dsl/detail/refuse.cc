#include "kfp/dsl/detail/refuse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "kfp/component/field.h"

namespace kfp::dsl {

void refuse(const std::string& what, std::string message, std::string hint) {
  throw core::UsageError({.message = std::move(message), .field = what, .hint = std::move(hint)});
}

std::string suggestion(const std::string& name, const Ports& ports) {
  std::vector<std::string> known;
  for (const auto& [other, port] : ports) known.push_back(other);
  const std::string near = nearest(name, known);
  if (!near.empty()) return fmt::format("did you mean {}?", near);
  return known.empty() ? "it has none" : fmt::format("there are {}", fmt::join(known, ", "));
}

}  // namespace kfp::dsl
