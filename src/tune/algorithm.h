#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tune/space.h"

namespace tune {

/// What is known of a trial when the next one is asked for.
struct Observation {
  enum class State { kRunning, kDone, kFailed, kStopped };

  std::int64_t number = 0;
  State state = State::kRunning;
  Parameters parameters;
  nlohmann::json note;         ///< of the algorithm that proposed it
  std::vector<double> losses;  ///< one for each objective, smaller is better; empty unless done
};

/// The observations of a study: those that ended in the order of their ends, then those that run.
using History = std::vector<Observation>;

/// A point to try.
struct Proposal {
  Parameters parameters;
  nlohmann::json note = nullptr;  ///< what the algorithm must find in the history later
};

/// Proposes points. It has no state of its own: several processes that share a study may ask, and the same
/// space, seed, number and history give the same point.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  /// The point of trial `number`; nullopt if there are no more points (a grid).
  virtual std::optional<Proposal> ask(const History& history, std::int64_t number) const = 0;
};

struct AlgorithmOptions {
  std::uint64_t seed = 0;
  std::size_t objectives = 1;
  bool multivariate = false;  ///< tpe: the parameters of a point depend on each other
};

/// Names of the algorithms, each with a summary.
const std::vector<std::pair<std::string, std::string>>& algorithm_names();
/// @throws core::UsageError if there is no such algorithm (with the nearest name), or it does not suit the
/// space
///         or several objectives
std::unique_ptr<Algorithm> make_algorithm(const std::string& name, const Space& space,
                                          const AlgorithmOptions& options);

}  // namespace tune
