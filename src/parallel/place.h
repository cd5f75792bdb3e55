#pragma once

#include <functional>
#include <optional>
#include <string>

namespace parallel {

/// Value of an environment variable; none if it is not set or empty.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The environment of this process.
std::optional<std::string> own_environment(const std::string& name);

/// Where rank 0 accepts the other processes.
struct Meeting {
  std::string address;  ///< host name or IP address
  int port = 0;
};

/// Place of a process among those that work together.
struct Place {
  int rank = 0;
  int size = 1;
  Meeting meeting;      ///< unused if size is 1
  std::string said_by;  ///< variables that it is from, for messages; empty = none: a process alone
  bool is_set = false;  ///< by RANK and WORLD_SIZE: the process was started by a launcher
};

/// Processes to start on this machine, which is one of several.
struct Machine {
  int rank = 0;       ///< of this machine
  int count = 1;      ///< of machines
  int processes = 1;  ///< to start on each
  int restarts = 0;   ///< after a process has been lost
  Meeting meeting;    ///< empty address: this machine, any free port
};

/// Reads the place of this process from what launchers set. The first of these that is there counts:
/// - `RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`: torchrun, Kubeflow's PyTorchJob, `--processes`
/// - `PET_NODE_RANK`, `PET_NNODES`, `PET_MASTER_ADDR`, `PET_MASTER_PORT`: Kubeflow Trainer, one process for
///   each pod
/// - `OMPI_COMM_WORLD_RANK`, `OMPI_COMM_WORLD_SIZE`: mpirun of Open MPI
/// - `PMI_RANK`, `PMI_SIZE`: mpirun of MPICH, Intel MPI
/// - `SLURM_PROCID`, `SLURM_NTASKS`, in a step that srun started
///
/// MASTER_ADDR and MASTER_PORT count with all of them. Without: mpirun on one machine meets on the loopback,
/// and Slurm on the first machine of its list.
/// @throws core::UsageError with the variable, if one is missing, is no number or contradicts another
Place place_of(const Environment& environment);

/// Reads what Kubeflow Trainer says about the processes of a pod (`PET_*`), if `processes` is 0; otherwise
/// starts so many on each machine.
/// @throws core::UsageError like place_of()
Machine machine_of(const Environment& environment, int processes);

/// The first host of Slurm's list: "node01" of "node[01-04,07],other".
std::string first_host(const std::string& list);

}  // namespace parallel
