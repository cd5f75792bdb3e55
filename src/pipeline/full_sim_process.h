#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pipeline {

/// The program calopipe-fullsim: what the environment variable CALOPIPE_FULLSIM names, else the one beside
/// this program, else the first in PATH.
/// @throws core::UnavailableError if there is none, saying how to get it
std::filesystem::path find_full_sim();

/// Runs calopipe-fullsim, whose progress goes to our stderr; an interruption of ours is passed on, and it
/// keeps its finished parts.
/// @return its figures
/// @throws the error that it ended with (same kind, same details); core::Interrupted;
///         core::UnavailableError where it ended without a word
nlohmann::json run_full_sim(const std::filesystem::path& program, const std::vector<std::string>& arguments);

}  // namespace pipeline
