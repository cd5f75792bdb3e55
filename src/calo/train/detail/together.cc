#include "calo/train/detail/together.h"

#include <fmt/format.h>

#include <numeric>

#include "core/error.h"

namespace calo {
namespace {

using nlohmann::json;

template <class Number>
std::span<std::byte> bytes_of(std::vector<Number>& values) {
  return std::as_writable_bytes(std::span(values));
}

}  // namespace

void Together::require_same(const json& what) const {
  if (is_alone()) return;
  std::string text = what.dump();
  broadcast(text);
  const json wanted = json::parse(text);
  std::string other;
  for (const auto& [name, value] : wanted.items())
    if (other.empty() && what.value(name, json()) != value) other = name;
  if (!other.empty())
    throw core::InputError(
        {.message = fmt::format("rank {} has another {} than rank 0", group_.rank(), other),
         .hint = "start all processes with the same options and data"});
}

Together::Wishes Together::agree(const Wishes& own) const {
  if (is_alone()) return own;
  const auto of_first = [&](double wish) { return is_first() ? wish : 0.0; };
  std::vector<double> wishes = {own.interrupted ? 1.0 : 0.0, of_first(own.stop_at_once ? 1.0 : 0.0),
                                of_first(own.save ? 1.0 : 0.0), of_first(static_cast<double>(own.steps))};
  group_.sum(std::span(wishes));
  return {.interrupted = wishes[0] > 0,
          .stop_at_once = wishes[1] > 0,
          .save = wishes[2] > 0,
          .steps = static_cast<std::int64_t>(wishes[3])};
}

void Together::broadcast(std::string& text) const {
  if (is_alone()) return;
  std::vector<double> size = {static_cast<double>(text.size())};
  broadcast(size);
  text.resize(static_cast<std::size_t>(size[0]));
  group_.broadcast(std::as_writable_bytes(std::span(text.data(), text.size())));
}
void Together::broadcast(std::vector<float>& values) const {
  if (!is_alone()) group_.broadcast(bytes_of(values));
}
void Together::broadcast(std::vector<double>& values) const {
  if (!is_alone()) group_.broadcast(bytes_of(values));
}
void Together::broadcast(Weights& weights) const {
  for (auto& [name, tensor] : weights) broadcast(tensor.values);
}

void Together::align(std::vector<Parameter>& parameters, Averages& averages, bool all) const {
  if (is_alone()) return;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Parameter& parameter = parameters[i];
    if (!all && !parameter.shares.empty()) continue;
    broadcast(parameter.values);
    broadcast(parameter.first);
    broadcast(parameter.second);
    if (!averages.empty()) broadcast(averages[i]);
  }
}

void Together::gather(std::vector<Parameter>& parameters, Averages& averages, bool with_moments) const {
  if (is_alone()) return;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Parameter& parameter = parameters[i];
    if (parameter.shares.empty()) continue;
    group_.gather(parameter.values, parameter.shares);
    if (!averages.empty()) group_.gather(averages[i], parameter.shares);
    if (!with_moments) continue;
    group_.gather(parameter.first, parameter.shares);
    group_.gather(parameter.second, parameter.shares);
  }
}

std::pair<std::size_t, std::size_t> own_elements(const Parameter& parameter, int rank) {
  if (parameter.shares.empty()) return {0, parameter.values.size()};
  const auto own = parameter.shares.begin() + rank;
  const std::size_t begin = std::accumulate(parameter.shares.begin(), own, std::size_t{0});
  return {begin, begin + *own};
}

}  // namespace calo
