#include "parallel/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"
#include "parallel/group.h"

namespace {

using Variables = std::map<std::string, std::string>;

parallel::Environment environment(const Variables& variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end() || found->second.empty()) return std::nullopt;
    return found->second;
  };
}

TEST(Place, ComesFromTheVariablesOfEachLauncher) {
  struct Case {
    const char* name;
    Variables variables;
    int rank, size;
    const char* address;
    int port;  // 0 = any
  };
  const std::vector<Case> cases = {
      {"alone", {{"HOME", "/"}}, 0, 1, "", 0},
      {"torchrun",
       {{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "pod-0.job"}, {"MASTER_PORT", "29500"}},
       3,
       4,
       "pod-0.job",
       29500},
      {"PyTorchJob of one replica", {{"RANK", "0"}, {"WORLD_SIZE", "1"}}, 0, 1, "", 0},
      {"Kubeflow Trainer",
       {{"PET_NNODES", "2"},
        {"PET_NPROC_PER_NODE", "auto"},
        {"PET_NODE_RANK", "1"},
        {"PET_MASTER_ADDR", "job-node-0-0.job"},
        {"PET_MASTER_PORT", "29400"}},
       1,
       2,
       "job-node-0-0.job",
       29400},
      {"Open MPI on one machine",
       {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}},
       1,
       2,
       "127.0.0.1",
       0},
      {"Open MPI on several machines",
       {{"OMPI_COMM_WORLD_RANK", "1"},
        {"OMPI_COMM_WORLD_SIZE", "4"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
        {"MASTER_ADDR", "node01"}},
       1,
       4,
       "node01",
       29400},
      {"MPICH on one machine",
       {{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}, {"MPI_LOCALNRANKS", "2"}},
       0,
       2,
       "127.0.0.1",
       0},
      {"Slurm, with its list of machines",
       {{"SLURM_PROCID", "2"},
        {"SLURM_NTASKS", "4"},
        {"SLURM_STEP_ID", "0"},
        {"SLURM_JOB_ID", "7"},
        {"SLURM_JOB_NODELIST", "node[03-04,09]"},
        {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}},
       2,
       4,
       "node03",
       15217},
      {"Slurm, without one",
       {{"SLURM_PROCID", "1"},
        {"SLURM_NTASKS", "2"},
        {"SLURM_STEPID", "1"},
        {"SLURM_JOB_ID", "7"},
        {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}},
       1,
       2,
       "10.0.0.1",
       15218},
      {"Slurm, with a given meeting",
       {{"SLURM_PROCID", "1"},
        {"SLURM_NTASKS", "2"},
        {"SLURM_STEP_ID", "1"},
        {"MASTER_ADDR", "a"},
        {"MASTER_PORT", "99"}},
       1,
       2,
       "a",
       99},
      {"the batch script of Slurm is no step",
       {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}, {"SLURM_JOB_ID", "7"}},
       0,
       1,
       "",
       0},
      {"nor is it with its special number",
       {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}, {"SLURM_STEP_ID", "4294967291"}},
       0,
       1,
       "",
       0},
      {"RANK comes before mpirun's variables",
       {{"RANK", "1"},
        {"WORLD_SIZE", "3"},
        {"MASTER_ADDR", "x"},
        {"OMPI_COMM_WORLD_RANK", "0"},
        {"OMPI_COMM_WORLD_SIZE", "1"}},
       1,
       3,
       "x",
       29400},
  };
  for (const Case& one : cases) {
    const parallel::Place place = parallel::place_of(environment(one.variables));
    EXPECT_EQ(place.rank, one.rank) << one.name;
    EXPECT_EQ(place.size, one.size) << one.name;
    EXPECT_EQ(place.meeting.address, one.address) << one.name;
    if (place.size == 1) continue;
    EXPECT_GT(place.meeting.port, 0) << one.name;
    EXPECT_EQ(place.meeting.port, one.port != 0 ? one.port : place.meeting.port) << one.name;
  }
}

TEST(Place, IsRefusedIfVariablesContradictEachOther) {
  struct Case {
    Variables variables;
    const char* field;
    const char* message;
  };
  const std::vector<Case> cases = {
      {{{"RANK", "0"}}, "RANK", "WORLD_SIZE is not"},
      {{{"WORLD_SIZE", "2"}}, "WORLD_SIZE", "RANK is not"},
      {{{"RANK", "2"}, {"WORLD_SIZE", "2"}}, "RANK", "ranks are 0 to 1"},
      {{{"RANK", "-1"}, {"WORLD_SIZE", "2"}}, "RANK", "ranks are 0 to 1"},
      {{{"RANK", "one"}, {"WORLD_SIZE", "2"}}, "RANK", "\"one\" in the environment is not a whole number"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "0"}}, "WORLD_SIZE", "not a number of processes"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "2"}}, "MASTER_ADDR", "is not set"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}},
       "MASTER_PORT",
       "not a port"},
      {{{"PET_NNODES", "2"}, {"PET_NODE_RANK", "0"}}, "PET_MASTER_ADDR", "is not set"},
      {{{"PET_NNODES", "2"}}, "PET_NNODES", "PET_NODE_RANK is not"},
      {{{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}},
       "MASTER_ADDR",
       "is not set"},
      {{{"PMI_RANK", "1"}}, "PMI_RANK", "PMI_SIZE is not"},
      {{{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}, {"SLURM_STEP_ID", "0"}},
       "SLURM_JOB_NODELIST",
       "not set"},
  };
  for (const Case& one : cases) {
    try {
      parallel::place_of(environment(one.variables));
      ADD_FAILURE() << one.field << ": " << one.message;
    } catch (const core::UsageError& error) {
      EXPECT_EQ(error.details().field, one.field);
      EXPECT_THAT(error.what(), testing::HasSubstr(one.message));
    }
  }
}

TEST(Machine, ComesFromTrainer) {
  const Variables pod = {{"PET_NNODES", "2"},
                         {"PET_NODE_RANK", "1"},
                         {"PET_MASTER_ADDR", "a"},
                         {"PET_NPROC_PER_NODE", "4"},
                         {"PET_MAX_RESTARTS", "3"}};
  const parallel::Machine machine = parallel::machine_of(environment(pod), 0);
  EXPECT_EQ(machine.rank, 1);
  EXPECT_EQ(machine.count, 2);
  EXPECT_EQ(machine.processes, 4);
  EXPECT_EQ(machine.restarts, 3);
  EXPECT_EQ(machine.meeting.address, "a");
  EXPECT_EQ(machine.meeting.port, 29400);
  EXPECT_EQ(parallel::machine_of(environment(pod), 2).processes, 2);
  EXPECT_EQ(parallel::machine_of(environment({}), 0).processes, 1);
  EXPECT_EQ(parallel::machine_of(environment({}), 5).processes, 5);
}

TEST(Place, FindsTheFirstHostOfSlurmsList) {
  EXPECT_EQ(parallel::first_host("node7"), "node7");
  EXPECT_EQ(parallel::first_host("a,b"), "a");
  EXPECT_EQ(parallel::first_host("node[01-04,07],b"), "node01");
  EXPECT_EQ(parallel::first_host("node[12,14]"), "node12");
  EXPECT_EQ(parallel::first_host("rack[1-2]-ib,other"), "rack1-ib");
}

TEST(Limits, ComeFromTheEnvironment) {
  EXPECT_EQ(parallel::Limits::from(environment({{"CALOPIPE_JOIN_SECONDS", "7"}})).join,
            std::chrono::seconds(7));
  for (const char* wrong : {"0", "-1", "1.5", "soon"})
    EXPECT_THROW(parallel::Limits::from(environment({{"CALOPIPE_COLLECTIVE_SECONDS", wrong}})),
                 core::UsageError)
        << wrong;
}

}  // namespace
