#pragma once

#include <filesystem>
#include <memory>

#include "calo/io/shower_writer.h"

namespace calo::layouts {

/// Writer of a sparse file in calopipe's own layout (doc/formats.md).
std::unique_ptr<ShowerWriter> create_calopipe(const std::filesystem::path& path, const WriteOptions& options,
                                              core::ThreadPool& pool);

}  // namespace calo::layouts
