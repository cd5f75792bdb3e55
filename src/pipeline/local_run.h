#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "kfp/component/component.h"

namespace pipeline {

struct LocalRunOptions {
  std::filesystem::path config;       ///< YAML: component → parameters; may be empty
  std::vector<std::string> settings;  ///< "component.parameter=value"
  std::filesystem::path out;
  bool resume = false;  ///< go on with an interrupted training
};

/// The seed's pipeline, one component after the other: input-parameters, preprocess, model-parameters, train,
/// generate (showers like the held-out ones), validate (against them). Every parameter is checked before the
/// first component runs. Leaves in `out`: configuration.json, prepared/, model-parameters.json, model/,
/// training.json, logs/, generated.h5, metrics.json, report.html.
/// @returns paths of the results and the metrics
/// @throws core::UsageError, and what the components throw
nlohmann::json run_locally(const kfp::Registry& registry, const LocalRunOptions& options,
                           core::ThreadPool& pool);

}  // namespace pipeline
