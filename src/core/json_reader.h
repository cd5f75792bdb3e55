#pragma once

#include <algorithm>
#include <concepts>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/parameter_field.h"

/// Strict reading of JSON and YAML into structs. A struct names its fields once, in
///
///     template <class V>
///     void describe(V& v) {
///       v("layers", layers, {.min = 1, .required = true});
///     }
///
/// and read_json() fills it: a field that nobody knows, a value of another type or out of range is an
/// InputError that names the file, the place in it and what was expected. What a struct cannot say is read
/// with JsonFields by hand, with the same errors.
namespace core {

/// The place that a reader has come to in a document.
class JsonPlace {
 public:
  /// @param source file, as errors name it
  /// @param place where the document stands in a larger one: "argo"
  explicit JsonPlace(std::filesystem::path source = {}, std::string place = {})
      : source_(std::move(source)), text_(std::move(place)) {}
  JsonPlace(const JsonPlace&) = delete;
  JsonPlace& operator=(const JsonPlace&) = delete;

  /// Adds the name of a field, or the index of an element, for as long as it lives.
  class Step {
   public:
    Step(JsonPlace& place, const std::string& name);
    Step(JsonPlace& place, std::size_t index);
    ~Step() { place_.text_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    JsonPlace& place_;
    std::size_t size_;
  };

  [[noreturn]] void fail(std::string message, std::string hint = "") const;
  /// @param expected with its article: "a mapping"
  [[noreturn]] void wrong_type(const nlohmann::json& value, std::string_view expected) const;
  [[noreturn]] void unknown_field(const std::string& name, const std::vector<std::string>& known) const;

  const std::filesystem::path& source() const { return source_; }

  /// What make() returns; what it refuses as a UsageError is refused here.
  template <class Make>
  auto checked(const Make& make) const {
    try {
      return make();
    } catch (const UsageError& error) {
      fail(error.details().message, error.details().hint);
    }
  }

 private:
  std::filesystem::path source_;
  std::string text_;
};

/// Reads a string, a number or a boolean as ParameterField does.
void read_scalar(ParameterPointer target, const nlohmann::json& value, const JsonPlace& place,
                 const ParameterSpec& spec);

/// How documents of our own are written: names as they are described, and null is the same as absent.
struct PlainJson {
  /// The field, or null.
  static const nlohmann::json* find(const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
  }
  /// The name as it is described of one that stands in the document.
  static const std::string& described(const std::string& name) { return name; }
  /// Whether null is a value of the type.
  template <class T>
  static constexpr bool takes_null = false;
  /// Whether the dialect has a read(target, value, place) for the type.
  template <class T>
  static constexpr bool reads = false;
};

namespace detail {
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;
}  // namespace detail

/// Fills `target`: a struct with describe(), or with read(value, place), a string, number or boolean, any
/// JSON, or optional values, lists and mappings of those. `spec` holds for every number and string in it.
template <class Dialect = PlainJson, class T>
void read_json(T& target, const nlohmann::json& value, JsonPlace& place, const ParameterSpec& spec = {});

/// The fields of one mapping: each described member is given its value, and done() refuses what is left.
template <class Dialect = PlainJson>
class JsonFields {
 public:
  /// Both must outlive it. @throws InputError if it is no mapping
  JsonFields(const nlohmann::json& object, JsonPlace& place) : object_(object), place_(place) {
    if (!object.is_object()) place.wrong_type(object, "a mapping");
  }

  /// Reads a field; one that is absent leaves the member as it is.
  /// @param spec range, choices and whether the field is required
  template <class T>
  void operator()(const char* name, T& member, const ParameterSpec& spec = kAnything) {
    const nlohmann::json* value = find(name);
    const bool is_given = value != nullptr && (!value->is_null() || Dialect::template takes_null<T>);
    if (!is_given && !spec.required) return;
    const JsonPlace::Step step(place_, name);
    if (!is_given) place_.fail("is required");
    read_json<Dialect>(member, *value, place_, spec);
  }
  /// The same of a field of which one at most of its group may be set.
  template <class T>
  void alternative(const char* group, const char* name, std::optional<T>& member) {
    (*this)(name, member);
    if (!member) return;
    const auto [first, added] = chosen_.emplace(group, name);
    if (!added) place_.fail("has both " + first->second + " and " + name, "one at most may be set");
  }
  /// Reads a field by hand: read(value, place). False if it is absent.
  template <class Read>
  bool by_hand(const char* name, const Read& read) {
    const nlohmann::json* value = find(name);
    if (value == nullptr || value->is_null()) return false;
    const JsonPlace::Step step(place_, name);
    read(*value, place_);
    return true;
  }
  /// Takes all fields that have not been read yet.
  template <class T>
  void rest(std::map<std::string, T>& others) {
    takes_rest_ = true;
    for (const auto& [name, value] : object_.items()) {
      if (is_known(name)) continue;
      const JsonPlace::Step step(place_, name);
      read_json<Dialect>(others[name], value, place_, kAnything);
    }
  }

  /// @throws InputError if a field is left
  void done() const {
    if (takes_rest_ || used_ == object_.size()) return;
    for (const auto& [name, value] : object_.items())
      if (!is_known(name)) place_.unknown_field(name, known_);
    // All names are known, and yet one was not used.
    place_.fail("has a field twice, in camelCase and in snake_case");
  }

 private:
  static inline const ParameterSpec kAnything = {};

  const nlohmann::json* find(const char* name) {
    known_.emplace_back(name);
    const nlohmann::json* value = Dialect::find(object_, name);
    if (value != nullptr) ++used_;
    return value;
  }
  bool is_known(const std::string& name) const {
    return std::find(known_.begin(), known_.end(), Dialect::described(name)) != known_.end();
  }

  const nlohmann::json& object_;
  JsonPlace& place_;
  std::vector<std::string> known_;
  std::map<std::string, std::string> chosen_;  // of each group of alternatives
  std::size_t used_ = 0;
  bool takes_rest_ = false;
};

template <class Dialect, class T>
void read_json(T& target, const nlohmann::json& value, JsonPlace& place, const ParameterSpec& spec) {
  if constexpr (Dialect::template reads<T>) {
    Dialect::read(target, value, place);
  } else if constexpr (detail::is_optional<T>) {
    read_json<Dialect>(target.emplace(), value, place, spec);
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, bool> || std::same_as<T, double> ||
                       std::same_as<T, std::int64_t>) {
    read_scalar(&target, value, place, spec);
  } else if constexpr (std::same_as<T, int>) {
    ParameterSpec narrow = spec;
    narrow.min =
        std::max<double>(spec.min.value_or(std::numeric_limits<int>::min()), std::numeric_limits<int>::min());
    narrow.max =
        std::min<double>(spec.max.value_or(std::numeric_limits<int>::max()), std::numeric_limits<int>::max());
    std::int64_t wide = 0;
    read_scalar(&wide, value, place, narrow);
    target = static_cast<int>(wide);
  } else if constexpr (std::same_as<T, nlohmann::json>) {
    target = value;
  } else if constexpr (detail::is_vector<T>) {
    if (!value.is_array()) place.wrong_type(value, "a list");
    target.resize(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
      const JsonPlace::Step step(place, i);
      read_json<Dialect>(target[i], value[i], place, spec);
    }
  } else if constexpr (detail::is_map<T>) {
    if (!value.is_object()) place.wrong_type(value, "a mapping");
    for (const auto& [name, element] : value.items()) {
      const JsonPlace::Step step(place, name);
      read_json<Dialect>(target[name], element, place, spec);
    }
  } else if constexpr (requires { target.read(value, place); }) {
    target.read(value, place);
  } else {
    JsonFields<Dialect> fields(value, place);
    target.describe(fields);
    fields.done();
  }
}

/// Writes what describe() of a struct names, as JSON of our own. Numbers that are not finite become null.
class JsonWriter {
 public:
  template <class T>
  void operator()(const char* name, const T& member, const ParameterSpec& = {}) {
    object_[name] = written(member);
  }
  nlohmann::json take() { return std::move(object_); }

  template <class T>
  static nlohmann::json written(const T& value) {
    if constexpr (std::same_as<T, double>) {
      return value - value == 0 ? nlohmann::json(value) : nlohmann::json();
    } else if constexpr (detail::is_vector<T>) {
      nlohmann::json list = nlohmann::json::array();
      for (const auto& element : value) list.push_back(written(element));
      return list;
    } else if constexpr (requires(T & t, JsonWriter & writer) { t.describe(writer); }) {
      JsonWriter writer;
      // describe() serves readers too and is not const; the writer changes nothing.
      const_cast<T&>(value).describe(writer);
      return writer.take();
    } else if constexpr (requires { value.to_json(); }) {
      return value.to_json();
    } else {
      return value;
    }
  }

 private:
  nlohmann::json object_ = nlohmann::json::object();
};

}  // namespace core
