#pragma once

#include <cstddef>
#include <string>

namespace calo {

/// Activation of the output layer, and with it the reconstruction loss of a cell: binary cross-entropy for
/// sigmoid, squared error for the others.
enum class Output { kSigmoid, kRelu, kSoftplus, kLinear };

/// ModelDescription::out_activation as Output.
Output output_of(const std::string& out_activation);

/// Loss of `count` cells as if all were empty (target 0). @param z logits without bias in, `scale` times the
/// derivative of the loss by the logit out. In one pass that the compiler vectorises.
double empty_cells(Output output, float* z, const float* bias, std::size_t count, float scale);

/// What a hit with a target has less than an empty cell.
struct HitTerm {
  double loss = 0;
  float slope = 0;  ///< its derivative by the logit
};
HitTerm hit_term(Output output, float logit, float target);

}  // namespace calo
