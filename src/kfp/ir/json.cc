#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/error.h"
#include "kfp/component/field.h"
#include "kfp/ir/document.h"

namespace kfp::ir {
namespace {

using nlohmann::json;

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

// "executor_label" -> "executorLabel": proto3 JSON allows both names of a field.
std::string camel_case(const std::string& name) {
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

// The current place of the reader, for error messages.
class Place {
 public:
  explicit Place(const std::filesystem::path& source) : source_(source) {}

  // Adds a part to the place during its lifetime.
  class Step {
   public:
    Step(Place& place, const std::string& name) : place_(place), size_(place.text_.size()) {
      if (!place.text_.empty()) place.text_ += '.';
      place.text_ += name;
    }
    Step(Place& place, std::size_t index) : place_(place), size_(place.text_.size()) {
      place.text_ += fmt::format("[{}]", index);
    }
    ~Step() { place_.text_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Place& place_;
    std::size_t size_;
  };

  [[noreturn]] void fail(std::string message, std::string hint = "") const {
    throw core::InputError(
        {.message = std::move(message), .file = source_, .field = text_, .hint = std::move(hint)});
  }

 private:
  const std::filesystem::path& source_;
  std::string text_;
};

std::string shortened(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

const char* kind_of(const json& value) {
  if (value.is_object()) return "a mapping";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "a Boolean";
  if (value.is_null()) return "null";
  return "a number";
}

[[noreturn]] void wrong_type(const Place& place, const json& value, std::string_view wanted) {
  place.fail(fmt::format("must be {}, not {}: {}", wanted, kind_of(value), shortened(value)),
             value.is_number() && wanted == "a string" ? "put it in quotes" : "");
}

void check_finite(const json& value, Place& place) {
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    place.fail("is a non-finite number, which JSON does not allow");
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Place::Step step(place, i);
      check_finite(value[i], place);
    }
  }
  if (value.is_object()) {
    for (const auto& [name, element] : value.items()) {
      const Place::Step step(place, name);
      check_finite(element, place);
    }
  }
}

template <class T>
T read_integer(const json& value, const Place& place) {
  std::optional<std::int64_t> integer;
  if (value.is_number_unsigned()) {
    if (value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      integer = value.get<std::int64_t>();
  } else if (value.is_number_integer()) {
    integer = value.get<std::int64_t>();
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && std::abs(number) < 0x1p63)
      integer = static_cast<std::int64_t>(number);
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    std::int64_t parsed = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error == std::errc() && rest == text.data() + text.size()) integer = parsed;
  }
  if (!integer || *integer < std::numeric_limits<T>::min() || *integer > std::numeric_limits<T>::max())
    wrong_type(place, value, sizeof(T) == 8 ? "an integer of 64 bits" : "an integer of 32 bits");
  return static_cast<T>(*integer);
}

double read_double(const json& value, const Place& place) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text == "NaN") return std::nan("");
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    double parsed = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error == std::errc() && rest == text.data() + text.size() && std::isfinite(parsed)) return parsed;
  }
  wrong_type(place, value, "a number");
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

template <class T>
void read(T& target, const json& value, Place& place);

// Sets each described member, and finds fields that no member describes.
class ObjectReader {
 public:
  ObjectReader(const json& object, Place& place) : object_(object), place_(place) {
    if (!object.is_object()) wrong_type(place, object, "a mapping");
  }

  template <class T>
  void operator()(const char* name, T& member) {
    member_of(name, member);
  }
  template <class T>
  void alternative(const char* group, const char* name, std::optional<T>& member) {
    member_of(name, member);
    if (!member) return;
    const auto [first, added] = chosen_.emplace(group, name);
    if (!added) place_.fail(fmt::format("has both {} and {}", first->second, name), "at most one may be set");
  }
  void rest(std::map<std::string, JsonObject>& others) {
    takes_rest_ = true;
    for (const auto& [name, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const Place::Step step(place_, name);
      read(others[name], value, place_);
    }
  }

  void check_all_known() const {
    if (takes_rest_ || used_ == object_.size()) return;
    for (const auto& [name, value] : object_.items()) {
      const std::string camel = camel_case(name);
      if (std::find(known_.begin(), known_.end(), camel) != known_.end()) continue;
      const std::string close = nearest(camel, known_);
      place_.fail(fmt::format("has an unknown field \"{}\"", shortened_name(name)),
                  close.empty() ? fmt::format("known: {}", fmt::join(known_, ", "))
                                : fmt::format("did you mean {}?", close));
    }
    // All names are known, but one was not used: a field occurs in both spellings.
    place_.fail("has a field twice, in camelCase and snake_case");
  }

 private:
  static std::string shortened_name(const std::string& name) {
    return name.size() <= 60 ? name : name.substr(0, 57) + "...";
  }

  template <class T>
  void member_of(const char* name, T& member) {
    known_.push_back(name);
    auto found = object_.find(name);
    if (found == object_.end()) {
      std::string snake;
      for (const char* c = name; *c != 0; ++c) {
        if (*c >= 'A' && *c <= 'Z') snake += '_';
        snake += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
      }
      found = object_.find(snake);
      if (found == object_.end()) return;
    }
    ++used_;
    const Place::Step step(place_, name);
    if constexpr (!std::is_same_v<T, std::optional<Value>>) {
      if (found->is_null()) return;  // proto3 JSON treats null as absent
    }
    read(member, *found, place_);
  }

  const json& object_;
  Place& place_;
  std::vector<std::string> known_;
  std::map<std::string, std::string> chosen_;  // the name chosen in each group of alternatives
  std::size_t used_ = 0;
  bool takes_rest_ = false;
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
void read(T& target, const json& value, Place& place) {
  if constexpr (IsOptional<T>::value) {
    read(target.emplace(), value, place);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) wrong_type(place, value, "a string");
    target = value.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) wrong_type(place, value, "true or false");
    target = value.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    target = read_integer<T>(value, place);
  } else if constexpr (std::is_same_v<T, double>) {
    target = read_double(value, place);
  } else if constexpr (std::is_enum_v<T>) {
    const auto names = enum_names(T{});
    if (value.is_string()) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (value.get_ref<const std::string&>() != names[i]) continue;
        target = static_cast<T>(i);
        return;
      }
    } else if (value.is_number_integer() && value >= 0 && value < names.size()) {
      target = static_cast<T>(value.get<int>());
      return;
    }
    place.fail(fmt::format("is {}, which is unknown", shortened(value)),
               fmt::format("known: {}", fmt::join(names, ", ")));
  } else if constexpr (std::is_same_v<T, Duration>) {
    if (!value.is_string() || !is_duration(value.get_ref<const std::string&>()))
      wrong_type(place, value, "a duration in seconds such as \"3600s\"");
    target.text = value.get<std::string>();
  } else if constexpr (std::is_same_v<T, Value>) {
    check_finite(value, place);
    target = value;
  } else if constexpr (std::is_same_v<T, JsonObject>) {
    if (!value.is_object()) wrong_type(place, value, "a mapping");
    check_finite(value, place);
    target.value = value;
  } else if constexpr (IsVector<T>::value) {
    if (!value.is_array()) wrong_type(place, value, "a list");
    target.resize(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Place::Step step(place, i);
      read(target[i], value[i], place);
    }
  } else if constexpr (IsMap<T>::value) {
    if (!value.is_object()) wrong_type(place, value, "a mapping");
    for (const auto& [name, element] : value.items()) {
      const Place::Step step(place, name);
      read(target[name], element, place);
    }
  } else {
    ObjectReader reader(value, place);
    target.describe(reader);
    reader.check_all_known();
  }
}

template <class T>
json written(const T& value);

class ObjectWriter {
 public:
  template <class T>
  void operator()(const char* name, const T& member) {
    if constexpr (IsOptional<T>::value) {
      if (member) object_[name] = written(*member);
    } else {
      if (!member.empty()) object_[name] = written(member);
    }
  }
  template <class T>
  void alternative(const char*, const char* name, const std::optional<T>& member) {
    (*this)(name, member);
  }
  void rest(const std::map<std::string, JsonObject>& others) {
    for (const auto& [name, value] : others) object_[name] = value.value;
  }
  json take() { return std::move(object_); }

 private:
  json object_ = json::object();
};

template <class T>
json written(const T& value) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return std::to_string(value);
  } else if constexpr (std::is_same_v<T, double>) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return value;
  } else if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T> ||
                       std::is_same_v<T, Value>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return to_string(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return value.text;
  } else if constexpr (std::is_same_v<T, JsonObject>) {
    return value.value;
  } else if constexpr (IsVector<T>::value) {
    json list = json::array();
    for (const auto& element : value) list.push_back(written(element));
    return list;
  } else if constexpr (IsMap<T>::value) {
    json object = json::object();
    for (const auto& [name, element] : value) object[name] = written(element);
    return object;
  } else {
    ObjectWriter writer;
    // describe() also serves readers and is not const; the writer changes nothing.
    const_cast<T&>(value).describe(writer);
    return writer.take();
  }
}

template <class T>
json schema_of();

class SchemaWriter {
 public:
  template <class T>
  void operator()(const char* name, T&) {
    fields_[name] = schema_of<T>();
  }
  template <class T>
  void alternative(const char* group, const char* name, std::optional<T>&) {
    fields_[name] = schema_of<T>();
    fields_[name]["oneof"] = group;
  }
  void rest(std::map<std::string, JsonObject>&) { fields_["*"] = schema_of<JsonObject>(); }
  json take() { return std::move(fields_); }

 private:
  json fields_ = json::object();
};

template <class T>
json schema_of() {
  if constexpr (IsOptional<T>::value) {
    return schema_of<typename T::value_type>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return {{"type", "string"}};
  } else if constexpr (std::is_same_v<T, bool>) {
    return {{"type", "bool"}};
  } else if constexpr (std::is_integral_v<T>) {
    return {{"type", sizeof(T) == 8 ? "int64" : "int32"}};
  } else if constexpr (std::is_same_v<T, double>) {
    return {{"type", "double"}};
  } else if constexpr (std::is_enum_v<T>) {
    json names = json::array();
    for (const char* name : enum_names(T{})) names.push_back(name);
    return {{"type", "enum"}, {"names", names}};
  } else if constexpr (std::is_same_v<T, Duration>) {
    return {{"type", "duration"}};
  } else if constexpr (std::is_same_v<T, Value>) {
    return {{"type", "value"}};
  } else if constexpr (std::is_same_v<T, JsonObject>) {
    return {{"type", "struct"}};
  } else if constexpr (IsVector<T>::value) {
    json element = schema_of<typename T::value_type>();
    element["repeated"] = true;
    return element;
  } else if constexpr (IsMap<T>::value) {
    json element = schema_of<typename T::mapped_type>();
    element["map"] = true;
    return element;
  } else {
    T value;
    SchemaWriter writer;
    value.describe(writer);
    return {{"type", "message"}, {"fields", writer.take()}};
  }
}

template <class T>
T from_json(const json& value, const std::filesystem::path& source) {
  Place place(source);
  T target;
  read(target, value, place);
  return target;
}

}  // namespace

PipelineSpec pipeline_spec_from_json(const json& value, const std::filesystem::path& source) {
  return from_json<PipelineSpec>(value, source);
}

PlatformSpec platform_spec_from_json(const json& value, const std::filesystem::path& source) {
  return from_json<PlatformSpec>(value, source);
}

json to_json(const PipelineSpec& spec) {
  return written(spec);
}

json to_json(const PlatformSpec& spec) {
  return written(spec);
}

json schema() {
  return {{"PipelineSpec", schema_of<PipelineSpec>()}, {"PlatformSpec", schema_of<PlatformSpec>()}};
}

}  // namespace kfp::ir
