#include "calo/infer/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cmath>

namespace calo::infer {

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(span(), ", "));
}

float from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 31u, mantissa = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

std::uint16_t to_half(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);  // no number
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u)  // below the normal ones: steps of 2^-24
    return static_cast<std::uint16_t>(
        sign | static_cast<std::uint32_t>(std::nearbyint(std::ldexp(std::abs(x), 24))));
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

void settle(Tensor& tensor) {
  const std::size_t count = tensor.size();
  const auto wrap = [&](auto narrow) {
    for (std::size_t i = 0; i < count; ++i)
      // NOLINTNEXTLINE(bugprone-signed-char-misuse): the sign is kept on purpose.
      tensor.integers[i] = static_cast<decltype(narrow)>(static_cast<std::uint64_t>(tensor.integers[i]));
  };
  switch (tensor.type) {
    case ElementType::kFloat16:
      for (std::size_t i = 0; i < count; ++i) tensor.floats[i] = from_half(to_half(tensor.floats[i]));
      break;
    case ElementType::kInt8:
      return wrap(std::int8_t());
    case ElementType::kUint8:
      return wrap(std::uint8_t());
    case ElementType::kInt16:
      return wrap(std::int16_t());
    case ElementType::kUint16:
      return wrap(std::uint16_t());
    case ElementType::kInt32:
      return wrap(std::int32_t());
    case ElementType::kUint32:
      return wrap(std::uint32_t());
    default:
      break;
  }
}

}  // namespace calo::infer
