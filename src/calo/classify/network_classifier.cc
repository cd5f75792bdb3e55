#include "calo/classify/network_classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "calo/classify/classifier_inputs.h"
#include "calo/classify/detail/trainings.h"
#include "calo/classify/network.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/philox.h"
#include "core/progress.h"

namespace calo {
namespace {

constexpr std::uint32_t kOrderStream = 0x636c6f72;

struct Names {
  const char* name;   // in metrics.json
  const char* title;  // in the report
};
// By NetworkKind.
constexpr Names kNames[] = {
    {"dnn_high_level", "DNN on high-level features"},
    {"dnn_voxels", "DNN on voxels"},
    {"dnn_normalised_voxels", "DNN on normalised voxels"},
    {"cnn", "CNN on voxels"},
};

const Names& names_of(NetworkKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

using Samples = std::vector<ClassifierSample>;

Samples samples_of(const std::vector<std::size_t>& rows) {
  Samples samples;
  for (const std::size_t row : rows)
    for (const bool fast : {false, true}) samples.push_back({static_cast<std::uint32_t>(row), fast});
  return samples;
}

// One training, and what it gave.
class Training {
 public:
  Training(NetworkKind kind, ClassifierInputs& inputs, const ClassifiedShowers& showers,
           const NetworkOptions& options, core::ThreadPool& pool)
      : kind_(kind),
        inputs_(inputs),
        options_(options),
        split_(split_rows(showers.full.features.rows(), options.seed, showers.train_share)) {
    train_ = samples_of(split_.train);
    inputs_.fit(split_.train);
    network_ = kind == NetworkKind::kCnn ? make_cnn(showers.mesh.cylinder(), options, pool)
                                         : make_mlp(inputs_.used_columns(train_), options, pool);
  }

  TrainedClassifier run(int number) {
    core::Progress progress(
        fmt::format("{}, training {} of at most {}", names_of(kind_).title, number, options_.trainings),
        options_.max_epochs, "epochs");
    double best_accuracy = -1, best_loss = std::numeric_limits<double>::infinity(), least_loss = best_loss;
    for (int epoch = 1, waited = 0; epoch <= options_.max_epochs && waited < options_.patience; ++epoch) {
      const double train_loss = run_epoch(epoch);
      PartLogits selection = logits(split_.validation);
      const double accuracy = selection.accuracy(), loss = selection.cross_entropy();
      if (!std::isfinite(train_loss) || !std::isfinite(loss))
        throw core::InputError({.message = fmt::format("{}: the loss is not finite any more in epoch {}",
                                                       names_of(kind_).title, epoch),
                                .field = "loss",
                                .hint = "try a smaller learning rate"});
      if (accuracy > best_accuracy || (accuracy == best_accuracy && loss < best_loss)) {
        best_accuracy = accuracy;
        best_loss = loss;
        trained_.best_epoch = epoch;
        trained_.selection = std::move(selection);
        trained_.test = logits(split_.test);  // at once, so that no weights need be kept
      }
      waited = loss < least_loss ? 0 : waited + 1;
      least_loss = std::min(least_loss, loss);
      trained_.epochs = epoch;
      progress.update(
          epoch, fmt::format("loss {:.4f}, selection {:.4f}, accuracy {:.3f}", train_loss, loss, accuracy));
      if (best_accuracy == 1) break;
    }
    trained_.split = split_;
    return std::move(trained_);
  }

 private:
  // As many even batches as make kFewestSteps, unless that makes them too small.
  std::size_t batches() const {
    const auto count = static_cast<double>(train_.size());
    const double size =
        std::min<double>(options_.batch, std::max<double>(kSmallestBatch, count / kFewestSteps));
    return static_cast<std::size_t>(std::max(1.0, std::ceil(count / size)));
  }

  // Mean loss of the steps, in units of ln 2.
  double run_epoch(int epoch) {
    core::Philox(options_.seed, static_cast<std::uint64_t>(epoch), kOrderStream).shuffle(train_);
    const std::size_t count = batches();
    double loss = 0;
    std::vector<float> labels;
    for (std::size_t batch = 0; batch < count; ++batch) {
      if (core::interrupt_requested())
        throw core::Interrupted(
            {.message = "the training of a classifier was interrupted; nothing was kept"});
      const std::size_t begin = train_.size() * batch / count, end = train_.size() * (batch + 1) / count;
      const std::span<const ClassifierSample> samples(train_.data() + begin, end - begin);
      labels.clear();
      for (const ClassifierSample& sample : samples) labels.push_back(sample.fast ? 1 : 0);
      loss += network_->train(inputs_.batch(samples), labels) / static_cast<double>(count);
    }
    return loss / std::log(2.0);
  }

  PartLogits logits(const std::vector<std::size_t>& rows) {
    const Samples samples = samples_of(rows);
    PartLogits values;
    for (std::size_t begin = 0; begin < samples.size();) {
      const std::size_t count = std::min<std::size_t>(samples.size() - begin, 256);
      for (const double logit : network_->logits(inputs_.batch({samples.data() + begin, count})))
        (samples[begin++].fast ? values.fast : values.full).push_back(logit);
    }
    return values;
  }

  NetworkKind kind_;
  ClassifierInputs& inputs_;
  NetworkOptions options_;
  Split split_;
  Samples train_;
  TrainedClassifier trained_;
  std::unique_ptr<ClassifierNetwork> network_;
};

void check_options(const NetworkOptions& options) {
  const auto at_least_one = [](const char* field, int value) {
    if (value < 1)
      throw core::UsageError({.message = fmt::format("is {}; must be at least 1", value), .field = field});
  };
  at_least_one("hidden_width", options.hidden_width);
  at_least_one("max_epochs", options.max_epochs);
  at_least_one("batch", options.batch);
  at_least_one("trainings", options.trainings);
  at_least_one("patience", options.patience);
  if (options.hidden_layers < 0)
    throw core::UsageError({.message = fmt::format("is {}; must not be negative", options.hidden_layers),
                            .field = "hidden_layers"});
  const double rate = options.learning_rate.value_or(1);
  if (!(rate > 0) || !std::isfinite(rate))
    throw core::UsageError(
        {.message = fmt::format("is {}; must be above 0", rate), .field = "learning_rate"});
}

void check_showers(NetworkKind kind, const ClassifiedShowers& classified) {
  const ClassifierShowers &full = classified.full, &fast = classified.fast;
  const VoxelMesh& mesh = classified.mesh;
  const std::size_t rows = full.features.rows();
  if (rows < kFewestClassified)
    throw core::InputError({.message = fmt::format("{} showers of each side are too few for a classifier; it "
                                                   "needs {}",
                                                   rows, kFewestClassified),
                            .field = "showers"});
  const bool sees_cells = kind != NetworkKind::kHighLevel;
  if (fast.features.rows() != rows ||
      (sees_cells && (full.showers.size() != rows || fast.showers.size() != rows)))
    throw core::InputError(
        {.message = fmt::format("a classifier needs as many fast as full showers, and a row of features for "
                                "each: {} and {} showers, {} and {} rows",
                                full.showers.size(), fast.showers.size(), rows, fast.features.rows()),
         .field = "showers"});
  if (sees_cells)
    for (const ClassifierShowers* side : {&full, &fast})
      if (side->showers.num_cells() != mesh.num_cells())
        throw core::InputError({.message = fmt::format("showers of {} cells are not of the mesh of {}",
                                                       side->showers.num_cells(), mesh.to_string()),
                                .field = "showers"});
  if (kind == NetworkKind::kCnn && !mesh.is_cylinder())
    throw core::InputError({.message = "the convolutional network needs a regular mesh", .field = "mesh"});
}

}  // namespace

std::string NetworkClassifier::name() const {
  return names_of(kind_).name;
}

std::string NetworkClassifier::title() const {
  return names_of(kind_).title;
}

Classification NetworkClassifier::classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const {
  check_options(options_);
  check_showers(kind_, showers);
  ClassifierInputs inputs(kind_, showers, options_.threshold_mev);
  Classification result =
      of_trainings(name(), title(), std::min(options_.trainings, showers.most_trainings), [&](int number) {
        NetworkOptions own = options_;
        own.seed += static_cast<std::uint64_t>(number - 1);
        return Training(kind_, inputs, showers, own, pool).run(number);
      });
  if (kind_ == NetworkKind::kHighLevel) result.features = showers.full.features.names;
  return result;
}

}  // namespace calo
