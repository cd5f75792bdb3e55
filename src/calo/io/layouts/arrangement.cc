#include "calo/io/layouts/arrangement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/json_file.h"

namespace calo::layouts {
namespace {

using hdf5::File;
using Shape = std::vector<hsize_t>;

constexpr std::uint64_t kMaxCells = std::uint64_t{1} << 31;

// Numbers of cells along the axes, in their order.
std::array<hsize_t, 3> extents(const VoxelMesh::Cylinder& cylinder, const Axes& axes) {
  std::array<hsize_t, 3> result{};
  for (std::size_t i = 0; i < 3; ++i)
    result[i] = static_cast<hsize_t>(axes[i] == Axis::kR     ? cylinder.n_r
                                     : axes[i] == Axis::kPhi ? cylinder.n_phi
                                                             : cylinder.n_z);
  return result;
}

VoxelMesh::Cylinder cylinder_of(const Shape& shape, const Axes& axes) {
  VoxelMesh::Cylinder cylinder;
  for (std::size_t i = 0; i < 3; ++i)
    (axes[i] == Axis::kR     ? cylinder.n_r
     : axes[i] == Axis::kPhi ? cylinder.n_phi
                             : cylinder.n_z) = static_cast<int>(shape[i]);
  return cylinder;
}

// True if the dimensions of a row are these extents, except for merged neighbours and dimensions of 1.
bool holds(const Shape& row, const std::array<hsize_t, 3>& extent) {
  std::size_t next = 0;
  for (const hsize_t dimension : row) {
    if (dimension == 1 && (next == 3 || extent[next] != 1)) continue;
    hsize_t product = 1;
    do {
      if (next == 3) return false;
      product *= extent[next++];
    } while (product < dimension);
    if (product != dimension) return false;
  }
  while (next < 3 && extent[next] == 1) ++next;
  return next == 3;
}

std::vector<Axes> all_orders() {
  std::vector<Axes> orders;
  Axes axes = kRPhiZ;
  do {
    orders.push_back(axes);
  } while (std::next_permutation(axes.begin(), axes.end()));
  return orders;
}

// "give --axes layer,phi,r": the orders in which a row has these cells; empty if there is none.
std::string axes_hint(const Shape& row, const VoxelMesh::Cylinder& cylinder) {
  std::vector<std::string> fitting;
  for (const Axes& axes : all_orders())
    if (holds(row, extents(cylinder, axes))) fitting.push_back(to_string(axes));
  return fitting.empty() ? "" : fmt::format("give --axes {}", fmt::join(fitting, " or --axes "));
}

const std::vector<VoxelMesh::Cylinder>& known_cylinders() {
  static const std::vector<VoxelMesh::Cylinder> all = {named_mesh("SiW").cylinder(),
                                                       named_mesh("SiW-lowgran").cylinder()};
  return all;
}

bool same_cells(const VoxelMesh::Cylinder& a, const VoxelMesh::Cylinder& b) {
  return a.n_r == b.n_r && a.n_phi == b.n_phi && a.n_z == b.n_z;
}

// The outer radius and depth of the readout are the detector's: with fewer cells, cells are larger.
VoxelMesh with_sizes_of(const std::string& geometry, VoxelMesh::Cylinder cylinder) {
  const VoxelMesh detector = named_mesh(geometry == "SciPb" ? "SciPb" : "SiW");
  const VoxelMesh::Cylinder& sizes = detector.cylinder();
  cylinder.size_r_mm = sizes.size_r_mm * sizes.n_r / cylinder.n_r;
  cylinder.size_z_mm = sizes.size_z_mm * sizes.n_z / cylinder.n_z;
  return VoxelMesh(cylinder);
}

// The mesh with this number of cells, if only one is known.
std::optional<VoxelMesh> known_mesh(std::uint64_t cells, const std::string& geometry) {
  if (auto layered = mesh_of_cells(cells)) return layered;
  for (const VoxelMesh::Cylinder& cylinder : known_cylinders())
    if (static_cast<std::uint64_t>(VoxelMesh(cylinder).num_cells()) == cells)
      return with_sizes_of(geometry, cylinder);
  return std::nullopt;
}

std::string text_of(const Shape& shape) {
  return fmt::format("{}", fmt::join(shape, " x "));
}

class Arranger {
 public:
  Arranger(const File& file, const std::string& dataset, const std::string& geometry,
           const ReadOptions& options, const Axes& axes_of_layout)
      : file_(file),
        dataset_(dataset),
        geometry_(geometry),
        asked_(!options.axes.empty()),
        axes_(asked_ ? parse_axes(options.axes) : axes_of_layout) {
    const Shape shape = file.shape(dataset);
    if (shape.size() < 2) fail_rank(shape.size());
    row_.assign(shape.begin() + 1, shape.end());
    for (const hsize_t dimension : row_)
      if (dimension == 0 || dimension >= kMaxCells || (cells_ *= dimension) >= kMaxCells)
        file.fail_reading(dataset,
                          fmt::format("has an impossible shape: {} cells per shower", text_of(row_)));
    if (const auto own = mesh_of_attribute()) {
      take(options.mesh_beside(*own, file.path(), dataset), "the file's attribute mesh");
    } else if (const auto given = options.given_mesh(cells_, file.path(), dataset)) {
      take(*given, "the given mesh");
    } else {
      take_from_shape();
    }
    order_cells();
    const auto wide = std::count_if(row_.begin(), row_.end(), [](hsize_t n) { return n > 1; });
    if (!asked_ && axes_of_layout == kRPhiZ && result_.mesh.is_cylinder() && wide < 2 && cells_ > 1)
      result_.notes.push_back(
          fmt::format("is flat: assuming that its cells are in the order {}", to_string(axes_)));
  }

  Arrangement result() { return std::move(result_); }

 private:
  [[noreturn]] void fail(const std::string& message, const std::string& hint = {}) const {
    throw core::InputError({.message = message, .file = file_.path(), .field = dataset_, .hint = hint});
  }
  [[noreturn]] void fail_rank(std::size_t rank) const {
    fail(fmt::format("has {} dimensions, but showers are [N, cells] or [N, {}, {}, {}]", rank, name(0),
                     name(1), name(2)));
  }
  std::string name(std::size_t axis) const {
    return axes_[axis] == Axis::kR ? "r" : axes_[axis] == Axis::kPhi ? "phi" : "z";
  }
  std::string names() const { return fmt::format("{}, {}, {}", name(0), name(1), name(2)); }

  // Files that calopipe wrote contain their mesh.
  std::optional<VoxelMesh> mesh_of_attribute() {
    const auto text = file_.text_attribute("mesh");
    if (!text) return std::nullopt;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object()) {
      result_.notes.push_back(fmt::format("the attribute mesh, \"{}\", is ignored", text->substr(0, 80)));
      return std::nullopt;
    }
    return core::in_file(file_.path(), [&] { return VoxelMesh::from_json(json); });
  }

  // Uses a mesh that the file or the user states.
  void take(const VoxelMesh& mesh, const char* source) {
    if (static_cast<std::uint64_t>(mesh.num_cells()) != cells_)
      fail(fmt::format("has {} cells per shower, but {} has {}", cells_, source, mesh.num_cells()));
    if (mesh.is_cylinder()) {
      if (!holds(row_, extents(mesh.cylinder(), axes_)))
        fail(fmt::format("is {} ({}), but {} is {}", text_of(row_), names(), source, mesh.to_string()),
             axes_hint(row_, mesh.cylinder()));
    } else if (std::count_if(row_.begin(), row_.end(), [](hsize_t n) { return n > 1; }) > 1) {
      fail(fmt::format("is {}, but the layers of {} differ, so that showers must be [N, cells]",
                       text_of(row_), source));
    } else if (asked_ && axes_ != kZPhiR) {
      throw core::UsageError({.message = "must be layer,phi,r for a mesh whose layers differ",
                              .file = file_.path(),
                              .field = "axes"});
    }
    result_.mesh = mesh;
  }

  void take_from_shape() {
    const Shape row = without_channel();
    if (row.size() == 3) {
      const VoxelMesh::Cylinder cylinder = cylinder_of(row, axes_);
      const bool known = std::any_of(known_cylinders().begin(), known_cylinders().end(),
                                     [&](const auto& other) { return same_cells(cylinder, other); });
      for (const VoxelMesh::Cylinder& other : known_cylinders())
        if (const std::string hint = axes_hint(row, other); !known && !asked_ && !hint.empty())
          fail(fmt::format(
                   "is {} ({}), which is not a known mesh, but would be one with another order of axes",
                   text_of(row), names()),
               hint + fmt::format(", or --axes {} if it is correct", to_string(axes_)));
      if (!known)
        result_.notes.push_back(fmt::format(
            "the mesh {} x {} x {} (r, phi, z) is unknown{}; the size of its cells is a guess", cylinder.n_r,
            cylinder.n_phi, cylinder.n_z, asked_ ? "" : ": are the axes right? give --axes"));
      result_.mesh = with_sizes_of(geometry_, cylinder);
      return;
    }
    const auto mesh = known_mesh(cells_, geometry_);
    if (!mesh)
      fail(fmt::format("has {} cells per shower, which is not a known mesh", cells_),
           "give the mesh, for example by --binning FILE.xml");
    take(*mesh, "the known mesh with this number of cells");
  }

  // Dimensions of a row without a first or last one of length 1 (a channel).
  Shape without_channel() const {
    Shape row = row_;
    if (row.size() == 4 || row.size() == 2) {
      const bool before = row.front() == 1, behind = row.back() == 1;
      if (row.size() == 4 && before == behind)
        fail(before ? fmt::format("is {}: is the first or the last axis the channel?", text_of(row))
                    : fmt::format("has {} dimensions and no channel axis of length 1", row.size() + 1),
             "give the mesh, for example by --binning FILE.xml");
      if (before)
        row.erase(row.begin());
      else if (behind)
        row.pop_back();
    }
    if (row.size() > 3) fail_rank(row_.size() + 1);
    return row;
  }

  void order_cells() {
    const VoxelMesh& mesh = result_.mesh;
    if (!mesh.is_cylinder() || axes_ == kRPhiZ) return;
    const auto extent = extents(mesh.cylinder(), axes_);
    result_.cell_of.reserve(cells_);
    std::array<int, 3> at{};  // by Axis
    const auto place = [&](std::size_t axis) -> int& { return at[static_cast<std::size_t>(axes_[axis])]; };
    for (place(0) = 0; place(0) < static_cast<int>(extent[0]); ++place(0))
      for (place(1) = 0; place(1) < static_cast<int>(extent[1]); ++place(1))
        for (place(2) = 0; place(2) < static_cast<int>(extent[2]); ++place(2))
          result_.cell_of.push_back(mesh.cell(at[static_cast<std::size_t>(Axis::kZ)],
                                              at[static_cast<std::size_t>(Axis::kPhi)],
                                              at[static_cast<std::size_t>(Axis::kR)]));
  }

  const File& file_;
  const std::string& dataset_;
  const std::string& geometry_;
  bool asked_;
  Axes axes_;
  Shape row_;
  std::uint64_t cells_ = 1;
  Arrangement result_;
};

}  // namespace

Arrangement arrange(const File& file, const std::string& dataset, const std::string& geometry,
                    const ReadOptions& options, const Axes& axes_of_layout) {
  return Arranger(file, dataset, geometry, options, axes_of_layout).result();
}

}  // namespace calo::layouts
