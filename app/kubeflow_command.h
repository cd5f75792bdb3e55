#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "kfp/client/client.h"
#include "kfp/client/context.h"

namespace app {

/// `calopipe kubeflow …`: pipelines, versions, experiments, runs and recurring runs on a server of Kubeflow
/// Pipelines, and the contexts that name servers.
class KubeflowCommand {
 public:
  /// Shows a run until it ends (pipeline::attach_remotely()).
  using Attach =
      std::function<void(const kfp::client::Context& context, const std::string& run, bool quiet, bool json)>;

  KubeflowCommand(CLI::App& app, Attach attach);
  CLI::App* subcommand() const { return subcommand_; }

  /// Prints to stdout. @throws core::UsageError, and the exceptions of kfp::client
  int run();

 private:
  struct Leaf {
    CLI::App* app;
    std::function<void()> work;
  };
  CLI::App* group(const char* name, const char* what);
  CLI::App* leaf(CLI::App* parent, const char* name, const char* what, const char* examples,
                 std::function<void()> work);
  void add_list_options(CLI::App& command);
  void add_run_options(CLI::App& command);
  void add_delete_option(CLI::App& command);

  void add_login();
  void log_in();
  void add_contexts();
  void add_pipelines();
  void add_versions();
  void add_experiments();
  void add_runs();
  void add_recurring_runs();
  void print_outputs() const;
  void fetch_outputs() const;

  kfp::client::Context context() const;
  kfp::client::Client connect() const;
  kfp::client::ListOptions list_options() const;
  nlohmann::json parameters() const;
  /// Sets the source of a run or recurring run: a file, or a pipeline with or without its version.
  template <class R>
  void set_source(kfp::client::Client& client, R& run) const;
  std::string experiment_id(kfp::client::Client& client) const;
  void confirm(const std::string& what) const;
  void done(const std::string& what, const std::string& id) const;

  Attach attach_;
  CLI::App* subcommand_;
  std::vector<Leaf> leaves_;

  // Options of the given command.
  std::string context_, namespace_, id_, name_, description_, file_, pipeline_, version_, experiment_;
  std::string sort_by_, state_, contains_;
  std::vector<std::string> parameters_;
  std::string parameter_file_, pipeline_root_, service_account_, cron_;
  std::string server_, token_file_, cookie_file_, ca_file_, oidc_issuer_, oidc_client_, oidc_secret_file_;
  std::string oidc_redirect_, s3_endpoint_, out_, task_;
  std::vector<std::string> wanted_;
  int tail_ = -1, exit_code_ = 0;
  std::size_t limit_ = 20;
  std::int64_t interval_s_ = 0;
  int concurrency_ = 1;
  bool json_ = false, yes_ = false, all_ = false, cascade_ = false, detach_ = false, quiet_ = false;
  bool follow_ = false, device_ = false, no_browser_ = false;
  bool no_catchup_ = false, disabled_ = false, with_archived_ = false;
};

}  // namespace app
