#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/kubernetes/api.h"
#include "pipeline/train_job.h"

namespace app {

/// `calopipe kubeflow setup`, `calopipe kubeflow kerberos …` and `calopipe kubeflow train-job`: objects of
/// Kubernetes.
class KubernetesCommands {
 public:
  /// @param kubeflow  the command that gets the new ones
  /// @param registry  with the component train; must live as long as this object
  KubernetesCommands(CLI::App& kubeflow, const kfp::Registry& registry);

  /// Whether one of them is on the command line.
  bool parsed() const;
  /// Prints to stdout.
  void run();

 private:
  struct Leaf {
    CLI::App* app;
    std::function<void()> work;
  };
  CLI::App* leaf(CLI::App* parent, const char* name, const char* what, const char* examples,
                 std::function<void()> work);
  void add_setup(CLI::App& kubeflow);
  void add_kerberos(CLI::App& kubeflow);
  void add_ticket_options(CLI::App& command);

  kfp::kubernetes::Api connect(const std::string& site_namespace = {}) const;
  void add_train_job(CLI::App& kubeflow);
  void set_up();
  void train_by_pods();
  void push_ticket();
  void renew_ticket();

  const kfp::Registry& registry_;
  std::vector<Leaf> leaves_;
  pipeline::TrainJobOptions train_job_;
  std::string out_;
  std::string kubeconfig_, context_, namespace_, site_, name_;
  std::string cache_, keytab_, principal_, secret_, key_, pipeline_;
  double run_h_ = 0;
  bool json_ = false, apply_ = false, dry_run_ = false, delete_ = false, prune_ = false, force_ = false;
  bool yes_ = false, wait_ = false;
};

}  // namespace app
