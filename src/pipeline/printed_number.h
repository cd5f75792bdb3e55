#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tune/objectives.h"

namespace pipeline {

/// A number of a run's products that is printed for other programs.
struct PrintedNumber {
  std::string name;  ///< under which it is printed
  tune::Objective number;

  /// @param summary of run_locally() @throws core::InputError if the run has no such number
  double read(const nlohmann::json& summary) const;
};

/// Reads texts of the form NAME=FILE:NUMBER. @throws core::UsageError if one has another form
std::vector<PrintedNumber> printed_numbers(const std::vector<std::string>& texts);

}  // namespace pipeline
