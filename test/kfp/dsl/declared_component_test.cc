#include "kfp/dsl/declared_component.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "kfp/compile/compile.h"
#include "kfp/dsl/components.h"

// Components declared in C++ as container components.
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

struct Declared {
  kfp::InputArtifact showers;
  kfp::InputArtifact start;
  std::string geometry;
  double energy_gev = 64;
  std::int64_t events = 1000;
  bool fast = true;
  std::vector<double> angles_deg = {50, 90};
  nlohmann::json options = {{"a", 1}};
  kfp::OutputArtifact model;
  kfp::OutputArtifact report;
  double loss = 0;

  static kfp::ComponentInfo info() { return {.name = "make-model", .summary = "Makes a model."}; }
  void describe(kfp::Visitor& v) {
    v.input("showers", showers, {.type = kfp::ArtifactType::kDataset, .help = "what to learn"});
    v.input("start", start, {.type = kfp::ArtifactType::kModel, .help = "where to start", .optional = true});
    v.parameter("geometry", geometry,
                {.help = "which calorimeter", .choices = {"SiW", "SciPb"}, .required = true});
    v.parameter("energy_gev", energy_gev,
                {.help = "largest energy", .unit = "GeV", .min = 0, .above_min = true});
    v.parameter("events", events, {.help = "how many"});
    v.parameter("fast", fast, {});
    v.parameter("angles_deg", angles_deg, {.unit = "deg"});
    v.parameter("options", options, {});
    v.output("model", model, {.type = kfp::ArtifactType::kModel});
    v.output("report", report, {.type = kfp::ArtifactType::kHtml, .help = "for people"});
    v.output_parameter("loss", loss, {.help = "of the last epoch"});
  }
  void run(kfp::RunContext&) {}
};

TEST(DeclaredComponent, HasTheDeclaredInterface) {
  const ContainerComponent made =
      from_declaration(kfp::ComponentOf<Declared>(), {.image = kImage, .command = {"calopipe"}});
  EXPECT_EQ(made.name, "make-model");
  EXPECT_EQ(made.command, std::vector<std::string>{"calopipe"});
  EXPECT_EQ(made.args, (std::vector<std::string>{"make-model", "--executor-input", "{{$}}"}));

  EXPECT_EQ(made.inputs.at("showers").type_name(), "system.Dataset");
  EXPECT_FALSE(made.inputs.at("showers").optional);
  EXPECT_TRUE(made.inputs.at("start").optional);
  EXPECT_FALSE(made.inputs.at("geometry").optional);
  EXPECT_FALSE(made.inputs.at("geometry").default_value);
  EXPECT_THAT(made.inputs.at("geometry").description, testing::HasSubstr("SciPb"));
  EXPECT_EQ(made.inputs.at("energy_gev").type_name(), "NUMBER_DOUBLE");
  EXPECT_EQ(made.inputs.at("energy_gev").default_value, 64.0);
  EXPECT_EQ(made.inputs.at("energy_gev").description, "largest energy [GeV] (above 0)");
  EXPECT_EQ(made.inputs.at("events").type_name(), "NUMBER_INTEGER");
  EXPECT_EQ(made.inputs.at("fast").type_name(), "BOOLEAN");
  EXPECT_EQ(made.inputs.at("angles_deg").default_value, (nlohmann::json{50.0, 90.0}));
  EXPECT_EQ(made.inputs.at("options").type_name(), "STRUCT");
  EXPECT_EQ(made.outputs.at("model").type_name(), "system.Model");
  EXPECT_EQ(made.outputs.at("report").type_name(), "system.HTML");
  EXPECT_EQ(made.outputs.at("loss").type_name(), "NUMBER_DOUBLE");
  EXPECT_EQ(made.inputs.size(), 8u);
  EXPECT_EQ(made.outputs.size(), 3u);
}

TEST(DeclaredComponent, RunsInAPipelineWithWhatIsRequiredOnly) {
  Pipeline p("declared");
  const Task task =
      p.task(from_declaration(kfp::ComponentOf<Declared>(), {.image = kImage, .command = {"calopipe"}}))
          .set("showers", p.artifact_input("showers", "system.Dataset"));
  EXPECT_THROW(compile(p), core::UsageError);  // geometry is required
  task.set("geometry", "SiW");
  const kfp::ir::Pipeline compiled = compile(p);
  EXPECT_EQ(compiled.spec.root->dag->tasks.at("make-model").inputs->parameters.size(), 1u);
}

TEST(DeclaredComponent, NeedsImageAndCommand) {
  EXPECT_THROW(from_declaration(kfp::ComponentOf<Declared>(), {.command = {"calopipe"}}), core::UsageError);
  EXPECT_THROW(from_declaration(kfp::ComponentOf<Declared>(), {.image = kImage}), core::UsageError);
}

}  // namespace
