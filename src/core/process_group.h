#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace core {

/// Processes that work on the same task, each with its own rank. Every process must call the same functions
/// in the same order with the same sizes; a call returns when the result is complete in this process. The
/// result is the same to the bit in all processes, and in each repetition with the same number of processes.
/// All functions throw core::UnavailableError that names the process, if one has ended or does not answer.
class ProcessGroup {
 public:
  ProcessGroup() = default;
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;  ///< from 0
  virtual int size() const = 0;
  bool is_first() const { return rank() == 0; }

  /// Replaces each element by its sum over all processes.
  virtual void sum(std::span<float> values) = 0;
  virtual void sum(std::span<double> values) = 0;
  /// Replaces the values by those of rank 0.
  virtual void broadcast(std::span<std::byte> values) = 0;
  /// Completes `values`, of which each process has a part: counts[rank] consecutive elements, one rank after
  /// the other.
  virtual void gather(std::span<float> values, std::span<const std::size_t> counts) = 0;
};

/// A process alone: the functions do nothing.
class OneProcess final : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<float>) override {}
  void sum(std::span<double>) override {}
  void broadcast(std::span<std::byte>) override {}
  void gather(std::span<float>, std::span<const std::size_t>) override {}
};

/// The group of this process alone.
ProcessGroup& one_process();

/// Sums both, with their own precisions, in one operation: a small one costs as much time as 10 000 floats.
void sum_both(ProcessGroup& group, std::vector<float>& floats, std::span<double> doubles);

}  // namespace core
