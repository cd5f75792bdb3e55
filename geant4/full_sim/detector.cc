#include "geant4/full_sim/detector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "kfp/yaml/yaml.h"

namespace geant4 {
namespace {

using nlohmann::json;

Detector make_siw() {
  return {.name = "SiW",
          .layers = 90,
          .absorbers = {{.material = "G4_W", .thickness_mm = 1.4},
                        {.material = "G4_Si", .thickness_mm = 0.3, .active = true}},
          .mesh = calo::named_mesh("SiW"),
          .readout = {.rows = 100, .slices = 320},
          .sampling_fraction = 0.027};
}

Detector make_scipb() {
  return {.name = "SciPb",
          .length_mm = 4000,
          .layers = 45,
          .absorbers = {{.material = "G4_Pb", .thickness_mm = 4.4},
                        {.material = "G4_POLYSTYRENE", .thickness_mm = 1.2, .active = true}},
          .mesh = calo::named_mesh("SciPb"),
          .readout = {.rows = 100, .slices = 320},
          .sampling_fraction = 0.028};
}

// The example's own default (Par04DetectorConstruction.hh).
Detector make_pbwo4() {
  return {.name = "PbWO4",
          .length_mm = 240,
          .layers = 24,
          .absorbers = {{.material = "G4_PbWO4", .thickness_mm = 10, .active = true}},
          .mesh = calo::VoxelMesh(
              calo::VoxelMesh::Cylinder{.n_r = 40, .n_phi = 50, .n_z = 48, .size_r_mm = 5, .size_z_mm = 5}),
          .sampling_fraction = 1};
}

// Reads the fields of one mapping of the file, and rejects unknown fields.
class Fields {
 public:
  Fields(const json& object, std::filesystem::path file, std::string path)
      : object_(object), file_(std::move(file)), path_(std::move(path)) {
    if (!object_.is_object()) fail("", "must be a mapping");
  }

  [[noreturn]] void fail(const std::string& name, const std::string& message,
                         const std::string& hint = {}) const {
    throw core::InputError({.message = message, .file = file_, .field = path_ + name, .hint = hint});
  }

  const json* find(const std::string& name) {
    known_.push_back(name);
    return object_.contains(name) ? &object_.at(name) : nullptr;
  }
  void text(const std::string& name, std::string& value) {
    if (const json* found = find(name)) {
      if (!found->is_string() || found->get<std::string>().empty()) fail(name, "must be a name");
      value = found->get<std::string>();
    }
  }
  void above_zero(const std::string& name, double& value) {
    if (const json* found = find(name)) {
      if (!found->is_number() || !(found->get<double>() > 0)) fail(name, "must be a number above zero");
      value = found->get<double>();
    }
  }
  void count(const std::string& name, int& value, int most) {
    if (const json* found = find(name)) {
      if (!found->is_number_integer() || found->get<std::int64_t>() < 1 || found->get<std::int64_t>() > most)
        fail(name, fmt::format("must be a whole number from 1 to {}", most));
      value = found->get<int>();
    }
  }
  void flag(const std::string& name, bool& value) {
    if (const json* found = find(name)) {
      if (!found->is_boolean()) fail(name, "must be true or false");
      value = found->get<bool>();
    }
  }
  void finish() const {
    for (const auto& [name, value] : object_.items())
      if (std::find(known_.begin(), known_.end(), name) == known_.end())
        fail(name, "is not a known field", fmt::format("known: {}", fmt::join(known_, ", ")));
  }

 private:
  const json& object_;
  std::filesystem::path file_;
  std::string path_;
  std::vector<std::string> known_;
};

std::vector<Absorber> read_absorbers(const json& list, Fields& fields, const std::filesystem::path& file) {
  if (!list.is_array() || list.empty()) fields.fail("absorbers", "must be a list of absorbers");
  std::vector<Absorber> absorbers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Fields entry(list[i], file, fmt::format("absorbers[{}].", i));
    Absorber absorber;
    entry.text("material", absorber.material);
    entry.above_zero("thickness_mm", absorber.thickness_mm);
    entry.flag("active", absorber.active);
    entry.finish();
    if (absorber.material.empty()) entry.fail("material", "is required");
    if (!(absorber.thickness_mm > 0)) entry.fail("thickness_mm", "is required");
    absorbers.push_back(absorber);
  }
  return absorbers;
}

calo::VoxelMesh read_mesh(const json& mesh, const calo::VoxelMesh& base, Fields& fields,
                          const std::filesystem::path& file) {
  if (mesh.is_string()) {
    try {
      return calo::named_mesh(mesh.get<std::string>());
    } catch (const core::UsageError& error) {
      fields.fail("mesh", error.details().message, error.details().hint);
    }
  }
  calo::VoxelMesh::Cylinder cylinder = base.cylinder();
  Fields entry(mesh, file, "mesh.");
  constexpr int kMost = 10000;
  entry.count("n_r", cylinder.n_r, kMost);
  entry.count("n_phi", cylinder.n_phi, kMost);
  entry.count("n_z", cylinder.n_z, kMost);
  entry.above_zero("size_r_mm", cylinder.size_r_mm);
  entry.above_zero("size_z_mm", cylinder.size_z_mm);
  entry.finish();
  try {
    return calo::VoxelMesh(cylinder);
  } catch (const core::UsageError& error) {
    fields.fail("mesh", error.details().message);
  }
}

}  // namespace

double Detector::layer_thickness_mm() const {
  double sum = 0;
  for (const Absorber& absorber : absorbers) sum += absorber.thickness_mm;
  return sum;
}

nlohmann::json Detector::to_json() const {
  json plates = json::array();
  for (const Absorber& absorber : absorbers)
    plates.push_back({{"material", absorber.material},
                      {"thickness_mm", absorber.thickness_mm},
                      {"active", absorber.active}});
  return {{"name", name},
          {"inner_radius_mm", inner_radius_mm},
          {"length_mm", length_mm},
          {"layers", layers},
          {"absorbers", plates},
          {"mesh", mesh.to_json()},
          {"readout", {{"rows", readout.rows}, {"slices", readout.slices}}},
          {"sampling_fraction", sampling_fraction > 0 ? json(sampling_fraction) : json("measured")},
          {"threshold_mev", threshold_mev}};
}

const std::vector<std::string>& detector_names() {
  static const std::vector<std::string> names = {"SiW", "SciPb", "PbWO4"};
  return names;
}

Detector named_detector(const std::string& name) {
  if (name == "SiW") return make_siw();
  if (name == "SciPb") return make_scipb();
  if (name == "PbWO4") return make_pbwo4();
  throw core::UsageError(
      {.message = fmt::format("\"{}\" is not a detector", name),
       .field = "detector",
       .hint = fmt::format("known: {}; or a file that ends in .yaml", fmt::join(detector_names(), ", "))});
}

Detector read_detector(const std::filesystem::path& file) {
  const json content = kfp::read_yaml(file);
  Fields fields(content, file, "");
  Detector detector;
  std::string like;
  fields.text("like", like);
  if (!like.empty()) {
    try {
      detector = named_detector(like);
    } catch (const core::UsageError& error) {
      fields.fail("like", error.details().message, error.details().hint);
    }
  }
  fields.text("name", detector.name);
  fields.above_zero("inner_radius_mm", detector.inner_radius_mm);
  fields.above_zero("length_mm", detector.length_mm);
  fields.count("layers", detector.layers, 100000);
  if (const json* list = fields.find("absorbers")) {
    detector.absorbers = read_absorbers(*list, fields, file);
    detector.sampling_fraction = 0;  // the sampling fraction belongs to other plates
  }
  if (const json* mesh = fields.find("mesh")) detector.mesh = read_mesh(*mesh, detector.mesh, fields, file);
  if (const json* readout = fields.find("readout")) {
    Fields entry(*readout, file, "readout.");
    detector.readout = {};
    entry.count("rows", detector.readout.rows, 100000);
    entry.count("slices", detector.readout.slices, 100000);
    entry.finish();
    // Geant4 cannot navigate through a replica without siblings.
    const bool none = detector.readout.rows == 0 && detector.readout.slices == 0;
    if (!none && (detector.readout.rows < 2 || detector.readout.slices < 2))
      fields.fail("readout", "must have at least two rows and two slices", "{} = no readout world");
  }
  if (const json* fraction = fields.find("sampling_fraction")) {
    const bool measured = *fraction == "measured";
    if (!measured && !(fraction->is_number() && fraction->get<double>() > 0 && fraction->get<double>() <= 1))
      fields.fail("sampling_fraction", "must be a number above 0, at most 1, or measured");
    detector.sampling_fraction = measured ? 0 : fraction->get<double>();
  }
  if (const json* threshold = fields.find("threshold_mev")) {
    if (!threshold->is_number() || !(threshold->get<double>() >= 0))
      fields.fail("threshold_mev", "must be a number, at least 0");
    detector.threshold_mev = threshold->get<double>();
  }
  fields.finish();
  if (detector.name.empty()) fields.fail("name", "is required");
  if (detector.layers < 1) fields.fail("layers", "is required");
  if (detector.absorbers.empty()) fields.fail("absorbers", "is required");
  if (std::none_of(detector.absorbers.begin(), detector.absorbers.end(),
                   [](const Absorber& absorber) { return absorber.active; }))
    fields.fail("absorbers", "must have one with active: true", "nothing would be measured");
  return detector;
}

Detector find_detector(const std::string& name_or_file) {
  const std::filesystem::path path = name_or_file;
  for (const char* extension : {".yaml", ".yml", ".json"})
    if (path.extension() == extension) return read_detector(path);
  return named_detector(name_or_file);
}

}  // namespace geant4
