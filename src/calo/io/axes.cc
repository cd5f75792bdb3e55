#include "calo/io/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/error.h"

namespace calo {
namespace {

std::optional<Axis> axis_of(const std::string& name) {
  if (name == "r") return Axis::kR;
  if (name == "phi" || name == "alpha") return Axis::kPhi;
  if (name == "z" || name == "layer") return Axis::kZ;
  return std::nullopt;
}

}  // namespace

Axes parse_axes(const std::string& text) {
  std::string rest;
  for (const char c : text)
    if (!std::isspace(static_cast<unsigned char>(c)))
      rest += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  Axes axes{};
  std::size_t count = 0;
  bool good = true;
  for (std::size_t begin = 0; good && begin <= rest.size();) {
    const std::size_t end = std::min(rest.find(',', begin), rest.size());
    const auto axis = axis_of(rest.substr(begin, end - begin));
    const auto* const last = axes.begin() + count;
    good = axis && count < axes.size() && std::find(axes.cbegin(), last, *axis) == last;
    if (good) axes[count++] = *axis;
    begin = end + 1;
  }
  if (!good || count != axes.size())
    throw core::UsageError(
        {.message = fmt::format("\"{}\" is not an order of axes", text),
         .field = "axes",
         .hint = "give r, phi (or alpha) and z (or layer), the slowest first: layer,phi,r"});
  return axes;
}

std::string to_string(const Axes& axes) {
  std::string text;
  for (const Axis axis : axes) {
    const char* z = axes[0] == Axis::kZ ? "layer" : "z";
    text += std::string(text.empty() ? "" : ",") + (axis == Axis::kR ? "r" : axis == Axis::kPhi ? "phi" : z);
  }
  return text;
}

}  // namespace calo
