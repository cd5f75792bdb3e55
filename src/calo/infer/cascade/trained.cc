#include "calo/infer/cascade/trained.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"

namespace calo::cascade {

const std::vector<float>& Trained::tensor(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw core::InputError({.message = "is missing in the model", .field = name});
  return found->second;
}

void Trained::check() const {
  for (const auto& [name, extents] : cascade_shapes(shape)) {
    std::int64_t size = 1;
    for (const std::int64_t extent : extents) size *= extent;
    if (tensor(name).size() != static_cast<std::size_t>(size))
      throw core::InputError({.message = "has another size than the model's shape asks for", .field = name});
  }
}

Frame Trained::frame() const {
  const auto positive = [&](const char* name, std::size_t i) {
    const float value = tensor(name).at(i);
    if (!(value > 0) || !std::isfinite(value))
      throw core::InputError({.message = fmt::format("{} is not positive", value), .field = name});
    return value;
  };
  return {.threshold_mev = positive("threshold_mev", 0),
          .mean_response = positive("response", 0),
          .response_width = positive("response", 1),
          .intervals = Frame::tree_of(tensor("layer_cuts"), shape.mesh.n_z())};
}

}  // namespace calo::cascade
