#include "calo/io/shower_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <numbers>
#include <set>

#include "calo/io/axes.h"
#include "calo/io/dense_dataset.h"
#include "calo/io/detail/hdf5_remote.h"
#include "calo/io/layouts/opened_folder.h"
#include "core/error.h"

namespace calo {
namespace {

namespace fs = std::filesystem;
using hdf5::File;

bool close_to(double a, double b) {
  return std::abs(a - b) <= 1e-4 * std::max(std::abs(a), std::abs(b));
}

bool matches(const std::vector<double>& wanted, double value) {
  return wanted.empty() ||
         std::any_of(wanted.begin(), wanted.end(), [&](double w) { return close_to(w, value); });
}

// A range of showers: a dense dataset or a sparse file, with the conditions of its rows.
struct Segment {
  const File* file;
  std::string dataset;
  std::unique_ptr<DenseDataset> dense;  // null for the sparse layout
  std::vector<std::uint64_t> offsets;   // sparse layout
  std::vector<std::int64_t> rows;       // rows of the dataset that are kept, ascending; empty = all
  std::int64_t begin = 0;               // index of its first kept row in the reader's order
  std::int64_t count = 0;
};

class Hdf5Reader final : public ShowerReader {
 public:
  Hdf5Reader(const fs::path& path, const ReadOptions& options, core::ThreadPool& pool)
      : options_(options), pool_(pool) {
    if (!options_.axes.empty()) parse_axes(options_.axes);
    layouts::OpenedFolder folder = layouts::open_folder(path, options_);
    info_.path = path;
    info_.notes = std::move(folder.notes);
    info_.not_read = std::move(folder.not_read);
    info_.other_files = std::move(folder.other_files);
    files_ = std::move(folder.files);
    for (const auto& file : files_) add_file(*file);
    if (conditions_.empty()) {
      if (rows_seen_ == 0) throw core::InputError({.message = "contains no showers", .file = path});
      throw core::UsageError(
          {.message = fmt::format("none of its {} showers has the requested energies, angles or geometries",
                                  rows_seen_),
           .file = path,
           .hint = "see calopipe inspect"});
    }
    info_.num_showers = static_cast<std::int64_t>(conditions_.size());
    settle_meshes();
  }

  const DatasetInfo& info() const override { return info_; }
  const std::vector<Conditions>& conditions() const override { return conditions_; }

  Showers read(std::int64_t begin, std::int64_t count) override {
    return hdf5::with_remote_failures([&] { return read_rows(begin, count); });
  }

 private:
  Showers read_rows(std::int64_t begin, std::int64_t count) {
    Showers out(info_.mesh.num_cells(), info_.geometries);
    const std::int64_t end = std::min(begin + std::max<std::int64_t>(count, 0), info_.num_showers);
    for (Segment& segment : segments_) {
      const std::int64_t from = std::max(begin, segment.begin);
      const std::int64_t to = std::min(end, segment.begin + segment.count);
      if (from < to) read_segment(segment, from - segment.begin, to - segment.begin, out);
    }
    return out;
  }

  // Number of rows of a block: whole bands, about 64 MiB dense, so that every thread has chunks to expand.
  std::int64_t block_rows(const DenseDataset& dense) const {
    const std::int64_t row_bytes = dense.cells() * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t bands =
        std::max<std::int64_t>(1, (std::int64_t{64} << 20) / (row_bytes * dense.rows_per_band()));
    return bands * dense.rows_per_band();
  }

  // Rows of the block with this row: of the whole block, those bands that are between kept rows.
  std::pair<std::int64_t, std::int64_t> block_of(const Segment& segment, std::int64_t row) const {
    const std::int64_t rows = block_rows(*segment.dense), band = segment.dense->rows_per_band();
    std::int64_t begin = row / rows * rows;
    std::int64_t end = std::min(begin + rows, segment.dense->rows());
    if (!segment.rows.empty()) {
      const auto first = std::lower_bound(segment.rows.begin(), segment.rows.end(), begin);
      const auto last = std::lower_bound(first, segment.rows.end(), end);
      begin = *first / band * band;
      end = std::min(end, (*std::prev(last) / band + 1) * band);
    }
    return {begin, end};
  }

  std::int64_t row_of(const Segment& segment, std::int64_t index) const {
    return segment.rows.empty() ? index : segment.rows[static_cast<std::size_t>(index)];
  }

  void read_segment(Segment& segment, std::int64_t from, std::int64_t to, Showers& out) {
    if (!segment.dense) return read_sparse(segment, from, to, out);
    while (from < to) {
      const std::int64_t row = row_of(segment, from);
      const auto [block_begin, block_end] = block_of(segment, row);
      if (cached_ != &segment || cached_begin_ != block_begin) {
        cached_ = nullptr;
        cache_ = Showers(info_.mesh.num_cells(), info_.geometries);
        const std::vector<Conditions> unused(static_cast<std::size_t>(block_end - block_begin));
        segment.dense->read(block_begin, block_end, unused, pool_, cache_);
        cached_ = &segment;
        cached_begin_ = block_begin;
      }
      for (; from < to && row_of(segment, from) < block_end; ++from) {
        const auto place = static_cast<std::size_t>(row_of(segment, from) - block_begin);
        out.append(conditions_[static_cast<std::size_t>(segment.begin + from)], cache_.cells_of(place),
                   cache_.energies_of(place));
      }
    }
  }

  template <class T>
  std::vector<T> read_slice(const File& file, const std::string& name, hid_t type, std::uint64_t begin,
                            std::uint64_t end) const {
    std::vector<T> values(end - begin);
    if (values.empty()) return values;
    const hdf5::Handle dataset = file.dataset(name);
    const hdf5::Handle space(H5Dget_space(dataset), H5Sclose);
    const hsize_t start = begin;
    const hsize_t count = end - begin;
    const hdf5::Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &count, nullptr) < 0 ||
        H5Dread(dataset, type, memory, space, hdf5::exact_integers(), values.data()) < 0)
      file.fail_hdf5(name, "cannot be read");
    return values;
  }

  void read_sparse(const Segment& segment, std::int64_t from, std::int64_t to, Showers& out) const {
    const auto first = static_cast<std::size_t>(row_of(segment, from));
    const auto last = static_cast<std::size_t>(row_of(segment, to - 1));
    const std::uint64_t base = segment.offsets[first];
    const std::uint64_t end = segment.offsets[last + 1];
    const auto cells = read_slice<std::uint32_t>(*segment.file, "cells", H5T_NATIVE_UINT32, base, end);
    const auto energies = read_slice<float>(*segment.file, "energies", H5T_NATIVE_FLOAT, base, end);
    for (std::int64_t i = from; i < to; ++i) {
      const auto row = static_cast<std::size_t>(row_of(segment, i));
      const std::span<const std::uint32_t> hits(cells.data() + (segment.offsets[row] - base),
                                                segment.offsets[row + 1] - segment.offsets[row]);
      for (std::size_t hit = 0; hit < hits.size(); ++hit)
        if (hits[hit] >= static_cast<std::uint64_t>(out.num_cells()) ||
            (hit > 0 && hits[hit] <= hits[hit - 1]))
          segment.file->fail_reading(
              "cells", fmt::format("shower {} has cells that are out of order or out of range", row));
      out.append(conditions_[static_cast<std::size_t>(segment.begin + i)], hits,
                 {energies.data() + (segment.offsets[row] - base), hits.size()});
    }
  }

  void add_file(layouts::OpenedFile& opened) {
    const File& file = opened.file;
    if (!info_.files.empty() && opened.layout->layout != info_.layout)
      throw core::InputError(
          {.message = fmt::format("is in the layout {}, but {} is in {}", to_string(opened.layout->layout),
                                  info_.files.front().string(), to_string(info_.layout)),
           .file = file.path(),
           .hint = "give files of one layout only"});
    info_.layout = opened.layout->layout;
    info_.files.push_back(file.path());
    info_.first_shower.push_back(static_cast<std::int64_t>(conditions_.size()));
    info_.peak_memory_bytes =
        std::max(info_.peak_memory_bytes, file.number_attribute("peak_memory_bytes").value_or(0));
    std::vector<std::uint16_t> geometries;
    for (const std::string& name : opened.content.geometries) geometries.push_back(geometry_index(name));
    for (layouts::Rows& rows : opened.content.rows) {
      for (Conditions& condition : rows.conditions) condition.geometry = geometries.at(condition.geometry);
      const bool is_first = conditions_.empty();
      check_cells(file, rows);
      const VoxelMesh mesh = rows.mesh;
      const std::string dataset = rows.dataset;
      for (const std::uint16_t geometry : add_rows(file, std::move(rows)))
        take_mesh(file, dataset, info_.geometries[geometry],
                  mesh_of(opened.content.geometry_meshes, info_.geometries[geometry], mesh));
      if (is_first && !conditions_.empty()) info_.mesh = mesh;
    }
  }

  // All showers must have the same cells; their sizes may differ by geometry.
  void check_cells(const File& file, const layouts::Rows& rows) {
    if (!first_mesh_) first_mesh_ = info_.mesh = rows.mesh;
    if (rows.mesh == *first_mesh_ || (rows.mesh.is_cylinder() && rows.mesh.has_cells_of(*first_mesh_)))
      return;
    throw core::InputError({.message = fmt::format("has the mesh {}, but {} has {}", rows.mesh.to_string(),
                                                   info_.files.front().string(), first_mesh_->to_string()),
                            .file = file.path(),
                            .field = rows.dataset,
                            .hint = "give showers of one mesh only"});
  }

  void take_mesh(const File& file, const std::string& dataset, const std::string& geometry,
                 const VoxelMesh& mesh) {
    const auto [found, is_new] = meshes_.try_emplace(geometry, mesh);
    if (is_new || found->second.is_alike(mesh)) return;
    layouts::refuse(
        {.message = fmt::format("has {}, but earlier showers of the geometry {} have {}", mesh.to_string(),
                                geometry, found->second.to_string()),
         .file = file.path(),
         .field = dataset,
         .hint = "read them separately, or give files of different detectors the attribute geometry"},
        options_, info_.notes);
  }

  void settle_meshes() {
    if (meshes_.size() == 1) info_.mesh = meshes_.begin()->second;
    const auto is_common = [&](const auto& entry) { return entry.second.is_alike(info_.mesh); };
    if (!std::all_of(meshes_.begin(), meshes_.end(), is_common)) info_.geometry_meshes = meshes_;
    if (meshes_.size() < 2 || !info_.mesh.is_cylinder() || !(options_.mesh || options_.binning)) return;
    std::vector<std::string> names;
    for (const auto& [name, mesh] : meshes_) names.push_back(name);
    info_.notes.push_back({.file = info_.path,
                           .text = fmt::format("the given mesh, {}, is used for all geometries: {}",
                                               info_.mesh.to_string(), fmt::join(names, ", "))});
  }

  std::uint16_t geometry_index(const std::string& name) {
    auto& names = info_.geometries;
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) found = names.insert(names.end(), name);
    return static_cast<std::uint16_t>(found - names.begin());
  }

  // Adds the rows that pass the filters, and returns their geometries.
  std::set<std::uint16_t> add_rows(const File& file, layouts::Rows rows) {
    std::set<std::uint16_t> geometries;
    rows_seen_ += static_cast<std::int64_t>(rows.conditions.size());
    Segment segment{.file = &file,
                    .dataset = rows.dataset,
                    .dense = std::move(rows.dense),
                    .offsets = std::move(rows.offsets),
                    .begin = static_cast<std::int64_t>(conditions_.size())};
    std::vector<std::int64_t> kept;
    for (std::size_t i = 0; i < rows.conditions.size(); ++i) {
      const Conditions& condition = rows.conditions[i];
      const auto& wanted = options_.geometries;
      if (!wanted.empty() &&
          std::find(wanted.begin(), wanted.end(), info_.geometries[condition.geometry]) == wanted.end())
        continue;
      if (!matches(options_.energies_mev, condition.incident_energy_mev)) continue;
      if (!matches(options_.angles_deg, condition.theta_rad * 180 / std::numbers::pi)) continue;
      kept.push_back(static_cast<std::int64_t>(i));
      conditions_.push_back(condition);
      geometries.insert(condition.geometry);
    }
    segment.count = static_cast<std::int64_t>(kept.size());
    if (kept.size() != rows.conditions.size()) segment.rows = std::move(kept);
    if (segment.count > 0 || segments_.empty()) segments_.push_back(std::move(segment));
    return geometries;
  }

  ReadOptions options_;
  core::ThreadPool& pool_;
  DatasetInfo info_;
  std::vector<std::unique_ptr<layouts::OpenedFile>> files_;  // segments point to them
  std::optional<VoxelMesh> first_mesh_;                      // of the first file
  GeometryMeshes meshes_;                                    // of all geometries with showers
  std::deque<Segment> segments_;
  std::vector<Conditions> conditions_;
  std::int64_t rows_seen_ = 0;
  const Segment* cached_ = nullptr;
  std::int64_t cached_begin_ = 0;
  Showers cache_;
};

}  // namespace

std::unique_ptr<ShowerReader> ShowerReader::open(const fs::path& path, const ReadOptions& options,
                                                 core::ThreadPool& pool) {
  return hdf5::with_remote_failures([&] { return std::make_unique<Hdf5Reader>(path, options, pool); });
}

std::int64_t ShowerReader::batch_within(std::size_t bytes) const {
  const auto shower = static_cast<std::size_t>(info().mesh.num_cells()) * sizeof(float);
  return static_cast<std::int64_t>(std::max<std::size_t>(1, bytes / shower));
}

std::vector<std::string> remarks_of(const DatasetInfo& info, std::size_t most) {
  std::vector<std::string> lines;
  const auto add = [&](const std::vector<Remark>& remarks, const char* before, const char* what) {
    for (std::size_t i = 0; i < std::min(most, remarks.size()); ++i)
      lines.push_back(before + remarks[i].to_string());
    if (remarks.size() > most) lines.push_back(fmt::format("{} more {}", remarks.size() - most, what));
  };
  add(info.notes, "", "notes of this kind");
  add(info.not_read, "not read: ", "files and objects are not read");
  return lines;
}

void warn_of_remarks(const DatasetInfo& info) {
  for (const std::string& line : remarks_of(info, 10)) spdlog::warn("{}", line);
}

std::optional<double> mean_sim_time_s(const std::vector<Conditions>& conditions) {
  double sum = 0;
  std::size_t count = 0;
  for (const Conditions& condition : conditions)
    if (std::isfinite(condition.sim_time_s) && condition.sim_time_s >= 0) {
      sum += condition.sim_time_s;
      ++count;
    }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

Showers read_all(ShowerReader& reader) {
  return reader.read(0, reader.info().num_showers);
}

}  // namespace calo
