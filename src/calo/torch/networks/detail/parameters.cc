#include "calo/torch/networks/detail/parameters.h"

#include <omp.h>

#include <cmath>
#include <utility>

#include "core/philox.h"

namespace calo {
namespace {

constexpr std::uint32_t kInitStream = 0x636c6e69;

}  // namespace

torch::Tensor TorchParameters::add_constant(std::vector<std::int64_t> shape, float value) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  Parameter& parameter = parameters_.emplace_back();
  parameter.shape = std::move(shape);
  parameter.values.assign(count, value);
  parameter.first.assign(count, 0.0f);
  parameter.second.assign(count, 0.0f);
  tensors_.push_back(torch::from_blob(parameter.values.data(), parameter.shape, torch::kFloat32));
  return tensors_.back().requires_grad_(true);
}

torch::Tensor TorchParameters::add_uniform(std::vector<std::int64_t> shape, double bound) {
  const torch::Tensor tensor = add_constant(std::move(shape), 0);
  core::Philox random(seed_, parameters_.size(), kInitStream);
  for (float& value : parameters_.back().values)
    value = static_cast<float>(bound * (2.0 * static_cast<double>(random.uniform()) - 1));
  return tensor;
}

void TorchParameters::step(const Optimizer& optimizer) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const torch::Tensor gradient = tensors_[i].grad().contiguous();
    Parameter& parameter = parameters_[i];
    optimizer.update(parameter, 0, parameter.values.size(), gradient.data_ptr<float>());
    tensors_[i].mutable_grad().reset();
  }
}

// at::set_num_threads() would also affect threads that are created later.
OneTorchThread::OneTorchThread() : before_(at::get_num_threads()) {
  omp_set_num_threads(1);
}
OneTorchThread::~OneTorchThread() {
  omp_set_num_threads(before_);
}

TorchLinear::TorchLinear(TorchParameters& parameters, std::int64_t in, std::int64_t out)
    : weight(parameters.add_uniform({out, in}, 1 / std::sqrt(static_cast<double>(in)))),
      bias(parameters.add_uniform({out}, 1 / std::sqrt(static_cast<double>(in)))) {}

}  // namespace calo
