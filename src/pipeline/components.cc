#include "pipeline/components.h"

namespace pipeline {

void register_components(kfp::Registry& registry) {
  registry.add<Simulate>();
  registry.add<InputParameters>();
  registry.add<Preprocess>();
  registry.add<ModelParameters>();
  registry.add<Train>();
  registry.add<Generate>();
  registry.add<Validate>();
  registry.add<Convert>();
  registry.add<Optimise>();
  registry.add<Benchmark>();
}

}  // namespace pipeline
