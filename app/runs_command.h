#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kfp/local/store.h"

namespace app {

/// `calopipe runs list|show|logs|open|attach|compare|delete|sync|resume`: shows and manages the runs on
/// this machine, and those that this machine started on Kubeflow.
class RunsCommand {
 public:
  /// The run to resume.
  struct ResumeRequest {
    std::filesystem::path store;
    std::string id;  ///< complete id of an existing run
    bool json = false;
  };
  /// Resumes a run. @return the exit code
  using Resume = std::function<int(const ResumeRequest&)>;

  /// `runs resume` exists only if `resume` is given.
  explicit RunsCommand(CLI::App& app, Resume resume = {});
  CLI::App* subcommand() const { return subcommand_; }
  /// The subcommand `resume`, for further options; null if there is none.
  CLI::App* resume_subcommand() const { return resume_; }

  /// Prints to stdout. @return the exit code
  /// @throws core::UsageError, core::InputError, core::UnavailableError
  int run();

 private:
  CLI::App* add(const char* name, const char* what, const char* footer);
  void add_run_argument(CLI::App& command, const char* what);
  std::unique_ptr<kfp::local::Store> open_store() const;

  int list() const;
  int show() const;
  int logs() const;
  int open() const;
  int open_page(const kfp::local::RunRecord& run) const;
  int attach() const;
  int compare() const;
  int remove() const;
  int sync() const;
  std::vector<kfp::local::RunRecord> chosen_for_deletion(const kfp::local::Store& store) const;

  Resume resume_hook_;
  CLI::App* subcommand_;
  CLI::App* list_;
  CLI::App* show_;
  CLI::App* logs_;
  CLI::App* open_;
  CLI::App* attach_;
  CLI::App* compare_;
  CLI::App* delete_;
  CLI::App* sync_;
  CLI::App* resume_ = nullptr;

  std::filesystem::path store_;
  std::string id_, task_, artifact_, pipeline_, drop_;
  std::vector<std::string> ids_, states_;
  int limit_ = 0, tail_ = -1, keep_ = -1;
  double older_than_days_ = -1;
  bool json_ = false, follow_ = false, print_ = false, yes_ = false, refresh_ = false, quiet_ = false,
       dry_run_ = false;
};

}  // namespace app
