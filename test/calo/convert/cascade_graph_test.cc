// With the noise of the sampler, the ONNX graph of a cascade makes the sampler's showers in onnxruntime.
#include "calo/models/cascade/detail/cascade_graph.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <numbers>

#include "calo/convert/convert.h"
#include "calo/generate/shower_source.h"
#include "calo/infer/cascade/draw.h"
#include "calo/infer/generator.h"
#include "calo/models/generator_graph.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/counting_new.h"
#include "support/python_peer.h"
#include "support/random_showers.h"
#include "support/raw_floats.h"
#include "support/temp_folder.h"
#include "support/toy_cascade.h"

namespace {

using calo::Contract;
using calo::VoxelMesh;
using test::raw;
using test::read_raw;

constexpr std::uint64_t kSeed = 7, kFirst = 3;

std::vector<calo::Conditions> conditions(std::size_t count) {
  std::vector<calo::Conditions> made;
  for (std::size_t i = 0; i < count; ++i)
    made.push_back({.incident_energy_mev = 1000.0f + 900.0f * static_cast<float>(i % 8),
                    .theta_rad = static_cast<float>(std::numbers::pi / 2)});
  return made;
}

// Number of showers with a cell that differs by more than rounding, because a choice near its boundary came
// out differently.
std::size_t differing(const calo::Showers& expected, const std::vector<float>& cells_mev) {
  const auto cells = static_cast<std::size_t>(expected.num_cells());
  std::size_t count = 0;
  std::vector<float> dense(cells);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected.to_dense(i, dense);
    bool same = true;
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const float found = cells_mev[i * cells + cell];
      EXPECT_TRUE(std::isfinite(found) && found >= 0);
      same = same && std::abs(found - dense[cell]) <= 2e-3f * dense[cell] + 1e-6f;
    }
    count += same ? 0 : 1;
  }
  return count;
}

// Par04 has regular meshes only.
std::vector<Contract> contracts_of(const VoxelMesh& mesh) {
  if (!mesh.is_cylinder()) return {Contract::kPlain};
  return {Contract::kPlain, Contract::kPar04Vae, Contract::kPar04CaloDit};
}

class CascadeGraph : public testing::Test {
 protected:
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  }

  // Runs a job of run_onnx.py.
  std::string run(const nlohmann::json& job) const {
    core::write_file(folder_ / "jobs.json", nlohmann::json::array({job}).dump());
    const std::string command =
        fmt::format("'{}' {}/test/calo/convert/run_onnx.py '{}' > '{}'", test::python(), CALOPIPE_SOURCE_DIR,
                    (folder_ / "jobs.json").string(), (folder_ / "said").string());
    EXPECT_EQ(std::system(command.c_str()), 0);
    return core::read_file(folder_ / "said");
  }

  test::TempFolder folder_;
};

TEST_F(CascadeGraph, MakesTheSamplersShowersInEveryContract) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::small_mesh(), test::layered_mesh()}) {
    const calo::ModelFolder model = test::trained_cascade(mesh, 12);
    constexpr std::size_t kShowers = 40;
    core::ThreadPool pool(1);
    const auto wanted = conditions(kShowers);
    calo::Showers expected;
    calo::ShowerSource::of_folder(model).make(wanted, {"SiW"}, kFirst, kSeed, 0, pool, expected);
    const auto latent_dim = static_cast<std::size_t>(calo::cascade_latent_dim(model));
    std::vector<float> latents;
    for (std::size_t i = 0; i < kShowers; ++i) {
      const auto of_shower =
          calo::cascade::split_latents({.seed = kSeed, .event = kFirst + i}, latent_dim / 2);
      latents.insert(latents.end(), of_shower.begin(), of_shower.end());
    }
    for (const Contract contract : contracts_of(mesh)) {
      SCOPED_TRACE(fmt::format("{}, {}", mesh.to_string(), calo::to_string(contract)));
      const calo::ContractMapping mapping = calo::map_contract(contract, model.transform, "");
      core::write_file(folder_ / "model.onnx", calo::generator_graph(model, mapping, {}));
      std::vector<float> rows, energies, thetas, geometries;
      for (std::size_t i = 0; i < kShowers; ++i) {
        std::vector<float> columns(mapping.columns.size());
        mapping.encode(wanted[i], 0, "SiW", columns);
        if (contract == Contract::kPar04Vae)
          rows.insert(rows.end(), latents.begin() + static_cast<std::ptrdiff_t>(i * latent_dim),
                      latents.begin() + static_cast<std::ptrdiff_t>((i + 1) * latent_dim));
        rows.insert(rows.end(), columns.begin(), columns.end());
        energies.push_back(columns[0]);
        thetas.push_back(columns[1]);
        geometries.insert(geometries.end(), columns.begin() + 2, columns.end());
      }
      core::write_file(folder_ / "latents", raw(latents));
      core::write_file(folder_ / "rows", raw(rows));
      core::write_file(folder_ / "energies", raw(energies));
      core::write_file(folder_ / "thetas", raw(thetas));
      core::write_file(folder_ / "geometries", raw(geometries));
      const auto input = [&](const char* name, std::size_t width) {
        return nlohmann::json{(folder_ / name).string(), {kShowers, width}};
      };
      nlohmann::json job = {{"model", (folder_ / "model.onnx").string()},
                            {"per_row", contract != Contract::kPlain},
                            {"outputs",
                             {{contract == Contract::kPlain      ? "energies_mev"
                               : contract == Contract::kPar04Vae ? "energy_fractions"
                                                                 : "energies_gev",
                               (folder_ / "cells").string()}}}};
      if (contract == Contract::kPlain)
        job["inputs"] = {{"latent", input("latents", latent_dim)},
                         {"energy_mev", input("energies", 1)},
                         {"theta_rad", input("thetas", 1)},
                         {"geometry", input("geometries", mapping.columns.size() - 2)}};
      else
        job["inputs"] = {{"input", input("rows", rows.size() / kShowers)}};
      run(job);
      std::vector<float> cells = read_raw(folder_ / "cells");
      ASSERT_EQ(cells.size(), kShowers * static_cast<std::size_t>(expected.num_cells()));
      for (std::size_t i = 0; i < cells.size(); ++i)
        cells[i] = static_cast<float>(mapping.to_mev(
            cells[i], wanted[i / static_cast<std::size_t>(expected.num_cells())].incident_energy_mev));
      const std::size_t other = differing(expected, cells);
      if (contract == Contract::kPar04CaloDit)
        EXPECT_GT(other, kShowers / 2);  // it draws its own noise
      else
        EXPECT_LE(other, 2u);
    }
  }
}

// Writes a file of each contract, and calls body(file, name of the contract).
template <class Body>
void for_each_contract(const calo::ModelFolder& model, const Body& body) {
  const test::TempFolder folder;
  for (const Contract contract : contracts_of(model.transform.mesh)) {
    const auto file = folder / "model.onnx";
    calo::convert(model, {.contract = contract}, file);
    body(file, calo::to_string(contract));
  }
}

TEST(CascadeFile, MakesTheFoldersShowersToTheBit) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::small_mesh(), test::layered_mesh()}) {
    const calo::ModelFolder model = test::trained_cascade(mesh);
    core::ThreadPool pool(2);
    const auto wanted = conditions(50);
    for (const auto precision : calo::infer::kPrecisions) {
      calo::Showers expected;
      calo::ShowerSource::of_folder(model, precision)
          .make(wanted, {"SiW"}, kFirst, kSeed, 0.01, pool, expected);
      ASSERT_GT(expected.num_hits(), 0u);
      for_each_contract(model, [&](const std::filesystem::path& file, const std::string& contract) {
        auto source = calo::ShowerSource::open(file, precision);
        EXPECT_EQ(source.precision(), precision);
        calo::Showers found;
        source.make(wanted, {"SiW"}, kFirst, kSeed, 0.01, pool, found);
        EXPECT_EQ(found.cells, expected.cells) << contract;
        EXPECT_EQ(found.energies_mev, expected.energies_mev) << contract;
      });
    }
  }
}

TEST(CascadeFile, DenseAndSparseShowersAreTheSameAndNothingIsAllocatedAfterAWarmUp) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::layered_mesh()})
    for_each_contract(
        test::trained_cascade(mesh), [](const std::filesystem::path& file, const std::string& contract) {
          const auto generator = calo::infer::Generator::load(file);
          std::vector<calo::infer::Particle> particles;
          for (std::uint32_t i = 0; i < 40; ++i)
            particles.push_back({.energy_mev = 2000, .theta_rad = 1.57f, .event = i / 2, .particle = i % 2});
          calo::infer::Workspace workspace;
          calo::infer::SparseShowers sparse;
          std::vector<float> dense(particles.size() * static_cast<std::size_t>(generator.num_cells()));
          generator.generate_dense(particles, kSeed, workspace, dense);
          generator.generate(particles, kSeed, 0, workspace, sparse);
          double sum = 0, sum_of_hits = 0;
          for (const float energy : dense) sum += energy;
          for (std::size_t i = 0; i < particles.size(); ++i)
            for (std::size_t k = 0; k < sparse.cells_of(i).size(); ++k) {
              sum_of_hits += sparse.energies_of(i)[k];
              EXPECT_EQ(dense[i * static_cast<std::size_t>(generator.num_cells()) + sparse.cells_of(i)[k]],
                        sparse.energies_of(i)[k]);
            }
          EXPECT_EQ(sum, sum_of_hits) << contract;
          // Particles of one event have separate noise.
          EXPECT_NE(std::vector<float>(sparse.energies_of(0).begin(), sparse.energies_of(0).end()),
                    std::vector<float>(sparse.energies_of(1).begin(), sparse.energies_of(1).end()));
          const std::int64_t before = test::allocations();
          generator.generate(particles, kSeed, 0, workspace, sparse);
          EXPECT_EQ(test::allocations() - before, 0) << contract;
        });
}

// A workspace serves several models, one after another.
TEST(CascadeFile, AWorkspaceServesSeveralModels) {
  const test::TempFolder folder;
  calo::convert(test::trained_cascade(test::uneven_mesh()), {}, folder / "a.onnx");
  calo::convert(test::trained_cascade(test::small_mesh()), {}, folder / "b.onnx");
  const auto a = calo::infer::Generator::load(folder / "a.onnx"),
             b = calo::infer::Generator::load(folder / "b.onnx");
  const calo::infer::Particle particle{.energy_mev = 3000, .theta_rad = 1.57f};
  calo::infer::Workspace shared;
  calo::infer::SparseShowers first, other, again;
  a.generate({&particle, 1}, 1, 0, shared, first);
  b.generate({&particle, 1}, 1, 0, shared, other);
  a.generate({&particle, 1}, 1, 0, shared, again);
  EXPECT_GT(first.num_hits(), 0u);
  EXPECT_EQ(std::vector<float>(first.energies_of(0).begin(), first.energies_of(0).end()),
            std::vector<float>(again.energies_of(0).begin(), again.energies_of(0).end()));
}

// What is said of a cascade's file after a change; "no error" if it is taken.
std::string message_of(const calo::ModelFolder& model, const std::function<void(onnx::ModelProto&)>& change) {
  onnx::ModelProto proto;
  proto.ParseFromString(
      calo::generator_graph(model, calo::map_contract(Contract::kPlain, model.transform, ""), {}));
  change(proto);
  const std::string bytes = proto.SerializeAsString();
  try {
    const calo::infer::Generator generator(calo::infer::Model::from_bytes(std::as_bytes(std::span(bytes))));
    return "no error";
  } catch (const core::Error& error) {
    return error.what();
  }
}

// The same after a change of the property calopipe.cascade.
std::string message_with(const calo::ModelFolder& model, const std::function<void(nlohmann::json&)>& change) {
  return message_of(model, [&](onnx::ModelProto& proto) {
    for (auto& property : *proto.mutable_metadata_props())
      if (property.key() == "calopipe.cascade") {
        nlohmann::json said = nlohmann::json::parse(property.value());
        change(said);
        property.set_value(said.dump());
      }
  });
}

TEST(CascadeFile, IsRefusedIfItsPropertyOrItsTensorsAreNotAsTheyShouldBe) {
  const calo::ModelFolder model = test::trained_cascade();
  const auto changed = [&](const std::function<void(onnx::ModelProto&)>& change) {
    return message_of(model, change);
  };
  const auto with_property = [&](const std::function<void(nlohmann::json&)>& change) {
    return message_with(model, change);
  };
  EXPECT_EQ(changed([](onnx::ModelProto&) {}), "no error");
  using testing::HasSubstr;
  EXPECT_THAT(with_property([](auto& said) { said.erase("width"); }), HasSubstr("width"));
  EXPECT_THAT(with_property([](auto& said) { said["n_r"] = "five"; }), HasSubstr("calopipe.cascade"));
  EXPECT_THAT(with_property([](auto& said) { said["n_r"] = 1'000'000'000; }), HasSubstr("calopipe.cascade"));
  EXPECT_THAT(with_property([](auto& said) { said["width"] = -3; }), HasSubstr("cascade"));
  EXPECT_THAT(with_property([](auto& said) { said["width"] = 25; }), HasSubstr("another shape"));
  EXPECT_THAT(with_property([](auto& said) { said["layer_cuts"][0] = 99; }), HasSubstr("layer_cuts"));
  EXPECT_THAT(with_property([](auto& said) { said["geometries"][1] = "ODD"; }), HasSubstr("SiW"));
  EXPECT_THAT(with_property([](auto& said) { said["format_version"] = 3; }), HasSubstr("later version"));
  EXPECT_THAT(with_property([](auto& said) { said["format_version"] = 2; }), HasSubstr("layers"));
  EXPECT_THAT(changed([](onnx::ModelProto& proto) {
                for (auto& property : *proto.mutable_metadata_props())
                  if (property.key() == "calopipe.cascade") property.set_value("{");
              }),
              HasSubstr("calopipe.cascade"));
  EXPECT_THAT(changed([](onnx::ModelProto& proto) {
                for (auto& tensor : *proto.mutable_graph()->mutable_initializer())
                  if (tensor.name() == "threshold_mev") {
                    const float zero = 0;
                    tensor.set_raw_data(&zero, sizeof zero);
                  }
              }),
              HasSubstr("threshold_mev"));
}

TEST(CascadeFile, OfLayersThatDifferIsRefusedIfTheyAreNotAsTheyShouldBe) {
  const calo::ModelFolder model = test::trained_cascade(test::layered_mesh(), 1);
  const auto with_layers = [&](const std::function<void(nlohmann::json&)>& change) {
    return message_with(model, [&](nlohmann::json& said) { change(said.at("layers")); });
  };
  using testing::HasSubstr;
  EXPECT_EQ(with_layers([](nlohmann::json&) {}), "no error");
  EXPECT_THAT(with_layers([](auto& layers) { layers.erase(1); }), HasSubstr("shape"));
  EXPECT_THAT(with_layers([](auto& layers) { layers = nlohmann::json::array(); }), HasSubstr("two layers"));
  EXPECT_THAT(with_layers([](auto& layers) { layers[1]["n_phi"] = 0; }), HasSubstr("n_phi"));
  EXPECT_THAT(with_layers([](auto& layers) { layers[1]["r_edges_mm"] = {1}; }), HasSubstr("without cells"));
  EXPECT_THAT(with_layers([](auto& layers) { layers[1]["r_edges_mm"][1] = 7; }), HasSubstr("ascend"));
  EXPECT_THAT(with_layers([](auto& layers) { layers[0]["r_edges_mm"][0] = -1; }), HasSubstr("ascend"));
}

TEST(CascadeFile, TheMacroForPar04SaysHowMuchNoiseAShowerTakes) {
  const test::TempFolder folder;
  const calo::ModelFolder model = test::trained_cascade();
  calo::convert(model, {.contract = Contract::kPar04Vae, .macro_file = folder / "par04.mac"},
                folder / "model.onnx");
  EXPECT_THAT(core::read_file(folder / "par04.mac"),
              testing::HasSubstr(fmt::format("setSizeLatentVector {}\n", calo::cascade_latent_dim(model))));
}

// A graph that computes something else is not written.
TEST(CascadeFile, ConversionFindsAGraphThatIsAnotherModels) {
  const calo::ModelFolder model = test::trained_cascade();
  calo::ModelFolder other = model;
  for (float& value : other.weights.at("rings.output.bias").values) value += 0.3f;
  const auto mapping = calo::map_contract(Contract::kPar04Vae, model.transform, "");
  const std::string graph = calo::generator_graph(model, mapping, {});
  EXPECT_EQ(calo::check_generator(graph, model, mapping, 8, 1).same, 8);
  EXPECT_THROW(calo::check_generator(graph, other, mapping, 8, 1), core::Error);
}

}  // namespace
