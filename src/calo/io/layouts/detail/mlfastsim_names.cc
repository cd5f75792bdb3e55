#include "calo/io/layouts/detail/mlfastsim_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string_view>

namespace calo::layouts {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

struct Number {
  double value = 0;
  double rounding = 0;
  std::string_view rest;
};

// Number at the beginning of a string: digits, not "inf" or "nan".
std::optional<Number> number_at(std::string_view text) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  const std::size_t digit = text.substr(sign).starts_with('.') ? sign + 1 : sign;
  if (digit >= text.size() || !is_digit(text[digit])) return std::nullopt;
  Number number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (error != std::errc() || !std::isfinite(number.value)) return std::nullopt;
  const auto length = static_cast<std::size_t>(end - text.data());
  number.rest = text.substr(length);
  const std::string_view digits = text.substr(0, length);
  const std::size_t point = digits.find('.');
  const bool exponent = digits.find_first_of("eE") != std::string_view::npos;
  const auto decimals = point == std::string_view::npos ? 0 : static_cast<double>(length - point - 1);
  number.rounding = exponent ? 1e-3 : 0.5 * std::pow(10, -decimals);
  return number;
}

std::string_view without_separators(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" _-"), text.size()));
  return text;
}

void read_angle(std::string_view text, MlFastSimName& name) {
  const auto number = number_at(text);
  if (!number) return;
  const std::string_view rest = number->rest;
  if (rest.size() > 1 && (rest[0] == 'p' || rest[0] == ',') && is_digit(rest[1])) {
    name.problem = fmt::format("\"{}\" could be {}.{} degrees", text, number->value, rest.substr(1));
    return;
  }
  const std::string unit = lower(without_separators(rest));
  double degrees = 1;
  if (unit.starts_with("rad")) degrees = 180 / std::numbers::pi;
  if (unit.starts_with("mrad")) degrees = 0.18 / std::numbers::pi;
  const double angle_deg = number->value * degrees;
  if (name.angle_deg && *name.angle_deg != angle_deg) {
    name.problem = fmt::format("it has two angles, {} and {}", *name.angle_deg, angle_deg);
    return;
  }
  name.angle_deg = angle_deg;
  name.rounding_deg = number->rounding * degrees;
}

}  // namespace

std::optional<MlFastSimName> parse_file_name(const std::filesystem::path& file) {
  static constexpr std::string_view kMark = "_angle_";
  const std::string stem = file.stem().string(), lowered = lower(stem);
  std::size_t mark = lowered.find(kMark);
  if (mark == std::string::npos) return std::nullopt;
  MlFastSimName name{.geometry = stem.substr(0, mark)};
  for (; mark != std::string::npos; mark = lowered.find(kMark, mark + 1))
    read_angle(std::string_view(stem).substr(mark + kMark.size()), name);
  if (!name.problem.empty()) name.angle_deg.reset();
  return name;
}

std::optional<double> energy_gev_of(const std::string& dataset) {
  std::string_view text = dataset;
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  const auto number = number_at(text);
  if (!number) return std::nullopt;
  const std::string unit = lower(number->rest.empty() ? "" : without_separators(number->rest));
  double gev = 0;
  if (number->rest.empty() || unit == "gev") gev = 1;
  if (unit == "kev") gev = 1e-6;
  if (unit == "mev") gev = 1e-3;
  if (unit == "tev") gev = 1e3;
  const double energy_gev = number->value * gev;
  if (!(energy_gev > 0) || !std::isfinite(energy_gev)) return std::nullopt;
  return energy_gev;
}

}  // namespace calo::layouts
