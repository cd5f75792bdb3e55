#include "kfp/ir/value_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace kfp::ir {
namespace {

std::string digits_of(double number, std::chars_format format) {
  std::array<char, 400> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, format);
  return {digits.data(), end.ptr};
}

// A double as encoding/json and protojson write it: as in ECMAScript.
std::string json_number(double number) {
  const double size = std::abs(number);
  if (number == 0 || (size >= 1e-6 && size < 1e21)) return digits_of(number, std::chars_format::fixed);
  std::string text = digits_of(number, std::chars_format::scientific);
  const std::size_t zero = text.find("e-0");
  if (zero != std::string::npos) text.erase(zero + 2, 1);
  return text;
}

void append(std::string& out, const Value& value, bool html) {
  if (value.is_object() || value.is_array()) {
    const bool object = value.is_object();
    out += object ? '{' : '[';
    bool first = true;
    for (const auto& [name, element] : value.items()) {
      if (!first) out += ',';
      first = false;
      if (object) {
        append(out, name, html);
        out += ':';
      }
      append(out, element, html);
    }
    out += object ? '}' : ']';
    return;
  }
  if (value.is_number_float() && std::isfinite(value.get<double>())) {
    out += json_number(value.get<double>());
    return;
  }
  std::string text = value.dump();
  if (html && value.is_string()) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEscaped = {
        {{"<", "\\u003c"},
         {">", "\\u003e"},
         {"&", "\\u0026"},
         {"\xE2\x80\xA8", "\\u2028"},
         {"\xE2\x80\xA9", "\\u2029"}}};
    for (const auto& [plain, escaped] : kEscaped)
      for (std::size_t at = text.find(plain); at != std::string::npos;
           at = text.find(plain, at + escaped.size()))
        text.replace(at, plain.size(), escaped);
  }
  out += text;
}

}  // namespace

std::string value_text(const Value& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float() && std::isfinite(value.get<double>()))
    return digits_of(value.get<double>(), std::chars_format::fixed);
  return json_text(value, true);
}

Value whole_numbers(Value value) {
  if (value.is_structured())
    for (Value& element : value) element = whole_numbers(std::move(element));
  if (!value.is_number_float()) return value;
  const double number = value.get<double>();
  if (number == std::floor(number) && std::abs(number) <= 0x1p53) return static_cast<std::int64_t>(number);
  return value;
}

std::string json_text(const Value& value, bool html) {
  std::string out;
  append(out, value, html);
  return out;
}

}  // namespace kfp::ir
