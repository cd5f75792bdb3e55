#include "calo/models/cascade/cascade.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "calo/models/cascade/detail/cascade_shape.h"
#include "calo/models/cascade/detail/fit.h"
#include "calo/models/cascade/detail/initial.h"
#include "calo/models/cascade/detail/network.h"
#include "calo/models/cascade/detail/split_density.h"
#include "calo/models/cascade/detail/teacher.h"
#include "core/philox.h"

namespace calo::cascade {
namespace {

constexpr std::uint32_t kMirrorStream = 0x6d697272;
// Indices of a network's tensors among the parameters; -1 = it has no such tensor.
struct Places {
  std::vector<int> weight, bias;
  int layer_table = -1, position_table = -1, spectra = -1;
};

template <class Number, class At>
NetTensors<Number> tensors_at(const Places& places, const At& at) {
  NetTensors<Number> tensors;
  for (const int place : places.weight) tensors.weight.push_back(at(place));
  for (const int place : places.bias) tensors.bias.push_back(at(place));
  if (places.layer_table >= 0) tensors.layer_table = at(places.layer_table);
  if (places.position_table >= 0) tensors.position_table = at(places.position_table);
  if (places.spectra >= 0) tensors.spectra = at(places.spectra);
  return tensors;
}

// Read-only data of all threads.
struct Shared {
  const Transform& transform;
  const std::vector<CascadeNet>& nets;
  const Frame& frame;
  const MeshFrame& mesh;
  std::vector<NetTensors<const float>> tensors;
  std::vector<Spectra> spectra;  // by network; empty if it has none
  std::vector<bool> is_frozen;   // by network: training leaves all its tensors as they are
};

// One thread's share of a batch. Rows are collected by network and processed when there are enough.
class Lane {
 public:
  Lane(const Shared& shared, const std::vector<Places>& places, const std::vector<Parameter>& parameters)
      : shared_(shared),
        places_(places),
        parameters_(parameters),
        teacher_(shared.frame, shared.mesh),
        shower_(shared.mesh.mesh()),
        loss_(shared.nets.size()) {
    for (const Parameter& parameter : parameters) gradients_.emplace_back(parameter.values.size());
    for (std::size_t net = 0; net < shared.nets.size(); ++net) {
      passes_.emplace_back(shared.nets[net]);
      rows_.emplace_back();
      gradient_tensors_.push_back(tensors_at<float>(
          places[net], [&](int place) { return gradients_[static_cast<std::size_t>(place)].data(); }));
      spectra_gradients_.emplace_back(static_cast<std::size_t>(shared.nets[net].spectra));
    }
  }

  void begin(bool learn) {
    learn_ = learn;
    std::fill(loss_.begin(), loss_.end(), 0.0);
    // Products for frozen weights are left out.
    for (std::size_t net = 0; net < places_.size(); ++net)
      for (std::size_t i = 0; i < places_[net].weight.size(); ++i) {
        const auto place = static_cast<std::size_t>(places_[net].weight[i]);
        gradient_tensors_[net].weight[i] = parameters_[place].frozen ? nullptr : gradients_[place].data();
      }
    for (auto& gradient : gradients_) std::fill(gradient.begin(), gradient.end(), 0.0f);
  }

  bool can_turn() const { return shower_.can_turn(); }

  void add(const Showers& showers, std::uint32_t index, bool mirror, bool turn) {
    shower_.read(showers, index, mirror, turn);
    if (!(shower_.total_mev() > 0)) return;
    const Conditions& condition = showers.conditions[index];
    conditions_.set(condition.incident_energy_mev, condition.theta_rad,
                    shared_.transform.place_of(showers.geometries.at(condition.geometry)),
                    shared_.transform.one_hot_order.size());
    if (float* x = row(0, 0, 0)) {
      LayerWalk::total_features(conditions_, x);
      rows_[0].a_mev.back() = shared_.frame.code_of_total(shower_.total_mev(), condition.incident_energy_mev);
    }
    teacher_.walk(shower_, conditions_, condition.incident_energy_mev, [&](const TeacherSplit& split) {
      float* x = row(split.net, split.layer, split.position);
      if (x == nullptr) return x;
      Rows& rows = rows_[split.net];
      rows.a_mev.back() = split.a_mev;
      rows.b_mev.back() = split.b_mev;
      rows.ring.back() = static_cast<std::uint16_t>(split.spectrum);
      return x;
    });
  }

  void end() {
    for (std::size_t net = 0; net < passes_.size(); ++net) {
      flush(net);
      if (learn_ && gradient_tensors_[net].spectra != nullptr)
        spectra_gradients_[net].finish(
            shared_.spectra[net],
            {gradient_tensors_[net].spectra,
             static_cast<std::size_t>(shared_.nets[net].spectra * CascadeSizes::kSpectrumBins)});
    }
  }

  double loss(std::size_t part) const { return loss_[part]; }
  const std::vector<float>& gradient(std::size_t parameter) const { return gradients_[parameter]; }

 private:
  struct Rows {
    std::vector<float> a_mev, b_mev;  // for `total`: a_mev is t, b_mev is unused
    std::vector<std::uint16_t> ring;
  };

  // Adds a row of a network, after processing the rows if they are full; null if the network is not needed.
  float* row(std::size_t net, std::size_t layer, std::size_t position) {
    if (learn_ && shared_.is_frozen[net]) return nullptr;
    if (passes_[net].is_full()) flush(net);
    Rows& rows = rows_[net];
    rows.a_mev.push_back(0);
    rows.b_mev.push_back(0);
    rows.ring.push_back(0);
    return passes_[net].add_row(layer, position);
  }

  void flush(std::size_t net) {
    NetworkPass& pass = passes_[net];
    Rows& rows = rows_[net];
    if (pass.rows() == 0) return;
    pass.forward(shared_.tensors[net]);
    const auto stride = static_cast<std::size_t>(shared_.nets[net].outputs);
    float* gradient = learn_ ? pass.output_gradient() : nullptr;
    if (net == 0) {
      for (std::size_t i = 0; i < pass.rows(); ++i)
        loss_[net] +=
            total_loss(pass.outputs() + i * stride, rows.a_mev[i], learn_ ? gradient + i * stride : nullptr);
    } else {
      const bool has_spectra = shared_.nets[net].spectra > 0;
      loss_[net] += split_loss({.count = pass.rows(),
                                .outputs = pass.outputs(),
                                .stride = stride,
                                .a_mev = rows.a_mev.data(),
                                .b_mev = rows.b_mev.data(),
                                .ring = rows.ring.data()},
                               shared_.frame.threshold_mev, has_spectra ? &shared_.spectra[net] : nullptr,
                               gradient, &spectra_gradients_[net]);
    }
    if (learn_) pass.backward(shared_.tensors[net], gradient_tensors_[net]);
    pass.clear();
    rows.a_mev.clear();
    rows.b_mev.clear();
    rows.ring.clear();
  }

  const Shared& shared_;
  const std::vector<Places>& places_;
  const std::vector<Parameter>& parameters_;
  bool learn_ = false;
  Teacher teacher_;
  LayeredShower shower_;
  ConditionFeatures conditions_;
  std::vector<NetworkPass> passes_;
  std::vector<Rows> rows_;
  std::vector<std::vector<float>> gradients_;  // by parameter
  std::vector<NetTensors<float>> gradient_tensors_;
  std::vector<SpectraGradient> spectra_gradients_;
  std::vector<double> loss_;  // by network
};

class Cascade : public TrainableModel {
 public:
  Cascade(const ModelDescription& description, const Transform& transform, std::uint64_t seed,
          const Showers& showers, std::span<const std::uint32_t> training, core::ThreadPool& pool,
          core::ProcessGroup& group)
      : transform_(transform),
        shape_(cascade_shape(description, transform)),
        nets_(cascade_nets(shape_)),
        seed_(seed),
        mirror_(description.mirror_phi),
        pool_(pool),
        group_(group) {
    parameters_ = initial_parameters(description, transform_, fit(showers, training, shape_.mesh), seed);
    frame_ = frame();
    mesh_ = std::make_unique<MeshFrame>(shape_.mesh, frame_.threshold_mev);
    for (const CascadeNet& net : nets_) places_.push_back(places_of(net));
    shared_ = std::make_unique<Shared>(Shared{.transform = transform_,
                                              .nets = nets_,
                                              .frame = frame_,
                                              .mesh = *mesh_,
                                              .tensors = {},
                                              .spectra = {},
                                              .is_frozen = {}});
    look();
    for (int i = 0; i < pool.size(); ++i)
      lanes_.push_back(std::make_unique<Lane>(*shared_, places_, parameters_));
    // Processes may have different numbers of threads.
    std::vector<double> lanes(static_cast<std::size_t>(group.size()));
    lanes[static_cast<std::size_t>(group.rank())] = pool.size();
    group.sum(std::span(lanes));
    for (const double count : lanes) lanes_of_.push_back(static_cast<std::size_t>(count));
    std::size_t elements = 0;
    for (const Parameter& parameter : parameters_) {
      gradient_begin_.push_back(elements);
      if (!parameter.first.empty()) elements += parameter.values.size();
    }
    gradient_.resize(elements);
  }

  std::vector<std::string> loss_parts() const override {
    std::vector<std::string> names;
    for (const CascadeNet& net : nets_) names.push_back(net.name);
    return names;
  }

  Loss train_step(const Batch& batch, std::uint64_t epoch, const Optimizer& optimizer) override {
    Loss loss = run(batch, true, epoch);
    const float share = 1.0f / static_cast<float>(batch.size());
    const auto each_trained = [&](const auto& body) {
      pool_.for_each(parameters_.size(), [&](std::size_t i) {
        Parameter& parameter = parameters_[i];
        if (parameter.first.empty() || parameter.frozen) return;  // the first: fitted once, not trained
        body(i, parameter, gradient_.data() + gradient_begin_[i], parameter.values.size());
      });
    };
    each_trained([&](std::size_t i, const Parameter&, float* gradient, std::size_t count) {
      std::fill_n(gradient, count, 0.0f);
      for (const auto& lane : lanes_)
        for (std::size_t j = 0; j < count; ++j) gradient[j] += lane->gradient(i)[j];
      for (std::size_t j = 0; j < count; ++j) gradient[j] *= share;
    });
    core::sum_both(group_, gradient_, loss.parts);
    each_trained([&](std::size_t, Parameter& parameter, const float* gradient, std::size_t count) {
      optimizer.update(parameter, 0, count, gradient);
    });
    look();
    return loss;
  }

  Loss evaluate(const Batch& batch) override {
    Loss loss = run(batch, false, 0);
    group_.sum(std::span(loss.parts));
    return loss;
  }

  const std::vector<Parameter>& parameters() override { return parameters_; }
  void set_parameters(const std::function<void(std::vector<Parameter>&)>& change) override {
    change(parameters_);
    frame_ = frame();
    mesh_->set_threshold(frame_.threshold_mev);
    look();
  }
  Weights weights() override {
    Weights all;
    for (const Parameter& parameter : parameters_)
      all[parameter.name] = {.shape = parameter.shape, .values = parameter.values};
    return all;
  }

 private:
  Frame frame() {
    Trained model{.shape = shape_, .geometries = {}, .tensors = {}};
    for (const Parameter& parameter : parameters_) model.tensors[parameter.name] = parameter.values;
    return model.frame();
  }

  Places places_of(const CascadeNet& net) const {
    const auto find = [&](const std::string& name) {
      const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                      [&](const Parameter& p) { return p.name == net.name + "." + name; });
      return static_cast<int>(found - parameters_.begin());
    };
    Places places;
    for (std::int64_t i = 0; i <= net.depth; ++i) {
      const std::string layer = i < net.depth ? std::to_string(i) : "output";
      places.weight.push_back(find(layer + ".weight"));
      places.bias.push_back(find(layer + ".bias"));
    }
    if (net.layers > 0) places.layer_table = find("layer_table");
    if (net.positions > 0) places.position_table = find("position_table");
    if (net.spectra > 0) places.spectra = find("spectra");
    return places;
  }

  // Updates the read-only data of the threads after the parameters have changed.
  void look() {
    shared_->tensors.clear();
    shared_->spectra.clear();
    shared_->is_frozen.assign(nets_.size(), true);
    for (const Parameter& parameter : parameters_)
      if (parameter.part >= 0 && !parameter.frozen)
        shared_->is_frozen[static_cast<std::size_t>(parameter.part)] = false;
    for (std::size_t net = 0; net < nets_.size(); ++net) {
      shared_->tensors.push_back(tensors_at<const float>(places_[net], [&](int place) -> const float* {
        return parameters_[static_cast<std::size_t>(place)].values.data();
      }));
      shared_->spectra.push_back(
          places_[net].spectra < 0
              ? Spectra()
              : Spectra(parameters_[static_cast<std::size_t>(places_[net].spectra)].values));
    }
  }

  // This process's part of the loss.
  Loss run(const Batch& batch, bool learn, std::uint64_t epoch) {
    const Showers& showers = batch.showers;
    // Shares follow the number of hits, which determines the work: the largest shower first, to the lane of
    // all processes with the least.
    const std::size_t all_lanes = std::accumulate(lanes_of_.begin(), lanes_of_.end(), std::size_t{0});
    const std::size_t first_lane =
        std::accumulate(lanes_of_.begin(), lanes_of_.begin() + group_.rank(), std::size_t{0});
    std::vector<std::vector<std::uint32_t>> shares(all_lanes);
    std::vector<std::size_t> hits(all_lanes);
    std::vector<std::uint32_t> order(batch.indices.begin(), batch.indices.end());
    const auto hits_of = [&](std::uint32_t shower) { return showers.cells_of(shower).size(); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return hits_of(a) > hits_of(b); });
    for (const std::uint32_t shower : order) {
      const auto lane = static_cast<std::size_t>(std::min_element(hits.begin(), hits.end()) - hits.begin());
      shares[lane].push_back(shower);
      hits[lane] += hits_of(shower) + 1;
    }
    const OneBlasThread one_blas_thread;
    pool_.for_each(lanes_.size(), [&](std::size_t i) {
      Lane& lane = *lanes_[i];
      lane.begin(learn);
      for (const std::uint32_t shower : shares[first_lane + i]) {
        bool mirror = false, turn = false;
        if (learn && mirror_ && is_perpendicular(showers.conditions[shower])) {
          core::Philox random(seed_ ^ (epoch * 0x9e3779b97f4a7c15ull), batch.number(shower), kMirrorStream);
          const std::uint32_t bits = random.next_u32();
          mirror = (bits & 1) != 0;
          turn = (bits & 2) != 0 && lane.can_turn();
        }
        lane.add(showers, shower, mirror, turn);
      }
      lane.end();
    });
    Loss loss{.parts = std::vector<double>(nets_.size())};
    for (std::size_t part = 0; part < nets_.size(); ++part) {
      for (const auto& lane : lanes_) loss.parts[part] += lane->loss(part);
      loss.parts[part] /= static_cast<double>(batch.size());
    }
    return loss;
  }

  static bool is_perpendicular(const Conditions& condition) {
    constexpr float kTolerance = 0.01f;  // about half a degree
    return std::abs(condition.theta_rad - static_cast<float>(std::numbers::pi / 2)) < kTolerance;
  }

  Transform transform_;
  CascadeShape shape_;
  std::vector<CascadeNet> nets_;
  std::uint64_t seed_;
  bool mirror_;
  core::ThreadPool& pool_;
  core::ProcessGroup& group_;
  std::vector<std::size_t> lanes_of_;  // number of lanes of each process
  std::vector<Parameter> parameters_;
  std::vector<std::size_t> gradient_begin_;  // of each parameter
  std::vector<float> gradient_;              // of all trained parameters
  std::vector<Places> places_;
  Frame frame_;
  std::unique_ptr<MeshFrame> mesh_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

std::unique_ptr<TrainableModel> new_cascade(const ModelDescription& description, const Transform& transform,
                                            std::uint64_t seed, const Showers& showers,
                                            std::span<const std::uint32_t> training, core::ThreadPool& pool,
                                            core::ProcessGroup& group) {
  return std::make_unique<Cascade>(description, transform, seed, showers, training, pool, group);
}

}  // namespace calo::cascade
