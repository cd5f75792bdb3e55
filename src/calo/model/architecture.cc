#include "calo/model/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace calo {

Weights Architecture::starting_weights(const ModelFolder& from, const ModelDescription& description,
                                       const Transform& transform) const {
  if (!(from.transform.mesh == transform.mesh))
    throw core::InputError({.message = "is not the mesh of the prepared showers",
                            .field = "transform.mesh",
                            .hint = "prepare the showers on the model's mesh, or train without --from"});
  if (from.transform.one_hot_order != transform.one_hot_order)
    throw core::InputError(
        {.message = fmt::format("is {}, but the prepared showers have {}",
                                fmt::join(from.transform.one_hot_order, ", "),
                                fmt::join(transform.one_hot_order, ", ")),
         .field = "transform.one_hot_order",
         .hint = "prepare the showers with the model's geometry encoding, or train without --from"});
  const TensorShapes there = tensor_shapes(from.description, from.transform);
  for (const auto& [name, shape] : tensor_shapes(description, transform)) {
    const auto found = there.find(name);
    if (found == there.end() || found->second != shape)
      throw core::InputError(
          {.message = found == there.end()
                          ? "is a tensor of the wanted model that this model does not have"
                          : fmt::format("has the shape {}, but the wanted model {}", found->second, shape),
           .field = name,
           .hint = "omit --description, so that the sizes are the model's, or train without --from"});
  }
  return from.weights;
}

}  // namespace calo
