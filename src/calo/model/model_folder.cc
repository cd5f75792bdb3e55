#include "calo/model/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calo/io/hdf5.h"
#include "core/error.h"
#include "core/json_file.h"
#include "core/staged_output.h"

namespace calo {
namespace {

using nlohmann::json;
}  // namespace

void ModelFolder::write(const std::filesystem::path& folder) const {
  const json model = {{"format_version", kFormatVersion},
                      {"description", description.to_json()},
                      {"transform", transform.to_json()},
                      {"training", training}};
  core::write_file(folder / "model.json", model.dump(2) + "\n");
  core::write_file(folder / "calopipe.json", provenance.dump(2) + "\n");
  hdf5::File file = hdf5::File::create(folder / "weights.h5");
  for (const auto& [name, tensor] : weights)
    file.write(name, tensor.values, {tensor.shape.begin(), tensor.shape.end()});
  file.close();
}

ModelFolder ModelFolder::read(
    const std::filesystem::path& folder,
    const std::function<TensorShapes(const ModelDescription&, const Transform&)>& shapes) {
  const std::filesystem::path model_file = folder / "model.json";
  if (!std::filesystem::exists(model_file))
    throw core::InputError({.message = "is not a model: model.json is missing",
                            .file = folder,
                            .hint = "train one with calopipe train"});
  const json model = core::read_json(model_file);
  if (!model.is_object()) throw core::InputError({.message = "is not a JSON object", .file = model_file});
  if (model.value("format_version", 0) != kFormatVersion)
    throw core::InputError({.message = fmt::format("has the format version {}, but this program reads {}",
                                                   model.value("format_version", 0), kFormatVersion),
                            .file = model_file,
                            .field = "format_version"});
  ModelFolder result;
  core::in_file(model_file, [&] {
    result.description = ModelDescription::from_json(model.value("description", json()));
    result.description.validate();
    result.transform = Transform::from_json(model.value("transform", json()));
    result.training = model.value("training", json::object());
  });
  const hdf5::File file = hdf5::File::open(folder / "weights.h5");
  for (const auto& [name, shape] : shapes(result.description, result.transform)) {
    const auto stored = file.shape(name);
    if (!std::equal(stored.begin(), stored.end(), shape.begin(), shape.end()))
      file.fail_reading(
          name,
          "does not have the shape that model.json requires: the model is a mixture of two, or is damaged");
    WeightTensor tensor{.shape = shape, .values = file.read_floats(name)};
    for (const float value : tensor.values)
      if (!std::isfinite(value)) file.fail_reading(name, "contains numbers that are not finite");
    result.weights[name] = std::move(tensor);
  }
  if (const auto provenance_file = folder / "calopipe.json"; std::filesystem::exists(provenance_file))
    result.provenance = core::read_json(provenance_file);
  return result;
}

}  // namespace calo
