// What a task costs here beyond its program: our runner beside kfp.local, which runs the same compiled
// pipeline of empty Python components, and beside plain posix_spawn of the same programs. usage: local_bench
// (CALOPIPE_PYTHON names a Python with kfp)
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

constexpr int kRounds = 3;

double seconds_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "local_bench: {}\n", what);
  std::exit(1);
}

// One after another, with the output thrown away.
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

// `count` tasks in a row that run `true`.
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

// The program of the component that the peer compiled, as the launcher would call it.
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

void row(const char* name, double seconds, double limit) {
  fmt::print("  {:<34} {:>9.2f} ms per task   {:>8.2f} ms beyond the program\n", name, 1e3 * seconds,
             1e3 * (seconds - limit));
}

}  // namespace

int main() {
  const bench::TempFolder folder;
  {
    constexpr int kTasks = 200;
    const kfp::ir::Pipeline pipeline = tasks_of_true(kTasks);
    double ours = 1e300, limit = 1e300;
    for (int round = 0; round < kRounds; ++round) {
      ours = std::min(ours, seconds_of([&] { run_here(pipeline, folder / "store"); }) / kTasks);
      limit = std::min(limit, seconds_of([&] { spawn({"true"}, kTasks); }) / kTasks);
    }
    fmt::print("local tasks that run `true`, {} in a row\n", kTasks);
    row("calopipe", ours, limit);
    row("posix_spawn alone", limit, limit);
    fmt::print("  ours / posix_spawn: {:.2f}\n", ours / limit);
  }
  if (bench::python() == nullptr) {
    fmt::print("kfp.local: CALOPIPE_PYTHON is not set\n");
    return 0;
  }
  constexpr int kTasks = 10;
  // Every side finds the same Python.
  setenv("PATH", bench::peer_path().c_str(), 1);
  if (bench::kfp_peer("compile-tasks", folder.path(), kTasks) < 0) fail("kfp cannot compile");
  const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(folder / "tasks.yaml");
  const std::vector<std::string> program = program_of(pipeline, folder.path());
  double ours = 1e300, peer = 1e300, limit = 1e300;
  for (int round = 0; round < kRounds; ++round) {
    ours = std::min(ours, seconds_of([&] { run_here(pipeline, folder / "store"); }) / kTasks);
    const double seconds = bench::kfp_peer("run-tasks", folder.path(), kTasks);
    if (seconds < 0) fail("kfp.local failed");
    peer = std::min(peer, seconds / kTasks);
    limit = std::min(limit, seconds_of([&] { spawn(program, kTasks); }) / kTasks);
  }
  fmt::print("local tasks of a Python component that does nothing, {} in a row\n", kTasks);
  row("calopipe", ours, limit);
  row("kfp.local, SubprocessRunner", peer, limit);
  row("posix_spawn of the same program", limit, limit);
  fmt::print("  ours / kfp.local: {:.3f}; beyond the program: {:.3f}\n", ours / peer,
             (ours - limit) / (peer - limit));
}
