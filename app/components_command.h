#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "kfp/component/component.h"

namespace app {

/// `calopipe components export`: writes each component as a file that the Python SDK loads.
class ComponentsCommand {
 public:
  ComponentsCommand(CLI::App& app, const kfp::Registry& registry);
  CLI::App* subcommand() const { return subcommand_; }
  /// @throws core::InputError (site), core::UnavailableError
  void run();

 private:
  const kfp::Registry& registry_;
  CLI::App* subcommand_;
  CLI::App* export_;
  std::string site_, image_, out_;
};

}  // namespace app
