#include "calo/train/detail/checkpoint.h"

#include "calo/io/hdf5.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo {

using nlohmann::json;

void write_checkpoint(const std::filesystem::path& file, const std::vector<Parameter>& parameters,
                      const Averages& averages, const json& state) {
  core::StagedOutput output(file, core::StagedOutput::Kind::kFile);
  hdf5::File hdf = hdf5::File::create(output.path());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    const std::vector<hsize_t> shape(parameter.shape.begin(), parameter.shape.end());
    hdf.write(parameter.name, parameter.values, shape);
    if (!averages.empty()) hdf.write(parameter.name + "#average", averages[i], shape);
    if (parameter.first.empty()) continue;
    hdf.write(parameter.name + "#first", parameter.first, shape);
    hdf.write(parameter.name + "#second", parameter.second, shape);
  }
  hdf.write_text("state", state.dump());
  hdf.close();
  output.commit();
}

json read_checkpoint(const std::filesystem::path& file, std::vector<Parameter>& parameters,
                     Averages& averages) {
  const hdf5::File hdf = hdf5::File::open(file);
  std::vector<Parameter> read = parameters;
  Averages read_averages = averages;
  for (std::size_t i = 0; i < read.size(); ++i) {
    Parameter& parameter = read[i];
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
    if (!read_averages.empty()) load(parameter.name + "#average", read_averages[i]);
  }
  json state = json::parse(hdf.read_text("state"), nullptr, false);
  if (!state.is_object()) hdf.fail_reading("state", "is damaged");
  // Copies in place, because the network's tensors use this memory.
  for (std::size_t i = 0; i < read.size(); ++i) {
    std::copy(read[i].values.begin(), read[i].values.end(), parameters[i].values.begin());
    std::copy(read[i].first.begin(), read[i].first.end(), parameters[i].first.begin());
    std::copy(read[i].second.begin(), read[i].second.end(), parameters[i].second.begin());
  }
  averages = std::move(read_averages);
  return state;
}

}  // namespace calo
