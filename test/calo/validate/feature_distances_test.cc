#include "calo/validate/feature_distances.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/philox.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

// Correlated features, the last of them always 0.
calo::FeatureTable table(std::size_t rows, std::uint64_t seed, double shift = 0) {
  calo::FeatureTable result{.names = {"a", "b", "c", "d", "zero"}};
  result.resize(rows);
  core::Philox random(seed, 0);
  for (std::size_t i = 0; i < rows; ++i) {
    const double x = random.normal(), y = random.normal();
    result.set_row(i, {x + shift, x + 0.3 * y, 2 * y * y, std::exp(0.3 * random.normal()), 0});
  }
  return result;
}

std::string python_table(const std::string& name, const calo::FeatureTable& t) {
  return test::python_list(name, {t.values.begin(), t.values.end()});
}

// jetnet itself; of its module only the distances run, what else it would load is left out.
constexpr const char* kJetnet = R"(
import importlib.util, sys, types, pathlib, warnings
import numpy as np
warnings.simplefilter('ignore')
def stub(name, **names):
    module = types.ModuleType(name); module.__dict__.update(names); sys.modules[name] = module
    return module
class Unused: pass
spec = importlib.util.find_spec('jetnet')
place = pathlib.Path(spec.submodule_search_locations[0]) / 'evaluation' / 'gen_metrics.py'
stub('energyflow'); stub('energyflow.emd', emds=None)
stub('torch', Tensor=Unused); stub('torch.utils'); stub('torch.utils.data', DataLoader=Unused)
utils = stub('jetnet.utils'); stub('jetnet', utils=utils); stub('jetnet.datasets', JetNet=Unused)
spec = importlib.util.spec_from_file_location('gen_metrics', place)
jetnet = sys.modules['gen_metrics'] = importlib.util.module_from_spec(spec); spec.loader.exec_module(jetnet)
x = np.array(x).reshape(-1, 5); y = np.array(y).reshape(-1, 5)
value, error = jetnet.fpd(x, y, min_samples=800, max_samples=2000)
assert abs(value - fpd[0]) < 3 * np.hypot(error, fpd[1]) + 0.02 * value, ('fpd', value, error, fpd)
value, error = jetnet.kpd(x, y, num_batches=10, batch_size=400)
assert abs(value - kpd[0]) < 3 * np.hypot(error, kpd[1]), ('kpd', value, error, kpd)
)";

TEST(FeatureDistances, AgreeWithJetnet) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  for (const double shift : {0.1, 0.5}) {
    const calo::FeatureTable x = table(4000, 1), y = table(4000, 2, shift);
    const calo::Estimate fpd =
        calo::frechet_physics_distance(x, y, {.min_samples = 800, .max_samples = 2000}, pool);
    const calo::Estimate kpd = calo::kernel_physics_distance(x, y, {.kpd_batch_size = 400}, pool);
    EXPECT_EQ(test::run_python(folder.path(), python_table("x", x) + python_table("y", y) +
                                                  test::python_list("fpd", {fpd.value, fpd.error}) +
                                                  test::python_list("kpd", {kpd.value, kpd.error}) + kJetnet),
              0);
  }
}

TEST(FeatureDistances, OfOneDistributionAreSmallAndGrowWithAShift) {
  core::ThreadPool pool(2);
  const calo::FeatureTable x = table(3000, 1), same = table(3000, 2), off = table(3000, 3, 0.2),
                           far = table(3000, 4, 0.6);
  const auto fpd = [&](const calo::FeatureTable& y) {
    return calo::frechet_physics_distance(x, y, {}, pool).value;
  };
  EXPECT_LT(fpd(same), fpd(off));
  EXPECT_LT(fpd(off), fpd(far));
  const auto kpd = [&](const calo::FeatureTable& y) { return calo::kernel_physics_distance(x, y, {}, pool); };
  EXPECT_NEAR(kpd(same).value, 0, 5 * kpd(same).error);
  EXPECT_GT(kpd(far).value, 5 * kpd(far).error);
}

TEST(FeatureDistances, FollowTheClosedFormOfGaussians) {
  // Two normal distributions in one dimension: (μ1 - μ2)² + (σ1 - σ2)², in units of the largest value.
  core::ThreadPool pool(2);
  const auto gaussian = [](std::uint64_t seed, double mean, double sigma) {
    calo::FeatureTable t{.names = {"x"}};
    t.resize(20'000);
    core::Philox random(seed, 0);
    for (std::size_t i = 0; i < t.rows(); ++i) t.set_row(i, {mean + sigma * random.normal()});
    return t;
  };
  const calo::FeatureTable x = gaussian(1, 0, 1), y = gaussian(2, 1, 2);
  double largest = 0;
  for (const float value : x.values) largest = std::max(largest, std::abs(double{value}));
  const calo::Estimate fpd = calo::frechet_physics_distance(x, y, {}, pool);
  EXPECT_NEAR(fpd.value * largest * largest, 2, 0.1);
}

TEST(FeatureDistances, AreTheSameWithAnyNumberOfThreads) {
  core::ThreadPool one(1), three(3);
  const calo::FeatureTable x = table(700, 1), y = table(900, 2, 0.1);
  EXPECT_EQ(calo::frechet_physics_distance(x, y, {}, one).value,
            calo::frechet_physics_distance(x, y, {}, three).value);
  EXPECT_EQ(calo::kernel_physics_distance(x, y, {}, one).value,
            calo::kernel_physics_distance(x, y, {}, three).value);
  EXPECT_EQ(calo::neighbourhoods(x, y, one).density.value, calo::neighbourhoods(x, y, three).density.value);
}

// The definitions, with all distances in memory.
constexpr const char* kNeighbours = R"(
import numpy as np
x = np.array(x).reshape(-1, 5); y = np.array(y).reshape(-1, 5)
sd = x.std(axis=0, ddof=1); sd[sd == 0] = 1
x, y = (x - x.mean(axis=0)) / sd, (y - x.mean(axis=0)) / sd
def distances(a, b): return np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2))
def radii(a):
    d = distances(a, a); np.fill_diagonal(d, np.inf)
    return np.sort(d, axis=1)[:, 4]
d = distances(x, y)
inside = d < radii(x)[:, None]
want = [inside.any(axis=0).mean(), (d < radii(y)[None, :]).any(axis=1).mean(), inside.sum(axis=0).mean() / 5, inside.any(axis=1).mean()]
assert np.allclose(want, ours, atol=1e-9), (want, ours)
# The same by scikit-learn's trees.
from sklearn.neighbors import KDTree
trees = [KDTree(z) for z in (x, y)]
balls = [tree.query(z, 6)[0][:, 5] for tree, z in zip(trees, (x, y))]
among_x = np.zeros(len(y))
for i, found in enumerate(trees[1].query_radius(x, np.nextafter(balls[0], 0))):
    among_x[found] += 1
nearest = trees[1].query(x, 1)[0][:, 0]
among_y = np.zeros(len(x), bool)
for found in trees[0].query_radius(y, np.nextafter(balls[1], 0)):
    among_y[found] = True
want = [(among_x > 0).mean(), among_y.mean(), among_x.mean() / 5, (nearest < balls[0]).mean()]
assert np.allclose(want, ours, atol=1e-9), (want, ours)
)";

TEST(Neighbourhoods, AgreeWithNumpyAndScikitLearn) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  const calo::FeatureTable x = table(600, 1), y = table(530, 2, 0.7);
  const calo::Neighbourhoods n = calo::neighbourhoods(x, y, pool);
  EXPECT_EQ(
      test::run_python(folder.path(), python_table("x", x) + python_table("y", y) +
                                          test::python_list("ours", {n.precision.value, n.recall.value,
                                                                     n.density.value, n.coverage.value}) +
                                          kNeighbours),
      0);
  EXPECT_GT(n.precision.error, 0);
}

TEST(FeatureDistances, NeedEnoughShowers) {
  core::ThreadPool pool(1);
  const calo::FeatureTable few = table(19, 1), enough = table(100, 2);
  EXPECT_THROW(calo::frechet_physics_distance(few, enough, {}, pool), core::UsageError);
  EXPECT_THROW(calo::neighbourhoods(enough, few, pool), core::UsageError);
  EXPECT_THROW(calo::frechet_physics_distance(enough, enough, {.min_samples = 50, .max_samples = 40}, pool),
               core::UsageError);
}

}  // namespace
