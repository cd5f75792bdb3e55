#pragma once

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "calo/io/shower_reader.h"
#include "calo/models/architectures.h"
#include "core/philox.h"
#include "parallel/group.h"

/// Training by processes of one core each, which are this program again, with arguments of worker().
namespace bench {

/// Processor time of this process so far.
inline double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The training of one process: prints showers/s, the best of several rounds of steps on different batches,
/// and the processor time for each shower. argv: program, `--worker`, model, batch size, showers; its place
/// is in the environment.
inline int worker(char** argv) {
  core::ThreadPool pool(1);
  const auto group = parallel::join(parallel::place_of(parallel::own_environment), {});
  const std::string model_name = argv[2];
  const auto batch_size = static_cast<std::size_t>(std::stoul(argv[3]));
  const auto reader = calo::ShowerReader::open(argv[4], {}, pool);
  const calo::Showers all = calo::read_all(*reader);
  const calo::Transform transform{.mesh = reader->info().mesh};
  calo::ModelDescription description;
  if (model_name == "cascade") description = calo::ModelDescription::unsaid().resolved();
  std::vector<std::uint32_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  core::Philox(1, 0).shuffle(order);
  const auto model = calo::new_model({.description = description,
                                      .transform = transform,
                                      .seed = 1,
                                      .showers = &all,
                                      .training = order,
                                      .group = *group},
                                     pool);
  calo::Optimizer optimizer(description);
  std::int64_t step = 0;
  std::size_t next = 0;
  // The rounds take the same batches in all runs, so that their times can be compared.
  constexpr int kRounds = 3;
  const std::size_t steps = std::max<std::size_t>(1, (model_name == "cascade" ? 256 : 2560) / batch_size);
  double best = 1e300;
  const double cpu_before_s = cpu_s();
  for (int round = -1; round < kRounds; ++round) {  // the first one warms up
    next = 0;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < steps; ++i) {
      if (next + batch_size > order.size()) next = 0;
      optimizer.begin_step(++step, description.lr);
      model->train_step({.showers = all, .indices = std::span(order).subspan(next, batch_size)},
                        static_cast<std::uint64_t>(step), optimizer);
      next += batch_size;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (round >= 0) best = std::min(best, seconds);
  }
  fmt::print("{} {}\n", static_cast<double>(steps * batch_size) / best,
             (cpu_s() - cpu_before_s) / static_cast<double>((kRounds + 1) * steps * batch_size));
  return 0;
}

struct Speed {
  double showers_per_s = 0;  ///< of all workers
  double cpu_s = 0;          ///< processor time of all workers for each shower that they train on
};

/// Speed of `count` workers at once, each on a core of its own.
/// @param together  they train the same model; otherwise each trains its own
inline Speed speed_of(int count, bool together, const std::string& model, std::size_t batch,
                      const std::string& showers) {
  cpu_set_t available;
  CPU_ZERO(&available);
  sched_getaffinity(0, sizeof available, &available);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &available)) cores.push_back(core);
  if (static_cast<int>(cores.size()) < count) return {};
  std::vector<std::FILE*> answers;
  std::vector<pid_t> workers;
  for (int rank = 0; rank < count; ++rank) {
    int ends[2];
    if (pipe(ends) != 0) return {};
    const pid_t pid = fork();
    if (pid == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cores[static_cast<std::size_t>(rank)], &one);
      sched_setaffinity(0, sizeof one, &one);
      dup2(ends[1], 1);
      for (const int end : ends) close(end);
      if (together && count > 1) {
        setenv("RANK", std::to_string(rank).c_str(), 1);
        setenv("WORLD_SIZE", std::to_string(count).c_str(), 1);
        setenv("MASTER_ADDR", "127.0.0.1", 1);
        setenv("MASTER_PORT", "14890", 1);
      }
      execl("/proc/self/exe", "train_bench", "--worker", model.c_str(), std::to_string(batch).c_str(),
            showers.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    answers.push_back(fdopen(ends[0], "r"));
    workers.push_back(pid);
  }
  Speed all;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    Speed one;
    if (std::fscanf(answers[i], "%lf %lf", &one.showers_per_s, &one.cpu_s) != 2) one = {};
    all.showers_per_s = together ? one.showers_per_s : all.showers_per_s + one.showers_per_s;
    all.cpu_s += together ? one.cpu_s : one.cpu_s / count;
    std::fclose(answers[i]);
    waitpid(workers[i], nullptr, 0);
  }
  return all;
}

/// Prints the efficiency of two processes of one core each, beside what two independent trainings reach: the
/// best of some repetitions.
inline void print_efficiency(const std::string& model, std::size_t batch, const std::string& showers) {
  constexpr int kRepetitions = 3;
  Speed alone, two, apart;
  const auto keep_best = [](Speed& best, const Speed& now) {
    best.showers_per_s = std::max(best.showers_per_s, now.showers_per_s);
    best.cpu_s = best.cpu_s == 0 ? now.cpu_s : std::min(best.cpu_s, now.cpu_s);
  };
  for (int i = 0; i < kRepetitions; ++i) {
    keep_best(alone, speed_of(1, false, model, batch, showers));
    keep_best(two, speed_of(2, true, model, batch, showers));
    keep_best(apart, speed_of(2, false, model, batch, showers));
  }
  if (two.showers_per_s == 0) {
    fmt::print("  {} on two processes: needs two cores\n", model);
    return;
  }
  fmt::print(
      "  {:<8} batch {:>4}: {:>6.0f} showers/s by one process, {:>6.0f} by two: efficiency {:.2f}, in "
      "processor time "
      "{:.2f} (two trainings apart: {:.2f}, {:.2f})\n",
      model, batch, alone.showers_per_s, two.showers_per_s, two.showers_per_s / alone.showers_per_s / 2,
      alone.cpu_s / two.cpu_s, apart.showers_per_s / alone.showers_per_s / 2, alone.cpu_s / apart.cpu_s);
  std::fflush(stdout);
}

}  // namespace bench
