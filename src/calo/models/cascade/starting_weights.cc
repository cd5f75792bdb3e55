#include <fmt/format.h>

#include <algorithm>

#include "calo/models/cascade/cascade.h"
#include "calo/models/cascade/detail/cascade_shape.h"
#include "core/error.h"

namespace calo::cascade {
namespace {

void require_same(std::int64_t there, std::int64_t here, const char* field, const char* hint) {
  if (there != here)
    throw core::InputError(
        {.message = fmt::format("is {}, but {} is needed", there, here), .field = field, .hint = hint});
}

// Columns of the first layer's weights, after `kept` of them, that belong to the geometries: those of `from`
// by name, and for a new geometry the mean over the trained ones.
WeightTensor with_geometries(const WeightTensor& weight, const Transform& from, const Transform& to) {
  const std::size_t before = from.one_hot_order.size(), after = to.one_hot_order.size();
  const auto rows = static_cast<std::size_t>(weight.shape[0]), in = static_cast<std::size_t>(weight.shape[1]);
  const std::size_t kept = in - before;
  std::vector<std::size_t> trained;
  for (const std::string& name : from.trained_geometries) trained.push_back(from.place_of(name));
  WeightTensor result{.shape = {weight.shape[0], static_cast<std::int64_t>(kept + after)}, .values = {}};
  for (std::size_t row = 0; row < rows; ++row) {
    const float* values = weight.values.data() + row * in;
    result.values.insert(result.values.end(), values, values + kept);
    double sum = 0;
    for (const std::size_t place : trained) sum += values[kept + place];
    for (const std::string& name : to.one_hot_order) {
      const bool known = std::count(from.trained_geometries.begin(), from.trained_geometries.end(), name) > 0;
      result.values.push_back(known ? values[kept + from.place_of(name)]
                              : trained.empty()
                                  ? 0.0f
                                  : static_cast<float>(sum / static_cast<double>(trained.size())));
    }
  }
  return result;
}

}  // namespace

Weights cascade_starting_weights(const ModelFolder& from, const ModelDescription& description,
                                 const Transform& transform) {
  const CascadeShape there = cascade_shape(from.description, from.transform),
                     here = cascade_shape(description, transform);
  constexpr const char* kMeshHint = "prepare the showers on the model's mesh, or train without --from";
  require_same(there.mesh.n_z(), here.mesh.n_z(), "transform.mesh.n_z", kMeshHint);
  for (int layer = 0; layer < here.mesh.n_z(); ++layer) {
    require_same(there.mesh.layer(layer).n_r(), here.mesh.layer(layer).n_r(), "transform.mesh.n_r",
                 kMeshHint);
    require_same(there.mesh.layer(layer).n_phi, here.mesh.layer(layer).n_phi, "transform.mesh.n_phi",
                 kMeshHint);
  }
  constexpr const char* kSizeHint =
      "omit --description, so that the sizes are the model's, or train without --from";
  require_same(there.width, here.width, "description.cascade_width", kSizeHint);
  require_same(there.depth, here.depth, "description.cascade_depth", kSizeHint);
  Weights weights = from.weights;
  for (const CascadeNet& net : cascade_nets(there)) {
    WeightTensor& first = weights.at(net.name + ".0.weight");
    first = with_geometries(first, from.transform, transform);
  }
  weights.erase("threshold_mev");
  weights.erase("response");
  return weights;
}

}  // namespace calo::cascade
