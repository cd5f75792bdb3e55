#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"
#include "calo/train/training_data.h"
#include "core/process_group.h"
#include "core/thread_pool.h"

namespace core {
class JsonPlace;
}

namespace calo {

struct EpochRecord;

struct TrainOptions {
  std::uint64_t seed = 42;
  /// Folder for the state during training; empty = none. Written every `checkpoint_seconds`, at the end of
  /// training and on interruption; the file is complete or missing.
  std::filesystem::path checkpoint_folder;
  double checkpoint_seconds = 120;
  bool resume = false;  ///< continue from the checkpoint, if there is one
  /// Folder for `metrics.jsonl` and TensorBoard's event file; empty = none.
  std::filesystem::path log_folder;
  /// On interruption, an epoch is finished if this takes no longer than this time; otherwise training stops
  /// within it.
  double finish_epoch_within_seconds = 10;
  std::string device = "cpu";  ///< auto, cpu or cuda
  /// Hash of the training data: a checkpoint from other data is rejected.
  std::string data_hash;
  /// Adaptation of a trained model: weights to start from (starting_weights() of calo/models); empty = a new
  /// model. If the model has parameters that adapt first, only these are trained in the first `adapt_epochs`
  /// of the description; then everything with `adapt_lr` times the learning rate. Each phase has its own
  /// schedule of the learning rate and starts the optimiser anew.
  Weights start;
  std::string start_hash;  ///< hash of the model that `start` is from: a checkpoint from another is rejected
  /// Called after each epoch, and with a log folder, when training is resumed, for each earlier one. Not
  /// called in the folds of a cross-validation.
  std::function<void(const EpochRecord&)> on_epoch;
  /// Processes that train together, with the same arguments (only rank 0 uses the folders). They divide the
  /// work of each batch; the result is that of one process, apart from rounding, and is returned in all.
  core::ProcessGroup& group = core::one_process();
};

/// Losses after one epoch; validation parts are NaN if there are no validation showers.
struct EpochRecord {
  std::int64_t epoch = 0;  ///< from 1
  double lr = 0;
  double loss = 0, validation_loss = 0;
  /// Parts of both losses by name (TrainableModel::loss_parts()).
  std::map<std::string, double> parts, validation_parts;
  double showers_per_second = 0;  ///< speed of the training part
  double time_unix_s = 0;         ///< end of the epoch, s since 1970

  template <class V>
  void describe(V& v) {
    v("epoch", epoch, {.required = true});
    v("lr", lr, {.required = true});
    v("loss", loss, {.required = true});
    v("validation_loss", validation_loss);
    v("showers_per_second", showers_per_second, {.required = true});
    v("time_unix_s", time_unix_s);  // missing in older checkpoints
    for (auto& [name, value] : parts) v(name.c_str(), value, {.required = true});
    for (auto& [name, value] : validation_parts) v(("validation_" + name).c_str(), value);
  }
  /// A flat object: the parts are beside the other numbers, with the names `validation_<part>` for the
  /// validation. Numbers that are not finite are null.
  nlohmann::json to_json() const;
  /// Reads a record of to_json() with these parts. @throws core::InputError with the place
  static EpochRecord read(const nlohmann::json& object, const std::vector<std::string>& parts,
                          core::JsonPlace& place);
};

struct TrainResult {
  /// Of the best epoch if save_best is set, otherwise of the last; of the average if there is one. If the
  /// parts of the loss are independent, the tensors of each part are those of its own best epoch.
  Weights weights;
  /// Parts of a model that are no longer trained keep the training loss of their last epoch.
  std::vector<EpochRecord> history;
  std::int64_t best_epoch = 0;                      ///< the last one in which a part was best
  std::map<std::string, std::int64_t> best_epochs;  ///< by part, if they are independent; 0 = none was best
  double loss = 0, validation_loss = 0;             ///< losses of `weights`, in their epochs
  double start_validation_loss = 0;  ///< of the start of an adaptation; NaN without validation or adaptation
  bool stopped_early = false;
  std::vector<double> fold_losses;  ///< validation loss of each fold of a cross-validation
};

/// Trains a model on clean showers, which are in memory or read from their file. The same showers,
/// description, seed, and numbers of threads and processes give the same weights, even after interruptions. A
/// checkpoint may be continued with another number of processes.
/// @throws core::UnavailableError (device not available), core::InputError (a loss that is not finite, a
///         checkpoint that does not match, too few showers), core::Interrupted (state saved in
///         checkpoint_folder); core::UnavailableError in all other processes if one is gone
TrainResult train(const TrainingData& data, const Transform& transform, const ModelDescription& description,
                  const TrainOptions& options, core::ThreadPool& pool);
TrainResult train(const Showers& showers, const Transform& transform, const ModelDescription& description,
                  const TrainOptions& options, core::ThreadPool& pool);

/// Mean loss of a trained model, by part, over showers that it has not seen: as many as fit into memory
/// (TrainingData::some()). @throws like train()
std::map<std::string, double> held_out_loss(const TrainingData& showers, const Transform& transform,
                                            const ModelDescription& description, const Weights& weights,
                                            std::uint64_t seed, core::ThreadPool& pool,
                                            core::ProcessGroup& group = core::one_process());

/// Learning rate of an epoch (from 0), after warm-up and schedule.
double learning_rate(const ModelDescription& description, std::int64_t epoch);
/// The same for an adaptation whose first phase has `first_epochs` (TrainOptions::start).
double adaptation_rate(const ModelDescription& description, std::int64_t first_epochs, std::int64_t epoch);

}  // namespace calo
