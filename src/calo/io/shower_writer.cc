#include "calo/io/shower_writer.h"

#include "calo/io/layouts/shower_layout.h"

namespace calo {

std::unique_ptr<ShowerWriter> ShowerWriter::create(const std::filesystem::path& path,
                                                   const WriteOptions& options, core::ThreadPool& pool) {
  return layouts::row_of(options.layout).create(path, options, pool);
}

bool holds_several_geometries(Layout layout, const std::filesystem::path& path) {
  return layouts::row_of(layout).holds_several_geometries(path);
}

}  // namespace calo
