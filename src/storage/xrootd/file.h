#pragma once

#include <memory>
#include <string>

#include "storage/backend.h"

namespace storage {

/// Opens a file for reading. @throws Fault
std::unique_ptr<Source> open_xrootd_file(const std::string& url, const Settings& settings);

}  // namespace storage
