#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "parallel/place.h"

namespace parallel {

/// A command that several processes run together.
struct Launch {
  std::filesystem::path program;
  std::vector<std::string> arguments;  ///< beginning with the name of the program
  /// Added to the arguments after a process has been lost.
  std::vector<std::string> restart_arguments;
  Machine machine;
  int threads = 0;  ///< of each process; 0 = the available ones, divided by the number of processes
};

/// Starts the processes of this machine with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT and
/// CALOPIPE_THREADS, and waits for them. Lines of stderr from other processes than the first begin with
/// "[RANK] ". SIGINT and SIGTERM are passed on. If a process fails, the others end: they notice, or are
/// killed after some seconds. After one that was lost (by a signal, or with exit code 4), all are started
/// again, as often as `machine.restarts` says.
/// @return 0, or 130 if they were interrupted
/// @throws core::Error with the exit code of the process that failed first: the message has its rank and its
///         last line; a signal is core::UnavailableError
int launch(const Launch& launch);

}  // namespace parallel
