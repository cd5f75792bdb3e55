#include "kfp/client/client.h"

#include <gmock/gmock.h>

#include "kfp/client/test_server.h"

namespace {

using namespace kfp::client;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A pipeline of one input, as JSON, which is YAML.
std::string pipeline_text(const std::string& name) {
  return json{{"pipelineInfo", {{"name", name}}},
              {"schemaVersion", "2.1.0"},
              {"root",
               {{"inputDefinitions",
                 {{"parameters", {{"n", {{"parameterType", "NUMBER_INTEGER"}, {"defaultValue", 1}}}}}}},
                {"dag", {{"tasks", json::object()}}}}}}
      .dump();
}

class ClientCalls : public ::testing::Test {
 protected:
  using Run = kfp::client::Run;  // the base class has a function of this name
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
    server = std::make_unique<test::KubeflowServer>();
    client = std::make_unique<Client>(options());
  }
  void TearDown() override {
    // Every request was as the published models say.
    if (!server) return;
    EXPECT_EQ(server->seen().at("violations"), json::array());
  }
  HttpOptions options() const {
    return {.server = server->address(),
            .call_timeout_s = 5,
            .retries = {.first_wait_s = 0.02, .longest_wait_s = 0.2, .settle_s = 0.1}};
  }
  std::size_t count(const std::string& request) const {
    const json requests = server->seen().at("requests");
    std::size_t n = 0;
    for (const json& seen : requests) n += seen == request ? 1 : 0;
    return n;
  }
  Run new_run(const std::string& name = "a run") const {
    return {.display_name = name,
            .pipeline_spec = json::parse(pipeline_text("p")),
            .runtime_config = {.parameters = {{"n", 3}}}};
  }

  std::unique_ptr<test::KubeflowServer> server;
  std::unique_ptr<Client> client;
};

TEST_F(ClientCalls, Health) {
  const Health health = client->health();
  EXPECT_EQ(health.pipeline_store, "database");
  EXPECT_FALSE(health.multi_user);
}

TEST_F(ClientCalls, PipelinesAndVersions) {
  const Pipeline uploaded =
      client->upload_pipeline(pipeline_text("p"), {.name = "train-ing", .description = "Süße & more?"});
  EXPECT_EQ(uploaded.description, "Süße & more?");
  EXPECT_GT(uploaded.created_s, 1.7e9);
  EXPECT_EQ(client->pipeline(uploaded.pipeline_id).name, "train-ing");
  EXPECT_EQ(client->pipeline_by_name("train-ing").pipeline_id, uploaded.pipeline_id);
  const Pipeline empty = client->create_pipeline({.name = "a b/ü", .display_name = "a b/ü"});
  EXPECT_EQ(client->pipeline_by_name("a b/ü").pipeline_id, empty.pipeline_id);

  const PipelineVersion version = client->upload_version(
      pipeline_text("p"), {.pipeline_id = uploaded.pipeline_id, .name = "second", .description = "d"});
  EXPECT_EQ(
      client->version(uploaded.pipeline_id, version.pipeline_version_id).pipeline_spec.at("schemaVersion"),
      "2.1.0");
  const auto versions = client->list_versions(uploaded.pipeline_id, {.sort_by = "created_at desc"}).items;
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[0].name, "second");
  const ListOptions by_name{.filter = {{.key = "display_name", .value = "second"}}};
  EXPECT_EQ(client->list_versions(uploaded.pipeline_id, by_name).items.size(), 1U);

  EXPECT_THROW(client->upload_pipeline(pipeline_text("p"), {.name = "train-ing"}), Refused);
  EXPECT_THROW(client->upload_pipeline("a: b", {.name = "no pipeline"}), Refused);
  EXPECT_THROW(client->delete_pipeline(uploaded.pipeline_id, false), Refused);
  client->delete_version(uploaded.pipeline_id, version.pipeline_version_id);
  EXPECT_EQ(client->list_versions(uploaded.pipeline_id).items.size(), 1U);
  client->delete_pipeline(uploaded.pipeline_id, true);
  try {
    client->pipeline(uploaded.pipeline_id);
    FAIL();
  } catch (const Refused& error) {
    EXPECT_EQ(error.status(), 404);
  }
  // An id that is none must not become a call of another kind.
  EXPECT_THROW(client->delete_pipeline("", true), core::UsageError);
  EXPECT_THROW(client->pipeline("../experiments"), Refused);
  EXPECT_EQ(client->list_pipelines().items.size(), 1U);
}

TEST_F(ClientCalls, Experiments) {
  const Experiment made = client->create_experiment({.display_name = "calo", .description = "d"});
  EXPECT_EQ(client->experiment(made.experiment_id).display_name, "calo");
  client->archive_experiment(made.experiment_id);
  EXPECT_EQ(client->experiment(made.experiment_id).storage_state, StorageState::kArchived);
  client->unarchive_experiment(made.experiment_id);
  EXPECT_EQ(client->experiment(made.experiment_id).storage_state, StorageState::kAvailable);
  EXPECT_EQ(client->list_experiments({.filter = {{.key = "display_name", .value = "calo"}}}).items.size(),
            1U);
  EXPECT_EQ(client->list_experiments().items.size(), 2U);
  client->delete_experiment(made.experiment_id);
  EXPECT_THROW(client->experiment(made.experiment_id), Refused);
}

TEST_F(ClientCalls, RunsFromASpecAndFromAVersion) {
  server->script({{"", "RUNNING"}, {"train", "RUNNING"}, {"train", "FAILED"}, {"", "FAILED"}});
  const Run made = client->create_run(new_run());
  EXPECT_THAT(made.description, HasSubstr("calopipe-key: "));
  for (int i = 0; i < 4; ++i) client->run(made.run_id);
  const Run failed = client->run(made.run_id);
  EXPECT_EQ(failed.state, RunState::kFailed);
  EXPECT_EQ(failed.error->message, "a task of the run failed");
  EXPECT_EQ(failed.runtime_config.parameters, json({{"n", 3}}));
  ASSERT_EQ(failed.run_details->task_details.size(), 1U);
  EXPECT_EQ(failed.run_details->task_details[0].error->message, "exit code 3");
  client->retry_run(made.run_id);
  EXPECT_EQ(client->run(made.run_id).state, RunState::kSucceeded);
  EXPECT_THROW(client->terminate_run(made.run_id), Refused);

  const Pipeline pipeline = client->upload_pipeline(pipeline_text("p"), {.name = "p"});
  const Run of_version =
      client->create_run({.display_name = "v",
                          .description = "mine",
                          .pipeline_version_reference = PipelineVersionReference{pipeline.pipeline_id, ""},
                          .runtime_config = {.pipeline_root = "s3://b"}});
  EXPECT_FALSE(of_version.pipeline_version_reference->pipeline_version_id.empty());
  EXPECT_THAT(of_version.description, HasSubstr("mine\ncalopipe-key: "));
  client->terminate_run(of_version.run_id);
  EXPECT_EQ(client->run(of_version.run_id).state, RunState::kCanceled);
  client->archive_run(of_version.run_id);
  EXPECT_EQ(client->run(of_version.run_id).storage_state, StorageState::kArchived);
  client->unarchive_run(of_version.run_id);
  EXPECT_EQ(client->list_runs({.filter = {{.key = "state", .value = "SUCCEEDED"}}}).items.size(), 1U);
  EXPECT_EQ(
      client
          ->list_runs({.filter = {{.operation = "IN", .key = "state", .values = {"SUCCEEDED", "CANCELED"}}}})
          .items.size(),
      2U);
  EXPECT_EQ(client->list_runs({.experiment_id = made.experiment_id}).items.size(), 2U);
  client->delete_run(of_version.run_id);
  EXPECT_THROW(client->run(of_version.run_id), Refused);

  Run wrong = new_run();
  wrong.runtime_config.parameters = {{"m", 1}};
  EXPECT_THROW(client->create_run(wrong), Refused);
}

TEST_F(ClientCalls, RecurringRuns) {
  const RecurringRun made =
      client->create_recurring_run({.display_name = "nightly",
                                    .pipeline_spec = json::parse(pipeline_text("p")),
                                    .max_concurrency = 2,
                                    .trigger = {.cron_schedule = CronSchedule{.cron = "0 0 3 * * *"}},
                                    .mode = RecurringState::kEnabled});
  client->disable_recurring_run(made.recurring_run_id);
  RecurringRun now = client->recurring_run(made.recurring_run_id);
  EXPECT_EQ(now.status, RecurringState::kDisabled);
  EXPECT_EQ(now.max_concurrency, 2);
  EXPECT_EQ(now.trigger.cron_schedule->cron, "0 0 3 * * *");
  client->enable_recurring_run(made.recurring_run_id);
  EXPECT_EQ(client->list_recurring_runs().items.at(0).status, RecurringState::kEnabled);
  client->delete_recurring_run(made.recurring_run_id);
  EXPECT_TRUE(client->list_recurring_runs().items.empty());
}

TEST_F(ClientCalls, Pages) {
  server->control("/_runs", {{"count", 1000}});
  const auto list = [&](const ListOptions& options) { return client->list_runs(options); };
  const Page<Run> first = client->list_runs({.sort_by = "display_name", .page_size = 30});
  EXPECT_EQ(first.items.size(), 30U);
  EXPECT_EQ(first.total_size, 1000);
  EXPECT_FALSE(first.next_page_token.empty());
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<Run> all = all_pages(list, {.sort_by = "display_name", .page_size = 200});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  RecordProperty("seconds_of_1000_runs", std::to_string(took.count()));
  std::fprintf(stderr, "1000 runs listed in %.3f s\n", took.count());
  ASSERT_EQ(all.size(), 1000U);
  for (std::size_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(all[i].display_name, "run 00" +
                                       std::string(i < 10    ? "00"
                                                   : i < 100 ? "0"
                                                             : "") +
                                       std::to_string(i));
  EXPECT_EQ(all_pages(list, {}, 7).size(), 7U);
  // A page in the middle fails once.
  server->faults({{{"fault", "status"}, {"status", 503}, {"skip", 3}}});
  EXPECT_EQ(all_pages(list, {.page_size = 200}).size(), 1000U);
}

// However the answer is lost, there is one run.
TEST_F(ClientCalls, ALostAnswerNeverMakesASecondRun) {
  int expected = 0;
  for (const json& fault :
       {json{{"fault", "lost"}}, json{{"fault", "half"}}, json{{"fault", "refuse late"}, {"status", 504}},
        json{{"fault", "refuse late"}, {"status", 500}}, json{{"fault", "drop"}},
        json{{"fault", "status"}, {"status", 503}}, json{{"fault", "status"}, {"status", 429}},
        json{{"fault", "text"}, {"text", "{\"run"}}}) {
    json create = fault;
    create["method"] = "POST";
    // The look-up, too, meets with an error.
    server->faults({create, {{"fault", "status"}, {"status", 500}, {"method", "GET"}}});
    client->health();  // a connection is open
    server->faults({create, {{"fault", "status"}, {"status", 500}, {"method", "GET"}}});
    const Run made = client->create_run(new_run("same name"));
    ++expected;
    const json runs = server->seen().at("runs");
    EXPECT_EQ(runs.size(), static_cast<std::size_t>(expected)) << fault;
    EXPECT_EQ(runs.back().at("run_id"), made.run_id) << fault;
  }
}

// The server is slow rather than dead: it makes the run after the client has given up waiting.
TEST_F(ClientCalls, ARunThatAppearsLateIsFound) {
  HttpOptions hasty = options();
  hasty.call_timeout_s = 0.2;
  hasty.retries = {.first_wait_s = 0.3, .longest_wait_s = 1, .settle_s = 3};
  Client impatient(hasty);
  server->faults({{{"fault", "lost"}, {"seconds", 0.5}, {"method", "POST"}}});
  const Run made = impatient.create_run(new_run());
  EXPECT_EQ(server->seen().at("runs").size(), 1U);
  EXPECT_EQ(server->seen().at("runs")[0].at("run_id"), made.run_id);
  EXPECT_EQ(count("POST /apis/v2beta1/runs"), 1U);
}

TEST_F(ClientCalls, SaysSoIfItIsNotKnownWhetherTheRunWasStarted) {
  server->faults({{{"fault", "lost"}, {"method", "POST"}},
                  {{"fault", "status"}, {"status", 500}, {"method", "GET"}, {"times", 100}}});
  try {
    client->create_run(new_run("mine"));
    FAIL();
  } catch (const Unreachable& error) {
    EXPECT_THAT(error.what(), HasSubstr("it is unknown whether run \"mine\" was started"));
  }
  EXPECT_EQ(server->seen().at("runs").size(), 1U);
  EXPECT_EQ(count("POST /apis/v2beta1/runs"), 1U);
}

TEST_F(ClientCalls, NamespacesAreSent) {
  Client in_namespace(options(), "physics");
  in_namespace.create_experiment({.display_name = "mine"});
  in_namespace.upload_pipeline(pipeline_text("p"), {.name = "p"});
  EXPECT_EQ(in_namespace.pipeline_by_name("p").namespace_name, "physics");
  Client other(options(), "chemistry");
  EXPECT_THROW(other.pipeline_by_name("p"), Refused);
  EXPECT_TRUE(other.list_pipelines().items.empty());
}

}  // namespace
