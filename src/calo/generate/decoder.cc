#include "calo/generate/decoder.h"

#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "calo/model/simd.h"
#include "core/error.h"

namespace calo {
namespace {

constexpr std::int64_t kBlockCells = 256;
constexpr std::int64_t kBlockShowers = 16;

CALO_SIMD_CLONES void cell_energies(float* __restrict z, const float* __restrict bias, std::size_t count,
                                    float energy_mev) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) z[i] = energy_mev * fast_sigmoid(z[i] + bias[i]);
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
  if (model.description.out_activation != "sigmoid")
    throw core::InputError(
        {.message = fmt::format("\"{}\" is not supported by the generator", model.description.out_activation),
         .field = "out_activation"});
  for (std::size_t i = 0; i < model.description.intermediate_dims.size(); ++i) {
    const std::string prefix = fmt::format("decoder.{}", i);
    const WeightTensor& weight = tensor(model, prefix + ".weight");
    Layer layer{.in = weight.shape[1],
                .out = weight.shape[0],
                .weight = weight.values,
                .bias = tensor(model, prefix + ".bias").values};
    layer.scale.assign(static_cast<std::size_t>(layer.out), 1.0f);
    layer.shift.assign(static_cast<std::size_t>(layer.out), 0.0f);
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
    layers_.push_back(std::move(layer));
  }
  width_ = layers_.back().out;
  const std::int64_t padded = (cells_ + kBlockCells - 1) / kBlockCells * kBlockCells;
  output_weight_ = tensor(model, "decoder.output.weight").values;
  output_weight_.resize(static_cast<std::size_t>(padded * width_), 0.0f);
  output_bias_ = tensor(model, "decoder.output.bias").values;
  output_bias_.resize(static_cast<std::size_t>(padded), -100.0f);
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

void Decoder::hidden(const float* input, std::vector<float>& current, std::vector<float>& next) const {
  current.assign(input, input + layers_.front().in);
  for (const Layer& layer : layers_) {
    next.resize(static_cast<std::size_t>(layer.out));
    for (std::int64_t j = 0; j < layer.out; ++j) {
      const float* row = layer.weight.data() + j * layer.in;
      const auto index = static_cast<std::size_t>(j);
      float sum = layer.bias[index];
      for (std::int64_t k = 0; k < layer.in; ++k) sum += row[k] * current[static_cast<std::size_t>(k)];
      next[index] = activate(sum) * layer.scale[index] + layer.shift[index];
    }
    std::swap(current, next);
  }
}

Showers Decoder::decode(std::span<const float> latents, std::span<const Conditions> conditions,
                        const std::vector<std::string>& geometries, double threshold_mev,
                        core::ThreadPool& pool) const {
  const std::size_t count = conditions.size();
  const auto width = static_cast<std::size_t>(width_);
  const std::size_t groups = (count + kBlockShowers - 1) / kBlockShowers;
  std::vector<float> hidden_rows(groups * kBlockShowers * width, 0.0f);
  pool.for_each(groups, [&](std::size_t group) {
    std::vector<float> input, current, next;
    for (std::size_t i = group * kBlockShowers; i < std::min(count, (group + 1) * kBlockShowers); ++i) {
      const float* latent = latents.data() + i * static_cast<std::size_t>(latent_dim_);
      input.assign(latent, latent + latent_dim_);
      input.resize(static_cast<std::size_t>(latent_dim_ + transform_.condition_dim()));
      transform_.encode(conditions[i], geometries.at(conditions[i].geometry),
                        {input.data() + latent_dim_, static_cast<std::size_t>(transform_.condition_dim())});
      hidden(input.data(), current, next);
      std::copy(current.begin(), current.end(), hidden_rows.data() + i * width);
    }
  });

  // Each piece of cells collects the hits of every shower; together they are in ascending order.
  struct Hits {
    std::vector<std::uint32_t> cells;
    std::vector<float> energies;
    std::vector<std::uint32_t> end;  // by shower
  };
  const std::int64_t blocks = (cells_ + kBlockCells - 1) / kBlockCells;
  const std::int64_t pieces = std::min<std::int64_t>(pool.size(), blocks);
  const auto threshold = static_cast<float>(threshold_mev);
  // [piece][block][shower]: a block's hits lie together, so that its weights are fetched once for all
  // showers.
  std::vector<std::vector<Hits>> found(static_cast<std::size_t>(pieces));
  pool.for_each(found.size(), [&](std::size_t piece) {
    omp_set_num_threads(1);
    const auto p = static_cast<std::int64_t>(piece);
    const std::int64_t first = blocks * p / pieces, last = blocks * (p + 1) / pieces;
    std::vector<float> block(kBlockShowers * kBlockCells);
    for (std::int64_t b = first; b < last; ++b) {
      Hits hits;
      const std::int64_t cell = b * kBlockCells;
      const auto columns = static_cast<std::size_t>(std::min(kBlockCells, cells_ - cell));
      for (std::size_t group = 0; group < groups; ++group) {
        dnnl_sgemm('N', 'T', kBlockShowers, kBlockCells, width_, 1,
                   hidden_rows.data() + group * kBlockShowers * width, width_,
                   output_weight_.data() + static_cast<std::size_t>(cell) * width, width_, 0, block.data(),
                   kBlockCells);
        for (std::size_t i = group * kBlockShowers; i < std::min(count, (group + 1) * kBlockShowers); ++i) {
          float* row = block.data() + (i - group * kBlockShowers) * kBlockCells;
          cell_energies(row, output_bias_.data() + cell, kBlockCells, conditions[i].incident_energy_mev);
          const std::size_t size = hits.cells.size();
          hits.cells.resize(size + columns);
          hits.energies.resize(size + columns);
          std::size_t next = size;
          // Without a branch: every cell is written, the next one over it where it was below the threshold.
          for (std::size_t j = 0; j < columns; ++j) {
            hits.cells[next] = static_cast<std::uint32_t>(cell) + static_cast<std::uint32_t>(j);
            hits.energies[next] = row[j];
            next += row[j] >= threshold && row[j] > 0 ? 1 : 0;
          }
          hits.cells.resize(next);
          hits.energies.resize(next);
          hits.end.push_back(static_cast<std::uint32_t>(next));
        }
      }
      found[piece].push_back(std::move(hits));
    }
  });

  Showers out(cells_, geometries);
  out.conditions.assign(conditions.begin(), conditions.end());
  out.offsets.assign(count + 1, 0);
  for (const auto& piece : found)
    for (const Hits& hits : piece)
      for (std::size_t i = 0; i < count; ++i)
        out.offsets[i + 1] += hits.end[i] - (i > 0 ? hits.end[i - 1] : 0);
  for (std::size_t i = 0; i < count; ++i) out.offsets[i + 1] += out.offsets[i];
  out.cells.resize(out.offsets.back());
  out.energies_mev.resize(out.offsets.back());
  pool.for_each(count, [&](std::size_t i) {
    std::size_t place = out.offsets[i];
    for (const auto& piece : found)
      for (const Hits& hits : piece) {
        const std::size_t begin = i > 0 ? hits.end[i - 1] : 0, end = hits.end[i];
        std::copy(hits.cells.begin() + static_cast<std::ptrdiff_t>(begin),
                  hits.cells.begin() + static_cast<std::ptrdiff_t>(end),
                  out.cells.begin() + static_cast<std::ptrdiff_t>(place));
        std::copy(hits.energies.begin() + static_cast<std::ptrdiff_t>(begin),
                  hits.energies.begin() + static_cast<std::ptrdiff_t>(end),
                  out.energies_mev.begin() + static_cast<std::ptrdiff_t>(place));
        place += end - begin;
      }
  });
  return out;
}

}  // namespace calo
