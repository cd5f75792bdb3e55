#include "kfp/yaml/detail/yaml_scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <regex>
#include <string_view>
#include <vector>

namespace kfp {
namespace {

using nlohmann::json;

constexpr std::size_t kLongest =
    100;  // no number or time is longer; longer strings are not matched against expressions

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (rest != text.data() + text.size() || error != std::errc()) return std::nullopt;
  return value;
}

double parse_double(std::string_view digits) {
  double value = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  // from_chars does not set the value if it is out of range: strtod distinguishes overflow and underflow.
  if (error == std::errc::result_out_of_range) return std::strtod(std::string(digits).c_str(), nullptr);
  return value;
}

std::optional<double> floating(const std::string& text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF")
    return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::nan("");
  if (digits.empty() || digits.find_first_not_of("0123456789.eE+-") != std::string_view::npos)
    return std::nullopt;
  double value = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (rest != digits.data() + digits.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) value = parse_double(digits);
  return negative ? -value : value;
}

bool is_null(const std::string& text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

std::optional<bool> truth(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

std::string without_underscores(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
  return text;
}

bool starts_like_a_number(const std::string& text) {
  return !text.empty() && text.size() <= kLongest &&
         ((text[0] >= '0' && text[0] <= '9') || text[0] == '+' || text[0] == '-' || text[0] == '.');
}

// As Go's strconv.ParseInt(text, 0, 64), else ParseUint: prefixes 0x, 0o, 0b, and 0 for octal.
std::optional<json> go_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  const bool is_signed = negative || text.starts_with('+');
  if (is_signed) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char kind = static_cast<char>(text[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
    text.remove_prefix(kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1);
  }
  if (text.empty() || text[0] == '-' || text[0] == '+') return std::nullopt;
  const auto value = number<std::uint64_t>(text, base);
  if (!value) return std::nullopt;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (negative) {
    if (*value > kMax + 1) return std::nullopt;
    return json(static_cast<std::int64_t>(~*value + 1));
  }
  if (*value <= kMax) return json(static_cast<std::int64_t>(*value));
  if (is_signed) return std::nullopt;
  return json(*value);
}

int days_of(int year, int month) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

// A time that yaml.v3 accepts, in the JSON notation of time.Time.
std::optional<std::string> go_time(const std::string& text) {
  static const std::regex pattern(
      R"((\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?(Z|[+-]\d\d:\d\d))|(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?))?)");
  std::smatch parts;
  if (!std::regex_match(text, parts, pattern)) return std::nullopt;
  const auto part = [&](std::size_t i) { return parts[i].matched ? std::stoi(parts[i].str()) : 0; };
  const std::size_t time = parts[4].matched ? 4 : 9;
  const int year = part(1), month = part(2), day = part(3);
  const int hour = part(time), minute = part(time + 1), second = part(time + 2);
  if (month < 1 || month > 12 || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 ||
      second > 59)
    return std::nullopt;
  std::string fraction = parts[time + 3].str().substr(0, 10);
  while (!fraction.empty() && (fraction.back() == '0' || fraction.back() == '.')) fraction.pop_back();
  std::string zone = parts[8].matched ? parts[8].str() : "Z";
  if (zone.size() == 6) {
    const int hours = std::stoi(zone.substr(1, 2)), minutes = std::stoi(zone.substr(4, 2));
    if (hours > 24 || minutes >= 60) return std::nullopt;
    if (hours == 0 && minutes == 0) zone = "Z";
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{}", year, month, day, hour, minute, second,
                     fraction, zone);
}

// A YAML 1.1 number in base 60.
json sexagesimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  while (true) {
    const std::size_t colon = text.find(':');
    value = value * 60 + parse_double(text.substr(0, colon));
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  return negative ? -value : value;
}

PythonScalar python_number(const std::string& text) {
  // The regular expressions of PyYAML's resolver.
  static const std::regex kFloat(
      R"([-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))");
  static const std::regex kInteger(
      R"([-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)");
  static const std::regex kTime(
      R"([0-9]{4}-[0-9][0-9]-[0-9][0-9]|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9][0-9]:[0-9][0-9](?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9][0-9])?))?)");
  const std::string digits = without_underscores(text);
  if (std::regex_match(text, kFloat)) {
    if (digits.find(':') != std::string::npos) return {sexagesimal(digits), ""};
    const std::string number = digits.back() == '.' ? digits + "0" : digits;
    if (const auto value = floating(number)) return {*value, ""};
    // for example "1.e+3"
    return {std::strtod(digits.c_str(), nullptr), ""};
  }
  if (std::regex_match(text, kInteger)) {
    if (digits.find(':') != std::string::npos) return {sexagesimal(digits), ""};
    if (const auto value = go_integer(digits)) return {*value, ""};
    if (digits.find_first_of("xb") != std::string::npos) return {nullptr, "an error"};  // for example "0b_"
    return {std::strtod(digits.c_str(), nullptr), ""};                                  // Python has no limit
  }
  if (std::regex_match(text, kTime)) return {nullptr, text.size() > 10 ? "a time" : "a date"};
  return {text, ""};
}

std::string shown(const json& value) {
  return value.is_string() ? fmt::format("the string \"{}\"", value.get<std::string>()) : value.dump();
}

bool same(const json& a, const json& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>(), y = b.get<double>();
    return x == y || (std::isnan(x) && std::isnan(y));
  }
  return a == b;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

}  // namespace

json core_scalar(const std::string& text) {
  if (is_null(text)) return nullptr;
  if (const auto value = truth(text)) return *value;
  std::string_view digits = text;
  if (digits.starts_with("0x") || digits.starts_with("0o")) {
    if (const auto value = number<std::uint64_t>(digits.substr(2), digits[1] == 'x' ? 16 : 8)) return *value;
    return text;
  }
  if (digits.starts_with('+')) digits.remove_prefix(1);
  if (!digits.starts_with('-') || !text.starts_with('+')) {
    if (const auto value = number<std::int64_t>(digits, 10)) return *value;
    if (const auto value = number<std::uint64_t>(digits, 10)) return *value;
  }
  if (const auto value = floating(text)) return *value;
  return text;
}

json server_scalar(const std::string& text) {
  if (is_null(text)) return nullptr;
  if (const auto value = truth(text)) return *value;
  if (!starts_like_a_number(text)) return text;
  if (text[0] == '.') {
    const auto value = floating(text);
    // Only the names of infinity give infinity.
    if (value && (std::isfinite(*value) || text.find_first_of("0123456789") == std::string::npos))
      return *value;
    return text;
  }
  if (const auto value = go_time(text)) return *value;
  const std::string digits = without_underscores(text);
  if (auto value = go_integer(digits)) return *value;
  static const std::regex kFloat(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
  if (std::regex_match(digits, kFloat)) {
    const double value = std::strtod(digits.c_str(), nullptr);
    if (std::isfinite(value)) return value;
    return text;
  }
  if (const auto value = floating(text);
      value && !std::isfinite(*value) && text.find_first_of("0123456789") == std::string::npos)
    return *value;  // for example "-.inf"
  return text;
}

PythonScalar python_scalar(const std::string& text) {
  if (is_null(text)) return {nullptr, ""};
  if (const auto value = truth(text)) return {*value, ""};
  static constexpr std::array<std::string_view, 6> kTrue = {"yes", "Yes", "YES", "on", "On", "ON"};
  static constexpr std::array<std::string_view, 6> kFalse = {"no", "No", "NO", "off", "Off", "OFF"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return {true, ""};
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return {false, ""};
  if (text == "=" || text == "<<") return {nullptr, "an error"};
  return starts_like_a_number(text) ? python_number(text) : PythonScalar{text, ""};
}

std::string differing_readings(const std::string& text) {
  struct Reading {
    std::string who;
    json value;
    std::string what;
  };
  const PythonScalar python = python_scalar(text);
  std::vector<Reading> readings = {{"the server", server_scalar(text), ""},
                                   {"this program", server_scalar(text), ""},
                                   {"the Python SDK", python.value, python.what},
                                   {"YAML 1.2", core_scalar(text), ""}};
  // A word of YAML 1.1 that neither the server nor PyYAML implement.
  if (text == "y" || text == "Y") readings.push_back({"other readers of YAML 1.1", true, ""});
  if (text == "n" || text == "N") readings.push_back({"other readers of YAML 1.1", false, ""});
  std::vector<std::pair<const Reading*, std::vector<std::string>>> groups;
  for (const Reading& reading : readings) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& other) {
      return other.first->what == reading.what && same(other.first->value, reading.value);
    });
    if (group == groups.end())
      groups.push_back({&reading, {reading.who}});
    else
      group->second.push_back(reading.who);
  }
  if (groups.size() == 1) return "";
  std::string message = text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Reading& reading = *groups[i].first;
    message +=
        fmt::format("{} {} for {}",
                    i == 0                   ? " is"
                    : i + 1 == groups.size() ? ", and"
                                             : ",",
                    reading.what.empty() ? shown(reading.value) : reading.what, joined(groups[i].second));
  }
  return message;
}

std::string differing_key(const std::string& text) {
  const json server = server_scalar(text);
  const PythonScalar python = python_scalar(text);
  if (!server.is_string() || server != text)
    return fmt::format("the key {} is {} for the server, which accepts only strings", text,
                       server.is_string() ? "a time" : server.dump());
  if (!python.what.empty() || !python.value.is_string())
    return fmt::format("the key {} is {} for the Python SDK, and a string for the server and this program",
                       text, python.what.empty() ? python.value.dump() : python.what);
  return "";
}

}  // namespace kfp
