#include "calo/train/trainer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>

#include "calo/models/architectures.h"
#include "calo/train/detail/checkpoint.h"
#include "calo/train/detail/metrics_log.h"
#include "calo/train/detail/together.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/json_reader.h"
#include "core/philox.h"
#include "core/progress.h"

namespace calo {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Numbers = TrainingData::Numbers;

constexpr std::uint32_t kSplitStream = 0x76616c69;
constexpr const char* kDivergedHint = "try a smaller lr, or another kernel_initializer";
constexpr double kSecondsBetweenAgreements = 0.2;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

json number_or_null(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}
double now_unix_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double number_of(const json& object, const char* name) {
  const json& value = object.at(name);
  return value.is_null() ? kNan : value.get<double>();
}

// Sorts the numbers, unless all showers are in memory.
Numbers in_order(Numbers numbers, const TrainingData& data) {
  if (!data.is_in_memory()) std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// One training from start to end; a cross-validation has several.
class Fit {
 public:
  Fit(const TrainingData& data, Numbers training, const Numbers& validation, const Transform& transform,
      const ModelDescription& description, const TrainOptions& options, core::ThreadPool& pool)
      : data_(data),
        training_(in_order(std::move(training), data)),
        validation_(data.some(in_order(validation, data), options.seed)),
        description_(description),
        options_(options),
        together_(options.group),
        pool_(pool),
        optimizer_(description),
        model_(start(transform, pool)) {
    for (const Parameter& parameter : model_->parameters()) {
      are_independent_ = are_independent_ || parameter.part >= 0;
      if (!options_.start.empty() && parameter.adapts_first)
        first_epochs_ = std::min(description_.adapt_epochs, description_.epochs);
    }
    groups_.resize(are_independent_ ? parts_.size() : 1);
    for (std::size_t i = 0; i < parts_.size(); ++i) groups_[are_independent_ ? i : 0].parts.push_back(i);
    if (description_.ema > 0)
      for (const Parameter& parameter : model_->parameters()) averages_.push_back(parameter.values);
    if (validation_.size() < validation.size())
      spdlog::info("{} of the {} validation showers fit into memory", validation_.size(), validation.size());
  }

  TrainResult run(const std::string& label) {
    together_.require_same({{"model description", description_.to_json()},
                            {"seed", options_.seed},
                            {"data set", options_.data_hash},
                            {"model to start from", options_.start_hash},
                            {"number of showers", training_.size()},
                            {"memory for showers", {data_.block_size(), data_.group_size()}}});
    if (!options_.resume || !load()) note_start();
    open_logs();
    last_checkpoint_ = Clock::now();
    core::Progress progress(label, description_.epochs * static_cast<std::int64_t>(training_.size()),
                            "showers");
    progress.resume_at(showers_done());
    while (epoch_ < description_.epochs && !result_.stopped_early) {
      run_epoch(progress);
      const bool keep = description_.save_every > 0 && epoch_ % description_.save_every == 0;
      if (keep && !options_.checkpoint_folder.empty())
        save(options_.checkpoint_folder / fmt::format("epoch-{:05}.h5", epoch_));
      if (together_.agree({.interrupted = core::interrupt_requested()}).interrupted) stop_interrupted();
      if (keep) save_now();
    }
    if (!options_.checkpoint_folder.empty()) save(checkpoint_file());
    finish();
    // The last step may have made them NaN without a loss that shows it.
    for (const auto& [name, tensor] : result_.weights)
      if (!std::all_of(tensor.values.begin(), tensor.values.end(), [](float w) { return std::isfinite(w); }))
        throw core::InputError(
            {.message = fmt::format("the weights are not finite after epoch {}", result_.best_epoch),
             .field = name,
             .hint = kDivergedHint});
    return std::move(result_);
  }

 private:
  std::filesystem::path checkpoint_file() const { return options_.checkpoint_folder / "checkpoint.h5"; }

  std::unique_ptr<TrainableModel> start(const Transform& transform, core::ThreadPool& pool) const {
    const TrainingData::Part some = data_.some(training_, options_.seed);
    auto model = new_model({.description = description_,
                            .transform = transform,
                            .seed = options_.seed,
                            .device = architecture(description_.architecture).device(options_.device),
                            .showers = &some.showers(),
                            .training = some.indices(),
                            .group = options_.group},
                           pool);
    if (!options_.start.empty()) model->set_weights(options_.start);
    return model;
  }

  // Parts of the loss that are judged together: all, or one if they are independent.
  struct Group {
    std::vector<std::size_t> parts;
    double best_loss = std::numeric_limits<double>::infinity();
    double best_training_loss = kNan;  // in the epoch of best_loss
    double patience_loss = std::numeric_limits<double>::infinity();
    std::int64_t best_epoch = 0, waited = 0;
    bool stopped = false;  // it is no longer trained
  };

  bool is_first_phase() const { return epoch_ < first_epochs_; }
  double rate() const {
    return options_.start.empty() ? learning_rate(description_, epoch_)
                                  : adaptation_rate(description_, first_epochs_, epoch_);
  }

  // Whether a parameter belongs to a group. One that no part of the loss depends on alone belongs to all.
  bool belongs(const Parameter& parameter, std::size_t group) const {
    return !are_independent_ || parameter.part < 0 || static_cast<std::size_t>(parameter.part) == group;
  }
  bool is_stopped(std::size_t part) const { return are_independent_ && groups_[part].stopped; }

  // Tells the model what is trained in this epoch, and starts the optimiser of the second phase.
  void begin_phase() {
    if (done_ == 0 && first_epochs_ > 0 && epoch_ == first_epochs_) {
      step_ = 0;
      spdlog::info("all parameters are trained from epoch {}", epoch_ + 1);
    }
    if (first_epochs_ == 0 && !are_independent_) return;
    model_->set_parameters([&](std::vector<Parameter>& parameters) {
      for (Parameter& parameter : parameters) {
        parameter.frozen = (is_first_phase() && !parameter.adapts_first) ||
                           (parameter.part >= 0 && is_stopped(static_cast<std::size_t>(parameter.part)));
        if (step_ > 0) continue;
        std::fill(parameter.first.begin(), parameter.first.end(), 0.0f);
        std::fill(parameter.second.begin(), parameter.second.end(), 0.0f);
      }
    });
  }

  // Moves the averages towards the weights, after a step.
  void average() {
    if (averages_.empty()) return;
    const auto t = static_cast<double>(step_);
    const auto share = static_cast<float>(1 - std::min(description_.ema, (1 + t) / (10 + t)));
    const std::vector<Parameter>& parameters = model_->parameters();
    pool_.for_each(parameters.size(), [&](std::size_t i) {
      if (parameters[i].frozen) return;
      const float* values = parameters[i].values.data();
      float* averages = averages_[i].data();
      const auto [begin, end] = own_elements(parameters[i], options_.group.rank());
      for (std::size_t j = begin; j < end; ++j) averages[j] += share * (values[j] - averages[j]);
    });
  }

  void gather(bool with_moments) {
    if (together_.is_alone()) return;
    model_->set_parameters(
        [&](std::vector<Parameter>& parameters) { together_.gather(parameters, averages_, with_moments); });
  }
  void align(bool all) {
    if (together_.is_alone()) return;
    model_->set_parameters(
        [&](std::vector<Parameter>& parameters) { together_.align(parameters, averages_, all); });
  }

  // Exchanges the weights and their averages, if there are any.
  void exchange() {
    if (averages_.empty()) return;
    model_->set_parameters([&](std::vector<Parameter>& parameters) {
      for (std::size_t i = 0; i < parameters.size(); ++i)
        std::swap_ranges(averages_[i].begin(), averages_[i].end(), parameters[i].values.begin());
    });
  }

  void note_start() {
    result_.start_validation_loss = kNan;
    if (options_.start.empty() || validation_.size() == 0) return;
    EpochRecord record;
    validate(record);
    result_.start_validation_loss = record.validation_loss;
    spdlog::info("the validation loss before the adaptation is {:.4f}", record.validation_loss);
  }

  void finish() {
    for (std::size_t i = 0; are_independent_ && i < groups_.size(); ++i)
      result_.best_epochs[parts_[i]] = description_.save_best ? groups_[i].best_epoch : epoch_;
    if (!description_.save_best || best_weights_.empty()) {
      exchange();
      result_.weights = model_->weights();
      exchange();
      result_.best_epoch = epoch_;
      result_.loss = result_.history.back().loss;
      result_.validation_loss = result_.history.back().validation_loss;
      return;
    }
    result_.weights = std::move(best_weights_);
    for (const Group& group : groups_) {
      result_.loss += group.best_training_loss;
      result_.validation_loss += validation_.size() > 0 ? group.best_loss : kNan;
    }
  }

  std::int64_t showers_done() const {
    return epoch_ * static_cast<std::int64_t>(training_.size()) + static_cast<std::int64_t>(done_);
  }

  // Number of batches. A last one of less than half the size is distributed over the others, because
  // normalisation over a few showers disturbs the running statistics.
  std::size_t batches(std::size_t showers) const {
    const auto size = static_cast<std::size_t>(description_.batch_size);
    return std::max<std::size_t>(1, (showers + size / 2) / size);
  }

  // Runs an epoch, or the rest of it after a checkpoint.
  void run_epoch(core::Progress& progress) {
    const TrainingData::Epoch epoch =
        data_.epoch(training_, options_.seed, static_cast<std::uint64_t>(epoch_));
    if (done_ == 0) record_ = {.epoch = epoch_ + 1, .lr = rate()};
    begin_phase();
    if (done_ == 0) align(false);
    const auto begun = Clock::now();
    const double seconds_before = epoch_seconds_;
    for (; part_ < epoch.num_parts(); ++part_, batch_ = 0) {
      const TrainingData::Part part = epoch.part(part_);
      const std::size_t count = batches(part.size());
      while (batch_ < count) {
        const std::size_t begin = part.size() * batch_ / count, end = part.size() * (batch_ + 1) / count;
        optimizer_.begin_step(++step_, record_.lr);
        Loss loss = model_->train_step(part.batch(begin, end - begin), static_cast<std::uint64_t>(epoch_),
                                       optimizer_);
        for (std::size_t i = 0; i < parts_.size(); ++i)
          if (is_stopped(i)) loss.parts[i] = result_.history.back().parts.at(parts_[i]);
        require_finite(loss, "loss");
        average();
        add(loss, static_cast<double>(end - begin) / static_cast<double>(training_.size()), record_.parts);
        ++batch_;
        done_ += end - begin;
        epoch_seconds_ = seconds_before + std::chrono::duration<double>(Clock::now() - begun).count();
        progress.update(showers_done(), note());
        if (done_ == training_.size()) continue;
        const double rest_s =
            epoch_seconds_ / static_cast<double>(done_) * static_cast<double>(training_.size() - done_);
        if (--steps_alone_ > 0) continue;
        const double step_s = epoch_seconds_ * static_cast<double>(end - begin) / static_cast<double>(done_);
        const Together::Wishes wishes =
            together_.agree({.interrupted = core::interrupt_requested(),
                             .stop_at_once = rest_s > options_.finish_epoch_within_seconds,
                             .save = is_checkpoint_due(),
                             .steps = std::clamp<std::int64_t>(
                                 static_cast<std::int64_t>(kSecondsBetweenAgreements / step_s), 1, 64)});
        steps_alone_ = together_.is_alone() ? 0 : wishes.steps;
        if (wishes.interrupted && wishes.stop_at_once) stop_interrupted();
        if (wishes.save) save_now();
      }
    }
    EpochRecord record = std::move(record_);
    for (std::size_t i = 0; i < parts_.size(); ++i)  // without the rounding of a sum
      if (is_stopped(i)) record.parts[parts_[i]] = result_.history.back().parts.at(parts_[i]);
    record.loss = total(record.parts);
    record.showers_per_second = static_cast<double>(done_) / epoch_seconds_;
    ++epoch_;
    part_ = batch_ = done_ = 0;
    epoch_seconds_ = 0;
    record.validation_loss = kNan;
    for (const std::string& name : parts_) record.validation_parts[name] = kNan;
    gather(false);
    exchange();
    if (validation_.size() > 0) validate(record);
    record.time_unix_s = now_unix_s();
    share(record);
    const std::vector<std::size_t> improved = judge(record);
    if (description_.save_best && !improved.empty()) keep_best(improved);
    exchange();
    stop_early(record);
    log(record);
    result_.history.push_back(record);
    progress.update(showers_done(), note());
    if (together_.agree({.save = is_checkpoint_due()}).save) save_now();
  }

  // All processes judge the same numbers.
  void share(EpochRecord& record) const {
    if (together_.is_alone()) return;
    std::vector<double*> places = {&record.loss, &record.validation_loss, &record.showers_per_second,
                                   &record.time_unix_s};
    for (auto* parts : {&record.parts, &record.validation_parts})
      for (auto& [name, value] : *parts) places.push_back(&value);
    std::vector<double> values(places.size());
    std::transform(places.begin(), places.end(), values.begin(), [](const double* place) { return *place; });
    together_.broadcast(values);
    for (std::size_t i = 0; i < places.size(); ++i) *places[i] = values[i];
  }

  // "epoch 3 of 40: loss 5.1231, validation 5.2", with the loss of the epoch so far.
  std::string note() const {
    std::string text = fmt::format("epoch {} of {}", done_ > 0 ? epoch_ + 1 : epoch_, description_.epochs);
    if (done_ > 0)
      text += fmt::format(": loss {:.4f}", total(record_.parts) * static_cast<double>(training_.size()) /
                                               static_cast<double>(done_));
    if (result_.history.empty()) return text;
    const EpochRecord& last = result_.history.back();
    if (done_ == 0) text += fmt::format(": loss {:.4f}", last.loss);
    if (validation_.size() > 0) text += fmt::format(", validation {:.4f}", last.validation_loss);
    return text;
  }

  void save_now() {
    if (options_.checkpoint_folder.empty()) return;
    save(checkpoint_file());
    last_checkpoint_ = Clock::now();
  }
  bool is_checkpoint_due() const {
    return std::chrono::duration<double>(Clock::now() - last_checkpoint_).count() >
           options_.checkpoint_seconds;
  }

  void require_finite(const Loss& loss, const char* name) const {
    if (std::isfinite(loss.total())) return;
    std::string parts;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      parts += fmt::format("{}{} {}", i == 0 ? "" : ", ", parts_[i], loss.parts[i]);
    throw core::InputError({.message = fmt::format("the {} is not finite in epoch {} ({})", name,
                                                   result_.history.size() + 1, parts),
                            .field = "loss",
                            .hint = kDivergedHint});
  }

  // Adds `share` times the parts of a batch's loss to the parts by name.
  void add(const Loss& loss, double share, std::map<std::string, double>& to) const {
    for (std::size_t i = 0; i < parts_.size(); ++i) to[parts_[i]] += loss.parts[i] * share;
  }
  // Sums in the model's order, so that it rounds like the model's sum.
  double total(const std::map<std::string, double>& parts) const {
    double sum = 0;
    for (const std::string& name : parts_) sum += parts.at(name);
    return sum;
  }

  void validate(EpochRecord& record) {
    record.validation_parts.clear();
    const auto size = static_cast<std::size_t>(description_.batch_size);
    for (std::size_t begin = 0; begin < validation_.size(); begin += size) {
      const std::size_t count = std::min(size, validation_.size() - begin);
      const Loss loss = model_->evaluate(validation_.batch(begin, count));
      require_finite(loss, "validation loss");
      add(loss, static_cast<double>(count) / static_cast<double>(validation_.size()),
          record.validation_parts);
    }
    record.validation_loss = total(record.validation_parts);
  }

  // Returns the groups that are better than in every epoch before.
  std::vector<std::size_t> judge(const EpochRecord& record) {
    const auto& parts = validation_.size() == 0 ? record.parts : record.validation_parts;
    std::vector<std::size_t> improved;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      Group& group = groups_[i];
      if (group.stopped) continue;
      double loss = 0, training_loss = 0;
      for (const std::size_t part : group.parts) {
        loss += parts.at(parts_[part]);
        training_loss += record.parts.at(parts_[part]);
      }
      if (!std::isfinite(loss))
        spdlog::warn("the validation loss{} of epoch {} is {}: the epoch counts as one without improvement",
                     of(i), record.epoch, loss);
      if (loss < group.best_loss) {
        group.best_loss = loss;
        group.best_training_loss = training_loss;
        group.best_epoch = result_.best_epoch = record.epoch;
        improved.push_back(i);
      }
      if (loss < group.patience_loss - description_.min_delta) {
        group.patience_loss = loss;
        group.waited = 0;
      } else {
        ++group.waited;
      }
      if (record.epoch <= first_epochs_)
        group.waited = 0;  // the second phase may improve what the first did not
    }
    return improved;
  }
  // " of rings" for a group that is a part of the loss.
  std::string of(std::size_t group) const { return are_independent_ ? " of " + parts_[group] : ""; }

  void keep_best(const std::vector<std::size_t>& improved) {
    Weights now = model_->weights();
    for (const Parameter& parameter : model_->parameters())
      for (const std::size_t group : improved)
        if (belongs(parameter, group)) best_weights_[parameter.name] = now.at(parameter.name);
  }

  // Ends the training of groups without improvement, which continue with their best weights.
  void stop_early(const EpochRecord& record) {
    if (!description_.early_stop) return;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      Group& group = groups_[i];
      if (group.stopped || group.waited < description_.patience) continue;
      group.stopped = true;
      spdlog::info("the training{} stopped early in epoch {}: no improvement by {} in {} epochs", of(i),
                   record.epoch, description_.min_delta, description_.patience);
      if (!are_independent_ || !description_.save_best) continue;
      model_->set_parameters([&](std::vector<Parameter>& parameters) {
        for (std::size_t j = 0; j < parameters.size(); ++j) {
          if (parameters[j].part != static_cast<int>(i)) continue;
          const std::vector<float>& best = best_weights_.at(parameters[j].name).values;
          std::copy(best.begin(), best.end(), parameters[j].values.begin());
          if (!averages_.empty()) averages_[j] = best;
        }
      });
    }
    result_.stopped_early = all_stopped();
  }
  bool all_stopped() const {
    return std::all_of(groups_.begin(), groups_.end(), [](const Group& group) { return group.stopped; });
  }

  void stop_interrupted() {
    if (options_.checkpoint_folder.empty())
      throw core::Interrupted(
          {.message = "training was interrupted; nothing was saved, because there is no checkpoint folder"});
    save(checkpoint_file());
    throw core::Interrupted(
        {.message = done_ == 0
                        ? fmt::format("training was interrupted after epoch {}; its state is saved", epoch_)
                        : fmt::format("training was interrupted in epoch {}; its state is saved", epoch_ + 1),
         .file = checkpoint_file(),
         .hint = "run the same command with --resume to continue"});
  }

  json history_json() const {
    json list = json::array();
    for (const EpochRecord& record : result_.history) list.push_back(record.to_json());
    return list;
  }

  void save(const std::filesystem::path& file) {
    gather(true);
    if (!together_.is_first()) return;
    json groups = json::array();
    for (const Group& group : groups_)
      groups.push_back({{"best_loss", number_or_null(group.best_loss)},
                        {"best_training_loss", number_or_null(group.best_training_loss)},
                        {"patience_loss", number_or_null(group.patience_loss)},
                        {"best_epoch", group.best_epoch},
                        {"waited", group.waited},
                        {"stopped", group.stopped}});
    write_checkpoint(file, model_->parameters(), averages_,
                     {{"format_version", 1},
                      {"description", resumable_description()},
                      {"seed", options_.seed},
                      {"data_hash", options_.data_hash},
                      {"start_hash", options_.start_hash},
                      {"start_validation_loss", number_or_null(result_.start_validation_loss)},
                      {"epoch", epoch_},
                      {"step", step_},
                      {"best_epoch", result_.best_epoch},
                      {"groups", groups},
                      {"history", history_json()},
                      {"block_size", data_.block_size()},
                      {"group_size", data_.group_size()},
                      {"part", part_},
                      {"batch", batch_},
                      {"showers_done", done_},
                      {"epoch_seconds", epoch_seconds_},
                      {"losses_so_far", record_.parts}});
    if (best_weights_.empty()) return;
    std::vector<Parameter> best;
    for (const auto& [name, tensor] : best_weights_)
      best.push_back({.name = name, .shape = tensor.shape, .values = tensor.values});
    write_checkpoint(file.parent_path() / ("best-" + file.filename().string()), best, {},
                     {{"epoch", result_.best_epoch}});
  }

  // Options that must be the same to resume; the number of epochs may grow.
  json resumable_description() const {
    json description = description_.to_json();
    for (const char* free : {"epochs", "early_stop", "patience", "min_delta", "save_every"})
      description.erase(free);
    if (description_.lr_schedule == "cosine" || description_.lr_schedule == "exponential")
      description["epochs"] = description_.epochs;
    return description;
  }

  // Reads the checkpoint into the parameters, their averages and the best weights. Returns its state; null if
  // there is none.
  json read_saved() {
    const std::filesystem::path file = checkpoint_file();
    if (options_.checkpoint_folder.empty() || !std::filesystem::exists(file)) return nullptr;
    json state;
    model_->set_parameters(
        [&](std::vector<Parameter>& parameters) { state = read_checkpoint(file, parameters, averages_); });
    const auto refuse = [&](const char* what) {
      throw core::InputError({.message = fmt::format("is from a training with another {}", what),
                              .file = file,
                              .hint = "omit --resume to start again, or give the same options"});
    };
    if (state.value("description", json()) != resumable_description()) refuse("model description");
    if (state.value("seed", json()) != options_.seed) refuse("seed");
    if (state.value("data_hash", json()) != options_.data_hash) refuse("data set");
    if (state.value("start_hash", json()) != options_.start_hash) refuse("model to start from");
    if (state.value("block_size", std::size_t{0}) != data_.block_size() ||
        state.value("group_size", std::size_t{0}) != data_.group_size())
      refuse("memory for showers");
    if (!has_best(state)) return state;
    std::vector<Parameter> best;
    for (const auto& [name, tensor] : model_->weights())
      best.push_back({.name = name, .shape = tensor.shape, .values = tensor.values});
    Averages none;
    read_checkpoint(file.parent_path() / "best-checkpoint.h5", best, none);
    for (Parameter& parameter : best)
      best_weights_[parameter.name] = {.shape = parameter.shape, .values = std::move(parameter.values)};
    return state;
  }
  bool has_best(const json& state) const {
    return description_.save_best && state.at("best_epoch").get<std::int64_t>() > 0;
  }

  // Continues from the checkpoint. Returns whether there is one.
  bool load() {
    std::string text = together_.is_first() ? read_saved().dump() : "";
    together_.broadcast(text);
    const json state = json::parse(text);
    if (state.is_null()) {
      spdlog::info("there is no checkpoint: training starts from the beginning");
      return false;
    }
    align(true);
    if (has_best(state)) {
      if (best_weights_.empty()) best_weights_ = model_->weights();
      together_.broadcast(best_weights_);
    }
    restore(state);
    return true;
  }

  void restore(const json& state) {
    epoch_ = state.at("epoch");
    part_ = state.value("part", std::size_t{0});
    batch_ = state.value("batch", std::size_t{0});
    done_ = state.value("showers_done", std::size_t{0});
    epoch_seconds_ = state.value("epoch_seconds", 0.0);
    record_ = {.epoch = epoch_ + 1, .lr = rate()};
    if (done_ > 0) record_.parts = state.at("losses_so_far").get<std::map<std::string, double>>();
    step_ = state.at("step");
    result_.best_epoch = state.at("best_epoch");
    const auto infinite_if_null = [](double value) {
      return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
    };
    result_.start_validation_loss = number_of(state, "start_validation_loss");
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const json& group = state.at("groups").at(i);
      groups_[i].best_loss = infinite_if_null(number_of(group, "best_loss"));
      groups_[i].best_training_loss = number_of(group, "best_training_loss");
      groups_[i].patience_loss = infinite_if_null(number_of(group, "patience_loss"));
      groups_[i].best_epoch = group.at("best_epoch");
      groups_[i].waited = group.at("waited");
      groups_[i].stopped = group.at("stopped").get<bool>() && description_.early_stop;
    }
    result_.stopped_early = all_stopped();
    core::JsonPlace place(checkpoint_file(), "history");
    for (const json& record : state.at("history")) {
      const core::JsonPlace::Step step(place, result_.history.size());
      result_.history.push_back(EpochRecord::read(record, parts_, place));
    }
    if (done_ == 0)
      spdlog::info("resuming after epoch {}", epoch_);
    else
      spdlog::info("resuming in epoch {}, after {} of its {} showers", epoch_ + 1, done_, training_.size());
  }

  void open_logs() {
    if (options_.log_folder.empty() || !together_.is_first()) return;
    std::filesystem::create_directories(options_.log_folder);
    lines_.open(options_.log_folder / "metrics.jsonl");
    // A resumed training keeps the times of its first part: its log starts no later than the end of the first
    // epoch.
    double begun = now_unix_s();
    if (!result_.history.empty()) begun = std::min(begun, result_.history.front().time_unix_s);
    events_.emplace(options_.log_folder, begun);
    std::vector<EpochRecord> before;
    std::swap(before, result_.history);
    for (const EpochRecord& record : before) log(record);
    result_.history = std::move(before);
  }

  void log(const EpochRecord& record) {
    if (options_.on_epoch) options_.on_epoch(record);
    if (!events_) return;
    lines_ << record.to_json().dump() << '\n' << std::flush;
    std::map<std::string, double> scalars = {
        {"loss/train", record.loss}, {"loss/validation", record.validation_loss}, {"lr", record.lr}};
    for (const std::string& name : parts_) {
      scalars[name + "/train"] = record.parts.at(name);
      scalars[name + "/validation"] = record.validation_parts.at(name);
    }
    events_->add(record.epoch, record.time_unix_s, scalars);
  }

  const TrainingData& data_;
  Numbers training_;
  TrainingData::Part validation_;
  ModelDescription description_;
  TrainOptions options_;
  Together together_;
  core::ThreadPool& pool_;
  Optimizer optimizer_;
  std::unique_ptr<TrainableModel> model_;
  std::vector<std::string> parts_ = model_->loss_parts();
  TrainResult result_;
  Weights best_weights_;  // of each group in its best epoch
  bool are_independent_ = false;
  std::vector<Group> groups_;
  Averages averages_;
  std::int64_t epoch_ = 0, step_ = 0;  // the step of the current phase
  std::int64_t first_epochs_ = 0;      // of the first phase of an adaptation
  // State of the current epoch.
  EpochRecord record_;
  // Next part and batch, and number of showers before them.
  std::size_t part_ = 0, batch_ = 0, done_ = 0;
  double epoch_seconds_ = 0;
  std::int64_t steps_alone_ = 0;  // until the processes agree about interruptions and checkpoints
  Clock::time_point last_checkpoint_;
  std::ofstream lines_;
  std::optional<EventFile> events_;
};

}  // namespace

json EpochRecord::to_json() const {
  return core::JsonWriter::written(*this);
}

EpochRecord EpochRecord::read(const json& object, const std::vector<std::string>& parts,
                              core::JsonPlace& place) {
  EpochRecord record{.validation_loss = kNan};  // null values stay NaN
  for (const std::string& name : parts) record.parts[name] = record.validation_parts[name] = kNan;
  core::read_json(record, object, place);
  return record;
}

double learning_rate(const ModelDescription& description, std::int64_t epoch) {
  const double progress =
      static_cast<double>(epoch) / static_cast<double>(std::max<std::int64_t>(1, description.epochs - 1));
  double factor = 1;
  const std::int64_t steps = epoch / description.lr_step_epochs;
  if (description.lr_schedule == "step")
    factor = std::pow(description.lr_decay, static_cast<double>(steps));
  else if (description.lr_schedule == "exponential")
    factor = std::pow(description.lr_decay, progress);
  else if (description.lr_schedule == "cosine")
    factor =
        description.lr_decay + (1 - description.lr_decay) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  if (epoch < description.lr_warmup_epochs)
    factor *= static_cast<double>(epoch + 1) / static_cast<double>(description.lr_warmup_epochs + 1);
  return description.lr * factor;
}

std::map<std::string, double> held_out_loss(const TrainingData& showers, const Transform& transform,
                                            const ModelDescription& description, const Weights& weights,
                                            std::uint64_t seed, core::ThreadPool& pool,
                                            core::ProcessGroup& group) {
  Numbers all(showers.size());
  std::iota(all.begin(), all.end(), 0u);
  const TrainingData::Part some = showers.some(all, seed);
  const auto model = new_model({.description = description,
                                .transform = transform,
                                .seed = seed,
                                .device = architecture(description.architecture).device("cpu"),
                                .showers = &some.showers(),
                                .training = some.indices(),
                                .group = group},
                               pool);
  model->set_weights(weights);
  const std::vector<std::string> names = model->loss_parts();
  std::map<std::string, double> parts;
  const auto size = static_cast<std::size_t>(description.batch_size);
  for (std::size_t begin = 0; begin < some.size(); begin += size) {
    const std::size_t count = std::min(size, some.size() - begin);
    const Loss loss = model->evaluate(some.batch(begin, count));
    for (std::size_t i = 0; i < names.size(); ++i)
      parts[names[i]] += loss.parts[i] * static_cast<double>(count) / static_cast<double>(some.size());
  }
  return parts;
}

double adaptation_rate(const ModelDescription& description, std::int64_t first_epochs, std::int64_t epoch) {
  ModelDescription phase = description;
  phase.epochs = epoch < first_epochs ? first_epochs : description.epochs - first_epochs;
  return epoch < first_epochs ? learning_rate(phase, epoch)
                              : description.adapt_lr * learning_rate(phase, epoch - first_epochs);
}

TrainResult train(const TrainingData& data, const Transform& transform, const ModelDescription& description,
                  const TrainOptions& options, core::ThreadPool& pool) {
  description.validate();
  Numbers all(data.size());
  std::iota(all.begin(), all.end(), 0u);
  core::Philox(options.seed, 0, kSplitStream).shuffle(all);
  const auto held =
      static_cast<std::size_t>(std::round(description.validation_split * static_cast<double>(all.size())));
  if (all.size() < held + 2)
    throw core::InputError(
        {.message = fmt::format("{} showers are too few to train on", all.size()), .field = "showers"});

  std::vector<double> fold_losses;
  if (description.k_folds > 1) {
    const auto folds = static_cast<std::size_t>(description.k_folds);
    if (all.size() < 4 * folds)
      throw core::UsageError(
          {.message = fmt::format("{} folds of {} showers are too small", folds, all.size()),
           .field = "k_folds"});
    for (std::size_t fold = 0; fold < folds; ++fold) {
      Numbers training, validation;
      for (std::size_t i = 0; i < all.size(); ++i)
        (i % folds == fold ? validation : training).push_back(all[i]);
      TrainOptions plain{.seed = options.seed, .start = options.start, .group = options.group};
      Fit fit(data, std::move(training), validation, transform, description, plain, pool);
      fold_losses.push_back(fit.run(fmt::format("fold {} of {}", fold + 1, folds)).validation_loss);
    }
  }
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(held);
  Fit fit(data, Numbers(middle, all.end()), Numbers(all.begin(), middle), transform, description, options,
          pool);
  TrainResult result = fit.run("train");
  result.fold_losses = std::move(fold_losses);
  return result;
}

TrainResult train(const Showers& showers, const Transform& transform, const ModelDescription& description,
                  const TrainOptions& options, core::ThreadPool& pool) {
  return train(TrainingData(showers), transform, description, options, pool);
}

}  // namespace calo
