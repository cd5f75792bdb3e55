#include "core/parameter_field.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"

namespace core {
namespace {

using nlohmann::json;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

[[noreturn]] void refuse(const ParameterField& field, const std::string& given) {
  std::string hint = field.allowed();
  const std::string type = field.type_name();
  throw UsageError({.message = fmt::format("cannot be {}: expected {} {}", given,
                                           type.starts_with('i') ? "an" : "a", type),
                    .field = field.name,
                    .hint = hint.empty() ? "" : "allowed: " + hint});
}

std::string shown_value(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

void check_number(const ParameterField& field, double value) {
  const ParameterSpec& spec = field.parameter_spec;
  const bool low = spec.min && (value < *spec.min || (spec.above_min && value <= *spec.min));
  const bool high = spec.max && (value > *spec.max || (spec.below_max && value >= *spec.max));
  if (!std::isfinite(value) || low || high) refuse(field, fmt::format("{}", value));
}

void check_choice(const ParameterField& field, const std::string& value) {
  const auto& choices = field.parameter_spec.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  const std::string near = nearest(value, choices);
  throw UsageError({.message = fmt::format("cannot be \"{}\"{}", value,
                                           near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near)),
                    .field = field.name,
                    .hint = "allowed: " + field.allowed()});
}

std::string as_string(const ParameterField& field, const json& value) {
  if (!value.is_string()) refuse(field, shown_value(value));
  check_choice(field, value.get<std::string>());
  return value.get<std::string>();
}

double as_double(const ParameterField& field, const json& value) {
  if (!value.is_number()) refuse(field, shown_value(value));
  const double number = value.get<double>();
  check_number(field, number);
  return number;
}

std::int64_t as_integer(const ParameterField& field, const json& value) {
  std::int64_t number = 0;
  if (value.is_number_unsigned()) {
    if (value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) refuse(field, shown_value(value));
    number = value.get<std::int64_t>();
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float() && std::abs(value.get<double>()) <= 0x1p53 &&
             std::trunc(value.get<double>()) == value.get<double>()) {
    number = static_cast<std::int64_t>(value.get<double>());
  } else {
    refuse(field, shown_value(value));
  }
  check_number(field, static_cast<double>(number));
  return number;
}

template <class T, class Convert>
std::vector<T> as_list(const ParameterField& field, const json& value, const Convert& convert) {
  if (!value.is_array()) refuse(field, shown_value(value));
  std::vector<T> list;
  for (const json& element : value) list.push_back(convert(field, element));
  return list;
}

// Parses a number, as an integer if it is one; nullopt if `text` as a whole is not a number.
std::optional<json> parse_number(const std::string& text) {
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  if (auto [rest, error] = std::from_chars(text.data(), end, integer); error == std::errc() && rest == end)
    return json(integer);
  double number = 0;
  if (auto [rest, error] = std::from_chars(text.data(), end, number); error == std::errc() && rest == end)
    return json(number);
  return std::nullopt;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    std::string part = text.substr(begin, comma - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    parts.push_back(std::move(part));
    begin = comma + 1;
  }
  return parts;
}

}  // namespace

std::string nearest(const std::string& name, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = name.size() / 3 + 1;  // names at a greater distance are unrelated
  for (const std::string& candidate : known) {
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        const std::size_t substituted = diagonal + (name[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
      }
    }
    if (row.back() <= best_distance) {
      if (row.back() < best_distance || best.empty()) best = candidate;
      best_distance = row.back();
    }
  }
  return best;
}

std::string ParameterField::option_name() const {
  std::string option = name;
  std::replace(option.begin(), option.end(), '_', '-');
  return option;
}

std::string ParameterField::type_name() const {
  static constexpr const char* kNames[] = {
      "string",          "integer",          "double",          "bool",
      "list of strings", "list of integers", "list of doubles", "struct"};
  return kNames[parameter.index()];
}

std::string ParameterField::allowed() const {
  const ParameterSpec& spec = parameter_spec;
  if (!spec.choices.empty()) return fmt::format("one of {}", fmt::join(spec.choices, ", "));
  std::vector<std::string> bounds;
  if (spec.min) bounds.push_back(fmt::format("{} {}", spec.above_min ? "above" : "at least", *spec.min));
  if (spec.max) bounds.push_back(fmt::format("{} {}", spec.below_max ? "below" : "at most", *spec.max));
  return fmt::format("{}", fmt::join(bounds, ", "));
}

json ParameterField::value() const {
  return std::visit([](const auto* pointer) { return json(*pointer); }, parameter);
}

void ParameterField::set(const json& value) const {
  std::visit(
      Overloaded{
          [&](std::string* target) { *target = as_string(*this, value); },
          [&](std::int64_t* target) { *target = as_integer(*this, value); },
          [&](double* target) { *target = as_double(*this, value); },
          [&](bool* target) {
            if (!value.is_boolean()) refuse(*this, shown_value(value));
            *target = value.get<bool>();
          },
          [&](std::vector<std::string>* target) { *target = as_list<std::string>(*this, value, as_string); },
          [&](std::vector<std::int64_t>* target) {
            *target = as_list<std::int64_t>(*this, value, as_integer);
          },
          [&](std::vector<double>* target) { *target = as_list<double>(*this, value, as_double); },
          [&](json* target) {
            if (!value.is_object()) refuse(*this, shown_value(value));
            *target = value;
          },
      },
      parameter);
}

void ParameterField::set_text(const std::string& text) const {
  if (std::holds_alternative<std::string*>(parameter)) return set(text);
  if (is_bool()) {
    if (text != "true" && text != "false") refuse(*this, shown_value(text));
    return set(text == "true");
  }
  if (std::holds_alternative<json*>(parameter) || (is_list() && text.starts_with('['))) {
    const json parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded()) refuse(*this, shown_value(text));
    return set(parsed);
  }
  if (is_list()) {
    json list = json::array();
    if (!text.empty())
      for (const std::string& part : split(text)) {
        const auto number = parse_number(part);
        const bool strings = std::holds_alternative<std::vector<std::string>*>(parameter);
        list.push_back(strings || !number ? json(part) : *number);
      }
    return set(list);
  }
  const auto number = parse_number(text);
  if (!number) refuse(*this, shown_value(text));
  set(*number);
}

json to_json(const ParameterFields& fields) {
  json object = json::object();
  for (const ParameterField& field : fields) object[field.name] = field.value();
  return object;
}

void set_from_json(const ParameterFields& fields, const json& object, const std::string& what) {
  if (!object.is_object()) throw InputError({.message = fmt::format("must be {} (a JSON object)", what)});
  std::vector<std::string> known;
  known.reserve(fields.size());
  for (const ParameterField& field : fields) known.push_back(field.name);
  for (const auto& [name, value] : object.items()) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      const std::string near = nearest(name, known);
      throw InputError({.message = fmt::format("is not a field of {}", what),
                        .field = name,
                        .hint = near.empty() ? "" : fmt::format("did you mean \"{}\"?", near)});
    }
    try {
      fields[static_cast<std::size_t>(found - known.begin())].set(value);
    } catch (const UsageError& error) {
      throw InputError(error.details());
    }
  }
}

void check(const ParameterFields& fields) {
  for (const ParameterField& field : fields) field.set(field.value());
}

}  // namespace core
