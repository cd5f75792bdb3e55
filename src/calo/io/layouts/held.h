#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calo/io/convert_showers.h"
#include "calo/io/shower_reader.h"

namespace calo::layouts {

/// Showers that are to be written in a layout, which says before anything is written whether it can hold
/// them.
struct Wanted {
  const DatasetInfo& info;
  const std::vector<Conditions>& conditions;
  const ConvertShowersOptions& options;
  const std::filesystem::path& out;

  bool may_drop(Droppable what) const { return options.drop.contains(what); }
  /// @throws core::UsageError: the layout cannot hold something that cannot be dropped
  [[noreturn]] void refuse(const std::string& message, const std::string& hint) const;
  /// @throws core::UsageError: the layout cannot hold something, and the user did not say that it may be
  ///         dropped
  [[noreturn]] void lose(Droppable what, const std::string& message, const std::string& layouts) const;
};

/// For layouts with regular meshes only. @throws core::UsageError
void require_regular_mesh(const Wanted& wanted);
/// For files that can say only one geometry. @param layouts  that can say several  @throws core::UsageError
void require_one_geometry(const Wanted& wanted, const std::string& layouts);

}  // namespace calo::layouts
