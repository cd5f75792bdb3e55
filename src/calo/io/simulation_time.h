#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace calo {

/// Mean time in seconds that the simulation of a shower took, where all files know it: the dataset
/// `sim_time_s`, or the attribute of that name of each energy's dataset (MLFastSim). Times that are not
/// finite or negative are left out.
/// @throws core::InputError where a file cannot be read
std::optional<double> mean_simulation_time_s(const std::vector<std::filesystem::path>& files);

}  // namespace calo
