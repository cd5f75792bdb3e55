#include "calo/validate/features.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/python_peer.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

// The same features by numpy, as the CaloChallenge defines them, from the dense cells [shower, r, phi, z].
constexpr const char* kNumpy = R"(
import numpy as np
cells = np.array(cells, dtype=np.float64).reshape(-1, 4, 6, 5)
alpha = -np.pi + (np.arange(6) + 0.5) * 2 * np.pi / 6
radius = (np.arange(4) + 0.5) * 2.325
eta = (radius[:, None] * np.cos(alpha)[None, :])[None, :, :, None]
phi = (radius[:, None] * np.sin(alpha)[None, :])[None, :, :, None]
r = np.broadcast_to(radius[:, None], (4, 6))[None, :, :, None]
energy = cells.sum(axis=(1, 2))
expected = []
for x in (eta, phi, r):
    centre = (x * cells).sum(axis=(1, 2)) / energy
    width = np.sqrt(np.clip((x * x * cells).sum(axis=(1, 2)) / energy - centre ** 2, 0, None))
    expected += [centre, width]
expected += [1 - (cells > 0).mean(axis=(1, 2))]
ours = np.array(ours).reshape(len(cells), 5, 7)
for k, want in enumerate(expected):
    assert np.allclose(ours[:, :, k], want, rtol=1e-6, atol=1e-6), (k, np.abs(ours[:, :, k] - want).max())
rings = cells.sum(axis=(2, 3)); layers = energy
def contained(profile, size):
    out = []
    for row in profile:
        cumulative = np.concatenate([[0], np.cumsum(row)])
        out.append(np.interp(0.9 * cumulative[-1], cumulative, np.arange(len(row) + 1) * size))
    return out
assert np.allclose(np.array(depths), contained(layers, 3.4), rtol=1e-9)
assert np.allclose(np.array(radii), contained(rings, 2.325), rtol=1e-9)
)";

TEST(Features, AgreeWithNumpy) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const calo::VoxelMesh mesh = test::small_mesh();
  const calo::Showers showers = test::random_showers(mesh, 30, 7);
  calo::FeatureExtractor extractor(mesh, 0);
  std::vector<double> cells, ours, depths, radii;
  std::vector<float> dense(static_cast<std::size_t>(mesh.num_cells()));
  for (std::size_t i = 0; i < showers.size(); ++i) {
    showers.to_dense(i, dense);
    cells.insert(cells.end(), dense.begin(), dense.end());
    const calo::ShowerFeatures& features = extractor.extract(showers, i);
    for (const calo::LayerShape& layer : features.layers)
      for (const double number : {layer.center_eta, layer.width_eta, layer.center_phi, layer.width_phi,
                                  layer.center_r, layer.width_r, layer.sparsity})
        ours.push_back(number);
    depths.push_back(features.depth_90_mm);
    radii.push_back(features.radius_90_mm);
  }
  EXPECT_EQ(
      test::run_python(folder.path(), test::python_list("cells", cells) + test::python_list("ours", ours) +
                                          test::python_list("depths", depths) +
                                          test::python_list("radii", radii) + kNumpy),
      0);
}

TEST(Features, OfOneCellHaveNoWidthAndItsPlace) {
  const calo::VoxelMesh mesh = test::small_mesh();
  calo::Showers showers(mesh.num_cells(), {"SiW"});
  const std::vector<std::uint32_t> cells{mesh.cell(2, 1, 3)};
  const std::vector<float> energies{7.25f};
  showers.append({.incident_energy_mev = 1000}, cells, energies);
  calo::FeatureExtractor extractor(mesh, 0);
  const calo::ShowerFeatures& features = extractor.extract(showers, 0);
  const calo::LayerShape& layer = features.layers[2];
  EXPECT_EQ(layer.width_eta, 0);
  EXPECT_EQ(layer.width_phi, 0);
  EXPECT_EQ(layer.width_r, 0);
  // The second of six steps in phi lies around -90 degrees: eta is 0, not what cos leaves.
  EXPECT_EQ(layer.center_eta, 0);
  EXPECT_NEAR(layer.center_phi, -3.5 * 2.325, 1e-5);
  EXPECT_EQ(features.layers[0].sparsity, 1);
  EXPECT_EQ(features.peak_depth_mm, 2 * 3.4);
  EXPECT_EQ(features.hottest_cell_mev, 7.25);
}

TEST(Features, CellsBelowTheThresholdAreNotThere) {
  const calo::VoxelMesh mesh = test::small_mesh();
  const calo::Showers showers = test::random_showers(mesh, 1, 3);
  calo::FeatureExtractor all(mesh, 0), some(mesh, 1e9);
  EXPECT_GT(all.extract(showers, 0).cells, 0);
  const calo::ShowerFeatures& none = some.extract(showers, 0);
  EXPECT_TRUE(none.is_empty());
  EXPECT_EQ(none.layers[0].sparsity, 1);
  for (const double number : calo::calochallenge_row(none, mesh)) EXPECT_TRUE(std::isfinite(number));
}

}  // namespace
