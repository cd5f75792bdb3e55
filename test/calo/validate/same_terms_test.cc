#include "calo/validate/detail/same_terms.h"

#include <gtest/gtest.h>

#include "calo/io/shower_writer.h"
#include "calo/validate/validation.h"
#include "core/error.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

class SameTerms : public testing::Test {
 protected:
  std::unique_ptr<calo::ShowerReader> written(const std::vector<std::string>& geometries,
                                              const calo::VoxelMesh& mesh = test::small_mesh()) {
    const auto path = folder_ / (std::to_string(files_++) + ".h5");
    const auto writer = calo::ShowerWriter::create(
        path, {.layout = calo::Layout::kCalopipe, .mesh = mesh, .geometries = geometries}, pool_);
    writer->append(test::random_showers(mesh, 24, 1, geometries));
    writer->commit();
    return calo::ShowerReader::open(path, {}, pool_);
  }
  std::vector<std::string> names(const std::vector<std::string>& full, const std::vector<std::string>& fast,
                                 const std::string& geometry = "") {
    const auto a = written(full), b = written(fast);
    calo::SameTerms terms(*a, *b, geometry);
    EXPECT_EQ(terms.full().read(3, 1).geometries, terms.full().info().geometries);
    return {terms.full().info().geometries.front(), terms.fast().info().geometries.front()};
  }
  void expect_refused(const std::vector<std::string>& full, const std::vector<std::string>& fast,
                      const std::vector<std::string>& words) {
    try {
      names(full, fast);
      ADD_FAILURE() << "was taken";
    } catch (const core::InputError& error) {
      EXPECT_EQ(error.details().field, "geometry");
      for (const std::string& word : words)
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << word << " in " << error.what();
    }
  }

  core::ThreadPool pool_{2};
  test::TempFolder folder_;
  int files_ = 0;
};

TEST_F(SameTerms, TakeTheNameOfTheSideThatHasOne) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"unknown"}, {"SiW"}), (Names{"SiW", "SiW"}));
  EXPECT_EQ(names({"SiW"}, {"unknown"}), (Names{"SiW", "SiW"}));
  EXPECT_EQ(names({"unknown"}, {"unknown"}), (Names{"unknown", "unknown"}));
  EXPECT_EQ(names({"SiW"}, {"SiW"}), (Names{"SiW", "SiW"}));
}

TEST_F(SameTerms, DoNotGuess) {
  expect_refused({"SiW"}, {"SciPb"}, {"is of the geometry SciPb", "of SiW"});
  expect_refused({"SiW", "SciPb"}, {"unknown"},
                 {"3.h5", "does not name its geometry", "SciPb, SiW", "--geometry"});
  expect_refused({"unknown"}, {"SiW", "SciPb"}, {"4.h5", "does not name its geometry"});
}

TEST_F(SameTerms, AreTheUsers) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"SiW", "SciPb"}, {"unknown"}, "SciPb"), (Names{"SiW", "SciPb"}));
  EXPECT_EQ(names({"SiW"}, {"ours"}, "SciPb"), (Names{"SciPb", "SciPb"}));
  EXPECT_EQ(names({"unknown"}, {"unknown"}, "SciPb"), (Names{"SciPb", "SciPb"}));
}

TEST_F(SameTerms, AreCompared) {
  const auto full = written({"SiW"}), fast = written({"unknown"});
  const calo::Validation validation = calo::validate(*full, *fast, {.only_observables = true}, pool_);
  EXPECT_EQ(validation.groups.size(), 4u);
  EXPECT_TRUE(validation.only_full.empty() && validation.only_fast.empty());
  for (const auto& group : validation.groups) {
    EXPECT_EQ(group.geometry, "SiW");
    EXPECT_EQ(group.observable("response").distances.of("jsd").value, 0);
  }
}

TEST_F(SameTerms, HaveOneMesh) {
  const calo::LayerBinning some{.r_edges_mm = {0, 5, 10}, .n_phi = 4}, none{.r_edges_mm = {0}, .n_phi = 1};
  const auto full = written({"SiW"}, calo::VoxelMesh({some, none, some})),
             fast = written({"SiW"}, calo::VoxelMesh({some, none, some, none})),
             other = written({"SiW"}, calo::VoxelMesh({some, some}));
  const calo::Validation validation = calo::validate(*full, *fast, {.only_observables = true}, pool_);
  EXPECT_EQ(validation.groups.at(0).layers().size(), 3u);
  EXPECT_THROW(calo::SameTerms(*full, *other), core::InputError);
}

}  // namespace
