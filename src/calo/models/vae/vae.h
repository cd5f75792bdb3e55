#pragma once

#include "calo/model/architecture.h"

namespace calo {

/// The variational autoencoder of the example Par04 (MLFastSim), trained with LibTorch, with calopipe's own
/// first and last layers (TorchModule::vae).
///
/// Tensors: `encoder.<i>.{weight,bias}`, `encoder.<i>.norm.{weight,bias,running_mean,running_var}`,
/// `encoder.{mean,log_var}.{weight,bias}`, the same for `decoder.<i>.…`, `decoder.output.{weight,bias}`.
/// Encoder input: cells, then the condition vector; decoder input: latent, then the condition vector
/// (Transform::encode).
const Architecture& vae_architecture();

}  // namespace calo
