// Runs an algorithm on a standard function: peer FUNCTION ALGORITHM TRIALS SEED… prints the best value of
// each seed. test/tune/peer_test.py compares them with Optuna's.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <utility>

#include "core/error.h"
#include "tune/algorithm.h"
#include "tune/early_stopping.h"

namespace {

using tune::Dimension;
using tune::Parameters;

struct Function {
  tune::Space space;
  std::function<double(const Parameters&)> value;
};

Dimension range(const std::string& name, double low, double high) {
  return {.name = name, .low = low, .high = high};
}

tune::Space cube(int dimensions, double low, double high) {
  std::vector<Dimension> all;
  for (int i = 0; i < dimensions; ++i) all.push_back(range("x" + std::to_string(i), low, high));
  return tune::Space(all);
}

double x(const Parameters& p, int i) {
  return p.at("x" + std::to_string(i)).get<double>();
}

double hartmann6(const Parameters& p) {
  static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                 {0.05, 10, 17, 0.1, 8, 14},
                                 {3, 3.5, 1.7, 10, 17, 8},
                                 {17, 8, 0.05, 10, 0.1, 14}};
  static const double c[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                                 {2329, 4135, 8307, 3736, 1004, 9991},
                                 {2348, 1451, 3522, 2883, 3047, 6650},
                                 {4047, 8828, 8732, 5743, 1091, 381}};
  static const double alpha[4] = {1.0, 1.2, 3.0, 3.2};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double inner = 0;
    for (int j = 0; j < 6; ++j) inner += a[i][j] * std::pow(x(p, j) - 1e-4 * c[i][j], 2);
    sum -= alpha[i] * std::exp(-inner);
  }
  return sum;
}

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> kFunctions = {
      {"sphere",
       {cube(5, -5, 5),
        [](const Parameters& p) {
          double sum = 0;
          for (int i = 0; i < 5; ++i) sum += (x(p, i) - 1) * (x(p, i) - 1);
          return sum;
        }}},
      {"rosenbrock",
       {cube(4, -2, 2),
        [](const Parameters& p) {
          double sum = 0;
          for (int i = 0; i < 3; ++i)
            sum += 100 * std::pow(x(p, i + 1) - x(p, i) * x(p, i), 2) + std::pow(1 - x(p, i), 2);
          return sum;
        }}},
      {"branin",
       {tune::Space({range("x0", -5, 10), range("x1", 0, 15)}),
        [](const Parameters& p) {
          const double a = x(p, 1) - 5.1 / (4 * std::numbers::pi * std::numbers::pi) * x(p, 0) * x(p, 0) +
                           5 / std::numbers::pi * x(p, 0) - 6;
          return a * a + 10 * (1 - 1 / (8 * std::numbers::pi)) * std::cos(x(p, 0)) + 10;
        }}},
      {"hartmann6", {cube(6, 0, 1), hartmann6}},
      // A learning rate, a width, and a kind with an own parameter.
      {"mixed",
       {tune::Space(
            {{.name = "rate", .low = 1e-5, .high = 1, .log = true},
             {.name = "width", .kind = Dimension::Kind::kInteger, .low = 1, .high = 64},
             {.name = "kind", .kind = Dimension::Kind::kCategorical, .choices = {"a", "b", "c", "d"}},
             {.name = "own", .condition = Dimension::Condition{.parameter = "kind", .values = {"c", "d"}}}}),
        [](const Parameters& p) {
          const std::string kind = p.at("kind").get<std::string>();
          const double own = p.contains("own") ? p.at("own").get<double>() : 0;
          const double base = kind == "a"   ? 1.0
                              : kind == "b" ? 0.8
                              : kind == "c" ? 0.5 * std::abs(own - 0.7) * 4
                                            : 0.6;
          return base + 0.2 * std::pow(std::log10(p.at("rate").get<double>()) + 3, 2) +
                 std::pow((p.at("width").get<double>() - 40) / 32, 2);
        }}},
  };
  return kFunctions;
}

double best(const Function& function, const tune::Algorithm& algorithm, int trials) {
  tune::History history;
  double best = INFINITY;
  for (int number = 0; number < trials; ++number) {
    const auto proposal = algorithm.ask(history, number);
    if (!proposal) break;
    const double value = function.value(proposal->parameters);
    best = std::min(best, value);
    history.push_back({.number = number,
                       .state = tune::Observation::State::kDone,
                       .parameters = proposal->parameters,
                       .note = proposal->note,
                       .losses = {value}});
  }
  return best;
}

// A training of 27 epochs whose loss falls at a speed of its own.
double loss_after(const Parameters& p, std::int64_t epoch) {
  const double last = (x(p, 0) - 0.3) * (x(p, 0) - 0.3) + (x(p, 1) - 0.6) * (x(p, 1) - 0.6);
  return last + std::exp(-static_cast<double>(epoch) / (1 + 4 * x(p, 1)));
}

// Trainings with early stopping, one after the other: the best loss of a whole training, and the number of
// epochs.
std::pair<double, int> best_training(const std::string& kind, std::uint64_t seed, std::int64_t wanted) {
  const tune::EarlyStopping rule{.kind = kind, .first_epoch = 1, .factor = 3, .epochs = 27};
  const auto algorithm = tune::make_algorithm("random", cube(2, 0, 1), {.seed = seed});
  std::vector<tune::Trial> trials;
  int epochs = 0;
  for (;;) {
    const bool is_complete = static_cast<std::int64_t>(trials.size()) == wanted;
    std::int64_t number = tune::promoted(rule, trials, is_complete);
    if (number < 0) {
      if (is_complete) break;
      number = static_cast<std::int64_t>(trials.size());
      trials.push_back({.number = number, .parameters = algorithm->ask({}, number)->parameters});
    }
    tune::Trial& trial = trials[static_cast<std::size_t>(number)];
    trial.state = tune::TrialState::kRunning;
    while (trial.state == tune::TrialState::kRunning) {
      const std::int64_t epoch = trial.curve.empty() ? 1 : trial.curve.rbegin()->first + 1;
      trial.curve[epoch] = loss_after(trial.parameters, epoch);
      ++epochs;
      if (epoch == 27)
        trial.state = tune::TrialState::kDone;
      else if (tune::stops(rule, trials, trial, static_cast<std::int64_t>(trials.size()) == wanted))
        trial.state = tune::TrialState::kStopped;
    }
  }
  double best = INFINITY;
  for (const tune::Trial& trial : trials)
    if (trial.state == tune::TrialState::kDone) best = std::min(best, trial.curve.at(27));
  return {best, epochs};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  try {
    if (std::string(argv[1]) == "training") {
      for (int i = 4; i < argc; ++i) {
        const auto [loss, epochs] =
            best_training(argv[2], std::strtoull(argv[i], nullptr, 10), std::atoi(argv[3]));
        std::printf("%.17g %d\n", loss, epochs);
      }
      return 0;
    }
    const Function& function = functions().at(argv[1]);
    std::string name = argv[2];
    const bool multivariate = name == "tpe-multivariate";
    if (multivariate) name = "tpe";
    for (int i = 4; i < argc; ++i) {
      const auto algorithm = tune::make_algorithm(
          name, function.space, {.seed = std::strtoull(argv[i], nullptr, 10), .multivariate = multivariate});
      std::printf("%.17g\n", best(function, *algorithm, std::atoi(argv[3])));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peer: %s\n", error.what());
    return 1;
  }
  return 0;
}
