#include "calo/io/shower_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <numbers>

#include "calo/io/dense_dataset.h"
#include "core/error.h"

namespace calo {
namespace {

namespace fs = std::filesystem;
using hdf5::File;

constexpr double kMevPerGev = 1000;
constexpr const char* kSimTime = "sim_time_s";

bool is_hdf5_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".h5" || extension == ".hdf5" || extension == ".hdf";
}

bool close_to(double a, double b) {
  return std::abs(a - b) <= 1e-4 * std::max(std::abs(a), std::abs(b));
}

bool matches(const std::vector<double>& wanted, double value) {
  return wanted.empty() ||
         std::any_of(wanted.begin(), wanted.end(), [&](double w) { return close_to(w, value); });
}

// Whole GeV from an MLFastSim dataset's name.
std::optional<double> energy_of_name(const std::string& name) {
  double energy = 0;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), energy);
  if (error != std::errc() || rest != name.data() + name.size() || !(energy > 0) || !std::isfinite(energy))
    return std::nullopt;
  return energy;
}

// One stretch of showers: a dense dataset, or a sparse file, with its rows' conditions.
struct Segment {
  const File* file;
  std::string dataset;
  std::unique_ptr<DenseDataset> dense;  // null for the sparse layout
  std::vector<std::uint64_t> offsets;   // sparse layout
  std::vector<std::int64_t> rows;       // rows of the dataset that are kept, ascending; empty = all
  std::int64_t begin = 0;               // of the kept rows, in the reader's order
  std::int64_t count = 0;
};

class Hdf5Reader final : public ShowerReader {
 public:
  Hdf5Reader(const fs::path& path, const ReadOptions& options, core::ThreadPool& pool)
      : options_(options), pool_(pool) {
    if (fs::is_directory(path))
      add_folder(path);
    else
      add_file(path, "");
    if (conditions_.empty()) {
      if (rows_seen_ == 0) throw core::InputError({.message = "holds no showers", .file = path});
      throw core::UsageError(
          {.message = fmt::format("none of its {} showers has the energies, angles or geometries asked for",
                                  rows_seen_),
           .file = path,
           .hint = "see calopipe inspect"});
    }
    info_.num_showers = static_cast<std::int64_t>(conditions_.size());
  }

  const DatasetInfo& info() const override { return info_; }
  const std::vector<Conditions>& conditions() const override { return conditions_; }

  Showers read(std::int64_t begin, std::int64_t count) override {
    Showers out(info_.mesh.num_cells(), info_.geometries);
    const std::int64_t end = std::min(begin + std::max<std::int64_t>(count, 0), info_.num_showers);
    for (Segment& segment : segments_) {
      const std::int64_t from = std::max(begin, segment.begin);
      const std::int64_t to = std::min(end, segment.begin + segment.count);
      if (from < to) read_segment(segment, from - segment.begin, to - segment.begin, out);
    }
    return out;
  }

 private:
  // Rows of a block: whole bands, about 64 MiB dense, so that every thread has chunks to expand.
  std::int64_t block_rows(const DenseDataset& dense) const {
    const std::int64_t row_bytes = dense.cells() * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t bands =
        std::max<std::int64_t>(1, (std::int64_t{64} << 20) / (row_bytes * dense.rows_per_band()));
    return bands * dense.rows_per_band();
  }

  std::int64_t row_of(const Segment& segment, std::int64_t index) const {
    return segment.rows.empty() ? index : segment.rows[static_cast<std::size_t>(index)];
  }

  void read_segment(Segment& segment, std::int64_t from, std::int64_t to, Showers& out) {
    if (!segment.dense) return read_sparse(segment, from, to, out);
    const std::int64_t rows = block_rows(*segment.dense);
    while (from < to) {
      const std::int64_t row = row_of(segment, from);
      const std::int64_t block_begin = row / rows * rows;
      const std::int64_t block_end = std::min(block_begin + rows, segment.dense->rows());
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
        H5Dread(dataset, type, memory, space, H5P_DEFAULT, values.data()) < 0)
      file.fail_reading(name, "cannot be read: " + hdf5::last_error());
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
          segment.file->fail_reading("cells", fmt::format("shower {} has cells out of order or range", row));
      out.append(conditions_[static_cast<std::size_t>(segment.begin + i)], hits,
                 {energies.data() + (segment.offsets[row] - base), hits.size()});
    }
  }

  void add_folder(const fs::path& root) {
    std::vector<fs::path> files;
    std::error_code error;
    // Links to folders are not followed, so that a loop cannot happen.
    for (auto it =
             fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, error);
         it != fs::recursive_directory_iterator(); it.increment(error))
      if (it->is_regular_file() && is_hdf5_name(it->path()) &&
          !it->path().filename().string().starts_with('.'))
        files.push_back(it->path());
    if (error) throw core::InputError({.message = "cannot be listed: " + error.message(), .file = root});
    if (files.empty())
      throw core::InputError({.message = "is a folder without HDF5 files",
                              .file = root,
                              .hint = "expected <GEO>/<GEO>_angle_<deg>.h5"});
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      const std::string stem = file.stem().string();
      add_file(file, stem.substr(0, stem.find("_angle_")));
    }
  }

  void add_file(const fs::path& path, const std::string& geometry_of_name) {
    files_.push_back(File::open(path));
    const File& file = files_.back();
    const std::vector<std::string> names = file.names();
    Layout layout;
    if (file.text_attribute("format") == "calopipe")
      layout = Layout::kCalopipe;
    else if (file.has("incident_energies") && file.has("showers"))
      layout = Layout::kCaloChallenge;
    else if (file.has("incident_energy") && file.has("showers"))
      layout = Layout::kPar04;
    else if (!names.empty() && std::any_of(names.begin(), names.end(), [](const std::string& n) {
               return energy_of_name(n).has_value();
             }))
      layout = Layout::kMlFastSim;
    else
      file.fail_reading("",
                        fmt::format("is in no known layout; it holds: {}",
                                    names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "))));
    if (!info_.files.empty() && layout != info_.layout)
      file.fail_reading("", fmt::format("is in the layout {}, and the files before it are in {}",
                                        to_string(layout), to_string(info_.layout)));
    info_.layout = layout;
    info_.files.push_back(path);
    info_.peak_memory_bytes =
        std::max(info_.peak_memory_bytes, file.number_attribute("peak_memory_bytes").value_or(0));
    std::string geometry = file.text_attribute("geometry").value_or(geometry_of_name);
    if (geometry.empty() && layout == Layout::kMlFastSim &&
        path.stem().string().find("_angle_") != std::string::npos)
      geometry = path.stem().string().substr(0, path.stem().string().find("_angle_"));
    if (!options_.geometry.empty()) geometry = options_.geometry;
    if (geometry.empty()) geometry = "unknown";
    switch (layout) {
      case Layout::kMlFastSim:
        add_mlfastsim(file, names, geometry);
        break;
      case Layout::kPar04:
        add_arrays(file, geometry, "incident_energy", "incident_theta", "incident_phi");
        break;
      case Layout::kCaloChallenge:
        add_arrays(file, geometry, "incident_energies", "", "");
        break;
      case Layout::kCalopipe:
        add_calopipe(file);
        break;
    }
  }

  std::uint16_t geometry_index(const std::string& name) {
    auto& names = info_.geometries;
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) found = names.insert(names.end(), name);
    return static_cast<std::uint16_t>(found - names.begin());
  }

  // Mesh for rows of this shape: the user's, or by number of cells with the geometry's cell sizes.
  VoxelMesh mesh_for(const File& file, const std::string& dataset, const std::string& geometry) const {
    const std::vector<hsize_t> shape = file.shape(dataset);
    std::uint64_t cells = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) cells *= shape[i];
    if (shape.size() != 2 && shape.size() != 4)
      file.fail_reading(
          dataset,
          fmt::format("has {} dimensions, and showers have [N, cells] or [N, r, phi, z]", shape.size()));
    // Files that calopipe wrote say it themselves.
    if (const auto text = file.text_attribute("mesh")) {
      const auto json = nlohmann::json::parse(*text, nullptr, false);
      if (!json.is_discarded()) {
        VoxelMesh mesh = VoxelMesh::from_json(json);
        if (static_cast<std::uint64_t>(mesh.num_cells()) != cells)
          file.fail_reading(dataset, "has another number of cells than the file's attribute mesh says");
        return options_.mesh_beside(mesh, file.path(), dataset);
      }
    }
    if (const auto mesh = options_.given_mesh(cells, file.path(), dataset)) {
      if (shape.size() == 4) {
        const VoxelMesh::Cylinder& given = mesh->cylinder();
        if (shape[1] != static_cast<hsize_t>(given.n_r) || shape[2] != static_cast<hsize_t>(given.n_phi) ||
            shape[3] != static_cast<hsize_t>(given.n_z))
          file.fail_reading(dataset, fmt::format("is {} x {} x {} (r, phi, z), and the mesh given is {}",
                                                 shape[1], shape[2], shape[3], mesh->to_string()));
      }
      return *mesh;
    }
    if (shape.size() == 2)
      if (const auto known = mesh_of_cells(cells)) return *known;
    VoxelMesh::Cylinder cylinder;
    const VoxelMesh::Cylinder sizes = named_mesh(geometry == "SciPb" ? "SciPb" : "SiW").cylinder();
    if (shape.size() == 4) {
      if (cells >= (std::uint64_t{1} << 31)) file.fail_reading(dataset, "has an impossible shape");
      cylinder = {.n_r = static_cast<int>(shape[1]),
                  .n_phi = static_cast<int>(shape[2]),
                  .n_z = static_cast<int>(shape[3])};
    } else if (cells == 40500) {
      cylinder = {};
    } else if (cells == 6480) {
      cylinder = {.n_r = 9, .n_phi = 16, .n_z = 45};
    } else {
      throw core::InputError({.message = fmt::format("has {} cells a shower, which is no known mesh", cells),
                              .file = file.path(),
                              .field = dataset,
                              .hint = "give the mesh, for example by --binning FILE.xml"});
    }
    // The readout's outer radius and depth are the detector's; fewer cells are larger ones.
    cylinder.size_r_mm = sizes.size_r_mm * sizes.n_r / cylinder.n_r;
    cylinder.size_z_mm = sizes.size_z_mm * sizes.n_z / cylinder.n_z;
    try {
      return VoxelMesh(cylinder);
    } catch (const core::UsageError& error) {
      file.fail_reading(dataset, error.what());
    }
  }

  // Adds rows whose conditions pass the filters.
  void add_rows(const File& file, const std::string& dataset, const VoxelMesh& mesh,
                const std::vector<Conditions>& conditions, std::unique_ptr<DenseDataset> dense,
                std::vector<std::uint64_t> offsets = {}) {
    rows_seen_ += static_cast<std::int64_t>(conditions.size());
    if (segments_.empty())
      info_.mesh = mesh;
    else if (mesh.num_cells() != info_.mesh.num_cells())
      file.fail_reading(dataset, fmt::format("has {} cells a shower, and the files before it have {}",
                                             mesh.num_cells(), info_.mesh.num_cells()));
    Segment segment{.file = &file,
                    .dataset = dataset,
                    .dense = std::move(dense),
                    .offsets = std::move(offsets),
                    .begin = static_cast<std::int64_t>(conditions_.size())};
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      const Conditions& condition = conditions[i];
      const auto& wanted = options_.geometries;
      if (!wanted.empty() &&
          std::find(wanted.begin(), wanted.end(), info_.geometries[condition.geometry]) == wanted.end())
        continue;
      if (!matches(options_.energies_mev, condition.incident_energy_mev)) continue;
      if (!matches(options_.angles_deg, condition.theta_rad * 180 / std::numbers::pi)) continue;
      rows.push_back(static_cast<std::int64_t>(i));
      conditions_.push_back(condition);
    }
    segment.count = static_cast<std::int64_t>(rows.size());
    if (rows.size() != conditions.size()) segment.rows = std::move(rows);
    if (segment.count > 0 || segments_.empty()) segments_.push_back(std::move(segment));
  }

  void add_mlfastsim(const File& file, const std::vector<std::string>& names, const std::string& geometry) {
    const std::string stem = file.path().stem().string();
    const std::size_t mark = stem.rfind("_angle_");
    std::optional<double> angle_deg = file.number_attribute("angle_deg");
    if (mark != std::string::npos) angle_deg = energy_of_name(stem.substr(mark + 7));
    if (!angle_deg || *angle_deg > 180)
      throw core::InputError({.message = "its name does not tell the angle",
                              .file = file.path(),
                              .hint = "name it <GEO>_angle_<deg>.h5"});
    std::map<double, std::string> by_energy;
    for (const std::string& name : names)
      if (const auto energy = energy_of_name(name)) by_energy[*energy] = name;
    for (const auto& [energy_gev, name] : by_energy) {
      const VoxelMesh mesh = mesh_for(file, name, geometry);
      auto dense = std::make_unique<DenseDataset>(file, name, std::vector<std::uint32_t>{});
      const Conditions condition{.incident_energy_mev = static_cast<float>(energy_gev * kMevPerGev),
                                 .theta_rad = static_cast<float>(*angle_deg * std::numbers::pi / 180),
                                 .geometry = geometry_index(geometry)};
      std::vector<Conditions> conditions(static_cast<std::size_t>(dense->rows()), condition);
      const std::vector<float> times = file.attribute_floats(kSimTime, name);
      if (times.size() == conditions.size())
        for (std::size_t i = 0; i < times.size(); ++i) conditions[i].sim_time_s = times[i];
      add_rows(file, name, mesh, conditions, std::move(dense));
    }
  }

  void add_arrays(const File& file, const std::string& geometry, const std::string& energy_name,
                  const std::string& theta_name, const std::string& phi_name) {
    const VoxelMesh mesh = mesh_for(file, "showers", geometry);
    std::vector<std::uint32_t> cell_of;
    if (file.shape("showers").size() == 2 && mesh.is_cylinder() && info_.layout == Layout::kCaloChallenge) {
      const VoxelMesh::Cylinder& cylinder = mesh.cylinder();
      for (int layer = 0; layer < cylinder.n_z; ++layer)
        for (int phi = 0; phi < cylinder.n_phi; ++phi)
          for (int r = 0; r < cylinder.n_r; ++r) cell_of.push_back(mesh.cell(layer, phi, r));
    }
    auto dense = std::make_unique<DenseDataset>(file, "showers", std::move(cell_of));
    const auto rows = static_cast<std::size_t>(dense->rows());
    const auto column = [&](const std::string& name, bool required, float fallback) {
      if (name.empty() || (!required && !file.has(name))) return std::vector<float>(rows, fallback);
      std::vector<float> values = file.read_floats(name);
      if (values.size() != rows)
        file.fail_reading(name, fmt::format("has {} entries for {} showers", values.size(), rows));
      return values;
    };
    const std::vector<float> energy = column(energy_name, true, 0);
    constexpr auto kPerpendicular = static_cast<float>(std::numbers::pi / 2);
    const std::vector<float> theta = column(theta_name, false, kPerpendicular);
    const std::vector<float> phi = column(phi_name, false, 0);
    const std::vector<float> time = column(kSimTime, false, std::numeric_limits<float>::quiet_NaN());
    std::vector<Conditions> conditions(rows);
    for (std::size_t i = 0; i < rows; ++i)
      conditions[i] = {.incident_energy_mev = energy[i],
                       .theta_rad = theta[i],
                       .phi_rad = phi[i],
                       .geometry = geometry_index(geometry),
                       .sim_time_s = time[i]};
    add_rows(file, "showers", mesh, conditions, std::move(dense));
  }

  void add_calopipe(const File& file) {
    const auto json_attribute = [&](const char* name) {
      const auto text = file.text_attribute(name);
      nlohmann::json json = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
      if (!text || json.is_discarded()) file.fail_reading(name, "attribute is missing or no JSON");
      return json;
    };
    const double version = file.number_attribute("format_version").value_or(0);
    if (version != 1)
      file.fail_reading("format_version", fmt::format("is {}, and this program reads 1", version));
    const VoxelMesh mesh =
        options_.mesh_beside(VoxelMesh::from_json(json_attribute("mesh")), file.path(), "cells");
    std::vector<std::uint16_t> geometry_of;
    for (const auto& name : json_attribute("geometries")) {
      if (!name.is_string()) file.fail_reading("geometries", "attribute is no list of names");
      const bool unnamed = name == "unknown" && !options_.geometry.empty();
      geometry_of.push_back(geometry_index(unnamed ? options_.geometry : name.get<std::string>()));
    }
    const auto energy = file.read_floats("incident_energy");
    const auto theta = file.read_floats("incident_theta");
    const auto phi = file.read_floats("incident_phi");
    const auto geometry = file.read_integers("geometry");
    auto offsets = file.read_integers("offsets");
    const std::size_t rows = energy.size();
    const std::vector<float> time = file.has(kSimTime)
                                        ? file.read_floats(kSimTime)
                                        : std::vector<float>(rows, std::numeric_limits<float>::quiet_NaN());
    if (time.size() != rows || theta.size() != rows || phi.size() != rows || geometry.size() != rows ||
        offsets.size() != rows + 1)
      file.fail_reading("offsets", "the columns have different lengths");
    const auto hits = file.shape("cells");
    if (hits.size() != 1 || file.shape("energies") != hits || offsets.front() != 0 ||
        offsets.back() != hits[0] || !std::is_sorted(offsets.begin(), offsets.end()))
      file.fail_reading("offsets", "does not fit the cells");
    std::vector<Conditions> conditions(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      if (geometry[i] >= geometry_of.size())
        file.fail_reading("geometry", "names a geometry that is not listed");
      conditions[i] = {.incident_energy_mev = energy[i],
                       .theta_rad = theta[i],
                       .phi_rad = phi[i],
                       .geometry = geometry_of[geometry[i]],
                       .sim_time_s = time[i]};
    }
    add_rows(file, "cells", mesh, conditions, nullptr, std::move(offsets));
  }

  ReadOptions options_;
  core::ThreadPool& pool_;
  DatasetInfo info_;
  std::deque<File> files_;  // segments point into it
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
  std::error_code error;
  if (!fs::exists(path, error)) throw core::InputError({.message = "does not exist", .file = path});
  return std::make_unique<Hdf5Reader>(path, options, pool);
}

std::int64_t ShowerReader::batch_within(std::size_t bytes) const {
  const auto shower = static_cast<std::size_t>(info().mesh.num_cells()) * sizeof(float);
  return static_cast<std::int64_t>(std::max<std::size_t>(1, bytes / shower));
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
