#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/katib_study.h"
#include "kfp/component/component.h"
#include "kfp/local/store.h"
#include "pipeline/katib.h"
#include "pipeline/tune.h"

namespace app {

/// `calopipe tune`: searches for the best parameters of a pipeline; shows what was found.
class TuneCommand {
 public:
  TuneCommand(CLI::App& app, const kfp::Registry& registry);
  CLI::App* subcommand() const { return subcommand_; }
  void run(int threads, bool quiet);

 private:
  void search(int threads, bool quiet);
  void show() const;
  void best() const;
  void report() const;
  void list() const;
  void run_on_katib(bool quiet) const;
  void run_trial(int threads) const;
  pipeline::StudyDefinition definition() const;
  std::unique_ptr<tune::Study> open_study() const;

  const kfp::Registry& registry_;
  CLI::App* subcommand_;
  CLI::App *show_, *best_, *report_, *list_, *trial_;
  CLI::Option *trials_option_, *algorithm_option_, *seed_option_, *on_;
  std::string space_, config_, study_, store_, algorithm_, target_, out_;
  std::vector<std::string> settings_, objectives_;
  std::int64_t seed_ = 42;
  double patience_s_ = tune::Study::kPatienceS;
  bool resume_ = false, no_cache_ = false, json_ = false;
  pipeline::TuneOptions options_;
  pipeline::KatibOptions katib_;
  KatibPlace place_;
};

}  // namespace app
