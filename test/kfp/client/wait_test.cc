#include "kfp/client/wait.h"

#include <gmock/gmock.h>
#include <malloc.h>

#include "core/interrupt.h"
#include "kfp/client/test_server.h"

namespace {

using namespace kfp::client;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClientWait : public ::testing::Test {
 protected:
  using Run = kfp::client::Run;  // the base class has a function of this name
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
    server = std::make_unique<test::KubeflowServer>();
    client = std::make_unique<Client>(HttpOptions{
        .server = server->address(), .call_timeout_s = 5, .retries = {.attempts = 2, .first_wait_s = 0.02}});
  }
  std::string start(const std::vector<std::vector<std::string>>& script) {
    server->script(script);
    return client->create_run({.display_name = "r", .pipeline_spec = {{"pipelineInfo", {{"name", "p"}}}}})
        .run_id;
  }
  WaitOptions noted() {
    return {.first_interval_s = 0.01,
            .longest_interval_s = 0.1,
            .patience_s = 20,
            .on_task =
                [this](const TaskDetail& task) {
                  events.push_back(task.display_name + " " + to_string(task.state));
                },
            .on_run = [this](const Run& run) { events.push_back(to_string(run.state)); },
            .on_outage = [this](const std::string& error) { outages.push_back(error); }};
  }

  std::unique_ptr<test::KubeflowServer> server;
  std::unique_ptr<Client> client;
  std::vector<std::string> events, outages;
};

TEST_F(ClientWait, TellsEachChangeOnceAndTheEndLast) {
  const std::string id = start({{"", "RUNNING"},
                                {"prepare", "RUNNING"},
                                {"prepare", "RUNNING"},
                                {"prepare", "SUCCEEDED"},
                                {"train", "RUNNING"},
                                {"train", "FAILED"},
                                {"", "FAILED"}});
  const Run run = wait(*client, id, noted());
  EXPECT_EQ(run.state, RunState::kFailed);
  EXPECT_THAT(events, ElementsAre("RUNNING", "prepare RUNNING", "prepare SUCCEEDED", "train RUNNING",
                                  "train FAILED", "FAILED"));
  EXPECT_TRUE(outages.empty());
}

TEST_F(ClientWait, SurvivesRestartsOfTheServer) {
  const std::string id =
      start({{"", "RUNNING"}, {"train", "RUNNING"}, {"train", "SUCCEEDED"}, {"", "SUCCEEDED"}});
  bool restarted = false;
  WaitOptions options = noted();
  const auto on_task = options.on_task;
  options.on_task = [&](const TaskDetail& task) {
    on_task(task);
    if (!std::exchange(restarted, true)) {
      server->control("/_restart", {{"down_s", 0.7}});
      std::this_thread::sleep_for(std::chrono::milliseconds(150));  // so that it is down
    }
  };
  EXPECT_EQ(wait(*client, id, options).state, RunState::kSucceeded);
  EXPECT_THAT(events, ElementsAre("RUNNING", "train RUNNING", "train SUCCEEDED", "SUCCEEDED"));
  ASSERT_EQ(outages.size(), 2U);
  EXPECT_THAT(outages[0], HasSubstr("cannot be reached"));
  EXPECT_EQ(outages[1], "");
}

TEST_F(ClientWait, GivesUpAfterItsPatience) {
  const std::string id = start({{"", "RUNNING"}});
  server->faults({{{"fault", "status"}, {"status", 500}, {"times", 100000}}});
  WaitOptions options = noted();
  options.patience_s = 0.3;
  EXPECT_THROW(wait(*client, id, options), Unreachable);
}

TEST_F(ClientWait, AnExpiredLoginEndsItAtOnce) {
  const std::string id = start({{"", "RUNNING"}});
  server->faults({{{"fault", "status"}, {"status", 401}, {"skip", 2}}});
  try {
    wait(*client, id, noted());
    FAIL();
  } catch (const Refused& error) {
    EXPECT_EQ(error.status(), 401);
  }
}

TEST_F(ClientWait, IsInterrupted) {
  const std::string id = start({{"", "RUNNING"}});
  WaitOptions options = noted();
  options.on_run = [](const Run&) { core::set_interrupt(true); };
  EXPECT_THROW(wait(*client, id, options), core::Interrupted);
  core::set_interrupt(false);
  EXPECT_EQ(client->run(id).state, RunState::kRunning);
}

TEST_F(ClientWait, EndsAfterTheLongestWait) {
  const std::string id = start({{"", "RUNNING"}});
  WaitOptions options = noted();
  options.longest_wait_s = 0.2;
  EXPECT_EQ(wait(*client, id, options).state, RunState::kRunning);
}

// What the program holds from malloc, in all threads; 0 with sanitizers, which have a malloc of their own.
std::size_t allocated_bytes() {
  return ::mallinfo2().uordblks;
}

// Eight hours in which nothing happens, on a clock that the waits move.
TEST_F(ClientWait, AsksLessAndLess) {
  const std::string id = start({{"", "RUNNING"}});
  double now = 0;
  std::vector<double> waits;
  waits.reserve(2000);
  std::vector<std::size_t> memory_bytes;  // after each hour
  memory_bytes.reserve(10);
  Client sleepless({.server = server->address(), .sleep = [&](double seconds) {
                      if (now >= 3600.0 * double(memory_bytes.size() + 1))
                        memory_bytes.push_back(allocated_bytes());
                      waits.push_back(seconds);
                      now += seconds;
                    }});
  const Run run = wait(sleepless, id, {.longest_wait_s = 8 * 3600, .clock = [&] { return now; }});
  EXPECT_EQ(run.state, RunState::kRunning);
  EXPECT_DOUBLE_EQ(waits.front(), 1);
  EXPECT_DOUBLE_EQ(waits.back(), 15);
  EXPECT_TRUE(std::is_sorted(waits.begin(), waits.end()));
  EXPECT_LT(waits.size(), 2000U);
  // A client that kept 40 bytes of each answer would need 64 KiB more.
  ASSERT_GE(memory_bytes.size(), 7U);
  EXPECT_LT(memory_bytes.back(), memory_bytes.front() + 16384);
}

}  // namespace
