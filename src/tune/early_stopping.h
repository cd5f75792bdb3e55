#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tune/study.h"

namespace tune {

/// Ends trials whose training goes badly, by the numbers of their epochs.
struct EarlyStopping {
  std::string kind = "none";
  std::string metric = "validation_loss";  ///< of metrics.jsonl, smaller is better
  std::int64_t first_epoch = 1;            ///< no trial is stopped before it
  std::int64_t fewest_trials = 5;          ///< median: number of other trials that are compared
  std::int64_t factor = 3;                 ///< asha, hyperband: one of this many trials goes on at each rung
  std::int64_t epochs = 0;                 ///< hyperband: number of epochs of a whole training

  template <class V>
  void describe(V& v) {
    v("kind", kind, {.choices = {"none", "median", "asha", "hyperband"}});
    v("metric", metric);
    v("first_epoch", first_epoch, {.min = 1, .max = 1e9});
    v("fewest_trials", fewest_trials, {.min = 1, .max = 1e9});
    v("factor", factor, {.min = 2, .max = 100});
    v("epochs", epochs, {.min = 0, .max = 1e9});
  }
};

/// Number of hyperband's brackets: one for each rung from first_epoch to `epochs`.
/// @throws core::UsageError if `epochs` is smaller than `first_epoch`
std::int64_t bracket_count(const EarlyStopping& rule);
/// The bracket of a trial: of each round of trials, bracket 0, whose first rung is first_epoch, gets the
/// first and most, and bracket b, whose first rung is first_epoch x factor^b, the next ones.
std::int64_t bracket_of(const EarlyStopping& rule, std::int64_t trial);

/// True if the trial shall stop after the last epoch of its curve.
/// median: its best value so far is worse than the median of the others' at this epoch (Golovin et al.,
/// "Google Vizier", KDD 2017). asha: at the epochs first_epoch x factor^k, only the best of every `factor`
/// trials go on (Li et al., arXiv:1810.05934). hyperband: the same in brackets that begin at different rungs,
/// and compare only their own trials, so that trainings that are slow at first have a chance
/// (arXiv:1603.06560).
/// @param trials      all of the study, with this one
/// @param is_complete true if the study gets no more trials: then the last one that is left does not stop
bool stops(const EarlyStopping& rule, const std::vector<Trial>& trials, const Trial& trial, bool is_complete);

/// asha, hyperband: a stopped trial that is among the best of its rung by now, and goes on; negative = none.
/// If all trials of a complete study (of a bracket) have stopped, the best one of the highest rung goes on,
/// so that there is a result.
std::int64_t promoted(const EarlyStopping& rule, const std::vector<Trial>& trials, bool is_complete);

}  // namespace tune
