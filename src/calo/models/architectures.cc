#include "calo/models/architectures.h"

#include <fmt/format.h>

#include <algorithm>

#include "calo/models/cascade/cascade.h"
#include "calo/models/vae/vae.h"
#include "core/error.h"

namespace calo {

namespace {

std::vector<const Architecture*>& table() {
  static std::vector<const Architecture*> all = {&cascade::cascade_architecture(), &vae_architecture()};
  return all;
}

}  // namespace

const std::vector<const Architecture*>& architectures() {
  return table();
}

void add_architecture(const Architecture& architecture, const ModelDescription& usual) {
  ModelDescription::add_architecture(architecture.name(), usual);
  table().push_back(&architecture);
  std::sort(table().begin(), table().end(),
            [](const Architecture* a, const Architecture* b) { return a->name() < b->name(); });
}

const Architecture& architecture(const std::string& name) {
  std::string known;
  for (const Architecture* one : architectures()) {
    if (one->name() == name) return *one;
    known += (known.empty() ? "" : ", ") + one->name();
  }
  throw core::InputError({.message = fmt::format("\"{}\" is not a known architecture", name),
                          .field = "architecture",
                          .hint = "one of " + known});
}

const Architecture& architecture_of(const ModelFolder& model) {
  return architecture(model.description.architecture);
}

Weights starting_weights(const ModelFolder& from, const ModelDescription& description,
                         const Transform& transform) {
  if (from.description.architecture != description.architecture)
    throw core::InputError({.message = fmt::format("is {}, but the description asks for {}",
                                                   from.description.architecture, description.architecture),
                            .field = "description.architecture",
                            .hint = "give a model of this architecture, or omit --description, so that it "
                                    "is the model's"});
  return architecture_of(from).starting_weights(from, description, transform);
}

std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool) {
  return architecture(start.description.architecture).start(start, pool);
}

}  // namespace calo
