#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pipeline {

/// Path of the program calopipe-fullsim: the value of the environment variable CALOPIPE_FULLSIM, else the one
/// next to this program, else the first in PATH.
/// @throws core::UnavailableError if there is none, with how to get it
std::filesystem::path find_full_sim();

/// Runs calopipe-fullsim, whose progress goes to our stderr. An interruption of this program is passed on,
/// and calopipe-fullsim keeps its finished parts.
/// @return its report
/// @throws the error that it ended with (same kind, same details); core::Interrupted; core::UnavailableError
///         if it ended without a report
nlohmann::json run_full_sim(const std::filesystem::path& program, const std::vector<std::string>& arguments);

}  // namespace pipeline
