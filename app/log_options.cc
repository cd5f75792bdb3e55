#include "app/log_options.h"

#include "tracking/destination.h"

namespace app {

void add_log_options(CLI::App& command, pipeline::LogOptions& options, const std::string& model) {
  command
      .add_option("--log", options.to,
                  "Record the run on an MLflow server: mlflow=URL, or mlflow with MLFLOW_TRACKING_URI "
                  "(doc/tracking.md)")
      ->envname(tracking::kLogVariable)
      ->type_name("mlflow=URL")
      ->group("Tracking");
  if (model.empty()) return;
  command
      .add_option("--log-model", options.model, "Name under which MLflow's registry gets the trained model")
      ->envname(tracking::kModelVariable)
      ->type_name("NAME")
      ->group("Tracking");
}

}  // namespace app
