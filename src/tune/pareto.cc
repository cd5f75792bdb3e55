#include "tune/pareto.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace tune {

bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool is_better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    is_better = is_better || a[i] < b[i];
  }
  return is_better;
}

namespace {

using Losses = std::vector<std::vector<double>>;
using Indices = std::vector<std::size_t>;

Indices front_of(const Losses& losses, const Indices& among) {
  Indices front;
  for (const std::size_t i : among)
    if (std::none_of(among.begin(), among.end(),
                     [&](std::size_t j) { return dominates(losses[j], losses[i]); }))
      front.push_back(i);
  return front;
}

// Distance between the neighbours of each point of a front, summed over the objectives.
std::vector<double> spaces(const Losses& losses, const Indices& front) {
  std::vector<double> space(losses.size(), 0);
  for (std::size_t objective = 0; objective < losses[front[0]].size(); ++objective) {
    Indices order = front;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return losses[a][objective] < losses[b][objective];
    });
    const double width = losses[order.back()][objective] - losses[order.front()][objective];
    space[order.front()] = space[order.back()] = std::numeric_limits<double>::infinity();
    for (std::size_t i = 1; width > 0 && i + 1 < order.size(); ++i)
      space[order[i]] += (losses[order[i + 1]][objective] - losses[order[i - 1]][objective]) / width;
  }
  return space;
}

}  // namespace

Indices pareto_front(const Losses& losses) {
  Indices all(losses.size());
  std::iota(all.begin(), all.end(), 0);
  return front_of(losses, all);
}

Indices ranked(const Losses& losses) {
  Indices rest(losses.size());
  std::iota(rest.begin(), rest.end(), 0);
  if (!losses.empty() && losses[0].size() == 1) {
    std::stable_sort(rest.begin(), rest.end(),
                     [&](std::size_t a, std::size_t b) { return losses[a][0] < losses[b][0]; });
    return rest;
  }
  Indices order;
  while (!rest.empty()) {
    Indices front = front_of(losses, rest);
    if (front.empty()) front = rest;  // losses that are not numbers
    const std::vector<double> space = spaces(losses, front);
    std::erase_if(rest,
                  [&](std::size_t i) { return std::find(front.begin(), front.end(), i) != front.end(); });
    std::stable_sort(front.begin(), front.end(),
                     [&](std::size_t a, std::size_t b) { return space[a] > space[b]; });
    order.insert(order.end(), front.begin(), front.end());
  }
  return order;
}

}  // namespace tune
