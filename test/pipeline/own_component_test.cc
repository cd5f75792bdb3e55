// A component of one's own, as doc/add-a-component.md tells.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "calo/io/shower_reader.h"
#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/json_file.h"
#include "core/staged_output.h"
#include "kfp/component/command_line.h"
#include "kfp/component/component.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

struct CountHits {
  kfp::InputArtifact showers;
  double threshold_mev = 0.5;
  std::int64_t hits = 0;
  kfp::OutputArtifact counts;

  static kfp::ComponentInfo info() {
    return {.name = "count-hits",
            .summary = "Counts the cells above a threshold",
            .examples = {"calopipe count-hits --showers showers.h5 --out counts.json"}};
  }

  void describe(kfp::Visitor& v) {
    v.input("showers", showers, {.type = kfp::ArtifactType::kDataset, .help = "Showers to count in"});
    v.parameter("threshold_mev", threshold_mev,
                {.help = "Energy from which a cell counts", .unit = "MeV", .min = 0});
    v.output_parameter("hits", hits, {.help = "Number of cells that were counted"});
    v.output("counts", counts,
             {.type = kfp::ArtifactType::kMetrics, .help = "Number of cells", .file = "counts.json"});
  }

  void run(kfp::RunContext& context) {
    const auto reader = calo::ShowerReader::open(showers.path, {}, context.pool);
    for (const float energy_mev : calo::read_all(*reader).energies_mev) hits += energy_mev >= threshold_mev;
    core::write_file(counts.path,
                     nlohmann::json{{"hits", hits}, {"provenance", context.provenance}}.dump(2) + '\n');
  }
};

TEST(OwnComponent, RunsFromTheCommandLine) {
  const test::TempFolder folder;
  core::ThreadPool pool(1);
  const calo::Showers made = test::random_showers(test::small_mesh(), 20, 1);
  const auto writer = calo::ShowerWriter::create(
      folder / "showers.h5",
      {.layout = calo::Layout::kCalopipe, .mesh = test::small_mesh(), .geometries = {"SiW"}}, pool);
  writer->append(made);
  writer->commit();

  kfp::Registry registry;
  registry.add<CountHits>();
  const auto run = [&](const std::vector<std::string>& arguments) {
    const std::unique_ptr<kfp::Component> component = registry.all().at(0).second();
    CLI::App app;
    kfp::CommandLine line(app, *component);
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them backwards
    line.run(pool);
  };
  run({"--showers", (folder / "showers.h5").string(), "--threshold-mev", "0", "--counts",
       (folder / "counts.json").string()});
  const nlohmann::json counts = core::read_json(folder / "counts.json");
  EXPECT_EQ(counts.at("hits"), made.energies_mev.size());
  EXPECT_EQ(counts.at("provenance").at("component"), "count-hits");
  EXPECT_TRUE(counts.at("provenance").at("inputs").contains("showers"));
  EXPECT_THROW(run({"--showers", (folder / "showers.h5").string(), "--threshold-mev", "-1"}),
               core::UsageError);
}

}  // namespace
