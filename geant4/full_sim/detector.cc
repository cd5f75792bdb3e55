#include "geant4/full_sim/detector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/json_reader.h"
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

constexpr double kMostLayers = 100'000, kMostCells = 10'000;

void require(bool given, const std::string& field, core::JsonPlace& place) {
  const core::JsonPlace::Step step(place, field);
  if (!given) place.fail("is required");
}

// The plates of one layer; one of them measures.
std::vector<Absorber> read_absorbers(const json& list, core::JsonPlace& place) {
  std::vector<Absorber> absorbers;
  core::read_json(absorbers, list, place);
  for (std::size_t i = 0; i < absorbers.size(); ++i) {
    const core::JsonPlace::Step step(place, i);
    require(!absorbers[i].material.empty(), "material", place);
  }
  if (std::none_of(absorbers.begin(), absorbers.end(), [](const Absorber& plate) { return plate.active; }))
    place.fail("has none with active: true", "nothing would be measured");
  return absorbers;
}

calo::VoxelMesh read_mesh(const json& value, const calo::VoxelMesh& base, core::JsonPlace& place) {
  if (value.is_string()) return place.checked([&] { return calo::named_mesh(value.get<std::string>()); });
  calo::VoxelMesh::Cylinder cylinder = base.cylinder();
  core::JsonFields fields(value, place);
  const core::ParameterSpec cells{.min = 1, .max = kMostCells}, size{.min = 0, .above_min = true};
  fields("n_r", cylinder.n_r, cells);
  fields("n_phi", cylinder.n_phi, cells);
  fields("n_z", cylinder.n_z, cells);
  fields("size_r_mm", cylinder.size_r_mm, size);
  fields("size_z_mm", cylinder.size_z_mm, size);
  fields.done();
  return place.checked([&] { return calo::VoxelMesh(cylinder); });
}

ReadoutGrid read_readout(const json& value, core::JsonPlace& place) {
  ReadoutGrid readout;
  core::read_json(readout, value, place);
  // Geant4 does not find its way through replicas that are alone.
  const bool none = readout.rows == 0 && readout.slices == 0;
  if (!none && (readout.rows < 2 || readout.slices < 2))
    place.fail("needs two rows and two slices at least", "{} = no such world");
  return readout;
}

}  // namespace

double Detector::layer_thickness_mm() const {
  double sum = 0;
  for (const Absorber& absorber : absorbers) sum += absorber.thickness_mm;
  return sum;
}

nlohmann::json Detector::to_json() const {
  return {{"name", name},
          {"inner_radius_mm", inner_radius_mm},
          {"length_mm", length_mm},
          {"layers", layers},
          {"absorbers", core::JsonWriter::written(absorbers)},
          {"mesh", mesh.to_json()},
          {"readout", core::JsonWriter::written(readout)},
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
      {.message = fmt::format("\"{}\" is no detector", name),
       .field = "detector",
       .hint = fmt::format("known: {}; or a file that ends in .yaml", fmt::join(detector_names(), ", "))});
}

Detector read_detector(const std::filesystem::path& file) {
  const json content = kfp::read_yaml(file);
  core::JsonPlace place(file);
  core::JsonFields fields(content, place);
  Detector detector;
  fields.by_hand("like", [&](const json& value, core::JsonPlace& at) {
    std::string like;
    core::read_json(like, value, at);
    detector = at.checked([&] { return named_detector(like); });
  });
  const core::ParameterSpec above_zero{.min = 0, .above_min = true};
  fields("name", detector.name);
  fields("inner_radius_mm", detector.inner_radius_mm, above_zero);
  fields("length_mm", detector.length_mm, above_zero);
  fields("layers", detector.layers, {.min = 1, .max = kMostLayers});
  fields.by_hand("mesh", [&](const json& value, core::JsonPlace& at) {
    detector.mesh = read_mesh(value, detector.mesh, at);
  });
  fields.by_hand("readout",
                 [&](const json& value, core::JsonPlace& at) { detector.readout = read_readout(value, at); });
  fields.by_hand("absorbers", [&](const json& value, core::JsonPlace& at) {
    detector.absorbers = read_absorbers(value, at);
    detector.sampling_fraction = 0;  // that of other plates is not this one's
  });
  fields.by_hand("sampling_fraction", [&](const json& value, core::JsonPlace& at) {
    detector.sampling_fraction = 0;
    if (value == "measured") return;
    if (!value.is_number()) at.wrong_type(value, "a number, or measured");
    core::read_json(detector.sampling_fraction, value, at, {.min = 0, .max = 1, .above_min = true});
  });
  fields("threshold_mev", detector.threshold_mev, {.min = 0});
  fields.done();
  require(!detector.name.empty(), "name", place);
  require(detector.layers > 0, "layers", place);
  require(!detector.absorbers.empty(), "absorbers", place);
  return detector;
}

Detector find_detector(const std::string& name_or_file) {
  const std::filesystem::path path = name_or_file;
  for (const char* extension : {".yaml", ".yml", ".json"})
    if (path.extension() == extension) return read_detector(path);
  return named_detector(name_or_file);
}

}  // namespace geant4
