#pragma once

#include <filesystem>
#include <memory>

#include "calo/generate/shower_source.h"

namespace calo {

/// A cascade of a model folder as a source of showers (cascade::Sampler).
/// @throws core::InputError if the model cannot be
std::unique_ptr<ShowerSource> cascade_source(const ModelFolder& model, infer::Precision precision,
                                             const std::filesystem::path& folder);

}  // namespace calo
