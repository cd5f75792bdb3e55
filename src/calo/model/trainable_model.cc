#include "calo/model/trainable_model.h"

#include <algorithm>

#include "core/error.h"

namespace calo {

void TrainableModel::set_weights(const Weights& weights) {
  set_parameters([&](std::vector<Parameter>& parameters) {
    for (const auto& [name, tensor] : weights) {
      const auto found =
          std::find_if(parameters.begin(), parameters.end(),
                       [&wanted = name](const Parameter& parameter) { return parameter.name == wanted; });
      if (found == parameters.end() || found->values.size() != tensor.values.size())
        throw core::InputError(
            {.message = "is not a tensor of the model in training, or has another size", .field = name});
      std::copy(tensor.values.begin(), tensor.values.end(), found->values.begin());
    }
  });
}

}  // namespace calo
