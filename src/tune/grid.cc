#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "tune/detail/algorithms.h"

namespace tune {
namespace {

constexpr double kMostPoints = 1e6;

class Grid final : public Algorithm {
 public:
  explicit Grid(const Space& space) {
    double count = 1;
    std::vector<std::vector<nlohmann::json>> values;
    for (const Dimension& dimension : space.dimensions()) {
      values.push_back(dimension.grid());
      count *= static_cast<double>(values.back().size());
    }
    if (count > kMostPoints)
      throw core::UsageError({.message = fmt::format("the grid has {:.3g} points", count),
                              .field = "algorithm",
                              .hint = "give fewer values or points, or choose another algorithm"});
    std::set<std::string> known;  // combinations that differ only in inactive dimensions are one point
    for (std::size_t index = 0; index < static_cast<std::size_t>(count); ++index) {
      std::size_t rest = index, stride = static_cast<std::size_t>(count);
      Parameters point = nlohmann::json::object();
      for (std::size_t i = 0; i < values.size(); ++i) {
        stride /= values[i].size();
        const Dimension& dimension = space.dimensions()[i];
        if (Space::is_active(dimension, point)) point[dimension.name] = values[i][rest / stride];
        rest %= stride;
      }
      if (known.insert(point.dump()).second) points_.push_back(std::move(point));
    }
  }

  std::optional<Proposal> ask(const History&, std::int64_t number) const override {
    if (static_cast<std::size_t>(number) >= points_.size()) return std::nullopt;
    return Proposal{.parameters = points_[static_cast<std::size_t>(number)]};
  }

 private:
  std::vector<Parameters> points_;
};

}  // namespace

std::unique_ptr<Algorithm> make_grid(const Space& space, const AlgorithmOptions&) {
  return std::make_unique<Grid>(space);
}

}  // namespace tune
