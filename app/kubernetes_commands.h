#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "kfp/kubernetes/api.h"

namespace app {

/// `calopipe kubeflow setup` and `calopipe kubeflow kerberos …`: the objects of Kubernetes that pipelines
/// need.
class KubernetesCommands {
 public:
  /// @param kubeflow  the command that gets the new ones
  explicit KubernetesCommands(CLI::App& kubeflow);

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
  void set_up();
  void push_ticket();
  void renew_ticket();

  std::vector<Leaf> leaves_;
  std::string kubeconfig_, context_, namespace_, site_, name_;
  std::string cache_, keytab_, principal_, secret_, key_, pipeline_;
  double run_h_ = 0;
  bool json_ = false, apply_ = false, dry_run_ = false, delete_ = false, prune_ = false, force_ = false;
  bool yes_ = false;
};

}  // namespace app
