#include "core/process_group.h"

namespace core {

ProcessGroup& one_process() {
  static OneProcess group;
  return group;
}

// Each process has places of its own behind the floats, in which the others add zeros: three floats have all
// digits of a double.
void sum_both(ProcessGroup& group, std::vector<float>& floats, std::span<double> doubles) {
  if (group.size() == 1) return;
  constexpr std::size_t kPieces = 3;
  const std::size_t count = floats.size(), each = kPieces * doubles.size();
  floats.resize(count + each * static_cast<std::size_t>(group.size()), 0.0f);
  float* place = floats.data() + count + each * static_cast<std::size_t>(group.rank());
  for (double rest : doubles)
    for (std::size_t piece = 0; piece < kPieces; ++piece, ++place) {
      *place = static_cast<float>(rest);
      rest -= static_cast<double>(*place);
    }
  group.sum(std::span(floats));
  const float* sent = floats.data() + count;
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    doubles[i] = 0;
    for (int rank = 0; rank < group.size(); ++rank)
      for (std::size_t piece = 0; piece < kPieces; ++piece)
        doubles[i] += static_cast<double>(sent[each * static_cast<std::size_t>(rank) + kPieces * i + piece]);
  }
  floats.resize(count);
}

}  // namespace core
