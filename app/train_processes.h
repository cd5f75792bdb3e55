#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace app {

/// Options of `calopipe train` for several processes on this machine. They are the command's, not the
/// component's: they do not change what is trained.
class TrainProcesses {
 public:
  explicit TrainProcesses(CLI::App& train);

  /// Starts the processes, if there are several: by `--processes`, or in a pod of Kubeflow Trainer. Returns
  /// the exit code, or nothing if this process itself is to train.
  /// @param arguments  of this program, with its name
  /// @param threads  of each process; 0 = not given
  /// @throws core::UsageError if the options contradict the environment; see parallel::launch()
  std::optional<int> launch(const std::vector<std::string>& arguments, int threads) const;

 private:
  CLI::App* train_;
  int processes_ = 0;
  int restarts_ = 0;
};

}  // namespace app
