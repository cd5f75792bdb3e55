#pragma once

#include "storage/backend.h"

namespace storage {

/// What libcalopipe-xrootd.so gives.
struct XrootdEntry {
  const char* calopipe_version;
  /// Called once. The object lives as long as the process.
  Backend* (*make)(const Settings& settings);
};

/// Type of the only symbol that the library exports.
using XrootdEntryFunction = const XrootdEntry* (*)();
constexpr const char* kXrootdEntry = "calopipe_xrootd";
/// Environment variable with the path of the library.
constexpr const char* kXrootdVariable = "CALOPIPE_XROOTD_MODULE";

}  // namespace storage
