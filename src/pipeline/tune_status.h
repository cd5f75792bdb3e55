#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tune/objectives.h"

namespace pipeline {

/// Shows a study on stderr while it runs: a table of the running trials that is redrawn on a terminal, and a
/// line for each trial that begins or ends elsewhere. Several threads may use it.
class TuneStatus {
 public:
  TuneStatus(const tune::Objectives& objectives, std::int64_t trials, bool quiet);

  void begin(const tune::Trial& trial);
  void task(std::int64_t trial, const std::string& name);
  void end_of(const tune::Trial& trial);
  /// Redraws the table. @param trials all of the study
  void show(const std::vector<tune::Trial>& trials);
  /// Erases the table.
  void end();

 private:
  struct Running {
    std::string task;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  };
  void line(const std::string& text);
  void erase_table();

  const tune::Objectives& objectives_;
  std::int64_t trials_;
  bool quiet_, is_terminal_;
  int drawn_ = 0;  // number of lines of the table
  std::mutex mutex_;
  std::map<std::int64_t, Running> running_;
};

/// "0.0213 ± 0.0004" of each objective, separated by commas.
std::string values_text(const tune::Trial& trial);
/// "lr = 0.001, epochs = 3".
std::string parameters_text(const tune::Parameters& parameters);

}  // namespace pipeline
