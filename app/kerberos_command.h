#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "kerberos/ticket.h"

namespace app {

/// `calopipe kerberos keep|show`: keeps a Kerberos ticket valid, beside a long work.
class KerberosCommand {
 public:
  explicit KerberosCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  /// Prints to stdout. Returns at the end of `keep`: after --once, or if a signal asks it to end.
  int run();

 private:
  void keep();
  void show() const;

  CLI::App* subcommand_;
  CLI::App* keep_;
  CLI::App* show_;
  std::string cache_, source_, keytab_, principal_;
  double life_h_ = 0, renewable_h_ = 168, look_s_ = 600;
  bool once_ = false, json_ = false;
};

/// "alice@CERN.CH, valid until …, renewable until …".
std::string to_text(const kerberos::Ticket& ticket);
nlohmann::json to_json(const kerberos::Ticket& ticket);

}  // namespace app
