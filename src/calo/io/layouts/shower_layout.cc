#include "calo/io/layouts/shower_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace calo::layouts {

std::span<const ShowerLayout> table() {
  static const ShowerLayout all[] = {kCalopipe, kCaloChallenge, kPar04, kMlFastSim};
  return all;
}

const ShowerLayout& row_of(Layout layout) {
  const auto rows = table();
  return *std::find_if(rows.begin(), rows.end(),
                       [&](const ShowerLayout& row) { return row.layout == layout; });
}

const ShowerLayout& layout_of(const hdf5::File& file) {
  for (const ShowerLayout& layout : table())
    if (layout.matches(file)) return layout;
  const std::vector<std::string> names = file.names();
  file.fail_reading("", fmt::format("is in no known layout; it contains: {}",
                                    names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "))));
}

void refuse(const core::ErrorDetails& details, const ReadOptions& options, std::vector<Remark>& notes) {
  if (!options.tolerant) throw core::InputError(details);
  notes.push_back({.file = details.file, .object = details.field, .text = details.message});
}

}  // namespace calo::layouts
