#include "calo/model/output_loss.h"

#include <algorithm>
#include <cmath>

#include "core/simd.h"

namespace calo {
namespace {

// For a block of outputs, replaces logits without bias by the gradient of the cross-entropy for empty cells,
// and returns the loss of empty cells.
CALOPIPE_SIMD_CLONES double empty_cells_sigmoid(float* __restrict z, const float* __restrict bias,
                                                std::size_t count, float scale) {
  float loss = 0;
#pragma omp simd reduction(+ : loss)
  for (std::size_t i = 0; i < count; ++i) {
    const float logit = z[i] + bias[i];
    const float magnitude = logit < 0 ? -logit : logit;
    const float u = core::fast_exp(-magnitude);
    const float inverse = 1.0f / (1.0f + u);
    loss += (logit > 0 ? logit : 0.0f) + core::fast_log1p(u);
    z[i] = scale * (logit > 0 ? inverse : u * inverse);
  }
  return loss;
}

// The same for the squared error of softplus.
CALOPIPE_SIMD_CLONES double empty_cells_softplus(float* __restrict z, const float* __restrict bias,
                                                 std::size_t count, float scale) {
  float loss = 0;
#pragma omp simd reduction(+ : loss)
  for (std::size_t i = 0; i < count; ++i) {
    const float logit = z[i] + bias[i];
    const float magnitude = logit < 0 ? -logit : logit;
    const float u = core::fast_exp(-magnitude);
    const float inverse = 1.0f / (1.0f + u);
    const float output = (logit > 0 ? logit : 0.0f) + core::fast_log1p(u);
    loss += output * output;
    z[i] = 2 * scale * output * (logit > 0 ? inverse : u * inverse);
  }
  return loss;
}

// The same for the squared error of relu (`below` = 0) and of the linear output (`below` = 1).
CALOPIPE_SIMD_CLONES double empty_cells_linear(float* __restrict z, const float* __restrict bias,
                                               std::size_t count, float scale, float below) {
  float loss = 0;
#pragma omp simd reduction(+ : loss)
  for (std::size_t i = 0; i < count; ++i) {
    const float logit = z[i] + bias[i];
    const float output = logit > 0 ? logit : below * logit;
    loss += output * output;
    z[i] = 2 * scale * output;
  }
  return loss;
}

}  // namespace

Output output_of(const std::string& name) {
  return name == "relu"       ? Output::kRelu
         : name == "softplus" ? Output::kSoftplus
         : name == "linear"   ? Output::kLinear
                              : Output::kSigmoid;
}

double empty_cells(Output output, float* z, const float* bias, std::size_t count, float scale) {
  switch (output) {
    case Output::kSigmoid:
      break;
    case Output::kSoftplus:
      return empty_cells_softplus(z, bias, count, scale);
    case Output::kRelu:
      return empty_cells_linear(z, bias, count, scale, 0);
    case Output::kLinear:
      return empty_cells_linear(z, bias, count, scale, 1);
  }
  return empty_cells_sigmoid(z, bias, count, scale);
}

HitTerm hit_term(Output output, float logit, float target) {
  float value = logit, derivative = 1;
  switch (output) {
    case Output::kSigmoid:  // cross-entropy: target x logit
      return {.loss = static_cast<double>(target) * static_cast<double>(logit), .slope = target};
    case Output::kRelu:
      value = std::max(logit, 0.0f);
      derivative = logit > 0 ? 1.0f : 0.0f;
      break;
    case Output::kSoftplus:
      value = std::max(logit, 0.0f) + std::log1p(std::exp(-std::abs(logit)));
      derivative = core::fast_sigmoid(logit);
      break;
    case Output::kLinear:
      break;
  }
  return {.loss = static_cast<double>(target) * static_cast<double>(2 * value - target),
          .slope = 2 * target * derivative};
}

}  // namespace calo
