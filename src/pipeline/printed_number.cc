#include "pipeline/printed_number.h"

#include <fmt/format.h>

#include "core/error.h"

namespace pipeline {

double PrintedNumber::read(const nlohmann::json& summary) const {
  const std::string product = std::filesystem::path(number.file()).stem().string();
  if (!summary.contains(product))
    throw core::InputError(
        {.message = "the run did not write it", .file = number.file(), .field = number.name()});
  return tune::Objectives::read(number, summary.at(product).get<std::string>()).value;
}

std::vector<PrintedNumber> printed_numbers(const std::vector<std::string>& texts) {
  std::vector<PrintedNumber> numbers;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('='), colon = text.find(':');
    if (equals == 0 || equals == std::string::npos || colon == std::string::npos || colon < equals + 2 ||
        colon + 1 == text.size())
      throw core::UsageError({.message = fmt::format("\"{}\" must have the form NAME=FILE:NUMBER", text),
                              .field = "--print",
                              .hint = "fpd=metrics.json:fpd"});
    numbers.push_back({.name = text.substr(0, equals), .number = {.value = text.substr(equals + 1)}});
  }
  return numbers;
}

}  // namespace pipeline
