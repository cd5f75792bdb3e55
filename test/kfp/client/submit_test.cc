#include "kfp/client/submit.h"

#include <gmock/gmock.h>

#include "kfp/client/test_server.h"

namespace {

using namespace kfp::client;
using nlohmann::json;
using ::testing::HasSubstr;

const std::string kText = R"({"pipelineInfo": {"name": "p"}, "root": {"dag": {"tasks": {}}}})";

class ClientSubmit : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
    server = std::make_unique<test::KubeflowServer>();
    client = std::make_unique<Client>(
        HttpOptions{.server = server->address(), .call_timeout_s = 5, .retries = {.first_wait_s = 0.02}});
  }
  void TearDown() override {
    if (!server) return;
    EXPECT_EQ(server->seen().at("violations"), json::array());
  }

  std::unique_ptr<test::KubeflowServer> server;
  std::unique_ptr<Client> client;
};

TEST_F(ClientSubmit, TheSameContentIsSentOnce) {
  const SubmittedVersion first = ensure_version(*client, "p", kText);
  EXPECT_TRUE(first.uploaded);
  const SubmittedVersion again = ensure_version(*client, "p", kText);
  EXPECT_FALSE(again.uploaded);
  EXPECT_EQ(again.version.pipeline_version_id, first.version.pipeline_version_id);
  const SubmittedVersion other = ensure_version(*client, "p", kText + "\n");
  EXPECT_TRUE(other.uploaded);
  EXPECT_EQ(other.version.pipeline_id, first.version.pipeline_id);
  EXPECT_EQ(client->list_pipelines().items.size(), 1U);
  EXPECT_EQ(server->seen().at("versions").size(), 2U);
}

TEST_F(ClientSubmit, AlsoIfAnswersAreLost) {
  for (const char* path : {"/pipelines$", "/upload_version$"}) {
    server->faults(json::array({{{"fault", "lost"}, {"method", "POST"}, {"path", path}}}));
    EXPECT_FALSE(
        ensure_version(*client, path == std::string("/pipelines$") ? "p" : "q", kText).version.name.empty())
        << path;
  }
  EXPECT_EQ(client->list_pipelines().items.size(), 2U);
  EXPECT_EQ(server->seen().at("versions").size(), 2U);
}

// Somebody else was faster between the look and the making: the look finds nothing, the making is refused.
TEST_F(ClientSubmit, AlsoIfTwoDoSoAtATime) {
  ensure_version(*client, "p", kText);
  server->faults({{{"fault", "status"}, {"status", 404}, {"method", "GET"}, {"path", "/names/"}},
                  {{"fault", "text"}, {"text", "{}"}, {"method", "GET"}, {"path", "/versions$"}}});
  EXPECT_FALSE(ensure_version(*client, "p", kText).version.pipeline_version_id.empty());
  EXPECT_EQ(server->seen().at("versions").size(), 1U);
}

TEST_F(ClientSubmit, Experiments) {
  const Experiment made = ensure_experiment(*client, "calo");
  EXPECT_EQ(ensure_experiment(*client, "calo").experiment_id, made.experiment_id);
  server->faults(json::array({{{"fault", "lost"}, {"method", "POST"}}}));
  EXPECT_EQ(ensure_experiment(*client, "other").display_name, "other");
  EXPECT_EQ(client->list_experiments().items.size(), 3U);
}

TEST_F(ClientSubmit, ThingsAreFoundByIdAndName) {
  EXPECT_TRUE(is_id("7a1d1c3e-3a0f-4d55-9f0e-0123456789ab"));
  EXPECT_FALSE(is_id("7a1d1c3e-3a0f-4d55-9f0e-0123456789ag"));
  EXPECT_FALSE(is_id("training"));
  const Experiment experiment = ensure_experiment(*client, "calo");
  EXPECT_EQ(find_experiment(*client, "calo").experiment_id, experiment.experiment_id);
  EXPECT_EQ(find_experiment(*client, experiment.experiment_id).display_name, "calo");
  EXPECT_THROW(find_experiment(*client, "cola"), core::UsageError);
  const auto start = [&] {
    return client->create_run({.display_name = "r", .pipeline_spec = json::parse(kText)}).run_id;
  };
  const std::string first = start();
  EXPECT_EQ(find_run(*client, "r").run_id, first);
  const std::string second = start();
  try {
    find_run(*client, "r");
    FAIL();
  } catch (const core::UsageError& error) {
    EXPECT_THAT(error.what(),
                ::testing::AllOf(HasSubstr("2 runs have this name"), HasSubstr(first), HasSubstr(second)));
  }
  const PipelineVersion version = ensure_version(*client, "p", kText).version;
  EXPECT_EQ(find_pipeline(*client, "p").pipeline_id, version.pipeline_id);
  EXPECT_EQ(find_version(*client, version.pipeline_id, version.name).pipeline_version_id,
            version.pipeline_version_id);
}

}  // namespace
