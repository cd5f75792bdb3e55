#include "tracking/sender.h"

#include <fmt/format.h>

#include <cmath>

#include "core/clock.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json_file.h"
#include "tracking/destination.h"

namespace tracking {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using Texts = std::map<std::string, std::string>;

// MLflow's limits of a call, and of a text.
constexpr std::size_t kMetricsPerCall = 1000, kParamsPerCall = 100, kTagsPerCall = 100, kLongestParam = 6000,
                      kLongestTag = 5000;

std::string shortened(const std::string& text, std::size_t longest) {
  if (text.size() <= longest) return text;
  constexpr std::string_view kMark = "…";
  std::size_t end = longest - kMark.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + std::string(kMark);
}

// MLflow accepts only some characters in names of metrics and parameters.
std::string name_of(const std::string& name) {
  std::string result = name;
  for (char& c : result)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string_view("_-. /").find(c) == std::string_view::npos)
      c = '_';
  return result;
}

bool has_values(const Record& record) {
  const std::string kind = record.at("record");
  return kind == "metrics" || kind == "params" || kind == "tags";
}

// The server understood the record, and will never take it.
bool is_final(const kfp::client::Refused& error) {
  return error.status() == 400 || error.status() == 409 || error.status() == 413 || error.status() == 422;
}

}  // namespace

Sender::Sender(Journal& journal, int attempts, std::function<void(const std::string&)> warn)
    : journal_(journal), attempts_(attempts), warn_(std::move(warn)) {
  const json sent = journal_.sent();
  core::in_file(journal_.folder() / "sent.json", [&] {
    bytes_ = sent.value("bytes", std::uint64_t{0});
    to_ = sent.value("to", "");
    run_ = {.id = sent.value("run_id", ""),
            .experiment_id = sent.value("experiment_id", ""),
            .artifact_uri = sent.value("artifact_uri", "")};
    uncertain_ = sent.value("uncertain", false);
    complete_ = sent.value("complete", false);
  });
}

std::int64_t Sender::waiting() const {
  return static_cast<std::int64_t>(journal_.read(bytes_).size());
}

std::int64_t Sender::send(Parent parent) {
  const Lines lines = journal_.read(bytes_);
  core::in_file(journal_.folder() / "journal.jsonl", [&] {
    for (std::size_t done = 0; done < lines.size();) {
      done = send_some(lines, done, parent);
      note(lines[done - 1].end);
    }
  });
  return static_cast<std::int64_t>(lines.size());
}

void Sender::note(std::uint64_t bytes) {
  bytes_ = bytes;
  journal_.set_sent({{"bytes", bytes_},
                     {"to", to_},
                     {"run_id", run_.id},
                     {"experiment_id", run_.experiment_id},
                     {"artifact_uri", run_.artifact_uri},
                     {"uncertain", uncertain_},
                     {"complete", complete_}});
}

void Sender::connect(const std::string& to) {
  if (mlflow_ && to == to_) return;
  auto options = http_options(Destination::parse(to).server, attempts_);
  settle_s_ = options.call_timeout_s / 2;
  mlflow_ = std::make_unique<Mlflow>(std::move(options));
  to_ = to;
}

template <class Body>
void Sender::leave_out_if_refused(const std::string& what, const Body& body) {
  try {
    body();
  } catch (const kfp::client::Refused& error) {
    if (!is_final(error)) throw;
    // A metric that is refused is refused in every epoch.
    if (warned_of_.insert(what).second) warn_(fmt::format("{} is left out: {}", what, error.what()));
  }
}

// Returns the number of lines that are done.
std::size_t Sender::send_some(const Lines& lines, std::size_t begin, Parent parent) {
  const Record& record = lines[begin].record;
  const std::string kind = record.at("record");
  if (kind == "start") {
    start(record, parent);
    return begin + 1;
  }
  if (run_.id.empty()) throw core::InputError({.message = "does not begin with the start of a run"});
  connect(to_);
  if (has_values(record)) return send_values(lines, begin);
  if (kind == "artifact") {
    send_artifact(record);
  } else if (kind == "model") {
    register_model(record);
  } else if (kind == "end") {
    mlflow_->update_run(run_.id, record.at("status"), record.at("time_ms"));
    if (uncertain_) mlflow_->delete_empty_copies(run_, journal_.folder().filename().string());
    complete_ = true;
  } else {
    throw core::InputError({.message = fmt::format("has a record of the unknown kind \"{}\"", kind),
                            .hint = "it is from a newer version of calopipe"});
  }
  return begin + 1;
}

void Sender::start(const Record& record, Parent parent) {
  connect(record.at("to"));
  complete_ = false;
  const std::string experiment_id = mlflow_->experiment(record.at("experiment"));
  Texts tags = record.at("tags");
  for (auto& [name, value] : tags) value = shortened(value, kLongestTag);
  if (const std::string parent_id = record.at("parent"); !parent_id.empty()) {
    if (const auto found = mlflow_->find_run(experiment_id, parent_id))
      tags["mlflow.parentRunId"] = found->id;
    else if (parent == Parent::kWait)
      throw ParentMissing({.message = "the server does not have the run yet that this one belongs to",
                           .file = record.at("to").get<std::string>()});
    else
      warn_(fmt::format("the server does not have the run that \"{}\" belongs to",
                        record.at("name").get<std::string>()));
  }
  try {
    run_ = mlflow_->find_or_create_run(experiment_id, record.at("id"), record.at("name"),
                                       record.at("time_ms"), tags, uncertain_ ? settle_s_ : 0);
  } catch (const kfp::client::Unreachable& error) {
    uncertain_ = uncertain_ || error.done() == kfp::client::Unreachable::Done::kPerhaps;
    note(bytes_);
    throw;
  }
  mlflow_->choose_run(run_.id);
  mlflow_->update_run(run_.id, "RUNNING", 0);  // it may have ended before, and be continued
}

// Sends records of numbers and texts that follow each other, as many as fit into a call.
std::size_t Sender::send_values(const Lines& lines, std::size_t begin) {
  std::vector<Metric> metrics;
  Texts params, tags;
  std::size_t end = begin;
  for (; end < lines.size() && has_values(lines[end].record); ++end) {
    const Record& record = lines[end].record;
    const json& values = record.at("values");
    const std::string kind = record.at("record");
    const bool is_full = metrics.size() + values.size() > kMetricsPerCall / 2 ||
                         params.size() + values.size() > kParamsPerCall ||
                         tags.size() + values.size() > kTagsPerCall;
    if (end > begin && is_full) break;
    for (const auto& [name, value] : values.items()) {
      if (kind == "params") params[name_of(name)] = shortened(value, kLongestParam);
      if (kind == "tags") tags[name] = shortened(value, kLongestTag);
      if (kind == "metrics" && value.is_number())
        metrics.push_back({.name = name_of(name),
                           .value = value,
                           .time_ms = record.at("time_ms"),
                           .step = record.at("step")});
    }
  }
  try {
    send_values(metrics, params, tags);
  } catch (const kfp::client::Refused& error) {
    if (!is_final(error)) throw;
    // One by one, so that only what the server refuses is left out.
    for (const Metric& metric : metrics)
      leave_out_if_refused(fmt::format("the metric {}", metric.name), [&] { send_values({metric}, {}, {}); });
    for (const auto& param : params)
      leave_out_if_refused(fmt::format("the parameter {}", param.first),
                           [&] { send_values({}, {param}, {}); });
    for (const auto& tag : tags)
      leave_out_if_refused(fmt::format("the tag {}", tag.first), [&] { send_values({}, {}, {tag}); });
  }
  return end;
}

// In parts, if one record has more than a call may.
void Sender::send_values(const std::vector<Metric>& metrics, const Texts& params, const Texts& tags) {
  auto metric = metrics.begin();
  auto param = params.begin(), tag = tags.begin();
  do {
    std::vector<Metric> some_metrics;
    Texts some_params, some_tags;
    while (metric != metrics.end() && some_metrics.size() < kMetricsPerCall - kParamsPerCall - kTagsPerCall)
      some_metrics.push_back(*metric++);
    while (param != params.end() && some_params.size() < kParamsPerCall) some_params.insert(*param++);
    while (tag != tags.end() && some_tags.size() < kTagsPerCall) some_tags.insert(*tag++);
    mlflow_->log_batch(run_.id, some_metrics, some_params, some_tags);
  } while (metric != metrics.end() || param != params.end() || tag != tags.end());
}

void Sender::send_artifact(const Record& record) {
  const std::string path = record.at("path");
  const fs::path file = journal_.folder() / record.at("file").get<std::string>();
  if (!Mlflow::can_write(run_.artifact_uri)) {
    if (warned_of_.insert("artifacts").second)
      warn_(
          fmt::format("artifacts are left out: the server has them in {}, which is not written from here "
                      "(mlflow server --artifacts-destination …)",
                      run_.artifact_uri));
    return;
  }
  std::error_code error;
  if (!fs::exists(file, error) || core::sha256_of_path(file) != record.at("sha256")) {
    warn_(fmt::format("the artifact {} is left out: it has changed since the run", path));
    return;
  }
  leave_out_if_refused(fmt::format("the artifact {}", path),
                       [&] { mlflow_->put_artifact(run_, path, file); });
}

void Sender::register_model(const Record& record) {
  const std::string name = record.at("name"), path = record.at("path"), of = record.at("of");
  std::optional<MlflowRun> owner = run_;
  if (!of.empty()) {
    const auto pipeline = mlflow_->find_run(run_.experiment_id, of);
    if (!pipeline)
      throw ParentMissing(
          {.message = "the server does not have the run yet that made the model " + name, .file = to_});
    owner = mlflow_->find_task(*pipeline, "train");
    if (!owner) {
      warn_(fmt::format("{} is not registered: its training was not recorded, because it came from the cache",
                        name));
      return;
    }
  }
  leave_out_if_refused(fmt::format("the registration of {}", name),
                       [&] { mlflow_->register_model(*owner, path, name); });
}

std::vector<WaitingRun> list_waiting(const fs::path& queue, const std::string& parent) {
  const auto text = [](const Waiting& run, const char* name) {
    const auto found = run.start.is_object() ? run.start.find(name) : run.start.end();
    return found != run.start.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  std::vector<WaitingRun> runs;
  for (const Waiting& one : waiting(queue)) {
    if (!parent.empty() && text(one, "parent") != parent) continue;
    WaitingRun& run = runs.emplace_back();
    run.id = one.id;
    run.name = text(one, "name");
    run.to = text(one, "to");
    run.folder = queue / one.id;
    try {
      const auto journal = Journal::open(queue, one.id);
      run.live = journal == nullptr;
      if (!run.live) run.records = Sender(*journal, 1, {}).waiting();
    } catch (const core::Error& error) {
      run.problem = error.what();
    }
  }
  return runs;
}

WaitingRun send_waiting(const fs::path& queue, const WaitingRun& run,
                        const std::function<void(const std::string&)>& warn) {
  constexpr int kAttempts = 3;
  WaitingRun result = run;
  if (run.live || !run.problem.empty()) return result;
  const auto journal = Journal::open(queue, run.id);
  result.live = journal == nullptr;
  if (result.live) return result;
  try {
    const auto lines = journal->read(0);
    if (!lines.empty() && lines.back().record.at("record") != "end")
      journal->append(
          {{{"record", "end"}, {"status", "KILLED"}, {"time_ms", std::llround(core::now_s() * 1000)}}});
    Sender sender(*journal, kAttempts, warn);
    try {
      sender.send(Sender::Parent::kLeaveOut);
    } catch (const core::Error& error) {
      result.problem = error.what();
      result.away = error.exit_code() == core::ExitCode::kUnavailable &&
                    dynamic_cast<const ParentMissing*>(&error) == nullptr;
    }
    result.records = sender.waiting();
    if (result.records == 0 && result.problem.empty()) journal->remove();
  } catch (const core::Error& error) {
    result.problem = error.what();
  }
  return result;
}

std::vector<WaitingRun> send_waiting(const fs::path& queue, std::vector<WaitingRun> runs,
                                     const std::function<void(const std::string&)>& warn) {
  std::map<std::string, std::string> away;  // servers, and why
  const auto send = [&](WaitingRun& run) {
    if (core::interrupt_requested()) return;
    if (const auto found = away.find(run.to); found != away.end()) {
      run.problem = found->second;
      return;
    }
    run = send_waiting(queue, run, warn);
    if (run.away) away[run.to] = run.problem;
  };
  for (WaitingRun& run : runs) send(run);
  // What a run refers to may have come after it.
  for (WaitingRun& run : runs) {
    if (run.records == 0 || run.live) continue;
    run.problem.clear();
    send(run);
  }
  return runs;
}

void drop_waiting(const fs::path& queue, const std::string& id) {
  const std::vector<Waiting> runs = waiting(queue);
  if (std::none_of(runs.begin(), runs.end(), [&](const Waiting& run) { return run.id == id; }))
    throw core::UsageError({.message = fmt::format("no records of a run {} wait", id),
                            .hint = "calopipe runs sync --dry-run lists them"});
  const auto journal = Journal::open(queue, id);
  if (!journal) throw core::UsageError({.message = fmt::format("the run {} is still going on", id)});
  journal->remove();
}

}  // namespace tracking
