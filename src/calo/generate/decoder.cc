#include "calo/generate/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "calo/model/simd.h"
#include "core/error.h"

namespace calo {
namespace {

constexpr std::int64_t kBlockCells = 4 * PackedLayer::kPanel;  // their weights stay in the second-level cache
constexpr std::int64_t kRows = PackedLayer::kMaxRows;
constexpr std::size_t kGroup = 16;  // cells that are looked at together

CALO_SIMD_CLONES float largest(const float* z, std::size_t count) {
  float out = z[0];
#pragma omp simd reduction(max : out)
  for (std::size_t i = 0; i < count; ++i) out = z[i] > out ? z[i] : out;
  return out;
}

CALO_SIMD_CLONES void sigmoid_energies(float* __restrict z, std::size_t count, float energy_mev) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) z[i] = energy_mev * fast_sigmoid(z[i]);
}

const WeightTensor& tensor(const ModelFolder& model, const std::string& name) {
  const auto found = model.weights.find(name);
  if (found == model.weights.end())
    throw core::InputError({.message = "is missing in the model", .field = name});
  return found->second;
}

}  // namespace

Decoder::Decoder(const ModelFolder& model)
    : transform_(model.transform),
      latent_dim_(model.description.latent_dim),
      cells_(model.transform.mesh.num_cells()),
      slope_(static_cast<float>(model.description.activation_slope)) {
  const std::string& name = model.description.activation;
  activation_ = name == "relu"      ? Activation::kRelu
                : name == "elu"     ? Activation::kElu
                : name == "selu"    ? Activation::kSelu
                : name == "gelu"    ? Activation::kGelu
                : name == "tanh"    ? Activation::kTanh
                : name == "sigmoid" ? Activation::kSigmoid
                                    : Activation::kLeakyRelu;
  const std::string& out_name = model.description.out_activation;
  out_activation_ = out_name == "relu"       ? OutActivation::kRelu
                    : out_name == "softplus" ? OutActivation::kSoftplus
                    : out_name == "linear"   ? OutActivation::kLinear
                                             : OutActivation::kSigmoid;
  for (std::size_t i = 0; i < model.description.intermediate_dims.size(); ++i) {
    const std::string prefix = fmt::format("decoder.{}", i);
    const WeightTensor& weight = tensor(model, prefix + ".weight");
    Hidden layer{.layer =
                     PackedLayer(weight.values, tensor(model, prefix + ".bias").values, weight.shape[1])};
    const auto out = static_cast<std::size_t>(layer.layer.out());
    layer.scale.assign(out, 1.0f);
    layer.shift.assign(out, 0.0f);
    if (model.description.batch_norm) {
      const auto& gamma = tensor(model, prefix + ".norm.weight").values;
      const auto& beta = tensor(model, prefix + ".norm.bias").values;
      const auto& mean = tensor(model, prefix + ".norm.running_mean").values;
      const auto& variance = tensor(model, prefix + ".norm.running_var").values;
      for (std::size_t j = 0; j < layer.scale.size(); ++j) {
        const double scale = gamma[j] / std::sqrt(variance[j] + model.description.batch_norm_epsilon);
        layer.scale[j] = static_cast<float>(scale);
        layer.shift[j] = static_cast<float>(beta[j] - mean[j] * scale);
      }
    }
    hidden_.push_back(std::move(layer));
  }
  output_ = PackedLayer(tensor(model, "decoder.output.weight").values,
                        tensor(model, "decoder.output.bias").values, hidden_.back().layer.out());
}

float Decoder::activate(float x) const {
  switch (activation_) {
    case Activation::kLeakyRelu:
      return x > 0 ? x : slope_ * x;
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kElu:
      return x > 0 ? x : slope_ * std::expm1(x);
    case Activation::kSelu:
      return 1.0507009873554805f * (x > 0 ? x : 1.6732632423543772f * std::expm1(x));
    case Activation::kGelu:
      return 0.5f * x * (1 + std::erf(x * 0.70710678118654752f));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

// `current` holds the inputs of `rows` showers, one after the other, and the last hidden layer afterwards.
void Decoder::hidden_layers(std::int64_t rows, std::vector<float>& current, std::vector<float>& next) const {
  for (const auto& [layer, scale, shift] : hidden_) {
    const auto out = static_cast<std::size_t>(layer.out());
    next.resize(static_cast<std::size_t>(rows) * out);
    float z[kRows * PackedLayer::kPanel];
    for (std::int64_t panel = 0; panel < layer.panels(); ++panel) {
      layer.multiply(panel, current.data(), layer.in(), rows, z, PackedLayer::kPanel);
      const auto first = static_cast<std::size_t>(panel * PackedLayer::kPanel);
      const std::size_t columns = std::min<std::size_t>(PackedLayer::kPanel, out - first);
      for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row)
        for (std::size_t j = 0; j < columns; ++j)
          next[row * out + first + j] =
              activate(z[row * PackedLayer::kPanel + j]) * scale[first + j] + shift[first + j];
    }
    std::swap(current, next);
  }
}

// Hits of some cells in all showers, one shower after the other.
struct Decoder::Hits {
  std::size_t size = 0;  // hits; the arrays are larger
  std::vector<std::uint32_t> cells;
  std::vector<float> energies_mev;
  std::vector<std::size_t> end;  // [block, shower]

  void clear() {
    size = 0;
    end.clear();
  }
  void make_room(std::size_t more) {
    if (cells.size() >= size + more) return;
    cells.resize(2 * size + more);
    energies_mev.resize(2 * size + more);
  }
};

class Decoder::Workspace {
 public:
  std::vector<float> hidden_rows;  // [shower, width of the last hidden layer]
  std::vector<float> smallest;     // logit that may be a hit, by shower
  std::vector<Hits> found;         // by piece of the cells
};

void Decoder::Free::operator()(Workspace* workspace) const {
  delete workspace;
}

std::unique_ptr<Decoder::Workspace, Decoder::Free> Decoder::make_workspace() {
  return std::unique_ptr<Workspace, Free>(new Workspace);
}

// Output below which a cell is surely below the threshold, so that most cells need no activation.
float Decoder::smallest_logit(double threshold_mev, double incident_energy_mev) const {
  const double share = threshold_mev / incident_energy_mev;
  constexpr double kSlack = 1e-3;  // above all rounding; cells are compared again after the activation
  double z = 0;
  switch (out_activation_) {
    case OutActivation::kSigmoid:
      if (share <= 0) return -std::numeric_limits<float>::infinity();
      z = share < 1 ? std::log(share / (1 - share)) : 0;
      break;
    case OutActivation::kSoftplus:
      if (share <= 0) return -std::numeric_limits<float>::infinity();
      z = share + std::log(-std::expm1(-share));
      break;
    case OutActivation::kRelu:
    case OutActivation::kLinear:
      z = std::max(share, 0.0);
  }
  return static_cast<float>(z - kSlack * (1 + std::abs(z)));
}

// Appends the hits among `count` cells, a multiple of kGroup, of one shower.
void Decoder::collect(float* z, std::size_t count, std::uint32_t first_cell, float smallest_logit,
                      float incident_energy_mev, float threshold_mev, Hits& hits) const {
  if (largest(z, count) < smallest_logit) return;
  hits.make_room(count);
  std::uint32_t* const hit_cells = hits.cells.data();
  float* const hit_energies = hits.energies_mev.data();
  std::size_t next = hits.size;
  for (std::size_t group = 0; group < count; group += kGroup) {
    float* cells = z + group;
    if (largest(cells, kGroup) < smallest_logit) continue;
    switch (out_activation_) {
      case OutActivation::kSigmoid:
        sigmoid_energies(cells, kGroup, incident_energy_mev);
        break;
      case OutActivation::kSoftplus:
        for (std::size_t j = 0; j < kGroup; ++j)
          cells[j] =
              incident_energy_mev * (std::max(cells[j], 0.0f) + std::log1p(std::exp(-std::abs(cells[j]))));
        break;
      case OutActivation::kRelu:
      case OutActivation::kLinear:  // what is not above zero is no hit
        for (std::size_t j = 0; j < kGroup; ++j) cells[j] *= incident_energy_mev;
    }
    // Without a branch: every cell is written, the next one over it where it was below the threshold.
    for (std::size_t j = 0; j < kGroup; ++j) {
      const std::uint32_t cell = first_cell + static_cast<std::uint32_t>(group + j);
      hit_cells[next] = cell;
      hit_energies[next] = cells[j];
      next += static_cast<int>(cells[j] >= threshold_mev) & static_cast<int>(cells[j] > 0) &
              static_cast<int>(cell < static_cast<std::uint32_t>(cells_));
    }
  }
  hits.size = next;
}

void Decoder::decode(std::span<const float> latents, std::span<const Conditions> conditions,
                     const std::vector<std::string>& geometries, double threshold_mev, core::ThreadPool& pool,
                     Workspace& workspace, Showers& out) const {
  const std::size_t count = conditions.size();
  const auto width = static_cast<std::size_t>(output_.in());
  const auto rows_at_once = static_cast<std::size_t>(kRows);
  const std::size_t groups = (count + rows_at_once - 1) / rows_at_once;
  const auto latent_dim = static_cast<std::size_t>(latent_dim_);
  const auto condition_dim = static_cast<std::size_t>(transform_.condition_dim());
  std::vector<float>& hidden_rows = workspace.hidden_rows;
  std::vector<float>& smallest = workspace.smallest;
  std::vector<Hits>& found = workspace.found;
  hidden_rows.resize(count * width);
  smallest.resize(count);
  pool.for_each(groups, [&](std::size_t group) {
    const std::size_t begin = group * rows_at_once, end = std::min(count, begin + rows_at_once);
    std::vector<float> current((end - begin) * (latent_dim + condition_dim)), next;
    for (std::size_t i = begin; i < end; ++i) {
      float* input = current.data() + (i - begin) * (latent_dim + condition_dim);
      std::copy_n(latents.data() + i * latent_dim, latent_dim, input);
      transform_.encode(conditions[i], geometries.at(conditions[i].geometry),
                        {input + latent_dim, condition_dim});
      smallest[i] = smallest_logit(threshold_mev, conditions[i].incident_energy_mev);
    }
    hidden_layers(static_cast<std::int64_t>(end - begin), current, next);
    std::copy(current.begin(), current.end(),
              hidden_rows.begin() + static_cast<std::ptrdiff_t>(begin * width));
  });

  // Each piece of cells collects the hits of every shower, block by block, so that a block's weights are
  // fetched once for all showers; together the pieces are in ascending order. More pieces than threads: hits
  // are not evenly spread.
  const std::int64_t blocks = (cells_ + kBlockCells - 1) / kBlockCells;
  const std::int64_t pieces = std::min<std::int64_t>(8 * pool.size(), blocks);
  found.resize(static_cast<std::size_t>(pieces));
  pool.for_each(found.size(), [&](std::size_t piece) {
    Hits& hits = found[piece];
    hits.clear();
    const auto p = static_cast<std::int64_t>(piece);
    for (std::int64_t block = blocks * p / pieces; block < blocks * (p + 1) / pieces; ++block) {
      const std::int64_t cell = block * kBlockCells;
      const std::int64_t panels =
          std::min(kBlockCells / PackedLayer::kPanel, output_.panels() - cell / PackedLayer::kPanel);
      for (std::size_t group = 0; group < groups; ++group) {
        const std::size_t begin = group * rows_at_once, end = std::min(count, begin + rows_at_once);
        alignas(64) float z[kRows * kBlockCells];
        for (std::int64_t panel = 0; panel < panels; ++panel)
          output_.multiply(cell / PackedLayer::kPanel + panel, hidden_rows.data() + begin * width,
                           output_.in(), static_cast<std::int64_t>(end - begin),
                           z + panel * PackedLayer::kPanel, kBlockCells);
        const std::int64_t columns = panels * PackedLayer::kPanel;
        for (std::size_t i = begin; i < end; ++i) {
          float* row = z + static_cast<std::int64_t>(i - begin) * kBlockCells;
          collect(row, static_cast<std::size_t>(columns), static_cast<std::uint32_t>(cell), smallest[i],
                  conditions[i].incident_energy_mev, static_cast<float>(threshold_mev), hits);
          hits.end.push_back(hits.size);
        }
      }
    }
  });

  Showers kept = std::move(out);
  out = Showers(cells_, geometries);
  out.cells = std::move(kept.cells);
  out.energies_mev = std::move(kept.energies_mev);
  out.conditions.assign(conditions.begin(), conditions.end());
  out.offsets.assign(count + 1, 0);
  for (const Hits& hits : found) {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < hits.end.size(); ++i) {
      out.offsets[i % count + 1] += hits.end[i] - begin;
      begin = hits.end[i];
    }
  }
  for (std::size_t i = 0; i < count; ++i) out.offsets[i + 1] += out.offsets[i];
  out.cells.resize(out.offsets.back());
  out.energies_mev.resize(out.offsets.back());
  pool.for_each(count, [&](std::size_t i) {
    std::size_t place = out.offsets[i];
    for (const Hits& hits : found)
      for (std::size_t at = i; at < hits.end.size(); at += count) {
        const std::size_t begin = at > 0 ? hits.end[at - 1] : 0, size = hits.end[at] - begin;
        if (size == 0) continue;
        std::memcpy(out.cells.data() + place, hits.cells.data() + begin, size * sizeof(std::uint32_t));
        std::memcpy(out.energies_mev.data() + place, hits.energies_mev.data() + begin, size * sizeof(float));
        place += size;
      }
  });
}

}  // namespace calo
