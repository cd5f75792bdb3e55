#pragma once

#include <limits>
#include <string>

#include "calo/geometry/voxel_mesh.h"
#include "calo/shower/showers.h"
#include "calo/validate/classification.h"
#include "calo/validate/features.h"
#include "core/thread_pool.h"

namespace calo {

/// The showers of one side: row i of `features` is shower i.
struct ClassifierShowers {
  const FeatureTable& features;
  const Showers& showers;  ///< their cells; empty if no classifier asked for them
};

/// What classifiers of whole showers see: as many fast as full showers; row i of both has the same condition.
struct ClassifiedShowers {
  ClassifierShowers full, fast;
  const VoxelMesh& mesh;
  /// Share of the training and of the selection part that is used; the test part stays whole.
  double train_share = 1;
  /// Trainings at most, of those that are made several times.
  int most_trainings = std::numeric_limits<int>::max();
};

/// Something that is trained to tell fast from full showers, and is tested on showers that it has not seen.
class Classifier {
 public:
  Classifier() = default;
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;
  virtual ~Classifier() = default;

  virtual std::string name() const = 0;   ///< "dnn_voxels", as in metrics.json
  virtual std::string title() const = 0;  ///< "DNN on voxels", as in the report
  virtual bool needs_cells() const = 0;   ///< whether it looks at ClassifierShowers::showers

  /// Trains and tests it. The same result whatever the number of threads.
  /// @param showers kFewestClassified of each side or more
  virtual Classification classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const = 0;
};

}  // namespace calo
