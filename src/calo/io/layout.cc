#include "calo/io/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/error.h"

namespace calo {
namespace {

constexpr std::pair<Layout, const char*> kNames[] = {{Layout::kMlFastSim, "mlfastsim"},
                                                     {Layout::kPar04, "par04"},
                                                     {Layout::kCaloChallenge, "calochallenge"},
                                                     {Layout::kCalopipe, "calopipe"}};

}  // namespace

std::string to_string(Layout layout) {
  for (const auto& [known, name] : kNames)
    if (known == layout) return name;
  return "";
}

std::vector<std::string> layout_names() {
  std::vector<std::string> names;
  names.reserve(std::size(kNames));
  for (const auto& [layout, name] : kNames) names.emplace_back(name);
  return names;
}

Layout parse_layout(const std::string& name) {
  for (const auto& [layout, known] : kNames)
    if (name == known) return layout;
  throw core::UsageError({.message = fmt::format("\"{}\" is not a layout", name),
                          .field = "layout",
                          .hint = fmt::format("layouts: {}", fmt::join(layout_names(), ", "))});
}

}  // namespace calo
