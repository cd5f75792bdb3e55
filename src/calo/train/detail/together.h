#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/model/optimizer.h"
#include "calo/train/detail/checkpoint.h"
#include "core/process_group.h"

namespace calo {

/// What the processes of a training share. Every function does nothing in a process alone, and is called by
/// all processes at the same point of the training.
class Together {
 public:
  explicit Together(core::ProcessGroup& group) : group_(group) {}

  core::ProcessGroup& group() const { return group_; }
  bool is_alone() const { return group_.size() == 1; }
  bool is_first() const { return group_.is_first(); }

  /// @throws core::InputError if `what` is not the same object in all processes; the message names the field
  void require_same(const nlohmann::json& what) const;

  /// What to do after a step. Interruptions of any process count, the other wishes are those of rank 0.
  struct Wishes {
    bool interrupted = false;
    bool stop_at_once = false;  ///< not at the end of the epoch, if interrupted
    bool save = false;
    std::int64_t steps = 0;  ///< until the next agreement: it costs time
  };
  Wishes agree(const Wishes& own) const;

  /// Replaces values by those of rank 0.
  void broadcast(std::string& text) const;
  void broadcast(std::vector<float>& values) const;
  void broadcast(std::vector<double>& values) const;
  void broadcast(Weights& weights) const;

  /// Replaces the tensors that every process trains, with moments and averages, by those of rank 0:
  /// processors of different kinds round differently. With `all`, also those with shares.
  void align(std::vector<Parameter>& parameters, Averages& averages, bool all) const;
  /// Completes the tensors with shares; the moments only if wanted.
  void gather(std::vector<Parameter>& parameters, Averages& averages, bool with_moments) const;

 private:
  core::ProcessGroup& group_;
};

/// The elements of a parameter that process `rank` trains: first, and one past the last.
std::pair<std::size_t, std::size_t> own_elements(const Parameter& parameter, int rank);

}  // namespace calo
