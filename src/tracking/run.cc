#include "tracking/run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/clock.h"
#include "core/error.h"
#include "core/folder_walk.h"
#include "tracking/journal.h"
#include "tracking/sender.h"

namespace tracking {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Waits between attempts while a server is away.
constexpr double kFirstWaitS = 2, kLongestWaitS = 60;
// While the process of the run that this one belongs to is about to send that.
constexpr double kParentWaitS = 0.2, kLongestParentWaitS = 3;

std::int64_t milliseconds(double time_s) {
  return std::llround(time_s * 1000);
}

const char* status_name(Run::Status status) {
  switch (status) {
    case Run::Status::kFinished:
      return "FINISHED";
    case Run::Status::kFailed:
      return "FAILED";
    default:
      return "KILLED";
  }
}

}  // namespace

// The journal, and the thread that sends it.
class Run::Thread {
 public:
  explicit Thread(RunStart start) : start_(std::move(start)) {
    guarded([&] {
      // Another process may be sending what an earlier attempt has left.
      for (int i = 0; i < 10 && !(journal_ = Journal::open(start_.queue, start_.id)); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (!journal_) {
        spdlog::warn("the run {} is recorded by another process", start_.name);
        return;
      }
      sender_ =
          std::make_unique<Sender>(*journal_, 1, [](const std::string& line) { spdlog::warn("{}", line); });
      append({{"record", "start"},
              {"id", start_.id},
              {"to", start_.to.text()},
              {"experiment", start_.to.experiment},
              {"name", start_.name},
              {"parent", start_.parent},
              {"time_ms", milliseconds(core::now_s())},
              {"tags", start_.tags}});
      thread_ = std::jthread([this] { work(); });
    });
  }
  ~Thread() {
    if (!has_ended_) end(Status::kFailed);
  }

  const std::string& id() const { return start_.id; }

  void append(const Record& record) {
    guarded([&] {
      if (!journal_) return;
      const std::lock_guard lock(append_);
      journal_->append({record});
    });
    wake();
  }

  void artifact(const fs::path& file, const std::string& path) {
    guarded([&] {
      if (!journal_) return;
      const std::lock_guard lock(append_);
      if (!fs::is_directory(file)) return journal_->append_artifact(file, path);
      for (const fs::path& one : core::walk_folder(file).files)
        journal_->append_artifact(one, path + '/' + one.lexically_relative(file).generic_string());
    });
    wake();
  }

  void end(Status status) {
    has_ended_ = true;
    append({{"record", "end"}, {"status", status_name(status)}, {"time_ms", milliseconds(core::now_s())}});
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    guarded([&] {
      if (!sender_) return;
      const std::int64_t waiting = sender_->waiting();
      if (waiting == 0 && problem_.empty())
        journal_->remove();
      else
        spdlog::warn("{}: {}; {} record{} of the run wait{} in {}: calopipe runs sync sends them",
                     start_.to.text(), problem_, waiting, waiting == 1 ? "" : "s", waiting == 1 ? "s" : "",
                     journal_->folder().string());
    });
    sender_.reset();
    journal_.reset();
  }

 private:
  // What goes wrong with records must not stop the work that they are of.
  template <class Body>
  void guarded(const Body& body) {
    try {
      body();
    } catch (const std::exception& error) {
      if (std::exchange(has_warned_, true)) return;
      spdlog::warn("records of the run are incomplete: {}", error.what());
    }
  }

  void wake() {
    {
      const std::lock_guard lock(mutex_);
      dirty_ = true;
    }
    changed_.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (bool last = false; !last;) {
      changed_.wait(lock, [&] { return stop_ || dirty_; });
      if (!problem_.empty()) changed_.wait_until(lock, next_try_, [&] { return stop_; });
      last = stop_;
      dirty_ = false;
      lock.unlock();
      const bool is_sent = try_to_send();
      lock.lock();
      dirty_ = dirty_ || !is_sent;
    }
  }

  bool try_to_send() {
    try {
      send();
      if (!problem_.empty()) spdlog::info("{} answers again", start_.to.text());
      problem_.clear();
      wait_s_ = kFirstWaitS;
      return true;
    } catch (const std::exception& error) {
      if (problem_.empty() && !is_stopping())
        spdlog::warn("{}: {}; the records wait on disk, and are sent later", start_.to.text(), error.what());
      problem_ = error.what();
      next_try_ = Clock::now() + std::chrono::milliseconds(milliseconds(wait_s_));
      wait_s_ = std::min(kLongestWaitS, 2 * wait_s_);
      return false;
    }
  }

  void send() {
    for (double waited_s = 0;; waited_s += kParentWaitS) {
      try {
        sender_->send();
        return;
      } catch (const ParentMissing&) {
        if (waited_s > kLongestParentWaitS) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds(kParentWaitS)));
      }
    }
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex_);
    return stop_;
  }

  RunStart start_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Sender> sender_;
  bool has_ended_ = false, has_warned_ = false;

  std::mutex append_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool dirty_ = false, stop_ = false;
  // Of the thread.
  std::string problem_;
  double wait_s_ = kFirstWaitS;
  Clock::time_point next_try_;
  std::jthread thread_;
};

Run::Run(RunStart start) : thread_(std::make_unique<Thread>(std::move(start))) {}
Run::~Run() = default;

const std::string& Run::id() const {
  return thread_->id();
}

void Run::params(const std::map<std::string, std::string>& values) {
  if (!values.empty()) thread_->append({{"record", "params"}, {"values", values}});
}

void Run::tags(const std::map<std::string, std::string>& values) {
  if (!values.empty()) thread_->append({{"record", "tags"}, {"values", values}});
}

void Run::metrics(std::int64_t step, double time_s, const std::map<std::string, double>& values) {
  json finite = json::object();
  for (const auto& [name, value] : values)
    if (std::isfinite(value)) finite[name] = value;
  if (!finite.empty())
    thread_->append(
        {{"record", "metrics"}, {"step", step}, {"time_ms", milliseconds(time_s)}, {"values", finite}});
}

void Run::artifact(const fs::path& file, const std::string& path) {
  thread_->artifact(file, path);
}

void Run::model(const std::string& path, const std::string& name, const std::string& of) {
  thread_->append({{"record", "model"}, {"path", path}, {"name", name}, {"of", of}});
}

void Run::end(Status status) {
  thread_->end(status);
}

}  // namespace tracking
