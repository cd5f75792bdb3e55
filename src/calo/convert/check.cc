#include "calo/convert/check.h"

#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "calo/convert/generator_graph.h"
#include "calo/convert/reference_evaluator.h"
#include "calo/torch/module.h"
#include "core/error.h"
#include "core/philox.h"

namespace calo {
namespace {

constexpr std::uint32_t kCheckStream = 0x63686563;

struct CheckShowers {
  std::vector<float> latents;  // [N, latent_dim]
  std::vector<Conditions> conditions;
  std::vector<double> phis_rad;
  std::vector<std::string> geometries;  // one for each shower
};

CheckShowers random_showers(const ModelFolder& model, const ContractMapping& mapping, std::int64_t count,
                            std::uint64_t seed) {
  const Transform& transform = model.transform;
  double low = transform.min_trained_energy_mev, high = transform.max_trained_energy_mev;
  if (!(high > 0)) high = transform.max_energy_mev;
  if (!(low > 0)) low = high / 1024;  // a training that reached down to zero, or of unknown range
  const std::vector<std::string> geometries = mapping.reachable_geometries();
  CheckShowers out;
  for (std::int64_t i = 0; i < count; ++i) {
    core::Philox random(seed, static_cast<std::uint64_t>(i), kCheckStream);
    for (std::int64_t j = 0; j < model.description.latent_dim; ++j) out.latents.push_back(random.normal());
    const double energy = low * std::pow(std::max(1.0, high / low), random.uniform());
    const double theta_deg = transform.min_trained_theta_deg +
                             (transform.max_trained_theta_deg - transform.min_trained_theta_deg) *
                                 static_cast<double>(random.uniform());
    out.conditions.push_back({.incident_energy_mev = static_cast<float>(energy),
                              .theta_rad = static_cast<float>(theta_deg * std::numbers::pi / 180)});
    out.phis_rad.push_back(2 * std::numbers::pi * static_cast<double>(random.uniform()));
    out.geometries.push_back(geometries[random.below(static_cast<std::uint32_t>(geometries.size()))]);
  }
  return out;
}

// One call of the model for all showers of `plain`, and one for each of Par04's.
std::vector<double> energies_mev(const std::string& bytes, const ContractMapping& mapping,
                                 const CheckShowers& showers, std::int64_t latent_dim) {
  const auto count = static_cast<std::int64_t>(showers.conditions.size());
  const auto columns = static_cast<std::int64_t>(mapping.columns.size());
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < showers.conditions.size(); ++i) {
    rows.emplace_back(mapping.columns.size());
    mapping.encode(showers.conditions[i], showers.phis_rad[i], showers.geometries[i], rows.back());
  }
  std::vector<double> energies;
  if (mapping.contract == Contract::kPlain) {
    GraphValues inputs{{kLatentName, {{count, latent_dim}, showers.latents}}};
    GraphTensor energy{.shape = {count, 1}}, theta = energy, geometry{.shape = {count, columns - 2}};
    for (const std::vector<float>& row : rows) {
      energy.values.push_back(row[0]);
      theta.values.push_back(row[1]);
      geometry.values.insert(geometry.values.end(), row.begin() + 2, row.end());
    }
    inputs["energy_mev"] = energy;
    inputs["theta_rad"] = theta;
    inputs["geometry"] = geometry;
    const GraphValues outputs = evaluate_graph(bytes, inputs);
    const std::vector<float>& values = outputs.begin()->second.values;
    return {values.begin(), values.end()};
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto begin = showers.latents.begin() + static_cast<std::ptrdiff_t>(i) * latent_dim;
    std::vector<float> latent(begin, begin + latent_dim), input = rows[i];
    if (mapping.contract == Contract::kPar04Vae) input.insert(input.begin(), latent.begin(), latent.end());
    GraphValues inputs{{"input", {{1, static_cast<std::int64_t>(input.size())}, input}}};
    if (mapping.contract == Contract::kPar04CaloDit) inputs[kLatentName] = {{1, latent_dim}, latent};
    const double energy_mev = showers.conditions[i].incident_energy_mev;
    const GraphValues outputs = evaluate_graph(bytes, inputs);
    for (const float value : outputs.begin()->second.values)
      energies.push_back(mapping.to_mev(value, energy_mev));
  }
  return energies;
}

[[noreturn]] void refuse(const std::string& message) {
  throw core::Error(core::ExitCode::kInternal,
                    {.message = message, .hint = "nothing was written; please report this model"});
}

}  // namespace

double check_generator(const std::string& bytes, const ModelFolder& model, const ContractMapping& mapping,
                       std::int64_t showers, std::uint64_t seed) {
  onnx::ModelProto proto;
  if (!proto.ParseFromString(bytes)) refuse("the converted model is no ONNX file");
  try {
    onnx::checker::check_model(proto);
  } catch (const std::exception& error) {
    refuse(fmt::format("the converted model is not valid ONNX: {}", error.what()));
  }
  const CheckShowers random = random_showers(model, mapping, showers, seed);
  const auto condition_dim = static_cast<std::size_t>(model.transform.condition_dim());
  std::vector<float> encoded(random.conditions.size() * condition_dim);
  for (std::size_t i = 0; i < random.conditions.size(); ++i)
    model.transform.encode(random.conditions[i], random.geometries[i],
                           {encoded.data() + i * condition_dim, condition_dim});
  const std::vector<double> expected = torch_module().decode(model, random.latents, encoded);
  const std::vector<double> found = energies_mev(bytes, mapping, random, model.description.latent_dim);
  if (found.size() != expected.size())
    refuse(
        fmt::format("the converted model gives {} cells, and the model {}", found.size(), expected.size()));
  const auto cells = static_cast<std::size_t>(model.transform.mesh.num_cells());
  double worst = 0;
  for (std::size_t i = 0; i < random.conditions.size(); ++i) {
    const double energy_mev = random.conditions[i].incident_energy_mev;
    double largest = 0, difference = 0;
    for (std::size_t cell = i * cells; cell < (i + 1) * cells; ++cell) {
      const double wanted = expected[cell] * energy_mev;
      if (!std::isfinite(found[cell]) || !std::isfinite(wanted))
        refuse(fmt::format("shower {} of the check has cells that are not finite numbers", i));
      largest = std::max(largest, wanted);
      difference = std::max(difference, std::abs(found[cell] - wanted));
    }
    if (difference > kConversionTolerance * largest)
      refuse(
          fmt::format("the converted model differs from LibTorch by {:.3g} MeV in shower {} of the check, "
                      "whose largest cell has {:.3g} MeV",
                      difference, i, largest));
    if (largest > 0) worst = std::max(worst, difference / largest);
  }
  return worst;
}

}  // namespace calo
