#include "kfp/client/wire.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "kfp/client/time_text.h"

namespace {

using namespace kfp::client;
using nlohmann::json;
using ::testing::HasSubstr;

class ClientWire : public ::testing::Test {
 protected:
  using Run = kfp::client::Run;  // the base class has a function of this name
};

TEST_F(ClientWire, ReadsWhatItKnowsAndIgnoresTheRest) {
  const json answer = json::parse(R"({
    "run_id": "r", "display_name": "n", "state": "RUNNING", "storage_state": "ARCHIVED", "new": {"a": [1]},
    "created_at": "2026-11-26T21:35:06.250Z", "finished_at": "1970-01-01T00:00:00Z", "description": null,
    "pipeline_version_reference": {"pipeline_id": "p", "pipeline_version_id": "v"},
    "runtime_config": {"parameters": {"n": 3}, "pipeline_root": "s3://b"},
    "error": {"code": 13, "message": "no", "details": []},
    "run_details": {"task_details": [{"task_id": "t", "display_name": "train", "state": "A_STATE_OF_THE_FUTURE",
                                      "end_time": "0001-01-01T00:00:00Z"}]}})");
  const Run run = read<Run>(answer);
  EXPECT_EQ(run.run_id, "r");
  EXPECT_EQ(run.state, RunState::kRunning);
  EXPECT_EQ(run.storage_state, StorageState::kArchived);
  EXPECT_DOUBLE_EQ(run.created_s, 1795728906.25);
  EXPECT_EQ(run.finished_s, 0);
  EXPECT_EQ(run.pipeline_version_reference->pipeline_version_id, "v");
  EXPECT_EQ(run.runtime_config.parameters, json({{"n", 3}}));
  EXPECT_EQ(run.error->message, "no");
  ASSERT_EQ(run.run_details->task_details.size(), 1U);
  EXPECT_EQ(run.run_details->task_details[0].state, RunState::kUnspecified);
  EXPECT_EQ(run.run_details->task_details[0].finished_s, 0);
}

TEST_F(ClientWire, NamesThePlaceOfAWrongType) {
  const auto error_of = [](const char* text) -> std::string {
    try {
      read_page<Run>(json::parse(text), "runs");
    } catch (const core::InputError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_THAT(error_of(R"({"runs": [{}, {"display_name": 3}]})"), HasSubstr("runs[1].display_name: "));
  EXPECT_THAT(error_of(R"({"runs": [{"created_at": "yesterday"}]})"), HasSubstr("runs[0].created_at: "));
  EXPECT_THAT(error_of(R"({"runs": {}})"), HasSubstr("runs: "));
  EXPECT_THAT(error_of(R"([])"), HasSubstr("must be an object"));
  EXPECT_THAT(error_of(R"({"runs": [{"runtime_config": {"parameters": []}}]})"),
              HasSubstr("runs[0].runtime_config.parameters"));
  EXPECT_THAT(error_of(R"({"runs": [], "total_size": "many"})"), HasSubstr("total_size"));
  EXPECT_EQ(error_of(R"({"total_size": "7"})"), "none");
}

TEST_F(ClientWire, WritesWhatIsSetOnly) {
  EXPECT_EQ(write(Run{}), json::object());
  RecurringRun recurring{
      .display_name = "nightly",
      .trigger = {.periodic_schedule = PeriodicSchedule{.interval_s = 60, .start_s = 1795728906}},
      .no_catchup = true,
      .mode = RecurringState::kDisabled};
  EXPECT_EQ(write(recurring),
            json::parse(R"({"display_name": "nightly", "max_concurrency": "1", "no_catchup": true,
    "mode": "DISABLE", "trigger": {"periodic_schedule": {"interval_second": "60",
    "start_time": "2026-11-26T21:35:06Z"}}})"));
}

TEST_F(ClientWire, Times) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_time("1970-01-02T01:00:00+01:00"), 86400);
  EXPECT_EQ(parse_time("2024-02-29T12:00:00Z"), 1709208000);
  for (const char* wrong :
       {"", "2026-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00Zebra", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+1"})
    EXPECT_FALSE(parse_time(wrong)) << wrong;
  EXPECT_EQ(time_text(1709208000.9), "2024-02-29T12:00:00Z");
}

}  // namespace
