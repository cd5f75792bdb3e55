#pragma once

#include <cstdint>

#include "calo/model/model_folder.h"
#include "calo/train/trainer.h"
#include "support/toy_showers.h"

namespace test {

/// A cascade that can be trained in a second.
inline calo::ModelDescription small_cascade() {
  return {.architecture = "cascade",
          .cascade_width = 24,
          .lr = 4e-3,
          .batch_size = 16,
          .epochs = 6,
          .validation_split = 0.25};
}

inline calo::TrainResult train_cascade(const calo::ModelDescription& description,
                                       const calo::TrainOptions& options = {}, int threads = 1,
                                       const calo::VoxelMesh& mesh = uneven_mesh()) {
  core::ThreadPool pool(threads);
  return calo::train(toy_showers(mesh, 120, 3), toy_transform(mesh), description, options, pool);
}

inline calo::ModelFolder trained_cascade(const calo::VoxelMesh& mesh = uneven_mesh(),
                                         std::int64_t epochs = 6) {
  calo::ModelDescription description = small_cascade();
  description.epochs = epochs;
  return {.description = description,
          .transform = toy_transform(mesh),
          .weights = train_cascade(description, {}, 1, mesh).weights};
}

}  // namespace test
