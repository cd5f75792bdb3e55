#include "calo/validate/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "calo/io/shower_writer.h"
#include "calo/report/html_report.h"
#include "calo/report/page.h"
#include "calo/report/page_data.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

TEST(Validation, OfTheSampleAgainstItselfFindsNothing) {
  core::ThreadPool pool(2);
  const auto a = calo::ShowerReader::open("data/mlfastsim", {}, pool);
  const auto b = calo::ShowerReader::open("data/mlfastsim", {}, pool);
  const calo::Validation validation = calo::validate(*a, *b, {}, pool);
  ASSERT_EQ(validation.groups.size(), 7u);
  for (const auto& group : validation.groups)
    for (const auto& c : group.observables) {
      EXPECT_EQ(c.distances.of("jsd").value, 0) << c.name;
      EXPECT_NEAR(c.distances.of("wasserstein").value, 0, 1e-9) << c.name;
      EXPECT_EQ(c.distances.of("separation").value, 0) << c.name;
      EXPECT_TRUE(!c.has_ks || (c.distances.of("ks").value < 1e-12 && c.corrected_p_value == 1)) << c.name;
      EXPECT_EQ(c.chi_squared.value, 0) << c.name;
      EXPECT_EQ(c.full_mean, c.fast_mean) << c.name;
      EXPECT_TRUE(std::isfinite(c.full_mean)) << c.name;
    }
  EXPECT_EQ(validation.classified_showers, 2100);
  ASSERT_EQ(validation.classifiers.size(), 1u);
  EXPECT_EQ(validation.classifiers[0].auc.value, 0.5);
  EXPECT_EQ(validation.summary().at("auc_high_level"), 0.5);
  // Two halves of Geant4's showers cannot be told apart.
  const double floor = validation.summary().at("auc_high_level_floor"),
               error = validation.summary().at("auc_high_level_floor_error");
  EXPECT_NE(floor, 0.5);
  EXPECT_GT(error, 0);
  EXPECT_NEAR(floor, 0.5, 4 * error);
  // 64 GeV electrons reach deeper than 1 GeV ones.
  EXPECT_GT(validation.groups.back().observable("longitudinal_first_moment").full_mean,
            1.3 * validation.groups.front().observable("longitudinal_first_moment").full_mean);
}

TEST(Validation, MomentsAreThoseOfTheDefinition) {
  core::ThreadPool pool(1);
  const test::TempFolder folder;
  const calo::VoxelMesh mesh = test::small_mesh();  // 2.325 x 3.4 mm
  calo::Showers showers(mesh.num_cells(), {"SiW"});
  std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()), 0.0f);
  cells[mesh.cell(1, 2, 0)] = 3;
  cells[mesh.cell(3, 0, 2)] = 1;
  showers.append_dense({.incident_energy_mev = 8, .theta_rad = 1.5f}, cells);
  const auto writer =
      calo::ShowerWriter::create(folder / "a.h5", {.layout = calo::Layout::kCalopipe, .mesh = mesh}, pool);
  writer->append(showers);
  writer->commit();
  const auto a = calo::ShowerReader::open(folder / "a.h5", {}, pool);
  const auto b = calo::ShowerReader::open(folder / "a.h5", {}, pool);
  const calo::Validation validation = calo::validate(*a, *b, {}, pool);
  const auto& group = validation.groups.at(0);
  EXPECT_DOUBLE_EQ(group.observable("response").full_mean, 0.5);
  EXPECT_NEAR(group.observable("longitudinal_first_moment").full_mean, 1.5 * 3.4, 1e-12);
  EXPECT_NEAR(group.observable("longitudinal_second_moment").full_mean, 0.75 * 3.4 * 3.4, 1e-12);
  EXPECT_NEAR(group.observable("lateral_first_moment").full_mean, 0.5 * 2.325, 1e-12);
  EXPECT_NEAR(group.observable("lateral_second_moment").full_mean, 0.75 * 2.325 * 2.325, 1e-12);
}

// As many showers as asked for of each energy (GeV).
std::unique_ptr<calo::ShowerReader> written(const std::filesystem::path& file, std::uint64_t seed,
                                            const std::vector<std::size_t>& of_energy, core::ThreadPool& pool,
                                            float scale = 1) {
  const calo::VoxelMesh mesh = test::small_mesh();
  calo::Showers showers(mesh.num_cells(), {"SiW"});
  for (std::size_t energy = 1; energy <= of_energy.size(); ++energy) {
    calo::Showers some = test::random_showers(mesh, of_energy[energy - 1], seed + energy);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const float wanted_mev = 1000.0f * static_cast<float>(energy);
      for (std::uint64_t hit = some.offsets[i]; hit < some.offsets[i + 1]; ++hit)
        some.energies_mev[hit] *= scale * wanted_mev / some.conditions[i].incident_energy_mev;
      some.conditions[i].incident_energy_mev = wanted_mev;
    }
    showers.append(some, 0, some.size());
  }
  const auto writer =
      calo::ShowerWriter::create(file, {.layout = calo::Layout::kCalopipe, .mesh = mesh}, pool);
  writer->append(showers);
  writer->commit();
  return calo::ShowerReader::open(file, {}, pool);
}

TEST(Validation, ClassifierDoesNotGoByTheConditions) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {1000, 150, 40}, pool);
  const auto fast = written(folder / "fast.h5", 200, {150, 1000}, pool);
  const calo::Validation validation = calo::validate(*full, *fast, {}, pool);
  EXPECT_EQ(validation.classified_showers, 300);
  const calo::Auc auc = validation.classifiers.at(0).auc;
  EXPECT_NEAR(auc.value, 0.5, 4 * auc.error);
  const calo::Validation capped = calo::validate(*full, *fast, {.classifiers = {.max_showers = 100}}, pool);
  EXPECT_EQ(capped.classified_showers, 100);
  EXPECT_EQ(capped.classifiers.at(0).test_showers, 20);
}

// A classifier that does what the test says.
class TestClassifier : public calo::Classifier {
 public:
  using Body = std::function<calo::Classification(const calo::ClassifiedShowers&)>;
  explicit TestClassifier(Body body) : body_(std::move(body)) {}

  std::string name() const override { return "test"; }
  std::string title() const override { return "Test"; }
  bool needs_cells() const override { return true; }
  calo::Classification classify(const calo::ClassifiedShowers& showers, core::ThreadPool&) const override {
    return body_(showers);
  }

 private:
  Body body_;
};

// What the classifiers are given: the two samples, then two halves of the full one, each row with its
// partner.
TEST(Validation, ClassifiersHaveAFloorBetweenHalvesOfTheFullSimulation) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {151, 90}, pool);
  const auto fast = written(folder / "fast.h5", 200, {151, 90}, pool, 1.2f);
  calo::ValidateOptions options;
  int calls = 0;
  const auto classify = [&](const calo::ClassifiedShowers& given) {
    const calo::Showers &full_showers = given.full.showers, &fast_showers = given.fast.showers;
    ++calls;
    const bool halves = calls == 2;
    const std::size_t rows = halves ? 75 + 45 : 151 + 90;
    EXPECT_EQ(given.full.features.rows(), rows);
    EXPECT_EQ(given.fast.features.rows(), rows);
    EXPECT_EQ(full_showers.size(), rows);
    EXPECT_EQ(fast_showers.size(), rows);
    std::set<double> totals;
    for (std::size_t i = 0; i < rows; ++i) {
      EXPECT_EQ(full_showers.conditions[i].incident_energy_mev,
                fast_showers.conditions[i].incident_energy_mev);
      // The first feature is log10 of the incident energy.
      EXPECT_EQ(given.full.features.row(i)[0], given.fast.features.row(i)[0]);
      totals.insert(full_showers.total_energy_mev(i));
      if (halves) totals.insert(fast_showers.total_energy_mev(i));
    }
    EXPECT_EQ(totals.size(), halves ? 2 * rows : rows);  // no shower is in both halves
    calo::Classification result = calo::judge("test", "Test", {0.1, 0.2}, {0.1, 0.3});
    result.auc = {.value = halves ? 0.53 : 0.9, .error = halves ? 0.02 : 0.01};
    return result;
  };
  options.classifiers.others.push_back(std::make_shared<TestClassifier>(classify));
  const calo::Validation validation = calo::validate(*full, *fast, options, pool);
  EXPECT_EQ(calls, 2);
  ASSERT_EQ(validation.classifiers.size(), 2u);
  EXPECT_EQ(validation.summary().at("auc_test"), 0.9);
  EXPECT_EQ(validation.summary().at("auc_test_floor"), 0.53);
  EXPECT_EQ(validation.to_json().at("classifiers")[1].at("auc_floor_error"), 0.02);
  EXPECT_EQ(validation.to_json().at("classifiers")[1].at("jsd_floor"),
            calo::logit_divergence({0.1, 0.2}, {0.1, 0.3}).value);
}

// A classifier is trained again with a quarter and half of the training showers, and tested on the same ones.
TEST(Validation, ClassifiersShowTheirAucBySampleSizeAndEnergy) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {400, 200}, pool);
  const auto fast = written(folder / "fast.h5", 200, {400, 200}, pool, 1.02f);
  const calo::Validation validation = calo::validate(*full, *fast, {}, pool);
  const calo::Classification& c = validation.classifiers.at(0);
  ASSERT_EQ(c.by_sample_size.size(), 3u);
  EXPECT_EQ(c.by_sample_size[0].train_showers, 90);
  EXPECT_EQ(c.by_sample_size[1].train_showers, 180);
  EXPECT_EQ(c.by_sample_size[2].train_showers, 360);
  EXPECT_EQ(c.by_sample_size[2].auc.value, c.auc.value);
  ASSERT_TRUE(c.growth_of_auc());
  EXPECT_EQ(c.growth_of_auc()->value, c.by_sample_size[2].auc.value - c.by_sample_size[1].auc.value);
  EXPECT_EQ(std::set<std::size_t>(c.test_rows.begin(), c.test_rows.end()).size(), 120u);
  EXPECT_FALSE(c.by_energy.empty());
  const nlohmann::json written = c.to_json();
  EXPECT_EQ(written.at("auc_by_sample_size").size(), 3u);
  EXPECT_EQ(written.at("auc_by_energy").size(), c.by_energy.size());
  EXPECT_EQ(written.at("auc_growth"), c.growth_of_auc()->value);
}

TEST(Validation, ClassifierFindsAWrongScale) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {400, 400}, pool);
  const auto fast = written(folder / "fast.h5", 200, {400, 400}, pool, 1.1f);
  const calo::Validation validation = calo::validate(*full, *fast, {}, pool);
  EXPECT_GT(validation.classifiers.at(0).auc.value, 0.6);
  EXPECT_TRUE(validation.classifiers.at(0).tells_apart());
}

TEST(Validation, SaysWhatIsNoEnergyAndLeavesItOut) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {60}, pool);
  calo::Showers showers = calo::read_all(*full);
  showers.energies_mev[3] = std::numeric_limits<float>::quiet_NaN();
  showers.energies_mev[4] = std::numeric_limits<float>::infinity();
  for (const std::size_t hit : {5, 6, 7}) showers.energies_mev[hit] *= -1;
  const auto writer = calo::ShowerWriter::create(
      folder / "fast.h5", {.layout = calo::Layout::kCalopipe, .mesh = test::small_mesh()}, pool);
  writer->append(showers);
  writer->commit();
  const auto fast = calo::ShowerReader::open(folder / "fast.h5", {}, pool);
  const calo::Validation validation = calo::validate(*full, *fast, {}, pool);
  EXPECT_FALSE(validation.full_bad_cells.any());
  EXPECT_EQ(validation.fast_bad_cells.not_finite, 2);
  EXPECT_EQ(validation.fast_bad_cells.negative, 3);
  EXPECT_EQ(validation.to_json().at("bad_cells").at("fast").at("negative"), 3);
  for (const auto& c : validation.groups.at(0).observables) EXPECT_TRUE(std::isfinite(c.fast_mean)) << c.name;
  calo::write_report(folder / "report.html", validation, calo::plot_data(validation, "fast"), {});
  EXPECT_NE(core::read_file(folder / "report.html").find("2 cells are NaN or infinite and 3 are negative"),
            std::string::npos);
}

TEST(Validation, OfFewShowersHasNoClassifier) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {49}, pool);
  const calo::Validation validation = calo::validate(*full, *full, {}, pool);
  EXPECT_EQ(validation.classified_showers, 49);
  EXPECT_TRUE(validation.classifiers.empty());
  EXPECT_FALSE(validation.summary().contains("auc_high_level"));
  EXPECT_TRUE(validation.summary().contains("fpd"));
}

TEST(Validation, NamesWhatDoesNotFit) {
  core::ThreadPool pool(1);
  const test::TempFolder folder;
  const auto write = [&](const char* name, const calo::VoxelMesh& mesh, float energy_mev) {
    calo::Showers showers = test::random_showers(mesh, 5, 1);
    for (auto& condition : showers.conditions) condition.incident_energy_mev = energy_mev;
    const auto writer =
        calo::ShowerWriter::create(folder / name, {.layout = calo::Layout::kCalopipe, .mesh = mesh}, pool);
    writer->append(showers);
    writer->commit();
    return calo::ShowerReader::open(folder / name, {}, pool);
  };
  const auto a = write("a.h5", test::small_mesh(), 1000);
  const auto energy = write("b.h5", test::small_mesh(), 2000);
  const auto mesh =
      write("c.h5",
            calo::VoxelMesh(calo::VoxelMesh::Cylinder{.n_r = 4, .n_phi = 6, .n_z = 5, .size_z_mm = 9}), 1000);
  EXPECT_THROW(calo::validate(*a, *energy, {}, pool), core::InputError);
  EXPECT_THROW(calo::validate(*a, *mesh, {}, pool), core::InputError);
}

TEST(Validation, DoesNotDependOnTheOrderOfShowersNorOnThreads) {
  core::ThreadPool one(1), three(3);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {80, 60}, one);
  const auto fast = written(folder / "fast.h5", 200, {80, 60}, one, 1.3f);
  const auto reversed = [&](calo::ShowerReader& reader, const char* name) {
    const calo::Showers showers = calo::read_all(reader);
    calo::Showers backwards(showers.num_cells(), showers.geometries);
    for (std::size_t i = showers.size(); i > 0; --i) backwards.append(showers, i - 1, i);
    const auto writer = calo::ShowerWriter::create(
        folder / name, {.layout = calo::Layout::kCalopipe, .mesh = test::small_mesh()}, one);
    writer->append(backwards);
    writer->commit();
    return calo::ShowerReader::open(folder / name, {}, three);
  };
  const auto full_backwards = reversed(*full, "full-backwards.h5"),
             fast_backwards = reversed(*fast, "fast-backwards.h5");
  const calo::Validation a = calo::validate(*full, *fast, {}, one),
                         b = calo::validate(*full_backwards, *fast_backwards, {}, three);
  EXPECT_EQ(nlohmann::json::diff(a.to_json(), b.to_json()), nlohmann::json::array());
  EXPECT_GT(a.rejected, 0);
}

TEST(Validation, ReadsLayeredMeshes) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const calo::VoxelMesh mesh({calo::LayerBinning{.r_edges_mm = {0, 5, 10, 30}, .n_phi = 1},
                              calo::LayerBinning{.r_edges_mm = {0, 2, 4}, .n_phi = 8}});
  const auto write = [&](const char* name, std::uint64_t seed) {
    const auto writer =
        calo::ShowerWriter::create(folder / name, {.layout = calo::Layout::kCalopipe, .mesh = mesh}, pool);
    writer->append(test::random_showers(mesh, 100, seed));
    writer->commit();
    return calo::ShowerReader::open(folder / name, {}, pool);
  };
  const auto full = write("a.h5", 1), fast = write("b.h5", 2);
  const calo::Validation validation = calo::validate(*full, *fast, {}, pool);
  EXPECT_EQ(validation.groups.at(0).layers().size(), 2u);
  EXPECT_EQ(validation.rejected, 0);
  calo::write_report(folder / "report.html", validation, calo::plot_data(validation, "fast"), {});
}

// p-values of samples that differ much are below the smallest normal number.
TEST(Report, ShowsTheSmallestNumbers) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {40}, pool);
  const auto fast = written(folder / "fast.h5", 200, {40}, pool);
  calo::Validation validation = calo::validate(*full, *fast, {.only_observables = true}, pool);
  calo::Comparison& response = validation.groups.at(0).observables.at(0);
  response.chi_squared.degrees = 3;
  response.chi_squared.p_value = 1e-310;
  response.ks_p_value = std::numeric_limits<double>::denorm_min();
  const nlohmann::json numbers =
      calo::plot_data(validation, "fast").at("conditions")[0].at("figures")[0].at("numbers")[0];
  EXPECT_DOUBLE_EQ(numbers.at("chi2").at("p").get<double>(), 1e-310);
  EXPECT_GE(numbers.at("ks_p").get<double>(), 0);
}

// Files that cannot be compared are found before anything is computed, and the error names what does not
// match.
void expect_mismatch(calo::ShowerReader& full, calo::ShowerReader& fast, core::ThreadPool& pool,
                     const std::string& field, const std::string& text) {
  try {
    calo::validate(full, fast, {}, pool);
    FAIL() << "expected an error about " << text;
  } catch (const core::InputError& error) {
    EXPECT_EQ(error.details().field, field);
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    EXPECT_FALSE(error.details().file.empty());
  }
}

TEST(Validation, NamesOtherUnitsAndOtherOrders) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {8000}}, pool);
  const calo::Showers showers = calo::read_all(*full);
  const auto changed = [&](const char* name, const auto& change) {
    calo::Showers other = showers;
    change(other);
    const auto writer = calo::ShowerWriter::create(
        folder / name, {.layout = calo::Layout::kCalopipe, .mesh = full->info().mesh}, pool);
    writer->append(other);
    writer->commit();
    return calo::ShowerReader::open(folder / name, {}, pool);
  };
  const auto in_gev = changed("deposits.h5", [](calo::Showers& s) {
    for (float& energy : s.energies_mev) energy /= 1000;
  });
  expect_mismatch(*full, *in_gev, pool, "cell energies", "another unit");
  const auto incident = changed("incident.h5", [](calo::Showers& s) {
    for (auto& condition : s.conditions) condition.incident_energy_mev /= 1000;
  });
  expect_mismatch(*full, *incident, pool, "incident energy", "another unit");
  const auto& c = full->info().mesh.cylinder();
  const auto transposed = changed("order.h5", [&](calo::Showers& s) {
    calo::Showers other(s.num_cells(), s.geometries);
    std::vector<float> dense(static_cast<std::size_t>(s.num_cells())), moved(dense.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
      s.to_dense(i, dense);
      std::size_t to = 0;  // [z, phi, r]
      for (int z = 0; z < c.n_z; ++z)
        for (int phi = 0; phi < c.n_phi; ++phi)
          for (int r = 0; r < c.n_r; ++r) moved[to++] = dense[full->info().mesh.cell(z, phi, r)];
      other.append_dense(s.conditions[i], moved);
    }
    s = other;
  });
  expect_mismatch(*full, *transposed, pool, "cells", "[z, phi, r]");
}

TEST(Comparison, OfSeveralModelsIsOneReport) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto full = written(folder / "full.h5", 100, {60, 60}, pool);
  const auto good = written(folder / "good.h5", 200, {60, 60}, pool);
  const auto bad = written(folder / "bad.h5", 300, {60}, pool, 1.3f);
  const auto plots = [&](calo::ShowerReader& fast, const char* label) {
    return calo::plot_data(calo::validate(*full, fast, {}, pool), label);
  };
  const nlohmann::json a = plots(*good, "good"), b = plots(*bad, "bad");
  const nlohmann::json merged = calo::merge_plots({a, b}, {"a", "b"});
  EXPECT_EQ(merged.at("models").size(), 2u);
  EXPECT_EQ(merged.at("conditions").size(), 2u);
  for (const auto& condition : merged.at("conditions"))
    for (const auto& figure : condition.at("figures"))
      EXPECT_EQ(figure.at("fast").size(), 2u) << figure.at("name");
  // What only the first has is null for the second.
  EXPECT_TRUE(merged.at("conditions")[1].at("figures")[0].at("fast")[1].is_null());
  const std::string table = calo::comparison_table(merged);
  EXPECT_NE(table.find("| good | bad |"), std::string::npos) << table;
  EXPECT_NE(table.find("**"), std::string::npos);
  // Each score has one best model; what is within errors of it is marked.
  for (const auto& score : merged.at("scores")) {
    if (score.at("models")[0].is_null() || score.at("models")[1].is_null()) continue;
    int best = 0;
    for (const auto& model : score.at("models")) best += model.value("rank", "") == "best" ? 1 : 0;
    EXPECT_EQ(best, 1) << score;
  }
  const auto score_of = [&](const char* name) {
    for (const auto& score : merged.at("scores"))
      if (score.at("name") == name) return score;
    return nlohmann::json();
  };
  // The bad model has 1.3 times the energy.
  EXPECT_EQ(score_of("separation_response").at("models")[0].at("rank"), "best");
  EXPECT_FALSE(score_of("separation_response").at("models")[1].contains("rank"));
  // What is as good as Geant4 is marked by the same rule as in the verdict.
  const calo::Validation of_bad = calo::validate(*full, *bad, {}, pool);
  std::size_t agree = 0;
  for (const calo::Score& score : of_bad.scores) {
    agree += score.agrees() ? 1 : 0;
    EXPECT_EQ(score_of(score.name.c_str()).at("models")[1].at("at_floor"), score.agrees()) << score.name;
  }
  EXPECT_LT(agree, of_bad.scores.size());
  // Another full simulation cannot be put beside.
  const auto other = written(folder / "other.h5", 400, {60, 60}, pool);
  const nlohmann::json c = calo::plot_data(calo::validate(*other, *good, {}, pool), "c");
  EXPECT_THROW(calo::merge_plots({a, c}, {"a", "c"}), core::InputError);
  EXPECT_THROW(calo::merge_plots({a, nlohmann::json::object()}, {"a", "d"}), core::InputError);
}

TEST(Validation, TellsWhatShowersCost) {
  core::ThreadPool pool(2);
  const auto a = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {1000, 64000}}, pool);
  const auto b = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {1000, 64000}}, pool);
  calo::Validation validation = calo::validate(*a, *b, {.only_observables = true}, pool);
  const double seconds = calo::mean_sim_time_s(a->conditions()).value();
  EXPECT_GT(seconds, 1e-3);  // Geant4's, as the files say
  EXPECT_EQ(validation.full_cost.seconds_per_shower, seconds);
  validation.fast_cost = {.seconds_per_shower = seconds / 500, .memory_per_shower_bytes = 2048};
  EXPECT_NEAR(validation.speed_up(), 500, 1e-9);
  EXPECT_EQ(validation.to_json().at("cost").at("fast").at("memory_per_shower_bytes"), 2048);
  EXPECT_NEAR(validation.summary().at("speed_up"), 500, 1e-9);
  const auto items = calo::verdict(validation);
  EXPECT_NE(items.back().text.find("500 showers in the time of one"), std::string::npos) << items.back().text;
  const nlohmann::json plots = calo::plot_data(validation, "fast");
  for (const auto& score : plots.at("scores"))
    if (score.at("name") == "time_per_shower") {
      EXPECT_NEAR(score.at("full").at("value"), 1000 * seconds, 0.01 * 1000 * seconds);
    }
}

// A small sample has means that are off by chance: the verdict allows for it, and finds what is off in truth.
TEST(Verdict, AllowsForStatisticalErrors) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto about_the_response = [&](std::uint64_t seed, std::size_t showers, float scale) {
    const auto full = written(folder / "full.h5", seed, {showers}, pool);
    const auto fast = written(folder / "fast.h5", seed + 1000, {showers}, pool, scale);
    return calo::verdict(calo::validate(*full, *fast, {.only_observables = true}, pool)).at(0);
  };
  int off = 0, bad = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const calo::VerdictItem item = about_the_response(10 * seed, 5, 1);
    EXPECT_EQ(item.text.find("The mean response is"), 0u) << item.text;
    off += !item.good || item.text.find("two statistical errors") != std::string::npos;
    bad += !item.good;
  }
  EXPECT_GE(off, 5);  // by more than 5 %
  EXPECT_LE(bad, 3);
  EXPECT_FALSE(about_the_response(1, 400, 1.12f).good);
  EXPECT_TRUE(about_the_response(1, 400, 1).good);
}

TEST(Report, IsOneFileThatNeedsNoNetwork) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const auto a = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {1000}}, pool);
  const auto b = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {1000}}, pool);
  const calo::Validation validation = calo::validate(*a, *b, {}, pool);
  calo::write_report(folder / "report.html", validation, calo::plot_data(validation, "</script><b>"),
                     {{"parameter", "</pre><script>alert(1)</script>"}});
  const std::string page = core::read_file(folder / "report.html");
  EXPECT_EQ(calo::page_data(folder / "report.html").at("models").at(0).at("label"), "</script><b>");
  core::write_file(folder / "other.html", "<html></html>");
  EXPECT_THROW(calo::page_data(folder / "other.html"), core::InputError);
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  // What a browser would fetch; that it fetches nothing is seen by test/web in a real one.
  for (const char* source : {"src=", "@import", "url(", "<link rel='style"})
    EXPECT_EQ(page.substr(0, page.find("<script>")).find(source), std::string::npos) << source;
  for (const char* number : {"nan,", "nan'", "nan<", "inf,", "inf'"})
    EXPECT_EQ(page.substr(0, page.find("<script>")).find(number), std::string::npos);
}

}  // namespace
