#include "kfp/ir/quantity.h"

#include <charconv>
#include <cmath>
#include <map>

namespace kfp::ir {
namespace {

// The number at the beginning of `text`, times its unit; nullopt if `units` does not have the unit.
std::optional<double> parse(std::string_view text, std::chars_format format,
                            const std::map<std::string_view, double>& units) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number, format);
  if (error != std::errc() || number < 0 || !std::isfinite(number)) return std::nullopt;
  const auto unit = units.find(text.substr(static_cast<std::size_t>(rest - text.data())));
  return unit != units.end() ? std::optional(number * unit->second) : std::nullopt;
}

}  // namespace

std::optional<double> quantity(std::string_view text) {
  static const std::map<std::string_view, double> kUnits = {
      {"", 1},        {"n", 1e-9},    {"u", 1e-6},    {"m", 1e-3},   {"k", 1e3},     {"M", 1e6},
      {"G", 1e9},     {"T", 1e12},    {"P", 1e15},    {"E", 1e18},   {"Ki", 0x1p10}, {"Mi", 0x1p20},
      {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}};
  return parse(text, std::chars_format::general, kUnits);
}

std::optional<double> cpu_cores(std::string_view quantity) {
  static const std::map<std::string_view, double> kUnits = {{"", 1}, {"m", 1e-3}};
  return parse(quantity, std::chars_format::fixed, kUnits);
}

std::optional<double> memory_bytes(std::string_view quantity) {
  static const std::map<std::string_view, double> kUnits = {
      {"", 1},        {"K", 1e3},     {"M", 1e6},     {"G", 1e9},     {"T", 1e12},
      {"P", 1e15},    {"E", 1e18},    {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30},
      {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}};
  return parse(quantity, std::chars_format::fixed, kUnits);
}

}  // namespace kfp::ir
