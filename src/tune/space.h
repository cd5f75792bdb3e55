#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/parameter_field.h"

/// Search for the best parameters of a pipeline (doc/tune.md).
namespace tune {

/// Values by name of the dimension; a dimension whose condition is not met has none.
using Parameters = nlohmann::json;

/// One parameter that is searched: a double, an integer, or one of several values.
struct Dimension {
  enum class Kind { kDouble, kInteger, kCategorical };
  /// The dimension exists only if another one has one of these values.
  struct Condition {
    std::string parameter;
    std::vector<nlohmann::json> values;
  };

  std::string name;  ///< "model-parameters.lr"
  Kind kind = Kind::kDouble;
  double low = 0, high = 1;             ///< range of numbers, both ends included
  bool log = false;                     ///< searched in the logarithm
  double step = 0;                      ///< distance of the values from `low` on; 0 = continuous
  std::int64_t points = 0;              ///< number of values of a grid; 0 = those of the step
  std::vector<nlohmann::json> choices;  ///< of a categorical dimension
  std::optional<Condition> condition;

  bool is_categorical() const { return kind == Kind::kCategorical; }
  /// Number of values; 0 = a continuum.
  std::int64_t size() const;
  /// The value at a place in [0, 1]: equal intervals belong to the values of a discrete dimension.
  nlohmann::json value(double place) const;
  /// The interval of places that belongs to a value; of a continuous dimension, one point.
  struct Interval {
    double low = 0, high = 0;
    double middle() const { return (low + high) / 2; }
  };
  Interval interval(const nlohmann::json& value) const;
  /// Index of a choice. @throws core::InputError if it is none
  std::size_t choice(const nlohmann::json& value) const;
  /// The values of a grid. @throws core::InputError if the dimension is continuous and `points` is 0
  std::vector<nlohmann::json> grid() const;

  nlohmann::json to_json() const;
};

/// The searched parameters. A dimension comes after the one that its condition names.
class Space {
 public:
  Space() = default;
  /// @throws core::InputError if there is none, a name occurs twice, a range is empty, or a condition names
  /// no
  ///         other dimension or a value that this does not have
  explicit Space(std::vector<Dimension> dimensions);

  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  std::size_t size() const { return dimensions_.size(); }
  const Dimension& at(const std::string& name) const;
  bool has_conditions() const;
  bool has_categories() const;

  /// True if the condition of the dimension is met by `values`.
  static bool is_active(const Dimension& dimension, const Parameters& values);
  /// The values at a point of the unit cube, of the active dimensions.
  Parameters values(const std::vector<double>& places) const;

  nlohmann::json to_json() const;
  /// Reads what to_json() wrote. @throws core::InputError
  static Space from_json(const nlohmann::json& json);

 private:
  std::vector<Dimension> dimensions_;
};

/// Finds the declaration of a parameter by its name, which gives the range that a space leaves out.
/// It throws core::UsageError if there is none.
using Declarations = std::function<core::ParameterField(const std::string& name)>;

/// Reads the mapping `space:` of a tuning file: for each parameter `component.parameter`, `range: [low,
/// high]` or `values: [...]`, and `log`, `step`, `points`, `if: {parameter: value}`.
/// @throws core::InputError naming file and field: unknown parameter (with the nearest name), values that the
///         declaration does not allow, an empty range
Space read_space(const nlohmann::json& mapping, const Declarations& declared,
                 const std::filesystem::path& file);

}  // namespace tune
