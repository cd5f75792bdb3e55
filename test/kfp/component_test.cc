#include "kfp/component/component.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/component/arguments.h"
#include "kfp/component/command_line.h"
#include "kfp/component/executor.h"
#include "support/temp_folder.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Toy {
  kfp::InputArtifact data;
  std::string name = "a";
  std::int64_t count = 3;
  double energy_gev = 1.5;
  bool fast = true;
  std::vector<std::string> words;
  std::vector<std::int64_t> sizes = {1, 2};
  std::vector<double> angles = {90};
  json extra = json::object();
  double sum = 0;
  kfp::OutputArtifact table, page;

  static kfp::ComponentInfo info() {
    return {.name = "toy", .summary = "A toy", .examples = {"calopipe toy --count 2"}};
  }
  void describe(kfp::Visitor& v) {
    v.input("data", data, {.type = kfp::ArtifactType::kDataset, .help = "Data", .optional = true});
    v.parameter("name", name, {.help = "Name", .choices = {"a", "bravo"}});
    v.parameter("count", count, {.help = "Count", .min = 1, .max = 10});
    v.parameter("energy_gev", energy_gev, {.help = "Energy", .unit = "GeV", .min = 0, .above_min = true});
    v.parameter("fast", fast, {.help = "Fast"});
    v.parameter("words", words, {.help = "Words"});
    v.parameter("sizes", sizes, {.help = "Sizes", .min = 1});
    v.parameter("angles", angles, {.help = "Angles"});
    v.parameter("extra", extra, {.help = "Extra"});
    v.output_parameter("sum", sum, {.help = "Sum"});
    v.output("table", table, {.type = kfp::ArtifactType::kMetrics, .help = "Table", .file = "table.json"});
    v.output("page", page, {.type = kfp::ArtifactType::kHtml, .help = "Page", .file = "page.html"});
  }
  void run(kfp::RunContext& context) {
    sum = static_cast<double>(count) + energy_gev;
    table.metadata = {{"sum", sum}};
    core::write_file(table.path, context.provenance.dump());
    core::write_file(page.path, "<p>");
  }
};

// What `calopipe toy ARGUMENTS` does to the component.
void parse(kfp::ComponentOf<Toy>& toy, std::vector<std::string> arguments) {
  CLI::App app("toy");
  kfp::CommandLine line(app, toy);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  line.apply();
}

std::string refusal(std::vector<std::string> arguments) {
  kfp::ComponentOf<Toy> toy;
  arguments.insert(arguments.end(), {"--out", "x"});
  try {
    parse(toy, arguments);
  } catch (const core::Error& error) {
    EXPECT_TRUE(error.exit_code() == core::ExitCode::kUsage || error.exit_code() == core::ExitCode::kInput);
    return error.what();
  }
  return "accepted";
}

TEST(CommandLine, SetsEveryTypeOfField) {
  kfp::ComponentOf<Toy> toy;
  parse(toy, {"--name",  "bravo",        "--count=7", "--energy-gev", "2e3",    "--no-fast", "--words",
              "x,y",     "--words",      "z",         "--sizes",      "[4, 5]", "--angles",  "50,70.5",
              "--extra", "{\"k\": [1]}", "--out",     "dir",          "--page", "p.html"});
  EXPECT_EQ(toy.value.name, "bravo");
  EXPECT_EQ(toy.value.count, 7);
  EXPECT_EQ(toy.value.energy_gev, 2000);
  EXPECT_FALSE(toy.value.fast);
  EXPECT_EQ(toy.value.words, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ(toy.value.sizes, (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(toy.value.angles, (std::vector<double>{50, 70.5}));
  EXPECT_EQ(toy.value.extra, json({{"k", {1}}}));
  EXPECT_EQ(toy.value.table.path, "dir/table.json");
  EXPECT_EQ(toy.value.page.path, "p.html");
}

// A program with commands as calopipe has them: one with a positional input, one with commands of its own.
class Arguments : public testing::Test {
 protected:
  Arguments() : app_("program") {
    CLI::App* generate = app_.add_subcommand("generate");
    generate->add_option("--model,model", text_)->expected(1);
    generate->add_option("--energy-gev", numbers_)->expected(1);
    generate->add_option("--shift", number_);
    generate->add_flag("--fast,!--no-fast", flag_);
    generate->add_flag("--quiet,-q", flag_);
    generate->add_option("--out,-o", other_);
    app_.add_subcommand("train")->add_option("--epochs", number_);
    CLI::App* runs = app_.add_subcommand("runs");
    runs->require_subcommand(1);
    runs->add_subcommand("list")->add_option("--state", words_);
    CLI::App* show = runs->add_subcommand("show");
    show->add_option("run", text_)->required();
    show->add_option("--task", other_);
    runs->add_subcommand("compare")->add_option("runs", words_)->expected(2, 1000);
  }

  std::string complaint(const std::vector<std::string>& words) const {
    try {
      kfp::check_arguments(app_, words, "calopipe");
    } catch (const core::UsageError& error) {
      return error.what();
    }
    return "";
  }

  CLI::App app_;
  std::string text_, other_;
  std::vector<std::string> words_;
  std::vector<double> numbers_;
  double number_ = 0;
  bool flag_ = false;
};

TEST_F(Arguments, UnknownOptionsComeFirstWithTheNearestName) {
  const std::string energy = "--energy: no such option (did you mean --energy-gev?)";
  EXPECT_EQ(complaint({"generate", "--model", "m", "--energy", "64", "--out", "x"}), energy);
  EXPECT_EQ(complaint({"generate", "--energy", "64", "--model", "m"}), energy);
  EXPECT_EQ(complaint({"generate", "m", "--energy=64"}), energy);
  EXPECT_EQ(complaint({"generate", "--modle", "m"}), "--modle: no such option (did you mean --model?)");
  EXPECT_EQ(complaint({"generate", "--no-fats"}), "--no-fats: no such option (did you mean --no-fast?)");
  EXPECT_EQ(complaint({"generate", "-energy-gev", "3"}),
            "-energy-gev: no such option (did you mean --energy-gev?)");
  EXPECT_THAT(complaint({"generate", "-x"}), HasSubstr("-x: no such option"));
  EXPECT_EQ(complaint({"generate", "--epochs", "3"}),
            "--epochs: no such option (it is an option of calopipe train)");
  EXPECT_EQ(complaint({"generate", "--state", "3"}),
            "--state: no such option (it is an option of calopipe runs list)");
  EXPECT_EQ(complaint({"generate", "--zzzzzz"}),
            "--zzzzzz: no such option (calopipe generate --help lists the options)");
  EXPECT_EQ(complaint({"--epochs", "3", "train"}),
            "--epochs: no such option (it is an option of calopipe train)");
}

TEST_F(Arguments, CommandsToo) {
  EXPECT_EQ(complaint({"trian"}),
            "\"trian\" is no command, did you mean train? (calopipe --help lists them)");
  EXPECT_EQ(complaint({"runs", "shwo"}),
            "\"shwo\" is no command of calopipe runs, did you mean show? (calopipe runs --help lists them)");
  EXPECT_THAT(complaint({"generate", "m", "surplus"}), HasSubstr("\"surplus\" is one word too many"));
  EXPECT_THAT(complaint({"generate", "--model", "m", "surplus"}), HasSubstr("one word too many"));
}

TEST_F(Arguments, ValuesStayValues) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"--help"},
                                             {"generate", "--help"},
                                             {"generate", "m", "--shift", "-3", "-q"},
                                             {"generate", "--shift=-3.5", "m", "--no-fast"},
                                             {"generate", "--out", "--strange", "m"},
                                             {"generate", "-o", "-11", "m"},
                                             {"generate", "-ofile", "m"},
                                             {"generate", "--energy-gev", "64", "--energy-gev", "128", "m"},
                                             {"generate", "--shift", "1", "--", "--model"},
                                             {"generate", "train"},
                                             {"runs", "list", "--state", "FAILED", "CANCELED"},
                                             {"runs", "show", "list"},
                                             {"runs", "compare", "a", "b", "c"}})
    EXPECT_EQ(complaint(words), "") << testing::PrintToString(words);
}

TEST(CommandLine, OutranksTheFileWhichOutranksDefaults) {
  const test::TempFolder folder;
  core::write_file(folder / "p.yaml", "count: 5\nenergy_gev: 8\nname: 'bravo'\n");
  kfp::ComponentOf<Toy> toy;
  parse(toy, {"--parameters", (folder / "p.yaml").string(), "--count", "9", "--out", "x"});
  EXPECT_EQ(toy.value.count, 9);
  EXPECT_EQ(toy.value.energy_gev, 8);
  EXPECT_EQ(toy.value.name, "bravo");
  EXPECT_TRUE(toy.value.fast);
}

TEST(CommandLine, RefusesNonsenseNamingTheField) {
  EXPECT_THAT(refusal({"--count", "0"}), HasSubstr("count: cannot be 0"));
  EXPECT_THAT(refusal({"--count", "11"}), HasSubstr("at most 10"));
  EXPECT_THAT(refusal({"--count", "1.5"}), HasSubstr("expected an integer"));
  EXPECT_THAT(refusal({"--count", "99999999999999999999"}), HasSubstr("count"));
  EXPECT_THAT(refusal({"--energy-gev", "0"}), HasSubstr("above 0"));
  for (const char* value : {"nan", "inf", "ten", "1;rm", ""})
    EXPECT_THAT(refusal({"--energy-gev", value}), HasSubstr("energy_gev")) << value;
  EXPECT_THAT(refusal({"--name", "brave"}), HasSubstr("did you mean \"bravo\""));
  EXPECT_THAT(refusal({"--sizes", "1,x"}), HasSubstr("sizes"));
  EXPECT_THAT(refusal({"--sizes", "1,0"}), HasSubstr("sizes"));
  EXPECT_THAT(refusal({"--extra", "{"}), HasSubstr("extra"));
  EXPECT_THAT(refusal({"--data", "/nonexistent"}), HasSubstr("does not exist"));
  kfp::ComponentOf<Toy> toy;
  EXPECT_THROW(toy.check(), core::UsageError);  // no place for the outputs
}

TEST(ParameterFile, RefusesNonsenseNamingTheFile) {
  const test::TempFolder folder;
  const auto refused = [&](const std::string& text) {
    core::write_file(folder / "p.yaml", text);
    return refusal({"--parameters", (folder / "p.yaml").string()});
  };
  EXPECT_THAT(refused("conut: 3\n"), HasSubstr("did you mean \"count\""));
  EXPECT_THAT(refused("count: '3'\n"), HasSubstr("p.yaml: count"));
  EXPECT_THAT(refused("count: 3\ncount: 4\n"), HasSubstr("twice"));
  EXPECT_THAT(refused("- 1\n"), HasSubstr("mapping"));
  EXPECT_THAT(refused("a: [1\n"), HasSubstr("YAML or JSON"));
  EXPECT_THAT(refused("data: x\n"), HasSubstr("--data"));
  EXPECT_THAT(refused("energy_gev: .nan\n"), HasSubstr("energy_gev"));
  EXPECT_THAT(refused(std::string(100000, '[')), HasSubstr("deeper"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_THAT(refused(bomb), HasSubstr("too many values"));
}

TEST(Component, RunsAndRecordsWhatMadeItsOutputs) {
  const test::TempFolder folder;
  core::write_file(folder / "data", "abc");
  kfp::ComponentOf<Toy> toy;
  parse(toy, {"--data", (folder / "data").string(), "--out", folder.path().string(), "--sum-path",
              (folder / "sum").string()});
  core::ThreadPool pool(1);
  toy.execute(pool);
  const json provenance = json::parse(core::read_file(folder / "table.json"));
  EXPECT_EQ(provenance.at("component"), "toy");
  EXPECT_EQ(provenance.at("parameters").at("count"), 3);
  EXPECT_EQ(provenance.at("inputs").at("data").get<std::string>().size(), 64u);
  EXPECT_EQ(core::read_file(folder / "sum"), "4.5");
  EXPECT_EQ(toy.result().at("outputs").at("table").at("metadata").at("sum"), 4.5);
}

// One output that is always made, and one only where it is asked for.
struct WithExtra {
  kfp::OutputArtifact main, extra;

  static kfp::ComponentInfo info() { return {.name = "with-extra", .summary = "A toy"}; }
  void describe(kfp::Visitor& v) {
    v.output("main", main, {.help = "Main", .file = "main.txt"});
    v.output("extra", extra, {.help = "Extra", .optional = true, .file = "extra.txt"});
  }
  void run(kfp::RunContext&) {
    core::write_file(main.path, "main");
    if (extra) core::write_file(extra.path, "extra");
  }
};

TEST(CommandLine, LeavesAnOptionalOutputOut) {
  const test::TempFolder folder;
  core::ThreadPool pool(1);
  const auto run = [&](std::vector<std::string> arguments) {
    kfp::ComponentOf<WithExtra> component;
    CLI::App app("with-extra");
    kfp::CommandLine line(app, component);
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
    line.run(pool);
    return component.result().at("outputs").size();
  };
  // --out is the file of the only output that is always made, not a folder.
  EXPECT_EQ(run({"--out", (folder / "a").string()}), 1u);
  EXPECT_EQ(core::read_file(folder / "a"), "main");
  EXPECT_EQ(run({"--out", (folder / "b").string(), "--extra", (folder / "c").string()}), 2u);
  EXPECT_EQ(core::read_file(folder / "c"), "extra");
  EXPECT_THROW(run({"--extra", (folder / "c").string()}), core::UsageError);
}

TEST(ExecutorInput, SetsEverythingAndReceivesMetadata) {
  const test::TempFolder folder;
  core::write_file(folder / "data", "abc");
  const auto artifact = [&](const char* name) {
    return json{
        {"artifacts", {{{"name", name}, {"uri", (folder / name).string()}, {"metadata", json::object()}}}}};
  };
  // As the launcher passes it: with an output for its log.
  json data = artifact("elsewhere");
  data["artifacts"][0]["customPath"] = (folder / "data").string();
  const json input = {
      {"inputs",
       {{"parameterValues",
         {{"name", "bravo"}, {"count", 7.0}, {"words", {"a b", "$(x)\n"}}, {"angles", nullptr}}},
        {"artifacts", {{"data", data}}}}},
      {"outputs",
       {{"artifacts",
         {{"table", artifact("table")},
          {"page", artifact("page")},
          {"executor-logs", artifact("executor-logs-0")}}},
        {"parameters", {{"sum", {{"outputFile", (folder / "sum").string()}}}}},
        {"outputFile", (folder / "executor_output.json").string()}}}};
  kfp::ComponentOf<Toy> toy;
  CLI::App app("toy");
  kfp::CommandLine line(app, toy);
  app.parse({input.dump(), "--executor-input"});
  core::ThreadPool pool(1);
  line.run(pool);
  EXPECT_EQ(toy.value.name, "bravo");
  EXPECT_EQ(toy.value.count, 7);
  EXPECT_EQ(toy.value.words, (std::vector<std::string>{"a b", "$(x)\n"}));
  EXPECT_EQ(toy.value.angles, (std::vector<double>{90}));
  EXPECT_EQ(toy.value.data.path, folder / "data");
  EXPECT_EQ(core::read_file(folder / "page"), "<p>");
  EXPECT_EQ(core::read_file(folder / "sum"), "8.5");
  const json output = json::parse(core::read_file(folder / "executor_output.json"));
  EXPECT_EQ(output.at("artifacts").at("table").at("artifacts").at(0),
            (json{{"name", "table"}, {"uri", (folder / "table").string()}, {"metadata", {{"sum", 8.5}}}}));
  EXPECT_FALSE(output.at("artifacts").contains("executor-logs"));
}

TEST(ExecutorInput, LeavesOutWhatTheLauncherRefuses) {
  const test::TempFolder folder;
  kfp::ComponentOf<Toy> toy;
  toy.value.table.metadata = {{"nan", NAN}, {"inf", {INFINITY, 1.0}}, {"none", nullptr}, {"good", 2}};
  const json input = {{"outputs",
                       {{"artifacts", {{"table", {{"artifacts", {{{"name", "t"}, {"uri", "/t"}}}}}}}},
                        {"outputFile", (folder / "out.json").string()}}}};
  kfp::write_executor_output(toy, input);
  EXPECT_EQ(json::parse(core::read_file(folder / "out.json"))
                .at("artifacts")
                .at("table")
                .at("artifacts")
                .at(0)
                .at("metadata"),
            (json{{"inf", {1.0}}, {"good", 2}}));
}

TEST(ExecutorInput, IsRefusedNamingWhatIsWrong) {
  const auto refused = [](const std::string& text) { return refusal({"--executor-input", text}); };
  EXPECT_THAT(refused("{{$}}"), HasSubstr("executor-input: is not a JSON object"));
  EXPECT_THAT(refused(R"({"inputs": {"parameterValues": {"conut": 3}}})"),
              HasSubstr("did you mean \"count\""));
  EXPECT_THAT(refused(R"({"inputs": {"parameterValues": {"count": "3"}}})"), HasSubstr("count: cannot be"));
  EXPECT_THAT(refused(R"({"inputs": {"artifacts": {"data": {"artifacts": [{"uri": "ftp://x"}]}}}})"),
              HasSubstr("scheme"));
  EXPECT_THAT(refused(R"({"outputs": {"artifacts": {"data": {"artifacts": [{"uri": "/x"}]}}}})"),
              HasSubstr("not an output artifact"));
}

TEST(ExecutorInput, FindsArtifactsWhereTheLauncherLaysThem) {
  EXPECT_EQ(kfp::local_path_of("gs://b/k"), "/gcs/b/k");
  EXPECT_EQ(kfp::local_path_of("s3://b/k"), "/s3/b/k");
  EXPECT_EQ(kfp::local_path_of("minio://b/k"), "/minio/b/k");
  EXPECT_EQ(kfp::local_path_of("oci://r/i:1"), "/oci/r_i:1/models");
  EXPECT_EQ(kfp::local_path_of("file:///b/k"), "/b/k");
  EXPECT_EQ(kfp::local_path_of("/b/k"), "/b/k");
  EXPECT_EQ(kfp::local_path_of("s3://b/k", {{"_kfp_workspace", true}}), "/kfp-workspace/.artifacts/s3/b/k");
}

TEST(Component, ParametersSurviveJson) {
  kfp::ComponentOf<Toy> a, b;
  parse(a, {"--count", "7", "--words", "é,\"q\"", "--extra", "{\"n\": 9007199254740993}", "--out", "x"});
  b.set_parameters(a.parameters());
  EXPECT_EQ(a.parameters(), b.parameters());
}

TEST(Reference, ShowsEveryField) {
  const kfp::ComponentOf<Toy> toy;
  const std::string page = kfp::reference_page(toy);
  for (const kfp::Field& field : toy.fields()) EXPECT_THAT(page, HasSubstr("`" + field.name + "`"));
  EXPECT_THAT(page, HasSubstr("| `energy_gev` | double | `1.5` | GeV | above 0 | Energy |"));
  EXPECT_THAT(page, HasSubstr("calopipe toy --count 2"));
}

}  // namespace
