#include "calo/models/generator_graph.h"

#include "calo/infer/generator_properties.h"
#include "calo/models/architectures.h"
#include "calo/onnx/graph_builder.h"
#include "core/provenance.h"

namespace calo {
namespace {

infer::MeshInfo mesh_info(const VoxelMesh& mesh) {
  return infer::MeshInfo::parse(mesh.to_json().dump());
}

infer::GeneratorProperties properties_of(const ModelFolder& model, const ContractMapping& mapping,
                                         const nlohmann::json& provenance) {
  const Transform& transform = model.transform;
  infer::GeneratorProperties said{
      .version = core::version(),
      .architecture = model.description.architecture,
      .contract = mapping.contract,
      .latent_dim = architecture_of(model).latent_dim(model),
      .geometries = mapping.reachable_geometries(),
      .par04_geometry = mapping.geometry,
      .mesh = mesh_info(mapping.geometry.empty() ? transform.mesh : transform.mesh_of(mapping.geometry)),
      .trained = infer::TrainedRange{.geometries = transform.trained_geometries,
                                     .min_energy_mev = transform.min_trained_energy_mev,
                                     .max_energy_mev = transform.max_trained_energy_mev,
                                     .min_theta_deg = transform.min_trained_theta_deg,
                                     .max_theta_deg = transform.max_trained_theta_deg,
                                     .readout_threshold_mev = transform.readout_threshold_mev},
      .max_energy_mev = transform.max_energy_mev,
      .max_theta_deg = transform.max_theta_deg,
      .provenance = provenance.dump(),
      .model_provenance = model.provenance.dump()};
  for (const ConditionColumn& column : mapping.columns) said.conditions.push_back(column.number);
  for (const auto& [name, mesh] : transform.geometry_meshes()) said.geometry_meshes[name] = mesh_info(mesh);
  for (const TrainedGeometry& own : transform.trained_by_geometry)
    said.trained->by_geometry[own.geometry] = {.min_energy_mev = own.min_energy_mev,
                                               .max_energy_mev = own.max_energy_mev,
                                               .min_theta_deg = own.min_theta_deg,
                                               .max_theta_deg = own.max_theta_deg};
  return said;
}

}  // namespace

std::string generator_graph(const ModelFolder& model, const ContractMapping& mapping,
                            const nlohmann::json& provenance) {
  GraphBuilder graph("calopipe_generator", "Calorimeter showers from latent noise and the incident particle");
  architecture_of(model).add_generator(graph, model, mapping);
  for (const auto& [name, value] : properties_of(model, mapping, provenance).write())
    graph.metadata(name, value);
  return graph.bytes();
}

}  // namespace calo
