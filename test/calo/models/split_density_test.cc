#include "calo/models/cascade/detail/split_density.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/philox.h"

namespace {

using calo::cascade::Parts;
using calo::cascade::Spectra;
using calo::cascade::SpectraGradient;
using calo::cascade::SplitNoise;
using O = calo::cascade::SplitOutputs;

constexpr float kThreshold = 0.02f;
constexpr int kRings = 3;

// Outputs like those of a trained network: broad and narrow components, all with a significant weight.
std::vector<float> random_outputs(core::Philox& random) {
  std::vector<float> out(O::kMost);
  for (float& value : out) value = 0.7f * random.normal();
  for (int k = O::kNormals; k < O::kParametric; ++k) {
    out[static_cast<std::size_t>(O::kCentre + k)] = 4.0f + random.normal();
    out[static_cast<std::size_t>(O::kLogWidth + k)] = -1.0f + 0.4f * random.normal();
  }
  return out;
}

std::vector<float> random_logits(std::uint64_t seed) {
  core::Philox random(seed, 0);
  std::vector<float> logits(kRings * Spectra::kBins);
  for (float& value : logits) value = 0.5f * random.normal();
  return logits;
}

double loss(const std::vector<float>& out, float a, float b, int ring, const Spectra* spectra,
            float* gradient = nullptr, SpectraGradient* spectra_gradient = nullptr) {
  const auto of = static_cast<std::uint16_t>(ring);
  return calo::cascade::split_loss(
      {.count = 1, .outputs = out.data(), .stride = out.size(), .a_mev = &a, .b_mev = &b, .ring = &of},
      kThreshold, spectra, gradient, spectra_gradient);
}

TEST(SplitDensity, ClassesAndContinuousPartIntegrateToOne) {
  const Spectra spectra(random_logits(5));
  for (std::uint64_t i = 0; i < 4; ++i) {
    core::Philox random(1, i);
    const std::vector<float> out = random_outputs(random);
    const float energy = std::exp(2.5f * static_cast<float>(i) - 1.0f);  // 18 to 33 000 thresholds
    const int ring = static_cast<int>(i % kRings);
    for (const Spectra* used : {&spectra, static_cast<const Spectra*>(nullptr)}) {
      double sum = std::exp(-loss(out, energy, 0, ring, used)) + std::exp(-loss(out, 0, energy, ring, used));
      EXPECT_LT(sum, 1);
      constexpr double kStep = 2e-3;
      for (double u = -30; u < 30; u += kStep) {
        const double share = 1 / (1 + std::exp(-u));
        const auto a = static_cast<float>(energy * share), b = static_cast<float>(energy / (1 + std::exp(u)));
        sum += kStep * std::exp(-loss(out, a, b, ring, used));
      }
      EXPECT_NEAR(sum, 1, 3e-3) << "energy " << energy << (used != nullptr ? " with spectra" : "");
    }
  }
}

TEST(SplitDensity, GradientsEqualFiniteDifferences) {
  const std::vector<float> logits = random_logits(6);
  const Spectra spectra(logits);
  for (std::uint64_t i = 0; i < 40; ++i) {
    core::Philox random(2, i);
    std::vector<float> out = random_outputs(random), gradient(out.size());
    const float a = kThreshold * std::exp(6 * random.uniform()),
                b = i % 5 == 0 ? 0 : kThreshold * std::exp(7 * random.uniform());
    const int ring = static_cast<int>(i % kRings);
    SpectraGradient gathered(kRings);
    loss(out, a, b, ring, &spectra, gradient.data(), &gathered);
    constexpr float kStep = 1e-2f;
    for (std::size_t k = 0; k < out.size(); ++k) {
      const float before = out[k];
      const auto at = [&](float offset) {
        out[k] = before + offset;
        const double value = loss(out, a, b, ring, &spectra);
        out[k] = before;
        return value;
      };
      // Difference of fourth order, so that narrow components are accurate enough.
      const double expected =
          (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
      EXPECT_NEAR(gradient[k], expected, 2e-3 + 5e-3 * std::abs(expected))
          << "output " << k << ", split " << i;
    }
    std::vector<float> by_logit(logits.size());
    gathered.finish(spectra, by_logit);
    for (std::size_t k = static_cast<std::size_t>(ring) * Spectra::kBins;
         k < static_cast<std::size_t>(ring + 1) * Spectra::kBins; k += 7) {
      const auto at = [&](float offset) {
        std::vector<float> moved = logits;
        moved[k] += offset;
        const Spectra of_moved(moved);
        return loss(out, a, b, ring, &of_moved);
      };
      EXPECT_NEAR(by_logit[k], (at(0.05f) - at(-0.05f)) / 0.1, 1e-3) << "bin " << k << ", split " << i;
    }
  }
}

TEST(SplitDensity, ManySplitsAreTheSumOfEach) {
  const Spectra spectra(random_logits(7));
  constexpr std::size_t kCount = 45;
  core::Philox random(3, 0);
  std::vector<float> outputs, a, b, gradient(kCount * O::kMost);
  std::vector<std::uint16_t> rings;
  double sum = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::vector<float> out = random_outputs(random);
    outputs.insert(outputs.end(), out.begin(), out.end());
    a.push_back(i % 4 == 0 ? 0 : random.uniform() + kThreshold);
    b.push_back(i % 4 == 1 ? 0 : random.uniform() + kThreshold);
    rings.push_back(static_cast<std::uint16_t>(i % kRings));
    sum += loss(out, a[i], b[i], rings[i], &spectra);
  }
  SpectraGradient gathered(kRings);
  EXPECT_NEAR(calo::cascade::split_loss({.count = kCount,
                                         .outputs = outputs.data(),
                                         .stride = O::kMost,
                                         .a_mev = a.data(),
                                         .b_mev = b.data(),
                                         .ring = rings.data()},
                                        kThreshold, &spectra, gradient.data(), &gathered),
              sum, 1e-4);
  for (std::size_t i = 0; i < kCount; ++i) {
    std::vector<float> alone(O::kMost);
    SpectraGradient unused(kRings);
    const std::vector<float> out(outputs.begin() + static_cast<std::ptrdiff_t>(i * O::kMost),
                                 outputs.begin() + static_cast<std::ptrdiff_t>((i + 1) * O::kMost));
    loss(out, a[i], b[i], rings[i], &spectra, alone.data(), &unused);
    for (std::size_t k = 0; k < alone.size(); ++k) EXPECT_FLOAT_EQ(gradient[i * O::kMost + k], alone[k]);
  }
}

// Chi-squared of drawn splits against the integral of the density over bins of ln(a/b).
TEST(SplitDensity, DrawnSplitsFollowTheDensity) {
  const calo::cascade::SplitDrawer drawer;
  const Spectra spectra(random_logits(8));
  for (std::uint64_t i = 0; i < 4; ++i) {
    core::Philox random(4, i);
    const std::vector<float> out = random_outputs(random);
    const float energy = 30.0f * static_cast<float>(i + 1);
    const int ring = static_cast<int>(i % kRings);
    constexpr int kBins = 40, kDraws = 200000, kSteps = 200;
    constexpr double kFrom = -6, kTo = 6, kWidth = (kTo - kFrom) / kBins;
    std::vector<double> expected(kBins + 3), found(kBins + 3);  // bins, a only, b only, beyond
    for (int bin = 0; bin < kBins; ++bin)
      for (int step = 0; step < kSteps; ++step) {
        const double u = kFrom + kWidth * (bin + (step + 0.5) / kSteps);
        expected[static_cast<std::size_t>(bin)] +=
            kDraws * kWidth / kSteps *
            std::exp(-loss(out, static_cast<float>(energy / (1 + std::exp(-u))),
                           static_cast<float>(energy / (1 + std::exp(u))), ring, &spectra));
      }
    expected[kBins] = kDraws * std::exp(-loss(out, energy, 0, ring, &spectra));
    expected[kBins + 1] = kDraws * std::exp(-loss(out, 0, energy, ring, &spectra));
    expected[kBins + 2] = kDraws;
    for (int bin = 0; bin < kBins + 2; ++bin) expected[kBins + 2] -= expected[static_cast<std::size_t>(bin)];
    for (int draw = 0; draw < kDraws; ++draw) {
      const SplitNoise noise{.choice = random.uniform() + 0x1p-25, .place = random.uniform() + 0x1p-25};
      const Parts parts = *drawer.draw(out.data(), energy, kThreshold, &spectra, ring, noise);
      EXPECT_FLOAT_EQ(parts.a_mev + parts.b_mev, energy);
      EXPECT_TRUE(parts.a_mev == 0 || parts.a_mev >= kThreshold * 0.999f);
      EXPECT_TRUE(parts.b_mev == 0 || parts.b_mev >= kThreshold * 0.999f);
      std::size_t bin = kBins + 2;
      if (parts.b_mev == 0)
        bin = kBins;
      else if (parts.a_mev == 0)
        bin = kBins + 1;
      else if (const double u = std::log(parts.a_mev / parts.b_mev); u >= kFrom && u < kTo)
        bin = static_cast<std::size_t>((u - kFrom) / kWidth);
      ++found[bin];
    }
    // Parts below the threshold moved to the other side: no more than the density has beyond the bins.
    const double moved = found[kBins] + found[kBins + 1] - expected[kBins] - expected[kBins + 1];
    EXPECT_LT(moved, expected[kBins + 2] + 5 * std::sqrt(expected[kBins] + expected[kBins + 1]));
    double chi_squared = 0;
    int degrees = 0;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      if (expected[bin] < 20) continue;
      chi_squared += (found[bin] - expected[bin]) * (found[bin] - expected[bin]) / expected[bin];
      ++degrees;
    }
    EXPECT_GT(degrees, 15);
    EXPECT_LT(chi_squared, degrees + 5 * std::sqrt(2.0 * degrees));
  }
}

TEST(SplitDensity, SmallerPartUnderTheThresholdJoinsTheLarger) {
  const calo::cascade::SplitDrawer drawer;
  std::vector<float> out(O::kMost, 0.0f);
  out[2] = 50;                // both
  out[O::kWeight] = 50;       // the first normal
  out[O::kLogWidth] = -4.5f;  // narrow
  for (const float centre : {-3.0f, 3.0f}) {
    out[O::kCentre] = centre;
    const float energy = 10 * kThreshold;  // a 20th of it is below the threshold
    const Parts parts = *drawer.draw(out.data(), energy, kThreshold, nullptr, 0, {});
    EXPECT_EQ(centre < 0 ? parts.b_mev : parts.a_mev, energy);
    EXPECT_EQ(centre < 0 ? parts.a_mev : parts.b_mev, 0);
  }
}

TEST(TotalDensity, IntegratesToOneAndHasTheRightGradient) {
  for (std::uint64_t i = 0; i < 10; ++i) {
    core::Philox random(9, i);
    std::vector<float> out(3 * calo::cascade::CascadeSizes::kTotalComponents), gradient(out.size());
    for (float& value : out) value = random.normal();
    double sum = 0;
    constexpr double kStep = 1e-3;
    for (double t = -40; t < 40; t += kStep)
      sum += kStep * std::exp(-calo::cascade::total_loss(out.data(), static_cast<float>(t), nullptr));
    EXPECT_NEAR(sum, 1, 1e-4);
    const float t = random.normal();
    calo::cascade::total_loss(out.data(), t, gradient.data());
    for (std::size_t k = 0; k < out.size(); ++k) {
      const float before = out[k];
      const auto at = [&](float offset) {
        out[k] = before + offset;
        const double value = calo::cascade::total_loss(out.data(), t, nullptr);
        out[k] = before;
        return value;
      };
      EXPECT_NEAR(gradient[k], (at(1e-3f) - at(-1e-3f)) / 2e-3, 1e-3);
    }
  }
}

TEST(NormalQuantile, InvertsTheDistributionFunction) {
  for (const double p : {1e-12, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.8, 0.99, 0.999, 1 - 1e-9}) {
    const double x = calo::cascade::normal_quantile(p);
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)) / p, 1, 1e-12) << p;
  }
}

}  // namespace
