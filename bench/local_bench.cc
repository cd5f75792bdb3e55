// Measures the cost of a local task beyond its program: with calopipe's runner, with kfp.local for the same
// compiled pipeline of empty Python components, and with plain posix_spawn of the same programs.
// usage: local_bench   (CALOPIPE_PYTHON is a Python with kfp)
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/kfp_peer.h"
#include "kfp/compile/compile.h"
#include "kfp/dsl/pipeline.h"
#include "kfp/ir/document.h"
#include "kfp/local/runner.h"

namespace {

constexpr double kRoundsSeconds = 8;  // as in kfp_peer.py

// The best of many rounds: the speed of the machine without disturbance.
double best_seconds(const std::function<void()>& body) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(kRoundsSeconds);
  double best = 1e300;
  while (Clock::now() < end) {
    const auto begin = Clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

struct Cost {
  double task_ms = 0, run_ms = 0;
};

// Cost of one more task, and of a run without tasks, from runs with few and with many tasks.
struct Counts {
  int few = 5, many = 45;
};
Cost cost_of(const Counts& counts, const std::function<double(int)>& seconds_of) {
  const double few = seconds_of(counts.few), many = seconds_of(counts.many);
  const double task = (many - few) / (counts.many - counts.few);
  return {.task_ms = 1e3 * task, .run_ms = 1e3 * (few - counts.few * task)};
}

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "local_bench: {}\n", what);
  std::exit(1);
}

// Runs programs one after another and discards their output.
void spawn(std::vector<std::string> words, int count) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  for (int i = 0; i < count; ++i) {
    pid_t child = 0;
    int status = 0;
    if (posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
      fail(words[0] + " failed");
  }
  posix_spawn_file_actions_destroy(&actions);
}

void run_here(const kfp::ir::Pipeline& pipeline, const std::filesystem::path& store_folder) {
  const auto store = kfp::local::Store::open(store_folder);
  const auto result = kfp::local::run(pipeline, nlohmann::json::object(), {.cache = false}, *store);
  if (result.run.state != kfp::local::State::kSucceeded) fail("a run failed: " + result.run.error);
}

// A sequence of tasks that run `true`.
kfp::ir::Pipeline tasks_of_true(int count) {
  const kfp::dsl::ContainerComponent nothing{.name = "nothing", .image = "none", .command = {"true"}};
  kfp::dsl::Pipeline pipeline("tasks");
  std::optional<kfp::dsl::Task> before;
  for (int i = 0; i < count; ++i) {
    kfp::dsl::Task task = pipeline.task(nothing);
    before = before ? task.after(*before) : task;
  }
  return kfp::dsl::compile(pipeline);
}

// Program of the component that the peer compiled, as the launcher would call it.
std::vector<std::string> program_of(const kfp::ir::Pipeline& pipeline, const std::filesystem::path& folder) {
  const nlohmann::json container =
      kfp::ir::to_json(pipeline.spec)
          .at(nlohmann::json::json_pointer("/deploymentSpec/executors/exec-f/container"));
  const std::string input =
      nlohmann::json({{"inputs", nlohmann::json::object()},
                      {"outputs", {{"outputFile", (folder / "executor_output.json").string()}}}})
          .dump();
  std::vector<std::string> words;
  for (const char* part : {"command", "args"})
    for (const nlohmann::json& word : container.at(part))
      words.push_back(word == "{{$}}" ? input : word.get<std::string>());
  return words;
}

void row(const char* name, const Cost& cost, const Cost& limit) {
  fmt::print("  {:<32} {:>8.2f} ms per task, {:>6.2f} beyond the program; {:>6.1f} ms per run\n", name,
             cost.task_ms, cost.task_ms - limit.task_ms, cost.run_ms);
}

// Runs the same compiled pipelines of Python components with both runners.
void beside_kfp(const std::string& title, const bench::TempFolder& folder, const Counts& counts) {
  for (const int count : {counts.few, counts.many})
    if (bench::kfp_peer("compile-tasks", folder.path(), count) < 0) fail("kfp cannot compile");
  const auto pipeline = [&](int count) {
    return kfp::ir::read_pipeline(folder / fmt::format("tasks-{}.yaml", count));
  };
  const std::vector<std::string> program = program_of(pipeline(counts.few), folder.path());
  const Cost ours = cost_of(counts, [&](int count) {
    return best_seconds([&, tasks = pipeline(count)] { run_here(tasks, folder / "store"); });
  });
  const Cost peer = cost_of(counts, [&](int count) {
    const double seconds = bench::kfp_peer("run-tasks", folder.path(), count);
    if (seconds < 0) fail("kfp.local failed");
    return seconds;
  });
  const Cost limit = cost_of(counts, [&](int count) { return best_seconds([&] { spawn(program, count); }); });
  fmt::print("{}\n", title);
  row("calopipe", ours, limit);
  row("kfp.local, SubprocessRunner", peer, limit);
  row("posix_spawn of the same program", limit, limit);
  fmt::print("  per task, ours / kfp.local: {:.3f}; ours / posix_spawn: {:.3f}\n",
             ours.task_ms / peer.task_ms, ours.task_ms / limit.task_ms);
}

}  // namespace

int main() {
  const bench::TempFolder folder;
  const Counts counts;
  const Cost ours = cost_of(counts, [&](int count) {
    return best_seconds([&, tasks = tasks_of_true(count)] { run_here(tasks, folder / "store"); });
  });
  const Cost limit = cost_of(counts, [](int count) { return best_seconds([&] { spawn({"true"}, count); }); });
  fmt::print("local tasks that run `true` one after another\n");
  row("calopipe", ours, limit);
  row("posix_spawn of the same program", limit, limit);
  fmt::print("  per task, ours / posix_spawn: {:.3f}\n", ours.task_ms / limit.task_ms);
  if (bench::python() == nullptr) {
    fmt::print("kfp.local: CALOPIPE_PYTHON is not set\n");
    return 0;
  }
  // All programs find the same Python.
  const std::string path = bench::peer_path();
  setenv("PATH", path.c_str(), 1);
  beside_kfp("… that run a Python component that does nothing", folder, {.few = 2, .many = 12});
  // The start of an interpreter takes much longer than the runners.
  std::filesystem::create_directory(folder / "bin");
  std::filesystem::create_symlink("/bin/true", folder / "bin/python3");
  setenv("PATH", ((folder / "bin").string() + ":" + path).c_str(), 1);
  beside_kfp("… the same with `true` instead of the Python interpreter: only the runners", folder, counts);
}
