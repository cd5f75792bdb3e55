#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calo/io/convert_showers.h"
#include "calo/io/shower_reader.h"

namespace calo::layouts {

/// A request to write showers in a layout. The layout checks before anything is written whether it can store
/// them.
struct Wanted {
  const DatasetInfo& info;
  const std::vector<Conditions>& conditions;
  const ConvertShowersOptions& options;
  const std::filesystem::path& out;

  bool may_drop(Droppable what) const { return options.drop.contains(what); }
  /// @throws core::UsageError: the layout cannot store a property that cannot be dropped
  [[noreturn]] void refuse(const std::string& message, const std::string& hint) const;
  /// @throws core::UsageError: the layout cannot store a property that the user did not allow to be dropped
  [[noreturn]] void lose(Droppable what, const std::string& message, const std::string& layouts) const;
};

/// Check of layouts that have regular meshes only. @throws core::UsageError
void require_regular_mesh(const Wanted& wanted);
/// Check of files that have only one geometry.
/// @param layouts  names of layouts that can have several
/// @throws core::UsageError
void require_one_geometry(const Wanted& wanted, const std::string& layouts);

}  // namespace calo::layouts
