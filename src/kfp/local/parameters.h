#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::local {

/// A value as a parameter of this type takes it: a whole double becomes an integer, in lists and structs too,
/// and an integer a double;
/// for STRING anything becomes text, as the backend's driver does it.
/// @param what "input parameter epochs", for errors
/// @throws core::InputError if it does not fit
nlohmann::json convert_parameter(const nlohmann::json& value, ir::ParameterType type,
                                 const std::string& what);

/// Checks the parameters of a run against the inputs of the pipeline.
/// @return values by name, defaults included; null for optional ones without
/// @throws core::UsageError: unknown (with the nearest name), missing, wrong type, not among the literals
nlohmann::json check_run_parameters(const ir::PipelineSpec& spec, const nlohmann::json& parameters);

}  // namespace kfp::local
