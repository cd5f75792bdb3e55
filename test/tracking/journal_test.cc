#include "tracking/journal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "core/staged_output.h"
#include "support/error_of.h"
#include "support/temp_folder.h"
#include "tracking/sender.h"

namespace {

namespace fs = std::filesystem;
using tracking::Journal;
using tracking::Record;

Record metrics(int step) {
  return {{"record", "metrics"}, {"step", step}, {"time_ms", 1000 + step}, {"values", {{"loss", 0.5}}}};
}

Record start(const std::string& id, int time_ms) {
  return {{"record", "start"},
          {"id", id},
          {"to", "mlflow=http://127.0.0.1:1"},
          {"experiment", "e"},
          {"name", "n " + id},
          {"parent", ""},
          {"time_ms", time_ms},
          {"tags", Record::object()}};
}

TEST(Journal, HasWhatWasAppended) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  journal->append({metrics(1), metrics(2)});
  journal->append({metrics(3)});
  const auto lines = journal->read(0);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].record, metrics(2));
  EXPECT_EQ(journal->read(lines[1].end).front().record, metrics(3));
  EXPECT_TRUE(journal->read(lines[2].end).empty());
}

TEST(Journal, GoesOnBehindALineThatWasNotFinished) {
  const test::TempFolder folder;
  Journal::open(folder.path(), "a")->append({metrics(1)});
  std::ofstream(folder / "a/journal.jsonl", std::ios::app) << R"({"record":"metrics","st)";
  const auto journal = Journal::open(folder.path(), "a");
  journal->append({metrics(2)});
  const auto lines = journal->read(0);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1].record, metrics(2));
}

TEST(Journal, IsNotReadBeyondALineThatIsBeingWritten) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  journal->append({metrics(1)});
  std::ofstream(folder / "a/journal.jsonl", std::ios::app) << R"({"record":"metrics","st)";
  EXPECT_EQ(journal->read(0).size(), 1u);
}

TEST(Journal, NamesTheLineThatIsDamaged) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  journal->append({metrics(1)});
  std::ofstream(folder / "a/journal.jsonl", std::ios::app) << "damaged\n";
  const auto error = test::error_of<core::InputError>([&] { (void)journal->read(0); });
  EXPECT_EQ(error.file.filename(), "journal.jsonl");
  EXPECT_NE(error.message.find("is not a record"), std::string::npos);
}

TEST(Journal, BelongsToOneProcessAtATime) {
  const test::TempFolder folder;
  auto journal = Journal::open(folder.path(), "a");
  EXPECT_EQ(Journal::open(folder.path(), "a"), nullptr);
  journal.reset();
  EXPECT_NE(Journal::open(folder.path(), "a"), nullptr);
}

TEST(Journal, SurvivesAKilledProcess) {
  const test::TempFolder folder;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto journal = Journal::open(folder.path(), "a");
    for (int step = 1;; ++step) {
      journal->append({metrics(step)});
      if (step == 100 && write(ready[1], "x", 1) != 1) _exit(1);
    }
  }
  char letter = 0;
  ASSERT_EQ(read(ready[0], &letter, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  const auto journal = Journal::open(folder.path(), "a");
  ASSERT_NE(journal, nullptr);
  const auto lines = journal->read(0);
  ASSERT_GE(lines.size(), 100u);
  for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i].record, metrics(static_cast<int>(i) + 1));
}

TEST(Journal, KeepsAFileAsItWas) {
  const test::TempFolder folder;
  const fs::path file = folder / "model.json";
  core::write_file(file, "first");
  const auto journal = Journal::open(folder / "queue", "a");
  journal->append_artifact(file, "model/model.json");
  core::write_file(file, "second");
  const Record record = journal->read(0).front().record;
  EXPECT_EQ(record.at("path"), "model/model.json");
  EXPECT_EQ(core::read_file(journal->folder() / record.at("file").get<std::string>()), "first");
}

TEST(Journal, KeepsFilesOfSeveralProcessesApart) {
  const test::TempFolder folder;
  core::write_file(folder / "one", "1");
  core::write_file(folder / "two", "2");
  Journal::open(folder / "queue", "a")->append_artifact(folder / "one", "one");
  const auto journal = Journal::open(folder / "queue", "a");
  journal->append_artifact(folder / "two", "two");
  const auto lines = journal->read(0);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].record.at("file"), lines[1].record.at("file"));
}

TEST(Journal, SaysThatAFileIsMissing) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  const auto error =
      test::error_of<core::UnavailableError>([&] { journal->append_artifact(folder / "none", "none"); });
  EXPECT_EQ(error.file.filename(), "none");
  EXPECT_TRUE(journal->read(0).empty());
}

TEST(Journal, IsReplacedTextThatIsNotUtf8) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  journal->append({{{"record", "tags"}, {"values", {{"path", "\xff"}}}}});
  EXPECT_EQ(journal->read(0).front().record.at("values").at("path"), "\xEF\xBF\xBD");
}

TEST(Queue, ListsTheOldestRunFirst) {
  const test::TempFolder folder;
  Journal::open(folder.path(), "a")->append({start("a", 3)});
  Journal::open(folder.path(), "b")->append({start("b", 1)});
  Journal::open(folder.path(), "c")->append({start("c", 2), metrics(1)});
  const auto runs = tracking::list_waiting(folder.path());
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].id, "b");
  EXPECT_EQ(runs[1].id, "c");
  EXPECT_EQ(runs[1].records, 2);
  EXPECT_EQ(runs[1].name, "n c");
  EXPECT_EQ(runs[2].id, "a");
}

TEST(Queue, SaysThatAJournalIsDamagedAndListsTheOthers) {
  const test::TempFolder folder;
  Journal::open(folder.path(), "a")->append({start("a", 1)});
  Journal::open(folder.path(), "b")->append({start("b", 2)});
  std::ofstream(folder / "a/journal.jsonl", std::ios::app) << "damaged\n";
  core::write_file(folder / "b/sent.json", "{");
  Journal::open(folder.path(), "c")->append({start("c", 3)});
  const auto runs = tracking::list_waiting(folder.path());
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_NE(runs[0].problem.find("is not a record"), std::string::npos);
  EXPECT_NE(runs[1].problem.find("sent.json"), std::string::npos);
  EXPECT_EQ(runs[2].problem, "");
}

TEST(Queue, TellsARunThatIsStillGoingOn) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  journal->append({start("a", 1)});
  EXPECT_TRUE(tracking::list_waiting(folder.path()).front().live);
  test::error_of<core::UsageError>([&] { tracking::drop_waiting(folder.path(), "a"); });
  EXPECT_TRUE(fs::exists(folder / "a"));
}

TEST(Queue, DropsTheRecordsOfARun) {
  const test::TempFolder folder;
  Journal::open(folder.path(), "a")->append({start("a", 1)});
  test::error_of<core::UsageError>([&] { tracking::drop_waiting(folder.path(), "b"); });
  test::error_of<core::UsageError>([&] { tracking::drop_waiting(folder.path(), "../a"); });
  tracking::drop_waiting(folder.path(), "a");
  EXPECT_TRUE(tracking::list_waiting(folder.path()).empty());
}

TEST(Queue, KeepsRecordsOfAServerThatIsAway) {
  const test::TempFolder folder;
  Journal::open(folder.path(), "a")->append({start("a", 1), metrics(1)});
  const auto journal = Journal::open(folder.path(), "a");
  tracking::Sender sender(*journal, 1, [](const std::string& line) { ADD_FAILURE() << line; });
  EXPECT_THROW(sender.send(), core::UnavailableError);
  EXPECT_EQ(sender.waiting(), 2);
  EXPECT_FALSE(sender.is_complete());
}

TEST(Queue, RefusesRecordsOfANewerVersion) {
  const test::TempFolder folder;
  const auto journal = Journal::open(folder.path(), "a");
  journal->set_sent({{"run_id", "1"}, {"to", "mlflow=http://127.0.0.1:1"}});
  journal->append({{{"record", "video"}}});
  tracking::Sender sender(*journal, 1, [](const std::string&) {});
  const auto error = test::error_of<core::InputError>([&] { sender.send(); });
  EXPECT_NE(error.message.find("video"), std::string::npos);
  EXPECT_EQ(sender.waiting(), 1);
}

}  // namespace
