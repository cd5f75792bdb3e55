#include "kfp/ir/detail/proto_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <limits>

namespace kfp::ir {
namespace {

using core::JsonPlace;
using nlohmann::json;

void check_finite(const json& value, JsonPlace& place) {
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    place.fail("is a non-finite number, which JSON cannot hold");
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const JsonPlace::Step step(place, i);
      check_finite(value[i], place);
    }
  }
  if (value.is_object()) {
    for (const auto& [name, element] : value.items()) {
      const JsonPlace::Step step(place, name);
      check_finite(element, place);
    }
  }
}

template <class T>
T integer(const json& value, const JsonPlace& place) {
  std::optional<std::int64_t> found;
  if (value.is_number_unsigned()) {
    if (value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      found = value.get<std::int64_t>();
  } else if (value.is_number_integer()) {
    found = value.get<std::int64_t>();
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && std::abs(number) < 0x1p63) found = static_cast<std::int64_t>(number);
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    std::int64_t parsed = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error == std::errc() && rest == text.data() + text.size()) found = parsed;
  }
  if (!found || *found < std::numeric_limits<T>::min() || *found > std::numeric_limits<T>::max())
    place.wrong_type(value, sizeof(T) == 8 ? "an integer of 64 bits" : "an integer of 32 bits");
  return static_cast<T>(*found);
}

bool is_duration(std::string_view text) {
  if (!text.ends_with('s')) return false;
  text.remove_suffix(1);
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const auto digits = [](std::string_view part, std::size_t most) {
    return !part.empty() && part.size() <= most &&
           part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!digits(text.substr(0, point), 12)) return false;
  return point == std::string_view::npos || digits(text.substr(point + 1), 9);
}

}  // namespace

const json* ProtoJson::find(const json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end()) {
    std::string snake;
    for (const char* c = name; *c != 0; ++c) {
      if (*c >= 'A' && *c <= 'Z') snake += '_';
      snake += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    found = object.find(snake);
  }
  return found == object.end() ? nullptr : &*found;
}

// "executor_label" -> "executorLabel"
std::string ProtoJson::described(const std::string& name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool letter = i + 1 < name.size() && name[i + 1] >= 'a' && name[i + 1] <= 'z';
    if (name[i] == '_' && i > 0 && letter)
      out += static_cast<char>(name[++i] - 'a' + 'A');
    else
      out += name[i];
  }
  return out;
}

void ProtoJson::read(std::int32_t& target, const json& value, JsonPlace& place) {
  target = integer<std::int32_t>(value, place);
}

void ProtoJson::read(std::int64_t& target, const json& value, JsonPlace& place) {
  target = integer<std::int64_t>(value, place);
}

void ProtoJson::read(double& target, const json& value, JsonPlace& place) {
  if (value.is_number()) {
    target = value.get<double>();
    return;
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), target);
    if (error == std::errc() && rest == text.data() + text.size() && std::isfinite(target)) return;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (const auto& [name, special] : {std::pair{"NaN", std::numeric_limits<double>::quiet_NaN()},
                                        std::pair{"Infinity", kInfinity}, std::pair{"-Infinity", -kInfinity}})
      if (text == name) {
        target = special;
        return;
      }
  }
  place.wrong_type(value, "a number");
}

void ProtoJson::read(Duration& target, const json& value, JsonPlace& place) {
  if (!value.is_string() || !is_duration(value.get_ref<const std::string&>()))
    place.wrong_type(value, "a duration in seconds such as \"3600s\"");
  target.text = value.get<std::string>();
}

void ProtoJson::read(Value& target, const json& value, JsonPlace& place) {
  check_finite(value, place);
  target = value;
}

void ProtoJson::read(JsonObject& target, const json& value, JsonPlace& place) {
  if (!value.is_object()) place.wrong_type(value, "a mapping");
  read(target.value, value, place);
}

int ProtoJson::index_of_name(const std::vector<std::string>& names, const json& value, JsonPlace& place) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (value.is_string() && value.get_ref<const std::string&>() == names[i]) return static_cast<int>(i);
  if (value.is_number_integer() && value >= 0 && value < names.size()) return value.get<int>();
  place.wrong_type(value, fmt::format("one of {}", fmt::join(names, ", ")));
}

}  // namespace kfp::ir
