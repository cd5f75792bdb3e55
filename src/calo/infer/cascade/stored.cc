#include "calo/infer/cascade/stored.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace calo::cascade {

using nlohmann::json;

std::string describe(const Trained& model) {
  const CascadeShape& shape = model.shape;
  return json({{"format_version", 1},
               {"n_r", shape.n_r},
               {"n_phi", shape.n_phi},
               {"n_z", shape.n_z},
               {"size_r_mm", shape.size_r_mm},
               {"width", shape.width},
               {"depth", shape.depth},
               {"geometries", model.geometries},
               {"layer_cuts", model.tensor("layer_cuts")}})
      .dump();
}

std::optional<Trained> stored_cascade(const infer::OnnxGraph& graph) {
  const auto property = graph.metadata.find(kProperty);
  if (property == graph.metadata.end()) return {};
  Trained model;
  try {
    const json said = json::parse(property->second);
    if (said.at("format_version") != 1)
      throw core::InputError({.message = "is of a later version of calopipe", .field = kProperty});
    CascadeShape& shape = model.shape;
    // Of hostile files: nothing is as large as the product of what they say.
    constexpr std::int64_t kMost = 100'000;
    const auto extent = [&](const char* name) {
      const json& value = said.at(name);
      if (!value.is_number_integer() || value < 1 || value > kMost)
        throw core::InputError(
            {.message = fmt::format("has the {} {}", name, value.dump()), .field = kProperty});
      return value.get<int>();
    };
    shape.n_r = extent("n_r");
    shape.n_phi = extent("n_phi");
    shape.n_z = extent("n_z");
    said.at("size_r_mm").get_to(shape.size_r_mm);
    shape.width = extent("width");
    shape.depth = extent("depth");
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
