#include "app/kerberos_command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "kerberos/keeper.h"
#include "kfp/client/time_text.h"

namespace app {
namespace {

using nlohmann::json;

void wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (!core::interrupt_requested() && Clock::now() < end)
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(50), end - Clock::now()));
}

const char* words(kerberos::KeepEvent::Kind kind) {
  switch (kind) {
    case kerberos::KeepEvent::Kind::kRenewed:
      return "renewed";
    case kerberos::KeepEvent::Kind::kCopied:
      return "copied";
    case kerberos::KeepEvent::Kind::kNew:
      return "new";
    case kerberos::KeepEvent::Kind::kFailed:
      return "not renewed";
  }
  return "";
}

}  // namespace

std::string to_text(const kerberos::Ticket& ticket) {
  std::string text =
      fmt::format("{}, valid until {}", ticket.principal, kfp::client::time_text(ticket.end_s));
  if (ticket.renew_until_s > ticket.end_s)
    text += fmt::format(", renewable until {}", kfp::client::time_text(ticket.renew_until_s));
  return text;
}

json to_json(const kerberos::Ticket& ticket) {
  return {{"principal", ticket.principal},
          {"end_s", ticket.end_s},
          {"renew_until_s", ticket.renew_until_s > 0 ? json(ticket.renew_until_s) : json()}};
}

KerberosCommand::KerberosCommand(CLI::App& app)
    : subcommand_(app.add_subcommand("kerberos", "Keeps a Kerberos ticket valid, and shows it")) {
  subcommand_->require_subcommand(1);
  keep_ = subcommand_->add_subcommand(
      "keep", "Renews the ticket in a cache at half of its life, until it is told to end (SIGTERM)");
  keep_->footer(
      "Examples:\n  calopipe kerberos keep --cache /tmp/krb5cc_1000\n"
      "  calopipe kerberos keep --from /secret/krb-secret-vol/krb5cc_1000 --cache /kfp/ticket/krb5cc\n"
      "  calopipe kerberos keep --keytab alice.keytab --once");
  show_ = subcommand_->add_subcommand("show", "Prints whose ticket a cache has, and how long it lasts");
  show_->footer("Examples:\n  calopipe kerberos show");
  show_->add_flag("--json", json_, "Print the result as JSON");
  for (CLI::App* command : {keep_, show_})
    command->add_option("--cache", cache_, "Cache of the ticket [default: $KRB5CCNAME, as for kinit]")
        ->type_name("FILE");
  keep_
      ->add_option("--from", source_,
                   "Another cache, such as a mounted secret: copied when its ticket ends later")
      ->type_name("FILE");
  CLI::Option* keytab =
      keep_->add_option("--keytab", keytab_, "Keytab that gives new tickets")->type_name("FILE");
  keep_->add_option("--principal", principal_, "Principal [default: the first one in the keytab]")
      ->type_name("NAME")
      ->needs(keytab);
  keep_->add_option("--life-h", life_h_, "Life of tickets by the keytab, in hours; 0 = what the KDC gives")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  keep_->add_option("--renewable-h", renewable_h_, "Renewable life of tickets by the keytab, in hours")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  keep_->add_option("--look-s", look_s_, "Longest time between two looks at --from, in seconds")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  keep_->add_flag("--once", once_, "Renew now, and end");
  subcommand_->group("Tools");
}

int KerberosCommand::run() {
  if (keep_->parsed()) keep();
  if (show_->parsed()) show();
  return 0;
}

void KerberosCommand::keep() {
  const kerberos::KeepOptions options{
      .cache = kerberos::cache_file(cache_.empty() ? kerberos::default_cache() : cache_),
      .source = source_,
      .keytab = keytab_,
      .principal = principal_,
      .life = {.life_s = life_h_ * 3600, .renewable_s = renewable_h_ * 3600},
      .once = once_,
      .longest_pause_s = look_s_};
  kerberos::keep_ticket(
      options,
      [](const kerberos::KeepEvent& event) {
        if (event.kind == kerberos::KeepEvent::Kind::kFailed)
          spdlog::warn("{} ({}); next attempt in {:.0f} s", event.reason, to_text(event.ticket),
                       event.next_s);
        else
          spdlog::info("ticket {}: {}", words(event.kind), to_text(event.ticket));
      },
      core::interrupt_requested, wait);
  // A signal is the usual end of a sidecar, and no error.
  if (core::interrupt_requested()) spdlog::info("told to end");
}

void KerberosCommand::show() const {
  const std::string cache = cache_.empty() ? kerberos::default_cache() : cache_;
  const kerberos::Ticket ticket = kerberos::read_ticket(cache);
  if (json_)
    fmt::print("{}\n", to_json(ticket).dump(2));
  else
    fmt::print("cache: {}\nticket: {}\n", cache, to_text(ticket));
}

}  // namespace app
