#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::local {

/// Converts a value to the type of a parameter: a whole double becomes an integer, also in lists and structs,
/// and an integer a double; for STRING any value becomes a string, as in the backend's driver.
/// @param what description for errors: "input parameter epochs"
/// @throws core::InputError if it does not fit
nlohmann::json convert_parameter(const nlohmann::json& value, ir::ParameterType type,
                                 const std::string& what);

/// Checks the parameters of a run against the inputs of the pipeline.
/// @return values by name, including defaults; null for optional parameters without one
/// @throws core::UsageError: unknown (with the nearest name), missing, wrong type, not among the literals
nlohmann::json check_run_parameters(const ir::PipelineSpec& spec, const nlohmann::json& parameters);

}  // namespace kfp::local
