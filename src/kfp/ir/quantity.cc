#include "kfp/ir/quantity.h"

#include <charconv>
#include <cmath>

namespace kfp::ir {
namespace {

// A number at the beginning of `text`, which is cut off; nullopt where there is none.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto [rest, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || number < 0 || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return number;
}

}  // namespace

std::optional<double> cpu_cores(std::string_view quantity) {
  const std::optional<double> number = take_number(quantity);
  if (number && quantity.empty()) return number;
  if (number && quantity == "m") return *number / 1000;
  return std::nullopt;
}

std::optional<double> memory_bytes(std::string_view quantity) {
  const std::optional<double> number = take_number(quantity);
  if (!number) return std::nullopt;
  if (quantity.empty()) return number;
  const std::size_t power = std::string_view("KMGTPE").find(quantity.front());
  if (power == std::string_view::npos) return std::nullopt;
  const bool binary = quantity.size() == 2 && quantity[1] == 'i';
  if (!binary && quantity.size() > 1) return std::nullopt;
  return *number * std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power + 1));
}

}  // namespace kfp::ir
