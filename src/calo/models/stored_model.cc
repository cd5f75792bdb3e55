#include "calo/models/stored_model.h"

#include "calo/models/architectures.h"
#include "calo/models/generator_graph.h"
#include "core/staged_output.h"

namespace calo {

void write_model(const std::filesystem::path& folder, const ModelFolder& model) {
  model.write(folder);
  core::write_file(folder / kGeneratorFile, generator_of(model));
}

ModelFolder read_model(const std::filesystem::path& folder) {
  return ModelFolder::read(folder, [](const ModelDescription& description, const Transform& transform) {
    return architecture(description.architecture).tensor_shapes(description, transform);
  });
}

std::string generator_of(const ModelFolder& model) {
  return generator_graph(model, map_contract(Contract::kPlain, model.transform, ""), model.provenance);
}

}  // namespace calo
