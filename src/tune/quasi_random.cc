#include <boost/random/sobol.hpp>
#include <cmath>

#include "core/error.h"
#include "tune/detail/algorithms.h"
#include "tune/detail/point.h"

namespace tune {

std::vector<double> sobol_point(std::size_t dimensions, std::uint64_t seed, std::int64_t number) {
  boost::random::sobol engine(dimensions);
  engine.discard(static_cast<std::uintmax_t>(number) * dimensions);
  core::Philox random = generator(seed, 0, Stream::kShift);
  std::vector<double> places(dimensions);
  for (double& place : places) {
    place = static_cast<double>(engine() - boost::random::sobol::min()) * 0x1p-64 + uniform(random);
    place -= std::floor(place);
  }
  return places;
}

namespace {

class Random final : public Algorithm {
 public:
  Random(const Space& space, std::uint64_t seed) : space_(space), seed_(seed) {}
  std::optional<Proposal> ask(const History&, std::int64_t number) const override {
    core::Philox random = generator(seed_, number, Stream::kRandom);
    return Proposal{.parameters = space_.values(uniform_point(space_.size(), random))};
  }

 private:
  Space space_;
  std::uint64_t seed_;
};

class Sobol final : public Algorithm {
 public:
  Sobol(const Space& space, std::uint64_t seed) : space_(space), seed_(seed) {
    if (space.size() > BOOST_RANDOM_SOBOL_MAX_DIMENSION)
      throw core::UsageError(
          {.message = "the space has too many parameters for a Sobol sequence", .field = "algorithm"});
  }
  std::optional<Proposal> ask(const History&, std::int64_t number) const override {
    return Proposal{.parameters = space_.values(sobol_point(space_.size(), seed_, number))};
  }

 private:
  Space space_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Algorithm> make_random(const Space& space, const AlgorithmOptions& options) {
  return std::make_unique<Random>(space, options.seed);
}

std::unique_ptr<Algorithm> make_sobol(const Space& space, const AlgorithmOptions& options) {
  return std::make_unique<Sobol>(space, options.seed);
}

}  // namespace tune
