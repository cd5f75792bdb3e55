#include "calo/shower/energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace calo {

double energy_gev(double energy_mev) {
  if (!std::isfinite(energy_mev)) return energy_mev;
  // Moves the decimal point of the number's shortest digits by three places: a division would round.
  std::array<char, 64> text{};
  const auto narrow = static_cast<float>(energy_mev);
  char* const end = text.data() + text.size();
  const char* written = double{narrow} == energy_mev
                            ? std::to_chars(text.data(), end, narrow, std::chars_format::scientific).ptr
                            : std::to_chars(text.data(), end, energy_mev, std::chars_format::scientific).ptr;
  const std::string number(text.data(), static_cast<std::size_t>(written - text.data()));
  const std::size_t mark = number.find('e');
  const std::string shifted =
      fmt::format("{}e{}", number.substr(0, mark), std::atoi(number.c_str() + mark + 1) - 3);
  double gev = 0;
  std::from_chars(shifted.data(), shifted.data() + shifted.size(), gev);
  return gev;
}

std::string energy_text(double gev) {
  constexpr double kRounding = 2.5e-7;  // a few steps of float32
  constexpr int kMostDigits = 9;
  for (int digits = 1; digits < kMostDigits; ++digits) {
    const std::string text = fmt::format("{:.{}g}", gev, digits);
    double read = 0;
    std::from_chars(text.data(), text.data() + text.size(), read);
    // At least six digits, if the number has them.
    if (std::abs(read - gev) <= kRounding * std::abs(gev))
      return fmt::format("{:.{}g}", gev, std::max(digits, 6));
  }
  return fmt::format("{:.{}g}", gev, kMostDigits);
}

}  // namespace calo
