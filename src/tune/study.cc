#include "tune/study.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <tuple>

#include "core/postgres/postgres.h"
#include "tune/detail/sql_study.h"
#include "tune/detail/studies.h"

namespace tune {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<TrialState, const char*>, 5> kStates = {{{TrialState::kWaiting, "waiting"},
                                                                        {TrialState::kRunning, "running"},
                                                                        {TrialState::kDone, "done"},
                                                                        {TrialState::kFailed, "failed"},
                                                                        {TrialState::kStopped, "stopped"}}};

json list_of(const std::vector<double>& values) {
  json out = json::array();
  for (const double value : values) out.push_back(std::isfinite(value) ? json(value) : json());
  return out;
}

std::vector<double> numbers(const json& list) {
  std::vector<double> values;
  for (const json& one : list)
    values.push_back(one.is_null() ? std::numeric_limits<double>::quiet_NaN() : one.get<double>());
  return values;
}

// Machines may have the same name, and containers the same process ids.
std::string make_machine_id() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::error_code error;
  const auto processes = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  return fmt::format("{} {} {}", this_machine(), boot, processes.string());
}

}  // namespace

std::string to_string(TrialState state) {
  for (const auto& [one, name] : kStates)
    if (one == state) return name;
  return "unknown";
}

std::optional<TrialState> trial_state(const std::string& text) {
  for (const auto& [one, name] : kStates)
    if (text == name) return one;
  return std::nullopt;
}

std::string this_machine() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string machine_id() {
  static const std::string id = make_machine_id();
  return id;
}

std::int64_t own_pid() {
  return ::getpid();
}

std::string new_worker_name() {
  std::random_device random;
  return fmt::format("{}-{}-{:08x}", this_machine(), own_pid(), random());
}

std::string machine_of(const std::string& worker) {
  const std::size_t number = worker.rfind('-');
  if (number == std::string::npos || number == 0) return {};
  const std::size_t process = worker.rfind('-', number - 1);
  return process == std::string::npos ? "" : worker.substr(0, process);
}

std::string results_text(const Trial& trial) {
  return json{{"values", list_of(trial.values)}, {"errors", list_of(trial.errors)}}.dump();
}

std::string as_utf8(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

void read_results(Trial& trial, const json& results) {
  trial.values = numbers(results.at("values"));
  trial.errors = numbers(results.at("errors"));
}

std::unique_ptr<Study> Study::create(const std::string& place, const json& definition, double patience_s) {
  return core::PostgresUrl::is_one(place) ? create_postgres_study(place, definition, patience_s)
                                          : create_sqlite_study(place, definition);
}

std::unique_ptr<Study> Study::open(const std::string& place, double patience_s) {
  return core::PostgresUrl::is_one(place) ? open_postgres_study(place, patience_s) : open_sqlite_study(place);
}

std::vector<std::string> Study::list(const std::string& place) {
  return core::PostgresUrl::is_one(place) ? list_postgres_studies(place) : list_sqlite_studies(place);
}

History history_of(const std::vector<Trial>& trials,
                   const std::function<std::vector<double>(const Trial&)>& losses) {
  std::vector<const Trial*> ended, others;
  for (const Trial& trial : trials)
    (trial.state == TrialState::kWaiting || trial.state == TrialState::kRunning ? others : ended)
        .push_back(&trial);
  std::sort(ended.begin(), ended.end(), [](const Trial* a, const Trial* b) {
    return std::tie(a->ended, a->number) < std::tie(b->ended, b->number);
  });
  History history;
  const auto add = [&](const Trial& trial) {
    Observation one{.number = trial.number, .parameters = trial.parameters, .note = trial.note};
    using State = Observation::State;
    switch (trial.state) {
      case TrialState::kDone:
        one.state = State::kDone;
        one.losses = losses(trial);
        break;
      case TrialState::kFailed:
        one.state = State::kFailed;
        break;
      case TrialState::kStopped:
        one.state = State::kStopped;
        break;
      default:
        one.state = State::kRunning;
    }
    history.push_back(std::move(one));
  };
  for (const Trial* trial : ended) add(*trial);
  for (const Trial* trial : others) add(*trial);
  return history;
}

}  // namespace tune
