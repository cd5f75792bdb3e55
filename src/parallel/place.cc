#include "parallel/place.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "core/liveness.h"

namespace parallel {
namespace {

constexpr int kUsualPort = 29400;   // torchrun's
constexpr int kFirstPort = 15'000;  // below those that Linux gives to connections
constexpr int kPorts = 15'000;

[[noreturn]] void refuse(const std::string& variable, const std::string& message,
                         const std::string& hint = {}) {
  throw core::UsageError({.message = message, .field = variable, .hint = hint});
}

std::optional<std::int64_t> number(const Environment& environment, const std::string& name) {
  const auto text = environment(name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size())
    refuse(name, fmt::format("\"{}\" in the environment is not a whole number", *text));
  return value;
}

int port_by(std::uint64_t number) {
  return kFirstPort + static_cast<int>(number % kPorts);
}

int port_of(const Environment& environment, const std::string& name, int otherwise) {
  const auto port = number(environment, name);
  if (port && (*port < 1 || *port > 65'535)) refuse(name, fmt::format("{} is not a port", *port));
  return port ? static_cast<int>(*port) : otherwise;
}

// A rank and a size that belong together.
Place read(const Environment& environment, const std::string& rank_name, const std::string& size_name) {
  const auto rank = number(environment, rank_name), size = number(environment, size_name);
  if (!rank || !size)
    refuse(rank ? rank_name : size_name,
           fmt::format("is set in the environment, but {} is not", rank ? size_name : rank_name),
           "set both, or neither for a process alone");
  if (*size < 1 || *size > 65'535) refuse(size_name, fmt::format("{} is not a number of processes", *size));
  if (*rank < 0 || *rank >= *size)
    refuse(rank_name, fmt::format("{} is not a rank of {} processes ({}): ranks are 0 to {}", *rank, *size,
                                  size_name, *size - 1));
  return {.rank = static_cast<int>(*rank),
          .size = static_cast<int>(*size),
          .meeting = {},
          .said_by = rank_name + ", " + size_name};
}

void require_master(const Environment& environment, Place& place, const std::string& prefix,
                    const std::string& hint) {
  const auto address = environment(prefix + "MASTER_ADDR");
  if (!address) refuse(prefix + "MASTER_ADDR", fmt::format("is not set, but {} are", place.said_by), hint);
  place.meeting = {.address = *address, .port = port_of(environment, prefix + "MASTER_PORT", kUsualPort)};
}

// Processes on one machine that have the same parent meet on the loopback, at a port that follows from it.
Meeting beside_siblings() {
  const auto parent = static_cast<std::uint64_t>(::getppid());
  return {.address = "127.0.0.1",
          .port = port_by(parent * 7919 + static_cast<std::uint64_t>(core::process_start(::getppid())))};
}

Place of_mpi(const Environment& environment, const std::string& rank, const std::string& size,
             const std::string& local_size) {
  Place place = read(environment, rank, size);
  if (place.size == 1) return place;
  if (environment("MASTER_ADDR") || number(environment, local_size) != std::int64_t{place.size})
    require_master(environment, place, "",
                   "with mpirun on several machines, pass the address of the first one: "
                   "mpirun -x MASTER_ADDR=HOST, or -genv MASTER_ADDR HOST");
  else
    place.meeting = beside_siblings();
  return place;
}

// A batch script itself has the variables of a step, but srun has not started it.
bool is_slurm_step(const Environment& environment) {
  constexpr std::int64_t kFirstSpecial = 4'294'967'290;  // batch, extern, interactive
  const auto step = number(environment, environment("SLURM_STEP_ID") ? "SLURM_STEP_ID" : "SLURM_STEPID");
  return step && *step < kFirstSpecial && environment("SLURM_PROCID");
}

Place of_slurm(const Environment& environment) {
  Place place = read(environment, "SLURM_PROCID", "SLURM_NTASKS");
  if (place.size == 1) return place;
  if (environment("MASTER_ADDR")) {
    require_master(environment, place, "", "");
    return place;
  }
  const auto hosts = environment("SLURM_STEP_NODELIST") ? environment("SLURM_STEP_NODELIST")
                                                        : environment("SLURM_JOB_NODELIST");
  const auto address = hosts ? std::optional(first_host(*hosts)) : environment("SLURM_LAUNCH_NODE_IPADDR");
  if (!address)
    refuse("SLURM_JOB_NODELIST", fmt::format("is not set, but {} are", place.said_by),
           "set MASTER_ADDR to the machine of rank 0");
  const auto job = number(environment, "SLURM_JOB_ID").value_or(0);
  const auto step =
      number(environment, environment("SLURM_STEP_ID") ? "SLURM_STEP_ID" : "SLURM_STEPID").value_or(0);
  place.meeting = {.address = *address, .port = port_by(static_cast<std::uint64_t>(job * 31 + step))};
  return place;
}

}  // namespace

std::optional<std::string> own_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string first_host(const std::string& list) {
  const std::size_t end = list.find_first_of(",[");
  std::string host = list.substr(0, end);
  if (end == std::string::npos || list[end] == ',') return host;
  const std::size_t number_end = list.find_first_of(",-]", end + 1), close = list.find(']', end);
  if (number_end == std::string::npos || close == std::string::npos) return host;
  host += list.substr(end + 1, number_end - end - 1);
  const std::size_t rest_end = list.find(',', close);
  return host + list.substr(close + 1, rest_end == std::string::npos ? rest_end : rest_end - close - 1);
}

Place place_of(const Environment& environment) {
  Place place;
  if (environment("RANK") || environment("WORLD_SIZE")) {
    place = read(environment, "RANK", "WORLD_SIZE");
    place.is_set = true;
    if (place.size > 1)
      require_master(environment, place, "", "set it to the machine of rank 0, or unset RANK and WORLD_SIZE");
  } else if (environment("PET_NNODES")) {
    const Machine machine = machine_of(environment, 1);
    place = {.rank = machine.rank,
             .size = machine.count,
             .meeting = machine.meeting,
             .said_by = "PET_NODE_RANK, PET_NNODES"};
  } else if (environment("OMPI_COMM_WORLD_RANK") || environment("OMPI_COMM_WORLD_SIZE")) {
    place = of_mpi(environment, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE");
  } else if (environment("PMI_RANK") || environment("PMI_SIZE")) {
    place = of_mpi(environment, "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS");
  } else if (is_slurm_step(environment)) {
    place = of_slurm(environment);
  }
  return place;
}

Machine machine_of(const Environment& environment, int processes) {
  Machine machine{.processes = std::max(processes, 1)};
  if (!environment("PET_NNODES")) return machine;
  Place place = read(environment, "PET_NODE_RANK", "PET_NNODES");
  machine.rank = place.rank;
  machine.count = place.size;
  if (machine.count > 1) {
    require_master(environment, place, "PET_", "Kubeflow Trainer sets it; elsewhere, unset PET_NNODES");
    machine.meeting = place.meeting;
  }
  machine.restarts = static_cast<int>(number(environment, "PET_MAX_RESTARTS").value_or(0));
  if (processes > 0) return machine;
  // "auto", "cpu" and "gpu" leave the choice to the program: one process with all threads.
  const auto wanted = environment("PET_NPROC_PER_NODE");
  if (!wanted || *wanted == "auto" || *wanted == "cpu" || *wanted == "gpu") return machine;
  const auto count = number(environment, "PET_NPROC_PER_NODE");
  if (*count < 1 || *count > 4096)
    refuse("PET_NPROC_PER_NODE", fmt::format("{} is not a number of processes", *count));
  machine.processes = static_cast<int>(*count);
  return machine;
}

}  // namespace parallel
