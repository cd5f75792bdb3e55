#pragma once

#include <cstddef>
#include <string>

namespace calo {

/// Activation of the output layer, which implies the reconstruction loss of a cell: binary cross-entropy for
/// sigmoid, squared error for the others.
enum class Output { kSigmoid, kRelu, kSoftplus, kLinear };

/// ModelDescription::out_activation as an Output.
Output output_of(const std::string& out_activation);

/// Loss of `count` cells as if all were empty (target 0), in one pass that the compiler vectorises.
/// @param z  input: logits without bias; output: `scale` times the derivative of the loss with respect to the
///        logit
double empty_cells(Output output, float* z, const float* bias, std::size_t count, float scale);

/// Difference in loss between a hit with a target and an empty cell: loss of the empty cell minus that of the
/// hit.
struct HitTerm {
  double loss = 0;
  float slope = 0;  ///< its derivative with respect to the logit
};
HitTerm hit_term(Output output, float logit, float target);

}  // namespace calo
