#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/temp_folder.h"

namespace core {

/// Local copies of small files and folders at URLs (models, parameters, reports), in a temporary folder that
/// lives as long as this object.
class RemoteCopies {
 public:
  /// A copy of what is at the URL; a local path is returned as it is.
  /// @throws InputError if nothing is there; UnavailableError
  std::filesystem::path local(const std::filesystem::path& path);

  /// The same error, with URLs instead of the paths of their copies.
  Error with_urls(const Error& error) const;

 private:
  std::optional<TempFolder> folder_;
  std::map<std::filesystem::path, std::filesystem::path> urls_;  // by path of the copy
};

}  // namespace core
