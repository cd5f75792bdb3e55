#include "calo/infer/cascade/stored.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace calo::cascade {

using nlohmann::json;

namespace {

// Versions of the property's format.
constexpr int kRegular = 1, kLayered = 2;

}  // namespace

std::string describe(const Trained& model) {
  const CascadeShape& shape = model.shape;
  json all = {{"format_version", kRegular},
              {"width", shape.width},
              {"depth", shape.depth},
              {"geometries", model.geometries},
              {"layer_cuts", model.tensor("layer_cuts")}};
  const CascadeMesh& mesh = shape.mesh;
  if (mesh.is_cylinder) {
    const Segmentation& every = mesh.segmentations.at(0);
    all.update({{"n_r", every.n_r()},
                {"n_phi", every.n_phi},
                {"n_z", mesh.n_z()},
                {"size_r_mm", every.r_edges_mm.at(1)}});
  } else {
    all["format_version"] = kLayered;
    for (int layer = 0; layer < mesh.n_z(); ++layer)
      all["layers"].push_back(
          {{"r_edges_mm", mesh.layer(layer).r_edges_mm}, {"n_phi", mesh.layer(layer).n_phi}});
  }
  return all.dump();
}

std::optional<Trained> stored_cascade(const infer::OnnxGraph& graph) {
  const auto property = graph.metadata.find(kProperty);
  if (property == graph.metadata.end()) return {};
  Trained model;
  try {
    const json said = json::parse(property->second);
    const json& version = said.at("format_version");
    if (version != kRegular && version != kLayered)
      throw core::InputError({.message = "is of a later version of calopipe", .field = kProperty});
    CascadeShape& shape = model.shape;
    // Of hostile files: nothing is as large as the product of what they say.
    constexpr std::int64_t kMost = 100'000;
    const auto extent = [&](const char* name, const json& of) {
      const json& value = of.at(name);
      if (!value.is_number_integer() || value < 1 || value > kMost)
        throw core::InputError(
            {.message = fmt::format("has the {} {}", name, value.dump()), .field = kProperty});
      return value.get<int>();
    };
    if (version == kRegular) {
      shape.mesh = CascadeMesh::cylinder(extent("n_r", said), extent("n_phi", said), extent("n_z", said),
                                         said.at("size_r_mm").get<double>());
    } else {
      std::vector<Segmentation> layers;
      for (const json& layer : said.at("layers")) {
        layers.push_back({.r_edges_mm = layer.at("r_edges_mm").get<std::vector<double>>(),
                          .n_phi = extent("n_phi", layer)});
        if (layers.back().r_edges_mm.size() < 2)
          throw core::InputError({.message = "has a layer without cells", .field = kProperty});
      }
      shape.mesh = CascadeMesh::of_layers(layers);
    }
    shape.width = extent("width", said);
    shape.depth = extent("depth", said);
    said.at("geometries").get_to(model.geometries);
    shape.geometries = static_cast<std::int64_t>(model.geometries.size());
    said.at("layer_cuts").get_to(model.tensors["layer_cuts"]);
  } catch (const json::exception& error) {
    throw core::InputError(
        {.message = fmt::format("is not as it is written: {}", error.what()), .field = kProperty});
  }
  std::map<std::string, const infer::OnnxTensor*> constants;
  for (const infer::OnnxTensor& constant : graph.constants) constants[constant.name] = &constant;
  for (const auto& [name, extents] : cascade_shapes(model.shape)) {
    if (name == "layer_cuts") continue;
    std::string stored = name;
    std::replace(stored.begin(), stored.end(), '.', '_');
    const auto found = constants.find(stored);
    const bool is_weight = name.ends_with(".weight");
    std::vector<std::int64_t> wanted = extents;
    if (is_weight) std::reverse(wanted.begin(), wanted.end());
    if (found == constants.end() || found->second->type != infer::ElementType::kFloat ||
        found->second->shape != wanted)
      throw core::InputError(
          {.message = "is missing among the constants, or has another shape than calopipe.cascade asks for",
           .field = stored});
    const infer::OnnxTensor& constant = *found->second;
    std::vector<float>& values = model.tensors[name];
    values.resize(static_cast<std::size_t>(constant.count));
    const std::int64_t out = is_weight ? extents[0] : 1, in = constant.count / out;
    for (std::int64_t i = 0; i < in; ++i)
      for (std::int64_t j = 0; j < out; ++j)
        values[static_cast<std::size_t>(j * in + i)] = constant.float_at(i * out + j);
  }
  model.check();
  return model;
}

}  // namespace calo::cascade
