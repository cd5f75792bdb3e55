#pragma once

#include <map>
#include <string>
#include <vector>

#include "calo/infer/cascade/layer_walk.h"
#include "calo/infer/cascade/nets.h"

namespace calo::cascade {

/// A trained cascade, wherever it was stored.
struct Trained {
  CascadeShape shape;
  std::vector<std::string> geometries;                ///< of each place of the one-hot
  std::map<std::string, std::vector<float>> tensors;  ///< of cascade_shapes(); weights are `[out, in]`

  /// @throws core::InputError if it is missing
  const std::vector<float>& tensor(const std::string& name) const;
  /// @throws core::InputError if a tensor is missing, or has another size than the shape asks for
  void check() const;
  /// What was fitted to the training showers. @throws core::InputError naming the tensor that cannot be
  Frame frame() const;
};

}  // namespace calo::cascade
