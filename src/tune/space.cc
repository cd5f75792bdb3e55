#include "tune/space.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/json_file.h"
#include "core/json_reader.h"

namespace tune {
namespace {

using nlohmann::json;

// A dimension as a file has it.
struct Written {
  std::vector<double> range;
  std::vector<json> values;
  bool log = false;
  std::optional<double> step;
  std::int64_t points = 0;
  std::map<std::string, json> condition;

  template <class V>
  void describe(V& v) {
    v("range", range);
    v("values", values);
    v("log", log);
    v("step", step, {.min = 0, .above_min = true});
    v("points", points, {.min = 2, .max = 1e6});
    v("if", condition);
  }
};

constexpr const char* kKinds[] = {"double", "integer", "categorical"};

// The ends of an integer's range are half a step further in the logarithm, so that each value has its part.
double to_log(const Dimension& dimension, double value, double shift) {
  return std::log(dimension.kind == Dimension::Kind::kInteger ? value + shift : value);
}

double least_place(const Dimension& dimension) {
  return to_log(dimension, dimension.low, -0.5);
}

double log_width(const Dimension& dimension) {
  return to_log(dimension, dimension.high, 0.5) - least_place(dimension);
}

json number(const Dimension& dimension, double value) {
  if (dimension.kind == Dimension::Kind::kInteger) return static_cast<std::int64_t>(std::llround(value));
  return value;
}

}  // namespace

std::int64_t Dimension::size() const {
  if (is_categorical()) return static_cast<std::int64_t>(choices.size());
  const double distance = step > 0 ? step : kind == Kind::kInteger ? 1 : 0;
  return distance > 0 ? static_cast<std::int64_t>(std::floor((high - low) / distance * (1 + 1e-12))) + 1 : 0;
}

json Dimension::value(double place) const {
  place = std::clamp(place, 0.0, 1.0);
  if (log) {
    const double value = std::exp(least_place(*this) + place * log_width(*this));
    return number(*this, std::clamp(kind == Kind::kInteger ? std::round(value) : value, low, high));
  }
  const std::int64_t count = size();
  if (count == 0) return low + place * (high - low);
  const auto index = std::min(count - 1, static_cast<std::int64_t>(place * static_cast<double>(count)));
  if (is_categorical()) return choices[static_cast<std::size_t>(index)];
  return number(*this, low + static_cast<double>(index) * (step > 0 ? step : 1));
}

Dimension::Interval Dimension::interval(const json& value) const {
  if (log) {
    const auto place = [&](double shift) {
      return (to_log(*this, value.get<double>(), shift) - least_place(*this)) / log_width(*this);
    };
    return {place(-0.5), place(0.5)};
  }
  const std::int64_t count = size();
  if (count == 0) {
    const double place = high > low ? (value.get<double>() - low) / (high - low) : 0.5;
    return {place, place};
  }
  const double index = is_categorical() ? static_cast<double>(choice(value))
                                        : std::round((value.get<double>() - low) / (step > 0 ? step : 1));
  return {index / static_cast<double>(count), (index + 1) / static_cast<double>(count)};
}

std::size_t Dimension::choice(const json& value) const {
  const auto found = std::find(choices.begin(), choices.end(), value);
  if (found == choices.end())
    throw core::InputError({.message = value.dump() + " is not one of the values", .field = name});
  return static_cast<std::size_t>(found - choices.begin());
}

std::vector<json> Dimension::grid() const {
  const std::int64_t count = points > 0 && !is_categorical() ? points : size();
  if (count == 0)
    throw core::InputError({.message = "is continuous, so that a grid has no values of it",
                            .field = name,
                            .hint = "give step or points, or choose another algorithm"});
  std::vector<json> values;
  for (std::int64_t i = 0; i < count; ++i) {
    json next;
    if (points > 0 && !is_categorical()) {
      const double part = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.5;
      const double exact = log ? low * std::pow(high / low, part) : low + part * (high - low);
      next = size() > 0 && !log ? value(interval(json(exact)).middle()) : number(*this, exact);
    } else if (log) {
      next = number(*this, low + static_cast<double>(i));
    } else {
      next = value((static_cast<double>(i) + 0.5) / static_cast<double>(count));
    }
    if (values.empty() || values.back() != next) values.push_back(std::move(next));
  }
  return values;
}

json Dimension::to_json() const {
  json out = {{"name", name}, {"kind", kKinds[static_cast<int>(kind)]}};
  if (is_categorical()) {
    out["choices"] = choices;
  } else {
    out["low"] = low;
    out["high"] = high;
    if (log) out["log"] = true;
    if (step > 0) out["step"] = step;
    if (points > 0) out["points"] = points;
  }
  if (condition) out["condition"] = {{"parameter", condition->parameter}, {"values", condition->values}};
  return out;
}

Space::Space(std::vector<Dimension> dimensions) {
  if (dimensions.empty())
    throw core::InputError({.message = "has no parameters to search", .field = "space"});
  const auto find = [&](const std::vector<Dimension>& in, const std::string& name) {
    return std::find_if(in.begin(), in.end(), [&](const Dimension& one) { return one.name == name; });
  };
  for (const Dimension& one : dimensions) {
    const auto fail = [&](const std::string& message, const std::string& hint = "") {
      throw core::InputError({.message = message, .field = one.name, .hint = hint});
    };
    if (find(dimensions, one.name)->name.data() != one.name.data()) fail("occurs twice");
    if (one.is_categorical() ? one.choices.empty() : !(one.low <= one.high)) fail("has an empty range");
    for (auto choice = one.choices.begin(); choice != one.choices.end(); ++choice)
      if (std::find(one.choices.begin(), choice, *choice) != choice) fail(choice->dump() + " occurs twice");
    if (one.log && !(one.low > 0)) fail("must be above 0 on a logarithmic scale");
    if (one.log && one.step > 0) fail("has both log and step", "leave one out");
    if (!one.condition) continue;
    const auto parent = find(dimensions, one.condition->parameter);
    if (parent == dimensions.end())
      fail(fmt::format("depends on {}, which is not searched", one.condition->parameter));
    if (!parent->is_categorical())
      fail(fmt::format("depends on {}, which has a range", parent->name), "give it values");
    for (const json& value : one.condition->values) parent->choice(value);
  }
  // A dimension is placed after the one that it depends on.
  while (!dimensions.empty()) {
    const auto next = std::find_if(dimensions.begin(), dimensions.end(), [&](const Dimension& one) {
      return !one.condition || find(dimensions_, one.condition->parameter) != dimensions_.end();
    });
    if (next == dimensions.end())
      throw core::InputError({.message = "depends on itself", .field = dimensions.front().name});
    dimensions_.push_back(*next);
    dimensions.erase(next);
  }
}

const Dimension& Space::at(const std::string& name) const {
  for (const Dimension& one : dimensions_)
    if (one.name == name) return one;
  throw core::InputError({.message = "is not searched", .field = name});
}

bool Space::has_conditions() const {
  return std::any_of(dimensions_.begin(), dimensions_.end(),
                     [](const Dimension& one) { return one.condition.has_value(); });
}

bool Space::has_categories() const {
  return std::any_of(dimensions_.begin(), dimensions_.end(),
                     [](const Dimension& one) { return one.is_categorical(); });
}

bool Space::is_active(const Dimension& dimension, const Parameters& values) {
  if (!dimension.condition) return true;
  const auto found = values.find(dimension.condition->parameter);
  const auto& wanted = dimension.condition->values;
  return found != values.end() && std::find(wanted.begin(), wanted.end(), *found) != wanted.end();
}

Parameters Space::values(const std::vector<double>& places) const {
  Parameters values = json::object();
  for (std::size_t i = 0; i < dimensions_.size(); ++i)
    if (is_active(dimensions_[i], values)) values[dimensions_[i].name] = dimensions_[i].value(places.at(i));
  return values;
}

json Space::to_json() const {
  json out = json::array();
  for (const Dimension& one : dimensions_) out.push_back(one.to_json());
  return out;
}

Space Space::from_json(const json& list) {
  std::vector<Dimension> dimensions;
  try {
    for (const json& one : list) {
      Dimension dimension{.name = one.at("name").get<std::string>()};
      const std::string kind = one.at("kind").get<std::string>();
      dimension.kind = static_cast<Dimension::Kind>(std::find(kKinds, kKinds + 2, kind) - kKinds);
      dimension.low = one.value("low", 0.0);
      dimension.high = one.value("high", 1.0);
      dimension.log = one.value("log", false);
      dimension.step = one.value("step", 0.0);
      dimension.points = one.value("points", std::int64_t{0});
      dimension.choices = one.value("choices", std::vector<json>{});
      if (one.contains("condition"))
        dimension.condition = {.parameter = one.at("condition").at("parameter").get<std::string>(),
                               .values = one.at("condition").at("values").get<std::vector<json>>()};
      dimensions.push_back(std::move(dimension));
    }
  } catch (const json::exception& error) {
    throw core::InputError({.message = error.what(), .field = "space"});
  }
  return Space(std::move(dimensions));
}

namespace {

// A value as the declaration of its parameter takes it: 3 is a double where one is declared.
json declared_value(const core::ParameterField& field, const json& value) {
  field.set(value);
  return field.value();
}

Dimension read_dimension(const std::string& name, const json& value, const Declarations& declarations,
                         core::JsonPlace& place) {
  Written written;
  if (value.is_array())
    written.values = value.get<std::vector<json>>();
  else if (!value.is_null())
    core::read_json(written, value, place);
  const core::ParameterField field = place.checked([&] { return declarations(name); });
  const core::ParameterSpec& spec = field.parameter_spec;
  Dimension dimension{.name = name, .log = written.log, .points = written.points};
  const bool is_integer = std::holds_alternative<std::int64_t*>(field.parameter);
  const bool is_number = is_integer || std::holds_alternative<double*>(field.parameter);
  if (!written.range.empty() && !written.values.empty()) place.fail("has both range and values", "give one");
  if (value.is_object() && value.contains("values") && written.values.empty())
    place.fail("has an empty range");
  if (written.values.empty() && written.range.empty() && !is_number) {
    for (const std::string& choice : spec.choices) written.values.emplace_back(choice);
    if (field.is_bool()) written.values = {false, true};
    if (written.values.empty())
      place.fail("has no range of its own: it is a " + field.type_name(), "give values");
  }
  if (!written.condition.empty()) {
    const auto& [parameter, wanted] = *written.condition.begin();
    if (written.condition.size() > 1) place.fail("depends on several parameters", "name one");
    dimension.condition = {
        .parameter = parameter,
        .values = wanted.is_array() ? wanted.get<std::vector<json>>() : std::vector<json>{wanted}};
  }
  if (!written.values.empty()) {
    if (written.log || written.step || written.points > 0)
      place.fail("has values, to which log, step and points do not apply");
    dimension.kind = Dimension::Kind::kCategorical;
    for (const json& choice : written.values)
      dimension.choices.push_back(place.checked([&] { return declared_value(field, choice); }));
    return dimension;
  }
  if (!is_number) place.fail("is a " + field.type_name() + ", which has no range", "give values");
  dimension.kind = is_integer ? Dimension::Kind::kInteger : Dimension::Kind::kDouble;
  if (written.range.empty()) {
    if (!spec.min || !spec.max || spec.above_min || spec.below_max)
      place.fail(fmt::format("has no closed range of its own{}",
                             field.allowed().empty() ? "" : " (" + field.allowed() + ")"),
                 "give range: [low, high]");
    written.range = {*spec.min, *spec.max};
  }
  if (written.range.size() != 2) place.fail("needs a range of two numbers: [low, high]");
  dimension.low = written.range[0];
  dimension.high = written.range[1];
  if (!(dimension.low < dimension.high))
    place.fail(fmt::format("has an empty range: [{}, {}]", dimension.low, dimension.high));
  for (const double end : written.range) place.checked([&] { return declared_value(field, end); });
  dimension.step = written.step.value_or(0);
  if (is_integer && dimension.step != std::floor(dimension.step))
    place.fail("is an integer, so that its step must be one, too");
  if (dimension.step > dimension.high - dimension.low) place.fail("has a step that is larger than its range");
  return dimension;
}

}  // namespace

Space read_space(const json& mapping, const Declarations& declared, const std::filesystem::path& file) {
  core::JsonPlace place(file, "space");
  if (!mapping.is_object()) place.wrong_type(mapping, "a mapping from component.parameter to its range");
  std::vector<Dimension> dimensions;
  for (const auto& [name, value] : mapping.items()) {
    const core::JsonPlace::Step step(place, name);
    dimensions.push_back(read_dimension(name, value, declared, place));
  }
  // The values of conditions are written as those of their parameters.
  for (Dimension& dimension : dimensions)
    if (dimension.condition)
      for (json& value : dimension.condition->values) {
        const core::JsonPlace::Step step(place, dimension.name);
        value =
            place.checked([&] { return declared_value(declared(dimension.condition->parameter), value); });
      }
  return core::in_file(file, [&] { return Space(std::move(dimensions)); });
}

}  // namespace tune
