#include "calo/convert/check.h"

#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numbers>
#include <span>

#include "calo/infer/model.h"
#include "calo/models/architectures.h"
#include "calo/onnx/contract_graph.h"
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

CheckShowers random_showers(const ModelFolder& model, const ContractMapping& mapping, std::int64_t latent_dim,
                            std::int64_t count, std::uint64_t seed) {
  const Transform& transform = model.transform;
  double low = transform.min_trained_energy_mev, high = transform.max_trained_energy_mev;
  if (!(high > 0)) high = transform.max_energy_mev;
  if (!(low > 0)) low = high / 1024;  // the training includes zero, or its range is unknown
  const std::vector<std::string> geometries = mapping.reachable_geometries();
  CheckShowers out;
  for (std::int64_t i = 0; i < count; ++i) {
    core::Philox random(seed, static_cast<std::uint64_t>(i), kCheckStream);
    for (std::int64_t j = 0; j < latent_dim; ++j) out.latents.push_back(random.normal());
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

struct Input {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using Inputs = std::map<std::string, Input>;
using Run = std::function<std::vector<float>(const Inputs& inputs)>;

// One call of the model for all showers with `plain`, and one call for each shower with Par04's contracts.
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
    Inputs inputs{{kLatentName, {{count, latent_dim}, showers.latents}}};
    Input energy{.shape = {count, 1}}, theta = energy, geometry{.shape = {count, columns - 2}};
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
    Inputs inputs{{"input", {{1, static_cast<std::int64_t>(input.size())}, input}}};
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

// Makes the noise an input of the graph instead of the node that draws it.
void give_noise(onnx::GraphProto& graph, std::int64_t latent_dim) {
  for (int i = 0; i < graph.node_size(); ++i)
    if (graph.node(i).op_type() == "RandomNormal") graph.mutable_node()->DeleteSubrange(i--, 1);
  onnx::ValueInfoProto& input = *graph.add_input();
  input.set_name(kLatentName);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : {std::int64_t{1}, latent_dim})
    tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

// Makes a graph compute in double precision, so that rounding does not hide a difference: its constants keep
// the values that the file has in single precision.
void use_doubles(onnx::GraphProto& graph) {
  const auto widen_values = [](auto& values) {
    for (onnx::ValueInfoProto& value : values)
      if (auto& tensor = *value.mutable_type()->mutable_tensor_type();
          tensor.elem_type() == onnx::TensorProto::FLOAT)
        tensor.set_elem_type(onnx::TensorProto::DOUBLE);
  };
  widen_values(*graph.mutable_input());
  widen_values(*graph.mutable_output());
  for (onnx::TensorProto& constant : *graph.mutable_initializer()) {
    if (constant.data_type() != onnx::TensorProto::FLOAT) continue;
    std::vector<float> values(constant.float_data().begin(), constant.float_data().end());
    if (constant.has_raw_data()) {
      values.resize(constant.raw_data().size() / sizeof(float));
      std::memcpy(values.data(), constant.raw_data().data(), values.size() * sizeof(float));
    }
    constant.set_data_type(onnx::TensorProto::DOUBLE);
    constant.clear_float_data();
    constant.clear_raw_data();
    for (const float value : values) constant.add_double_data(value);
  }
  for (onnx::NodeProto& node : *graph.mutable_node())
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) use_doubles(*attribute.mutable_g());
      if (node.op_type() == "Cast" && attribute.i() == onnx::TensorProto::FLOAT)
        attribute.set_i(onnx::TensorProto::DOUBLE);
    }
}

// Runs the graph with the engine's operators one by one, as in the file.
Run runner(const std::string& bytes) {
  const auto graph = std::make_shared<infer::Model>(
      infer::Model::from_bytes(std::as_bytes(std::span(bytes)), {.fuse = false}));
  const auto workspace = std::make_shared<infer::Workspace>();
  return [graph, workspace](const Inputs& inputs) {
    std::vector<infer::InputView> views;
    for (const infer::TensorInfo& input : graph->inputs()) {
      const Input& given = inputs.at(input.name);
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
  if (!proto.ParseFromString(bytes)) refuse("the converted model is not an ONNX file");
  try {
    onnx::checker::check_model(proto);
  } catch (const std::exception& error) {
    refuse(fmt::format("the converted model is not valid ONNX: {}", error.what()));
  }
  const Architecture& kind = architecture_of(model);
  const Agreement agreement = kind.agreement();
  const std::int64_t latent_dim = kind.latent_dim(model);
  const CheckShowers random = random_showers(model, mapping, latent_dim, showers, seed);
  const std::vector<double> expected = kind.reference_mev(
      model, {.latents = random.latents, .conditions = random.conditions, .geometries = random.geometries});
  // A graph that draws its own noise is checked with noise as an input.
  if (mapping.contract == Contract::kPar04CaloDit) give_noise(*proto.mutable_graph(), latent_dim);
  use_doubles(*proto.mutable_graph());
  const std::vector<double> found =
      energies_mev(runner(proto.SerializeAsString()), mapping, random, latent_dim);
  if (found.size() != expected.size())
    refuse(
        fmt::format("the converted model has {} cells, and the model has {}", found.size(), expected.size()));
  const auto cells = static_cast<std::size_t>(model.transform.mesh.num_cells());
  ConversionCheck check{.showers = showers};
  for (std::size_t i = 0; i < random.conditions.size(); ++i) {
    double largest = 0, difference = 0;
    for (std::size_t cell = i * cells; cell < (i + 1) * cells; ++cell) {
      if (!std::isfinite(found[cell]) || !std::isfinite(expected[cell]))
        refuse(fmt::format("shower {} of the check has cells that are not finite", i));
      largest = std::max(largest, expected[cell]);
      difference = std::max(difference, std::abs(found[cell] - expected[cell]));
    }
    if (difference <= agreement.tolerance * largest) {
      ++check.same;
      if (largest > 0) check.largest_difference = std::max(check.largest_difference, difference / largest);
    } else if (agreement.same_share == 1) {
      refuse(
          fmt::format("the converted model differs from {} by {:.3g} MeV in shower {} of the check, "
                      "whose largest cell has {:.3g} MeV",
                      agreement.with, difference, i, largest));
    }
  }
  if (static_cast<double>(check.same) < agreement.same_share * static_cast<double>(showers))
    refuse(fmt::format("the converted model and {} make different showers from the same noise: {} of {}",
                       agreement.with, showers - check.same, showers));
  return check;
}

}  // namespace calo
