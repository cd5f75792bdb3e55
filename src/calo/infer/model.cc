#include "calo/infer/model.h"

#include <fmt/format.h>

#include <cstring>

#include "calo/infer/detail/mapped_file.h"
#include "calo/infer/external_data.h"
#include "calo/infer/noise.h"
#include "calo/infer/onnx_reader.h"
#include "calo/infer/program.h"
#include "core/error.h"

namespace calo::infer {
namespace {

std::vector<TensorInfo> infos(const std::vector<OnnxValue>& values) {
  std::vector<TensorInfo> out;
  out.reserve(values.size());
  for (const OnnxValue& value : values)
    out.push_back({.name = value.name, .type = to_string(value.type), .shape = value.shape});
  return out;
}

}  // namespace

Workspace::Workspace(core::ThreadPool* pool) : state_(std::make_unique<RunState>()) {
  state_->pool = pool;
}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

Model::Model() = default;
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

Model Model::load(const std::filesystem::path& file, const LoadOptions& options) {
  const MappedFile mapped(file);
  ExternalFiles beside(file);
  return compiled(mapped.bytes(), &beside, options, MappedFile::release, file);
}

Model Model::from_bytes(std::span<const std::byte> bytes, const LoadOptions& options,
                        const std::filesystem::path& name) {
  return compiled(bytes, nullptr, options, {}, name);
}

Model Model::compiled(std::span<const std::byte> bytes, ExternalData* beside, const LoadOptions& options,
                      const std::function<void(std::span<const std::byte>)>& release,
                      const std::filesystem::path& name) {
  try {
    Model model;
    model.program_ = std::make_unique<Program>(compile(
        read_onnx(bytes, {}, beside),
        {.precision = options.precision, .isa = options.isa, .fuse = options.fuse, .release = release}));
    model.inputs_ = infos(model.program_->inputs);
    model.outputs_ = infos(model.program_->outputs);
    model.file_ = name;
    return model;
  } catch (const core::InputError& error) {
    if (name.empty()) throw;
    throw core::InputError(error, name);
  }
}

const std::map<std::string, std::string>& Model::metadata() const {
  return program_->metadata;
}
Precision Model::precision() const {
  return program_->precision;
}
std::size_t Model::weight_bytes() const {
  return program_->weight_bytes;
}
bool Model::runs_any_batch() const {
  return program_->by_row;
}
bool Model::is_generator() const {
  return program_->output.has_value();
}

void Model::run(std::span<const InputView> inputs, std::span<const NoiseKey> noise,
                Workspace& workspace) const {
  if (inputs.size() != inputs_.size())
    throw core::UsageError(
        {.message = fmt::format("has {} inputs, and {} were given", inputs_.size(), inputs.size()),
         .file = file_});
  RunState& state = workspace.state();
  if (state.values.size() < program_->num_values()) state.values.resize(program_->num_values());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const OnnxValue& wanted = program_->inputs[i];
    const std::span<const std::int64_t> shape = inputs[i].shape;
    bool fits = shape.size() == wanted.shape.size();
    std::int64_t count = 1;
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = shape[d] >= 0 &&
             (wanted.shape[d] < 0 || wanted.shape[d] == shape[d] || (d == 0 && program_->by_row));
      fits = fits && (shape[d] == 0 || count <= program_->limits.elements / shape[d]);
      if (fits) count *= shape[d];
    }
    const bool real = is_real(wanted.type);
    const auto size = static_cast<std::size_t>(count);
    if (!fits || (real ? inputs[i].floats.size() : inputs[i].integers.size()) != size)
      throw core::UsageError({.message = "is given numbers of another shape or type than the model says",
                              .file = file_,
                              .field = wanted.name});
    Tensor& tensor = state.values[static_cast<std::size_t>(program_->input_values[i])];
    tensor.type = wanted.type;
    tensor.shape = Shape(shape);
    tensor.make_room();
    if (is_double(wanted.type)) {
      for (std::size_t k = 0; k < size; ++k) tensor.doubles[k] = inputs[i].floats[k];
    } else if (real) {
      if (size > 0) std::memcpy(tensor.floats.data(), inputs[i].floats.data(), size * sizeof(float));
    } else if (size > 0) {
      std::memcpy(tensor.integers.data(), inputs[i].integers.data(), size * sizeof(std::int64_t));
    }
    settle(tensor);
  }
  state.noise.clear();
  for (const NoiseKey& key : noise) state.noise.push_back(noise_of(key));
  infer::run(*program_, state);
}

OutputView Model::output(Workspace& workspace, std::size_t i) const {
  const auto at = static_cast<std::size_t>(program_->output_values.at(i));
  const Tensor& tensor =
      program_->is_constant[at] ? program_->constants[at] : workspace.state().values.at(at);
  OutputView view{.shape = tensor.shape.span()};
  if (is_real(tensor.type))
    view.floats = {tensor.floats.data(), tensor.size()};
  else
    view.integers = {tensor.integers.data(), tensor.size()};
  return view;
}

}  // namespace calo::infer
