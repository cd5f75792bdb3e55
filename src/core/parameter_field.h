#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace core {

/// Address of a parameter's value inside its struct.
using ParameterPointer = std::variant<std::string*, std::int64_t*, double*, bool*, std::vector<std::string>*,
                                      std::vector<std::int64_t>*, std::vector<double>*, nlohmann::json*>;

/// Properties of a parameter beyond its type. Its default is the member's initialiser.
struct ParameterSpec {
  std::string help;
  std::string unit;           ///< "GeV", "mm", "deg" …
  std::optional<double> min;  ///< smallest allowed value (of each element for lists)
  std::optional<double> max;  ///< largest allowed value
  bool above_min = false;     ///< the minimum itself is not allowed
  bool below_max = false;     ///< the maximum itself is not allowed
  std::vector<std::string> choices;
  bool required = false;  ///< must be given; there is no default
  /// True if it says where or how to work and does not change the result (folders, devices): left out of the
  /// provenance.
  bool operational = false;
};

/// One typed member of a struct, declared once by `describe` for the command line, parameter files, JSON,
/// checks and reference pages.
struct ParameterField {
  std::string name;  ///< snake_case; the option is `--name-with-dashes`
  ParameterPointer parameter;
  ParameterSpec parameter_spec;

  bool is_bool() const { return std::holds_alternative<bool*>(parameter); }
  bool is_list() const { return parameter.index() >= 4 && parameter.index() <= 6; }

  /// "energy-gev".
  std::string option_name() const;
  /// "string", "integer", "double", "bool", "list of doubles", "struct".
  std::string type_name() const;
  /// "above 0, at most 180", "one of a, b"; empty if there is no limit.
  std::string allowed() const;

  nlohmann::json value() const;
  /// Sets the parameter from a JSON value. Accepts a whole number such as 3.0 for an integer, and an integer
  /// for a double.
  /// @throws UsageError naming the field, the value and what is allowed (type, range, choices, NaN)
  void set(const nlohmann::json& value) const;
  /// Sets the parameter from the string of an option: numbers, true|false, lists as `1,2,3` or JSON, structs
  /// as JSON.
  /// @throws UsageError as `set` does
  void set_text(const std::string& text) const;
};

/// Argument of a struct's `describe`.
class ParameterVisitor {
 public:
  ParameterVisitor() = default;
  ParameterVisitor(const ParameterVisitor&) = delete;
  ParameterVisitor& operator=(const ParameterVisitor&) = delete;
  virtual ~ParameterVisitor() = default;

  template <class T>
  void parameter(const char* name, T& value, ParameterSpec spec) {
    add({.name = name, .parameter = &value, .parameter_spec = std::move(spec)});
  }

 protected:
  virtual void add(ParameterField field) = 0;
};

using ParameterFields = std::vector<ParameterField>;

/// The parameters of a struct that has `void describe(ParameterVisitor&)`; they point into it.
template <class T>
ParameterFields parameters_of(T& described) {
  class Collector : public ParameterVisitor {
   public:
    ParameterFields fields;

   private:
    void add(ParameterField field) override { fields.push_back(std::move(field)); }
  } collector;
  described.describe(collector);
  return std::move(collector.fields);
}

/// All values, by name.
nlohmann::json to_json(const ParameterFields& fields);
/// Sets the fields that the object has; the others keep their values.
/// @param what description of the object for messages: "a model description"
/// @throws InputError if it is not an object, has an unknown field, or a value of a wrong type or out of
///         range
void set_from_json(const ParameterFields& fields, const nlohmann::json& object, const std::string& what);
/// @throws UsageError naming the first field whose value is not allowed, and the allowed values
void check(const ParameterFields& fields);

/// The name in `known` that is most like `name`, for "did you mean"; empty if none is similar.
std::string nearest(const std::string& name, const std::vector<std::string>& known);

}  // namespace core
