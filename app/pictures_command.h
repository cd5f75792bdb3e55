#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace app {

/// `calopipe pictures report.html`: draws figures of a report as PNG and PDF, with headless Chromium.
class PicturesCommand {
 public:
  explicit PicturesCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  void run();

 private:
  CLI::App* subcommand_;
  std::string report_, png_, pdf_, theme_ = "light", browser_;
  std::vector<std::string> figures_;
  int condition_ = 0, width_ = 1000, height_ = 700;
};

}  // namespace app
