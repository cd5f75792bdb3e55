#include "calo/io/layout.h"

#include <fmt/format.h>

#include "core/error.h"

namespace calo {

std::string to_string(Layout layout) {
  switch (layout) {
    case Layout::kMlFastSim:
      return "mlfastsim";
    case Layout::kPar04:
      return "par04";
    case Layout::kCaloChallenge:
      return "calochallenge";
    case Layout::kCalopipe:
      return "calopipe";
  }
  return "calopipe";
}

Layout parse_layout(const std::string& name) {
  for (const Layout layout : {Layout::kMlFastSim, Layout::kPar04, Layout::kCaloChallenge, Layout::kCalopipe})
    if (name == to_string(layout)) return layout;
  throw core::UsageError({.message = fmt::format("\"{}\" is no layout", name),
                          .field = "layout",
                          .hint = "layouts: mlfastsim, par04, calochallenge, calopipe"});
}

}  // namespace calo
