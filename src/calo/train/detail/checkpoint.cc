#include "calo/train/detail/checkpoint.h"

#include "calo/io/hdf5.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo {

using nlohmann::json;

void write_checkpoint(const std::filesystem::path& file, const std::vector<Parameter>& parameters,
                      const json& state) {
  core::StagedOutput output(file, core::StagedOutput::Kind::kFile);
  hdf5::File hdf = hdf5::File::create(output.path());
  for (const Parameter& parameter : parameters) {
    const std::vector<hsize_t> shape(parameter.shape.begin(), parameter.shape.end());
    hdf.write(parameter.name, parameter.values, shape);
    if (parameter.first.empty()) continue;
    hdf.write(parameter.name + "#first", parameter.first, shape);
    hdf.write(parameter.name + "#second", parameter.second, shape);
  }
  hdf.write_text("state", state.dump());
  hdf.close();
  output.commit();
}

json read_checkpoint(const std::filesystem::path& file, std::vector<Parameter>& parameters) {
  const hdf5::File hdf = hdf5::File::open(file);
  std::vector<Parameter> read = parameters;
  for (Parameter& parameter : read) {
    const auto load = [&](const std::string& name, std::vector<float>& target) {
      if (target.empty()) return;
      const auto shape = hdf.shape(name);
      if (std::vector<std::int64_t>(shape.begin(), shape.end()) != parameter.shape)
        hdf.fail_reading(name,
                         "has another shape than in the model: the checkpoint is from another training");
      target = hdf.read_floats(name);
    };
    load(parameter.name, parameter.values);
    load(parameter.name + "#first", parameter.first);
    load(parameter.name + "#second", parameter.second);
  }
  json state = json::parse(hdf.read_text("state"), nullptr, false);
  if (!state.is_object()) hdf.fail_reading("state", "is damaged");
  // Copies in place, because the network's tensors use this memory.
  for (std::size_t i = 0; i < read.size(); ++i) {
    std::copy(read[i].values.begin(), read[i].values.end(), parameters[i].values.begin());
    std::copy(read[i].first.begin(), read[i].first.end(), parameters[i].first.begin());
    std::copy(read[i].second.begin(), read[i].second.end(), parameters[i].second.begin());
  }
  return state;
}

}  // namespace calo
