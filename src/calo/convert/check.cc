#include "calo/convert/check.h"

#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <span>

#include "calo/convert/generator_graph.h"
#include "calo/convert/reference_evaluator.h"
#include "calo/infer/cascade/sampler.h"
#include "calo/infer/model.h"
#include "calo/model/cascade_shape.h"
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
    for (std::int64_t j = 0; j < latent_dim(model); ++j) out.latents.push_back(random.normal());
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

using Run = std::function<std::vector<float>(const GraphValues& inputs)>;

// One call of the model for all showers of `plain`, and one for each of Par04's.
std::vector<double> energies_mev(const Run& run, const ContractMapping& mapping, const CheckShowers& showers,
                                 std::int64_t latent_dim) {
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
    const std::vector<float> values = run(inputs);
    return {values.begin(), values.end()};
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto begin = showers.latents.begin() + static_cast<std::ptrdiff_t>(i) * latent_dim;
    std::vector<float> latent(begin, begin + latent_dim), input = rows[i];
    if (mapping.contract == Contract::kPar04Vae) input.insert(input.begin(), latent.begin(), latent.end());
    GraphValues inputs{{"input", {{1, static_cast<std::int64_t>(input.size())}, input}}};
    if (mapping.contract == Contract::kPar04CaloDit) inputs[kLatentName] = {{1, latent_dim}, latent};
    const double energy_mev = showers.conditions[i].incident_energy_mev;
    for (const float value : run(inputs)) energies.push_back(mapping.to_mev(value, energy_mev));
  }
  return energies;
}

[[noreturn]] void refuse(const std::string& message) {
  throw core::Error(core::ExitCode::kInternal,
                    {.message = message, .hint = "nothing was written; please report this model"});
}

// What the model makes of the same noise, in MeV: LibTorch of a VAE, the engine's sampler of a cascade.
std::vector<double> expected_mev(const ModelFolder& model, const CheckShowers& showers) {
  const std::size_t count = showers.conditions.size();
  const auto cells = static_cast<std::size_t>(model.transform.mesh.num_cells());
  if (model.description.architecture == "cascade") {
    const cascade::Sampler sampler(trained_cascade(model.description, model.transform, model.weights));
    cascade::Sampler::Work work;
    for (std::size_t i = 0; i < count; ++i)
      work.wanted.push_back(
          {.energy_mev = showers.conditions[i].incident_energy_mev,
           .theta_rad = showers.conditions[i].theta_rad,
           .geometry = static_cast<std::uint32_t>(model.transform.place_of(showers.geometries[i])),
           .latents = showers.latents.data() + i * 2 * sampler.num_splits()});
    infer::SparseShowers found;
    sampler.sample(work.wanted, 0, nullptr, work, found);
    std::vector<double> dense(count * cells, 0.0);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t hit = 0; hit < found.cells_of(i).size(); ++hit)
        dense[i * cells + found.cells_of(i)[hit]] = found.energies_of(i)[hit];
    return dense;
  }
  const auto condition_dim = static_cast<std::size_t>(model.transform.condition_dim());
  std::vector<float> encoded(count * condition_dim);
  for (std::size_t i = 0; i < count; ++i)
    model.transform.encode(showers.conditions[i], showers.geometries[i],
                           {encoded.data() + i * condition_dim, condition_dim});
  std::vector<double> dense = torch_module().decode(model, showers.latents, encoded);
  for (std::size_t i = 0; i < dense.size(); ++i)
    dense[i] *= static_cast<double>(showers.conditions[i / cells].incident_energy_mev);
  return dense;
}

// The graph with its noise as an input in place of the node that draws it.
std::string with_noise_given(onnx::ModelProto model, std::int64_t latent_dim) {
  onnx::GraphProto& graph = *model.mutable_graph();
  for (int i = 0; i < graph.node_size(); ++i)
    if (graph.node(i).op_type() == "RandomNormal") graph.mutable_node()->DeleteSubrange(i--, 1);
  onnx::ValueInfoProto& input = *graph.add_input();
  input.set_name(kLatentName);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : {std::int64_t{1}, latent_dim})
    tensor.mutable_shape()->add_dim()->set_dim_value(extent);
  return model.SerializeAsString();
}

// How the graph is run: as the specification of ONNX has it, by loops of our own, or, where it has loops
// itself, by the engine's operators.
Run runner(const std::string& bytes, const ModelFolder& model) {
  if (model.description.architecture != "cascade")
    return
        [&bytes](const GraphValues& inputs) { return evaluate_graph(bytes, inputs).begin()->second.values; };
  const auto graph = std::make_shared<infer::Model>(
      infer::Model::from_bytes(std::as_bytes(std::span(bytes)), {.fuse = false}));
  const auto workspace = std::make_shared<infer::Workspace>();
  return [graph, workspace](const GraphValues& inputs) {
    std::vector<infer::InputView> views;
    for (const infer::TensorInfo& input : graph->inputs()) {
      const GraphTensor& given = inputs.at(input.name);
      views.push_back({.shape = given.shape, .floats = given.values});
    }
    graph->run(views, {}, *workspace);
    const infer::OutputView out = graph->output(*workspace, 0);
    return std::vector<float>(out.floats.begin(), out.floats.end());
  };
}

}  // namespace

ConversionCheck check_generator(const std::string& bytes, const ModelFolder& model,
                                const ContractMapping& mapping, std::int64_t showers, std::uint64_t seed) {
  onnx::ModelProto proto;
  if (!proto.ParseFromString(bytes)) refuse("the converted model is no ONNX file");
  try {
    onnx::checker::check_model(proto);
  } catch (const std::exception& error) {
    refuse(fmt::format("the converted model is not valid ONNX: {}", error.what()));
  }
  const bool is_cascade = model.description.architecture == "cascade";
  const CheckShowers random = random_showers(model, mapping, showers, seed);
  const std::vector<double> expected = expected_mev(model, random);
  // A graph that draws its noise itself is checked with noise given in.
  const std::string checked = mapping.contract == Contract::kPar04CaloDit && is_cascade
                                  ? with_noise_given(proto, latent_dim(model))
                                  : bytes;
  const std::vector<double> found = energies_mev(runner(checked, model), mapping, random, latent_dim(model));
  if (found.size() != expected.size())
    refuse(
        fmt::format("the converted model gives {} cells, and the model {}", found.size(), expected.size()));
  const double tolerance = is_cascade ? kCascadeTolerance : kConversionTolerance;
  const auto cells = static_cast<std::size_t>(model.transform.mesh.num_cells());
  ConversionCheck check{.showers = showers};
  for (std::size_t i = 0; i < random.conditions.size(); ++i) {
    double largest = 0, difference = 0;
    for (std::size_t cell = i * cells; cell < (i + 1) * cells; ++cell) {
      if (!std::isfinite(found[cell]) || !std::isfinite(expected[cell]))
        refuse(fmt::format("shower {} of the check has cells that are not finite numbers", i));
      largest = std::max(largest, expected[cell]);
      difference = std::max(difference, std::abs(found[cell] - expected[cell]));
    }
    if (difference <= tolerance * largest) {
      ++check.same;
      if (largest > 0) check.largest_difference = std::max(check.largest_difference, difference / largest);
    } else if (!is_cascade) {
      refuse(
          fmt::format("the converted model differs from LibTorch by {:.3g} MeV in shower {} of the check, "
                      "whose largest cell has {:.3g} MeV",
                      difference, i, largest));
    }
  }
  if (static_cast<double>(check.same) < kCascadeSameShare * static_cast<double>(showers))
    refuse(
        fmt::format("the converted model makes other showers than the sampler from the same noise: {} of {}",
                    showers - check.same, showers));
  return check;
}

}  // namespace calo
