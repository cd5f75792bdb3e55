#include "calo/models/cascade/detail/cascade_graph.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "calo/infer/cascade/draw.h"
#include "calo/infer/cascade/mesh_walk.h"
#include "calo/infer/cascade/stored.h"
#include "calo/models/cascade/detail/cascade_shape.h"
#include "calo/onnx/contract_graph.h"
#include "core/error.h"

namespace calo {
namespace {

using cascade::CascadeNet;
using cascade::CascadeSizes;
using cascade::Frame;
using cascade::MeshFrame;
using cascade::PatternFrame;
using cascade::PatternNode;
using cascade::PhiTree;
using O = cascade::SplitOutputs;
using Shape = GraphBuilder::Shape;
using Values = std::vector<std::string>;

constexpr int kBefore = 3;  // number of previous layers that features use
constexpr int kBins = cascade::Spectra::kBins;

std::int64_t extent(std::size_t n) {
  return static_cast<std::int64_t>(n);
}

std::size_t place(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

// ONNX operators as functions; values get numbers as names.
class Operators {
 public:
  explicit Operators(GraphBuilder& graph) : graph_(graph) {}

  std::string node(const char* op, const Values& inputs, const GraphBuilder::Attributes& attributes = {}) {
    return graph_.node(op, inputs, fmt::format("v{}", ++count_), attributes);
  }
  std::string constant(const Shape& shape, const std::vector<float>& values) {
    return graph_.floats(fmt::format("c{}", ++count_), shape, values);
  }
  std::string indices(const Shape& values) { return graph_.integers(fmt::format("i{}", ++count_), values); }
  std::string indices(const Shape& shape, const Shape& values) {
    return graph_.integers(fmt::format("i{}", ++count_), shape, values);
  }
  std::string number(double value) {
    const auto [found, is_new] = numbers_.try_emplace(static_cast<float>(value));
    if (is_new) found->second = constant({}, {static_cast<float>(value)});
    return found->second;
  }
  std::string axis(std::int64_t value) {
    const auto [found, is_new] = axes_.try_emplace(value);
    if (is_new) found->second = indices({value});
    return found->second;
  }

  std::string add(const std::string& a, const std::string& b) { return node("Add", {a, b}); }
  std::string subtract(const std::string& a, const std::string& b) { return node("Sub", {a, b}); }
  std::string times(const std::string& a, const std::string& b) { return node("Mul", {a, b}); }
  std::string over(const std::string& a, const std::string& b) { return node("Div", {a, b}); }
  std::string product(const std::string& a, const std::string& b) { return node("MatMul", {a, b}); }
  std::string clip(const std::string& x, double low, double high) {
    return node("Clip", {x, number(low), number(high)});
  }
  std::string is_positive(const std::string& x) { return node("Greater", {x, number(0)}); }
  std::string where(const std::string& condition, const std::string& yes, const std::string& no) {
    return node("Where", {condition, yes, no});
  }
  std::string to_float(const std::string& x) { return node("Cast", {x}, {{"to", std::int64_t{1}}}); }
  std::string sum_last(const std::string& x) {
    return node("ReduceSum", {x, axis(-1)}, {{"keepdims", std::int64_t{1}}});
  }
  std::string concat(const Values& parts, std::int64_t axis) {
    return parts.size() == 1 ? parts[0] : node("Concat", parts, {{"axis", axis}});
  }
  std::string gather(const std::string& x, const std::string& indices, std::int64_t axis) {
    return node("Gather", {x, indices}, {{"axis", axis}});
  }
  std::string slice_last(const std::string& x, std::int64_t begin, std::int64_t end) {
    return node("Slice", {x, axis(begin), axis(end), axis(-1)});
  }
  std::string unsqueeze(const std::string& x, std::int64_t at) { return node("Unsqueeze", {x, axis(at)}); }
  std::string squeeze(const std::string& x, std::int64_t at) { return node("Squeeze", {x, axis(at)}); }
  std::string reshape(const std::string& x, const Shape& shape) {
    return node("Reshape", {x, indices(shape)});
  }
  // 1 / (1 + exp(-x)), with a small relative error everywhere: see generator_graph().
  std::string sigmoid(const std::string& x) {
    return node("Reciprocal", {add(node("Exp", {node("Neg", {x})}), number(1))});
  }

 private:
  GraphBuilder& graph_;
  int count_ = 0;
  std::map<float, std::string> numbers_;
  std::map<std::int64_t, std::string> axes_;
};

// Matrix M such that x · M has the sums of the columns before each column.
std::vector<float> before_matrix(std::size_t n, bool transposed = false) {
  std::vector<float> matrix(n * n, 0.0f);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) matrix[transposed ? j * n + i : i * n + j] = 1;
  return matrix;
}

class CascadeGraph {
 public:
  CascadeGraph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping)
      : graph_(graph),
        o_(graph),
        model_(model),
        mapping_(mapping),
        trained_(trained_cascade(model.description, model.transform, model.weights)),
        nets_(cascade::cascade_nets(trained_.shape)),
        frame_(trained_.frame()),
        mesh_(trained_.shape.mesh, frame_.threshold_mev),
        n_z_(mesh_.n_z()),
        most_rings_(mesh_.mesh().most_rings()) {}

  void build() {
    input();
    tensors();
    const std::string total = split_total();
    const std::string layers = split_layers(total);
    add_contract_output(graph_, mapping_, model_.transform.mesh, inputs_, split_patterns(layers));
    graph_.metadata(cascade::kProperty, cascade::describe(trained_));
  }

 private:
  // Constants of a network in the graph.
  struct Net {
    Values weight, bias;
    std::string layer_table, position_table;
    std::string probability, below;  // of the spectra, by ring and bin
  };
  struct Halves {
    std::string a, b;
  };
  // Nodes of one level and colour, which are split together.
  struct Group {
    std::vector<PatternNode> nodes;
    std::string features;   // indices into the source of features, [nodes, inputs]
    std::string noise;      // indices among a layer's splits
    std::string positions;  // rows of the position table with the bias, [nodes, width]
    std::string energies;   // indices into the level's energies
    std::string probability, below;
  };
  struct Level {
    std::vector<Group> groups;  // by colour; empty if there is nothing to split
    // By number of finished colours: indices of the next level's energies in their source.
    std::vector<std::string> gather;
    std::string cos_sin;  // [2, 2 * nodes of a ring]: cosine and sine, for the components of a vector
    std::string moments;  // [nodes, 3]: x, y and 1
    std::string first_child, second_child;
  };
  // A segmentation, and the parts of the graph that are the same for all its layers.
  struct Segment {
    explicit Segment(const PatternFrame& pattern)
        : frame(pattern), n_r(pattern.n_r), depth(pattern.tree.depth()) {}
    std::int64_t nodes(int level) const { return frame.tree.nodes(level); }
    std::int64_t plane(int level) const { return n_r * nodes(level); }

    const PatternFrame& frame;
    std::int64_t n_r;
    int depth;
    std::vector<Level> levels;
    Values moments;                                                 // by level, from 1 on
    Values positions_of_rings, probability, below, noise_of_rings;  // by ring, without the outermost
  };
  // What the splits of a layer see of the layers before it, in the cells of one segmentation.
  struct History {
    Values codes, hits, sums;  // by level; codes and hits from level 1 on
    std::string ring_codes, ring_hits, centre_1, centre_2, moment;
  };
  struct HistoryPart {
    std::string name;
    std::string* value;
    std::int64_t width;
  };
  struct LayerInputs {
    std::string index, mev, around, behind, ahead, noise, before_mev;
  };

  std::int64_t first_splits() const { return 1 + extent(frame_.intervals.size()); }
  std::int64_t others() const { return nets_[0].inputs - 3; }

  // Inputs of the contract: noise, and the conditions as one matrix; then the features of the conditions.
  void input() {
    const std::int64_t columns = extent(mapping_.columns.size()), latent = cascade_latent_dim(model_);
    inputs_ = add_contract_inputs(graph_, mapping_, latent);
    noise_ = o_.reshape(inputs_.latent, {0, latent / 2, 2});
    const auto& order = model_.transform.one_hot_order;
    const std::size_t width = 2 + order.size();
    std::vector<float> matrix(mapping_.columns.size() * width, 0.0f);
    for (std::size_t i = 0; i < mapping_.columns.size(); ++i) {
      const infer::ConditionNumber& column = mapping_.columns[i].number;
      float* const row = matrix.data() + i * width;
      if (column.kind == infer::ConditionNumber::Kind::kEnergyMev)
        row[0] = static_cast<float>(1 / column.times);
      if (column.kind == infer::ConditionNumber::Kind::kThetaRad)
        row[1] = static_cast<float>(2 / (std::numbers::pi * column.times));
      if (column.kind == infer::ConditionNumber::Kind::kGeometry && !column.geometry.empty())
        for (std::size_t g = 0; g < order.size(); ++g)
          if (order[g] == column.geometry) row[2 + g] = 1;
    }
    const std::string conditions = o_.product(inputs_.numbers, o_.constant({columns, extent(width)}, matrix));
    e_ = o_.times(o_.node("Log", {o_.times(inputs_.energy_mev, o_.number(0.001))}),
                  o_.number(1 / std::log(100.0)));
    others_ = o_.concat({o_.subtract(o_.slice_last(conditions, 1, 2), o_.number(1)),
                         o_.slice_last(conditions, 2, extent(width))},
                        1);
    zero_ = o_.times(e_, o_.number(0));
  }

  std::vector<float> transposed(const WeightTensor& tensor) const {
    const std::size_t out = place(tensor.shape.at(0)), in = place(tensor.shape.at(1));
    std::vector<float> values(out * in);
    for (std::size_t i = 0; i < out; ++i)
      for (std::size_t j = 0; j < in; ++j) values[j * out + i] = tensor.values.at(i * in + j);
    return values;
  }

  const WeightTensor& tensor(const std::string& name) const {
    const auto found = model_.weights.find(name);
    if (found == model_.weights.end())
      throw core::InputError({.message = "is missing from the model", .field = name});
    return found->second;
  }

  void tensors() {
    threshold_ = graph_.floats("threshold_mev", {1}, tensor("threshold_mev").values);
    log_threshold_ = o_.node("Log", {threshold_});
    graph_.floats("response", {2}, tensor("response").values);
    for (const CascadeNet& net : nets_) {
      Net made;
      for (std::int64_t i = 0; i <= net.depth; ++i) {
        const std::string layer = i < net.depth ? std::to_string(i) : "output";
        const WeightTensor& weight = tensor(fmt::format("{}.{}.weight", net.name, layer));
        made.weight.push_back(graph_.floats(fmt::format("{}_{}_weight", net.name, layer),
                                            {weight.shape.at(1), weight.shape.at(0)}, transposed(weight)));
        const WeightTensor& bias = tensor(fmt::format("{}.{}.bias", net.name, layer));
        made.bias.push_back(
            graph_.floats(fmt::format("{}_{}_bias", net.name, layer), bias.shape, bias.values));
      }
      const auto table = [&](const char* name) {
        const WeightTensor& of = tensor(fmt::format("{}.{}", net.name, name));
        return graph_.floats(fmt::format("{}_{}", net.name, name), of.shape, of.values);
      };
      if (net.layers > 0) made.layer_table = table("layer_table");
      if (net.positions > 0) made.position_table = table("position_table");
      if (net.spectra > 0) {
        if (below_matrix_.empty()) below_matrix_ = o_.constant({kBins, kBins}, before_matrix(kBins));
        made.probability = o_.node("Softmax", {table("spectra")}, {{"axis", std::int64_t{-1}}});
        made.below = o_.product(made.probability, below_matrix_);
      }
      made_.push_back(std::move(made));
    }
  }

  std::string hard_swish(const std::string& x) {
    return o_.times(x, o_.node("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}}));
  }

  // x is [N, rows, inputs]; `tables` is added to the first layer instead of its bias.
  std::string apply(std::size_t net, const std::string& x, const std::string& tables) {
    const Net& of = made_[net];
    std::string h = hard_swish(o_.add(o_.product(x, of.weight[0]), tables));
    for (std::size_t i = 1; i + 1 < of.weight.size(); ++i)
      h = o_.add(h, hard_swish(o_.add(o_.product(h, of.weight[i]), of.bias[i])));
    return o_.add(o_.product(h, of.weight.back()), of.bias.back());
  }

  // ln(E / T) / 8, or 0 for no energy.
  std::string code(const std::string& energy) {
    const std::string some = o_.is_positive(energy);
    const std::string logarithm = o_.node("Log", {o_.where(some, energy, threshold_)});
    return o_.times(o_.subtract(logarithm, log_threshold_), o_.number(0.125));
  }

  struct Choice {
    std::string one_hot, rest;
  };

  // Chooses one of K outcomes from their logarithms [N, rows, K]; the remainder of the uniform number is
  // uniform again.
  Choice choose(const std::string& logits, std::int64_t outcomes, const std::string& uniform) {
    const auto [constants, is_new] = choices_.try_emplace(outcomes);
    if (is_new) {
      std::vector<float> numbers(place(outcomes));
      for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i + 1);
      constants->second = {o_.constant({outcomes, outcomes}, before_matrix(place(outcomes))),
                           o_.constant({outcomes}, numbers)};
    }
    const std::string share = o_.node("Softmax", {logits}, {{"axis", std::int64_t{-1}}});
    const std::string below = o_.product(share, constants->second.first);
    // The sums increase along the row: the outcome is the number of sums that are not above the uniform
    // number.
    const std::string number = o_.sum_last(o_.to_float(o_.node("GreaterOrEqual", {uniform, below})));
    const std::string one_hot = o_.to_float(o_.node("Equal", {number, constants->second.second}));
    const std::string chosen_share =
        o_.node("Max", {o_.sum_last(o_.times(one_hot, share)), o_.number(1e-30)});
    const std::string left = o_.subtract(uniform, o_.sum_last(o_.times(one_hot, below)));
    return {one_hot, o_.clip(o_.over(left, chosen_share), 0, 1)};
  }

  // The distribution function of the standard normal distribution.
  std::string uniform(const std::string& normal) {
    return o_.times(o_.add(o_.node("Erf", {o_.times(normal, o_.number(std::sqrt(0.5)))}), o_.number(1)),
                    o_.number(0.5));
  }

  // Parts of energies [N, rows, 1] with noise [N, rows, 2], like draw_split().
  Halves draw(const std::string& out, const std::string& energy, const std::string& noise,
              const std::string& probability, const std::string& below) {
    const bool spectra = !probability.empty();
    const std::string chooses = uniform(o_.slice_last(noise, 0, 1)), normal = o_.slice_last(noise, 1, 2),
                      inside = uniform(normal);
    const Choice of_class = choose(o_.slice_last(out, 0, O::kClasses), O::kClasses, chooses);
    std::string weights = o_.slice_last(out, O::kWeight, O::kWeight + O::kParametric);
    if (spectra) weights = o_.concat({weights, o_.slice_last(out, O::kSpectra, O::kSpectra + 2)}, -1);
    const std::string component = choose(weights, O::kParametric + (spectra ? 2 : 0), of_class.rest).one_hot;
    const std::string parametric = spectra ? o_.slice_last(component, 0, O::kParametric) : component;
    const auto of_component = [&](int begin) {
      return o_.sum_last(o_.times(parametric, o_.slice_last(out, begin, begin + O::kParametric)));
    };
    const std::string centre = of_component(O::kCentre),
                      width =
                          o_.node("Exp", {o_.clip(of_component(O::kLogWidth), O::kNarrowest, O::kWidest)});
    const auto is_one_of = [&](std::int64_t begin, std::int64_t end) {
      return o_.sum_last(o_.slice_last(component, begin, end));
    };
    const std::string is_normal = o_.is_positive(is_one_of(0, O::kNormals));

    // Normal components, in ln(a/b).
    const std::string log_ratio = o_.add(centre, o_.times(width, normal));
    const std::string normal_a = o_.times(energy, o_.sigmoid(log_ratio)),
                      normal_b = o_.times(energy, o_.sigmoid(o_.node("Neg", {log_ratio})));

    // Logistic components and spectra, in the logarithm of one part over T.
    const std::string top =
        o_.subtract(o_.node("Log", {o_.node("Max", {energy, threshold_})}), log_threshold_);
    const std::string share =
        o_.clip(o_.times(inside, o_.sigmoid(o_.over(o_.subtract(top, centre), width))), 1e-30, 1 - 6e-8);
    std::string y =
        o_.add(centre, o_.times(width, o_.node("Log", {o_.over(share, o_.subtract(o_.number(1), share))})));
    std::string is_first = is_one_of(O::kNormals, O::kNormals + O::kLogistics / 2);
    if (spectra) {
      if (bins_.empty()) {
        std::vector<float> numbers(kBins);
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
        bins_ = o_.constant({kBins}, numbers);
      }
      const std::string at = o_.times(top, o_.number(1 / static_cast<double>(cascade::Spectra::kBinWidth)));
      const std::string whole = o_.sum_last(o_.times(probability, o_.clip(o_.subtract(at, bins_), 0, 1)));
      const std::string wanted = o_.times(inside, whole);
      const std::string found = o_.sum_last(o_.clip(
          o_.over(o_.subtract(wanted, below), o_.node("Max", {probability, o_.number(1e-30)})), 0, 1));
      const std::string of_spectra = o_.is_positive(is_one_of(O::kParametric, O::kParametric + 2));
      y = o_.where(of_spectra, o_.times(found, o_.number(cascade::Spectra::kBinWidth)), y);
      is_first = o_.add(is_first, is_one_of(O::kParametric, O::kParametric + 1));
    }
    const std::string part = o_.node("Min", {o_.times(threshold_, o_.node("Exp", {y})), energy});
    const std::string rest = o_.subtract(energy, part);
    const std::string first = o_.is_positive(is_first);
    const std::string a = o_.where(is_normal, normal_a, o_.where(first, part, rest)),
                      b = o_.where(is_normal, normal_b, o_.where(first, rest, part));

    // A part below T joins the other part. Only the smaller part is rounded; the larger is the remainder.
    const std::string a_is_less = o_.node("Less", {a, b});
    const std::string small = o_.node("Min", {a, b});
    const std::string kept = o_.where(o_.node("Less", {small, threshold_}), zero_3_, small);
    const std::string larger = o_.subtract(energy, kept);
    const std::string mixed = o_.where(a_is_less, kept, larger);
    const auto is_class = [&](std::int64_t k) {
      return o_.is_positive(o_.slice_last(of_class.one_hot, k, k + 1));
    };
    const std::string all_a = is_class(0), all_b = is_class(1);
    const std::string made_a = o_.where(all_a, energy, o_.where(all_b, zero_3_, mixed));
    const std::string mixed_b = o_.where(a_is_less, larger, kept);
    const std::string made_b = o_.where(all_a, zero_3_, o_.where(all_b, energy, mixed_b));
    return {made_a, made_b};
  }

  std::string split_total() {
    constexpr std::int64_t kCount = CascadeSizes::kTotalComponents;
    zero_3_ = o_.unsqueeze(zero_, 1);
    const std::string inverse_root = o_.node("Exp", {o_.times(e_, o_.number(-0.5 * std::log(100.0)))});
    const std::string x = o_.unsqueeze(o_.concat({e_, o_.times(e_, e_), inverse_root, others_}, 1), 1);
    const std::string out = apply(0, x, made_[0].bias[0]);
    const std::string noise = o_.gather(noise_, o_.indices({0}), 1);
    const std::string chosen =
        choose(o_.slice_last(out, 0, kCount), kCount, uniform(o_.slice_last(noise, 0, 1))).one_hot;
    const auto of_component = [&](std::int64_t begin) {
      return o_.sum_last(o_.times(chosen, o_.slice_last(out, begin, begin + kCount)));
    };
    const std::string width = o_.node("Exp", {o_.clip(of_component(2 * kCount), -4, 2)});
    const std::string code = o_.squeeze(
        o_.clip(o_.add(of_component(kCount), o_.times(width, o_.slice_last(noise, 1, 2))), -12, 12), 1);
    const std::string mean_response = o_.slice_last("response", 0, 1),
                      response_width = o_.slice_last("response", 1, 2);
    const std::string gev = o_.times(inputs_.energy_mev, o_.number(0.001));
    const std::string width_at = o_.times(
        response_width, o_.add(o_.node("Reciprocal", {o_.node("Sqrt", {gev})}), o_.number(1.0 / 24)));
    const std::string mean = o_.times(inputs_.energy_mev, mean_response);
    std::string total =
        o_.node("Max", {o_.times(mean, o_.node("Exp", {o_.times(code, width_at)})), threshold_});
    total_code_ = o_.over(o_.node("Log", {o_.over(total, mean)}), width_at);
    return total;
  }

  // Splits the total energy [N, 1] into the layers' energies [N, layers].
  std::string split_layers(const std::string& total) {
    constexpr int kReach = 6;
    const std::int64_t count = extent(frame_.intervals.size());
    std::vector<float> within, left, right, reach, lengths;
    for (const Frame::Interval& at : frame_.intervals) {
      for (int layer = 0; layer < n_z_; ++layer) {
        within.push_back(layer >= at.begin && layer < at.end ? 1 : 0);
        left.push_back(layer >= at.begin && layer < at.middle ? 1 : 0);
        right.push_back(layer >= at.middle && layer < at.end ? 1 : 0);
        reach.push_back(layer >= at.begin - kReach && layer < at.end + kReach ? 1 : 0);
      }
      for (const int length : {at.end - at.begin, at.middle - at.begin, at.end - at.middle})
        lengths.push_back(static_cast<float>(length));
    }
    const Shape masks = {count, n_z_};
    const std::string all_within = o_.constant(masks, within), all_left = o_.constant(masks, left),
                      all_right = o_.constant(masks, right), all_reach = o_.constant(masks, reach),
                      all_lengths = o_.constant({count, 3}, lengths);
    const std::string tables = o_.add(made_[1].position_table, made_[1].bias[0]);
    const std::string profile =
        o_.over(total, o_.constant({n_z_}, std::vector<float>(place(n_z_), static_cast<float>(n_z_))));
    const std::string log_total = o_.node("Log", {total});
    const std::string of_shower =
        o_.times(o_.clip(total_code_, -5, 5), o_.number(1.0 / 3));  // features of the total
    const std::string total_energy_code = code(total);
    const std::string node_noise = o_.node("Slice", {noise_, o_.axis(1), o_.axis(1 + count), o_.axis(1)});

    graph_.begin_loop("interval", {{"profile", profile}});
    const auto row = [&](const std::string& table) { return o_.gather(table, "interval", 0); };
    const std::string lengths_here = row(all_lengths), length = o_.slice_last(lengths_here, 0, 1);
    const std::string energy = o_.sum_last(o_.times("profile", row(all_within)));
    const std::string known = o_.is_positive("profile"), some = o_.is_positive(energy);
    const std::string log_energy = o_.node("Log", {o_.where(some, energy, threshold_)});
    const std::string log_each = o_.subtract(log_energy, o_.node("Log", {length}));
    const std::string relative =
        o_.clip(o_.times(o_.subtract(o_.node("Log", {o_.where(known, "profile", threshold_)}), log_each),
                         o_.number(0.25)),
                -2, 2);
    const std::string seen = o_.times(o_.where(known, relative, o_.number(-2)), row(all_reach));
    const std::string length_code = o_.add(zero_, o_.times(length, o_.number(1.0 / n_z_)));
    const std::string x = o_.concat({code("profile"), seen, e_, of_shower,
                                     o_.times(o_.subtract(log_energy, log_threshold_), o_.number(0.125)),
                                     o_.times(o_.subtract(log_energy, log_total), o_.number(0.125)),
                                     total_energy_code, length_code, others_},
                                    1);
    const std::string out = apply(1, o_.unsqueeze(x, 1), row(tables));
    const std::string noise = o_.unsqueeze(o_.gather(node_noise, "interval", 1), 1);
    const Halves halves = draw(out, o_.unsqueeze(energy, 1), noise, "", "");
    const auto each = [&](const std::string& part, std::int64_t which) {
      return o_.over(o_.squeeze(part, 1), o_.slice_last(lengths_here, which, which + 1));
    };
    const std::string on_left = o_.where(o_.is_positive(row(all_left)), each(halves.a, 1), "profile");
    const std::string both = o_.where(o_.is_positive(row(all_right)), each(halves.b, 2), on_left);
    return graph_.end_loop(scalar(count), {both}, {}, "depth")[0];
  }

  std::string scalar(std::int64_t value) { return o_.indices(Shape{}, {value}); }

  // Offsets in the concatenated source from which the features of nodes are gathered.
  struct Source {
    std::int64_t zero = 0, before = 1, own = 0, sums = 0, made = 0, hits = 0, rings = 0, rings_before = 0,
                 ring_hits = 0, e = 0, around = 0, behind = 0, ahead = 0, vectors = 0, others = 0;
  };

  Source source_of(const Segment& segment, int level) const {
    const std::int64_t below = segment.plane(level + 1);
    Source s;
    s.own = s.before + kBefore * below;
    s.sums = s.own + segment.plane(level);
    s.made = s.sums + below;
    s.hits = s.made + below;
    s.rings = s.hits + 2 * below;
    s.rings_before = s.rings + most_rings_;
    s.ring_hits = s.rings_before + most_rings_;
    s.e = s.ring_hits + 2 * most_rings_;
    s.around = s.e + 1;
    s.behind = s.around + 5;
    s.ahead = s.behind + 1;
    s.vectors = s.ahead + 1;
    s.others = s.vectors + 4 * 2 * segment.nodes(level);
    return s;
  }

  // Index of a node in a plane [r, node], counted from the first node of its ring, around the ring. Ring −1
  // is the innermost ring seen across the axis; beyond the outermost ring there is nothing (−1).
  static std::int64_t seen_at(const Segment& segment, int level, std::int64_t ring, std::int64_t node) {
    const std::int64_t n = segment.nodes(level);
    if (ring >= segment.n_r) return -1;
    if (ring < 0) {
      ring = 0;
      node -= n / 2;
    }
    return ring * n + ((node % n) + n) % n;
  }

  // Features of PatternWalk::node_features, as indices in the source.
  Shape features_of(const Segment& segment, int level, const Source& s, PatternNode at) const {
    Shape x;
    const int below = level + 1;
    const std::int64_t child = segment.frame.tree.level(level)[place(at.node)].first_child, ring = at.ring;
    const auto see = [&](std::int64_t begin, int of_level, std::int64_t r, std::int64_t node) {
      const std::int64_t found = seen_at(segment, of_level, r, node);
      x.push_back(found < 0 ? s.zero : begin + found);
    };
    for (int before = 0; before < kBefore; ++before)
      for (std::int64_t r = ring - 1; r <= ring + 1; ++r)
        for (std::int64_t k = child - 1; k <= child + 2; ++k)
          see(s.before + before * segment.plane(below), below, r, k);
    for (std::int64_t r = ring - 1; r <= ring + 1; ++r)
      for (std::int64_t k = at.node - 1; k <= at.node + 1; ++k) see(s.own, level, r, k);
    for (std::int64_t k = child - 1; k <= child + 2; ++k) see(s.sums, below, ring, k);
    for (const std::int64_t r : {ring - 1, ring + 1})
      for (std::int64_t k = child; k <= child + 1; ++k) see(s.sums, below, r, k);
    for (const std::int64_t k : {child - 2, child - 1, child + 2, child + 3}) see(s.made, below, ring, k);
    for (const std::int64_t r : {ring - 1, ring + 1})
      for (std::int64_t k = child; k <= child + 1; ++k) see(s.made, below, r, k);
    for (int before = 0; before < 2; ++before)
      for (std::int64_t k = child; k <= child + 1; ++k)
        see(s.hits + before * segment.plane(below), below, ring, k);
    const auto of_ring = [&](std::int64_t begin, std::int64_t r) {
      x.push_back(r >= 0 && r < segment.n_r ? begin + r : s.zero);
    };
    of_ring(s.rings, ring);
    for (std::int64_t r = ring - 1; r <= ring + 1; ++r) of_ring(s.rings_before, r);
    of_ring(s.ring_hits, ring);
    of_ring(s.ring_hits + most_rings_, ring);
    of_ring(s.ring_hits, ring - 1);
    of_ring(s.ring_hits, ring + 1);
    x.push_back(s.e);
    for (std::int64_t i = 0; i < 5; ++i) x.push_back(s.around + i);
    x.push_back(s.behind);
    x.push_back(s.ahead);
    for (std::int64_t i = 0; i < 4; ++i)
      for (std::int64_t j = 0; j < 2; ++j)
        x.push_back(s.vectors + (i * segment.nodes(level) + at.node) * 2 + j);
    for (std::int64_t i = 0; i < others(); ++i) x.push_back(s.others + i);
    return x;
  }

  // Prepares the parts of a level that are the same for all layers.
  Level prepare(const Segment& segment, int level) {
    Level made;
    const auto& tree = segment.frame.tree.level(level);
    const PatternFrame::Level& own = segment.frame.levels[place(level)];
    const std::int64_t n = segment.nodes(level), n_below = segment.nodes(level + 1);
    const std::size_t net = 3 + place(level);
    const Source source = source_of(segment, level);
    // Index of each node of the next level in the concatenation of parts a and b of each group, this level,
    // and a zero.
    Shape place_of(place(segment.plane(level + 1)), -1);
    const std::string tables = o_.add(made_[net].position_table, made_[net].bias[0]);
    std::int64_t parts = 0;
    std::vector<std::pair<Shape, std::int64_t>> stages;
    const auto stage = [&] { stages.emplace_back(place_of, parts); };
    stage();
    for (int colour = 0; colour < 2; ++colour) {
      Group group;
      Shape features, noise, positions, energies, rings;
      for (int ring = 0; ring < segment.n_r; ++ring)
        for (int k = (ring + colour) % 2; k < n; k += 2) {
          if (!tree[place(k)].is_split) continue;
          const PatternNode at{ring, k};
          group.nodes.push_back(at);
          const Shape x = features_of(segment, level, source, at);
          features.insert(features.end(), x.begin(), x.end());
          noise.push_back(extent(own.split_begin[place(ring)]) + k);
          positions.push_back(extent(own.first_position) + ring * n + k);
          energies.push_back(ring * n + k);
          rings.push_back(extent(segment.frame.first_ring) + ring);
        }
      const std::int64_t count = extent(group.nodes.size());
      if (count > 0) {
        group.features = o_.indices({count, extent(features.size()) / count}, features);
        group.noise = o_.indices(noise);
        group.positions = o_.gather(tables, o_.indices(positions), 0);
        group.energies = o_.indices(energies);
        const std::string of_rings = o_.indices(rings);
        group.probability = o_.gather(made_[net].probability, of_rings, 0);
        group.below = o_.gather(made_[net].below, of_rings, 0);
        for (std::int64_t i = 0; i < count; ++i) {
          const PatternNode at = group.nodes[place(i)];
          const std::int64_t child = at.ring * n_below + tree[place(at.node)].first_child;
          place_of[place(child)] = parts + i;
          place_of[place(child + 1)] = parts + count + i;
        }
        parts += 2 * count;
        made.groups.push_back(std::move(group));
        stage();
      }
    }
    for (auto& [places, begin] : stages) {
      for (std::int64_t ring = 0; ring < segment.n_r; ++ring)
        for (std::int64_t k = 0; k < n; ++k)
          if (!tree[place(k)].is_split)
            places[place(ring * n_below + tree[place(k)].first_child)] = begin + ring * n + k;
      for (std::int64_t& at : places)
        if (at < 0) at = begin + segment.plane(level);
      made.gather.push_back(o_.indices(places));
    }
    std::vector<float> turn(place(2 * 2 * n));
    for (std::int64_t k = 0; k < n; ++k) {
      const float c = own.cos[place(k)], s = own.sin[place(k)];
      turn[place(2 * k)] = c;
      turn[place(2 * k + 1)] = -s;
      turn[place(2 * n + 2 * k)] = s;
      turn[place(2 * n + 2 * k + 1)] = c;
    }
    made.cos_sin = o_.constant({2, 2 * n}, turn);
    Shape first, second;
    for (std::int64_t ring = 0; ring < segment.n_r; ++ring)
      for (const PhiTree::Node& node : tree) {
        first.push_back(ring * n_below + node.first_child);
        second.push_back(node.is_split ? ring * n_below + node.first_child + 1 : segment.plane(level + 1));
      }
    made.first_child = o_.indices(first);
    made.second_child = o_.indices(second);
    return made;
  }

  // x, y and 1 of each node, for centres of gravity.
  std::string moments(const Segment& segment, int level) {
    std::vector<float> values;
    const PatternFrame::Level& l = segment.frame.levels[place(level)];
    for (std::int64_t ring = 0; ring < segment.n_r; ++ring)
      for (std::int64_t k = 0; k < segment.nodes(level); ++k) {
        const float radius = segment.frame.radius[place(ring)];
        values.insert(values.end(), {radius * l.cos[place(k)], radius * l.sin[place(k)], 1.0f});
      }
    return o_.constant({segment.plane(level), 3}, values);
  }

  std::string centre_of_gravity(const std::string& energies, const std::string& of_moments) {
    const std::string sums = o_.product(energies, of_moments), whole = o_.slice_last(sums, 2, 3);
    const std::string some = o_.is_positive(whole);
    return o_.where(some, o_.over(o_.slice_last(sums, 0, 2), o_.where(some, whole, o_.number(1))),
                    o_.number(0));
  }

  std::string zeros(std::int64_t width) {
    return o_.times(zero_, o_.constant({width}, std::vector<float>(place(width), 1.0f)));
  }

  Segment segment_of(const PatternFrame& frame) {
    Segment segment(frame);
    for (int level = 0; level < segment.depth; ++level) segment.levels.push_back(prepare(segment, level));
    segment.moments.resize(1);
    for (int level = 1; level <= segment.depth; ++level) segment.moments.push_back(moments(segment, level));
    if (ring_tables_.empty()) ring_tables_ = o_.add(made_[2].position_table, made_[2].bias[0]);
    for (std::int64_t ring = 0; ring + 1 < segment.n_r; ++ring) {
      const auto row = [&](std::size_t first) { return o_.indices({extent(first) + ring}); };
      segment.noise_of_rings.push_back(row(0));
      segment.positions_of_rings.push_back(o_.gather(ring_tables_, row(frame.first_ring_position), 0));
      const std::string spectrum = row(frame.first_ring);
      segment.probability.push_back(o_.gather(made_[2].probability, spectrum, 0));
      segment.below.push_back(o_.gather(made_[2].below, spectrum, 0));
    }
    return segment;
  }

  std::vector<HistoryPart> parts_of(const Segment& segment, History& history) const {
    const auto levels = place(segment.depth) + 1;
    for (Values* of_levels : {&history.codes, &history.hits, &history.sums}) of_levels->resize(levels);
    std::vector<HistoryPart> parts;
    const auto add_levels = [&](const char* name, Values& values, std::size_t first, std::int64_t planes) {
      for (std::size_t level = first; level < levels; ++level)
        parts.push_back({fmt::format("{}{}", name, level), &values[level],
                         planes * segment.plane(static_cast<int>(level))});
    };
    add_levels("codes", history.codes, 1, kBefore);
    add_levels("hits", history.hits, 1, 2);
    add_levels("sums", history.sums, 0, 1);
    parts.push_back({"ring_codes", &history.ring_codes, kBefore * most_rings_});
    parts.push_back({"ring_hits", &history.ring_hits, 2 * most_rings_});
    parts.push_back({"centre_1", &history.centre_1, 2});
    parts.push_back({"centre_2", &history.centre_2, 2});
    parts.push_back({"moment", &history.moment, 2});
    return parts;
  }

  // Values of the rings of a segmentation, with zeros in place of those that others have.
  std::string padded_rings(const Segment& segment, const std::string& values) {
    return segment.n_r == most_rings_ ? values : o_.concat({values, zeros(most_rings_ - segment.n_r)}, 1);
  }

  // The code of energies, of which other segmentations' shares may be less than a cell's: they read as none.
  std::string code_of_shares(const std::string& energies) {
    const std::string exact = code(energies);
    return mesh_.frames().size() == 1 ? exact : o_.node("Max", {exact, o_.number(0)});
  }

  // Splits the energy of a layer. Returns the energies by level, [N, r * nodes]; adds their codes.
  Values split_layer(const Segment& segment, const History& history, const LayerInputs& layer,
                     Values& level_codes) {
    const auto layer_row = [&](std::size_t net) { return o_.gather(made_[net].layer_table, layer.index, 0); };
    // Rings, from the inside out.
    const std::string sum_codes = padded_rings(segment, code_of_shares(history.sums[0])),
                      ring_row = layer_row(2);
    const std::string hits_before = o_.slice_last(history.ring_hits, 0, most_rings_);
    std::string remaining = layer.mev;
    Values ring_energies, codes;
    for (std::size_t ring = 0; ring + 1 < place(segment.n_r); ++ring) {
      Values seen = codes;
      seen.resize(place(most_rings_), zero_);
      Values parts = {history.ring_codes, sum_codes, hits_before};
      parts.insert(parts.end(), seen.begin(), seen.end());
      parts.insert(parts.end(), {code(remaining), e_, layer.around, layer.behind, layer.ahead, others_});
      const std::string out =
          apply(2, o_.unsqueeze(o_.concat(parts, 1), 1), o_.add(segment.positions_of_rings[ring], ring_row));
      const Halves halves =
          draw(out, o_.unsqueeze(remaining, 1), o_.gather(layer.noise, segment.noise_of_rings[ring], 1),
               segment.probability[ring], segment.below[ring]);
      ring_energies.push_back(o_.squeeze(halves.a, 1));
      codes.push_back(code(ring_energies.back()));
      remaining = o_.squeeze(halves.b, 1);
    }
    ring_energies.push_back(remaining);
    codes.push_back(code(remaining));

    // Halves in phi, level by level.
    Values energies = {o_.concat(ring_energies, 1)};
    level_codes = {o_.concat(codes, 1)};
    const std::string ring_codes = padded_rings(segment, level_codes[0]);
    const std::string some_before = o_.is_positive(layer.before_mev);
    const std::string centre_before =
        o_.where(some_before, o_.over(history.moment, o_.where(some_before, layer.before_mev, o_.number(1))),
                 o_.number(0));
    for (int level = 0; level < segment.depth; ++level) {
      const Level& l = segment.levels[place(level)];
      const std::size_t below = place(level) + 1;
      const std::string own = energies.back();
      const std::string centre = level > 0 ? centre_of_gravity(own, segment.moments[place(level)])
                                           : o_.times(history.centre_1, o_.number(0));
      Values vectors;
      for (const std::string& vector : {history.centre_1, history.centre_2, centre_before, centre})
        vectors.push_back(o_.clip(o_.product(vector, l.cos_sin), -4, 4));
      const std::string sums = code_of_shares(history.sums[below]);
      const std::string rings_before = o_.slice_last(history.ring_codes, 0, most_rings_);
      const std::string row = layer_row(3 + place(level));
      Values parts;
      const auto next_energies = [&](std::size_t stage) {
        Values from = parts;
        from.insert(from.end(), {own, zero_});
        return o_.gather(o_.concat(from, 1), l.gather[stage], 1);
      };
      for (std::size_t i = 0; i < l.groups.size(); ++i) {
        const Group& group = l.groups[i];
        Values source = {zero_,      history.codes[below],   level_codes.back(),
                         sums,       code(next_energies(i)), history.hits[below],
                         ring_codes, rings_before,           history.ring_hits,
                         e_,         layer.around,           layer.behind,
                         layer.ahead};
        source.insert(source.end(), vectors.begin(), vectors.end());
        source.push_back(others_);
        const std::string x = o_.gather(o_.concat(source, 1), group.features, 1);
        const std::string out = apply(3 + place(level), x, o_.add(group.positions, row));
        const Halves halves = draw(out, o_.unsqueeze(o_.gather(own, group.energies, 1), 2),
                                   o_.gather(layer.noise, group.noise, 1), group.probability, group.below);
        parts.push_back(o_.squeeze(halves.a, 2));
        parts.push_back(o_.squeeze(halves.b, 2));
      }
      energies.push_back(next_energies(l.groups.size()));
      level_codes.push_back(code(energies.back()));
    }
    return energies;
  }

  // Sums of a level's nodes over their children.
  std::string sum_children(const Segment& segment, int level, const std::string& children) {
    return o_.add(o_.gather(children, segment.levels[place(level)].first_child, 1),
                  o_.gather(o_.concat({children, zero_}, 1), segment.levels[place(level)].second_child, 1));
  }

  // What the next layers see after a layer with these energies and codes by level, and hits in its cells.
  History after_layer(const Segment& segment, const History& history, const Values& energies,
                      const Values& codes, const std::string& cell_hits, const std::string& layer_mev) {
    Values hits(energies.size());
    hits.back() = cell_hits;
    for (int level = segment.depth - 1; level >= 0; --level)
      hits[place(level)] = sum_children(segment, level, hits[place(level) + 1]);
    const auto log_hits = [&](std::size_t level, double times) {
      return o_.times(o_.node("Log", {o_.add(hits[level], o_.number(1))}), o_.number(times));
    };
    const auto shift = [&](const std::string& now, const std::string& before, std::int64_t kept) {
      return o_.concat({now, o_.slice_last(before, 0, kept)}, 1);
    };
    History next;
    parts_of(segment, next);  // sizes
    for (std::size_t level = 0; level < energies.size(); ++level) {
      const std::int64_t plane = segment.plane(static_cast<int>(level));
      if (level > 0) {
        next.codes[level] = shift(codes[level], history.codes[level], (kBefore - 1) * plane);
        next.hits[level] = shift(log_hits(level, 1.0 / 3), history.hits[level], plane);
      }
      next.sums[level] = o_.add(history.sums[level], energies[level]);
    }
    next.ring_codes = shift(padded_rings(segment, codes[0]), history.ring_codes, (kBefore - 1) * most_rings_);
    next.ring_hits = shift(padded_rings(segment, log_hits(0, 0.25)), history.ring_hits, most_rings_);
    next.centre_1 = segment.depth > 0
                        ? centre_of_gravity(energies.back(), segment.moments[place(segment.depth)])
                        : o_.times(history.centre_1, o_.number(0));
    next.centre_2 = history.centre_1;
    next.moment = o_.add(history.moment, o_.times(next.centre_1, layer_mev));
    return next;
  }

  // Share of each cell of a segmentation in those of another, [from, to].
  std::string shares(std::size_t from, std::size_t to) {
    const PatternFrame &source = mesh_.frames()[from], &target = mesh_.frames()[to];
    const MeshFrame::Shares& of = mesh_.shares(from, to);
    const auto rings = place(source.n_r), parts = place(source.n_phi), n_r = place(target.n_r),
               n_phi = place(target.n_phi);
    std::vector<float> matrix;
    for (std::size_t ring = 0; ring < rings; ++ring)
      for (std::size_t part = 0; part < parts; ++part)
        for (std::size_t r = 0; r < n_r; ++r)
          for (std::size_t phi = 0; phi < n_phi; ++phi)
            matrix.push_back(of.r[r * rings + ring] * of.phi[phi * parts + part]);
    return o_.constant({extent(rings * parts), extent(n_r * n_phi)}, matrix);
  }

  // Features of the layers' energies [N, layers] for the splits within layers.
  struct Profile {
    std::string mev, codes, behind, ahead, reach;
  };

  LayerInputs inputs_of_layer(const Profile& profile, const std::string& index, const std::string& noise,
                              const std::string& before_mev) {
    const auto at_layer = [&](const std::string& values) {
      return o_.unsqueeze(o_.gather(values, index, 1), 1);
    };
    return {.index = index,
            .mev = at_layer(profile.mev),
            .around = o_.gather(profile.codes, o_.add(profile.reach, index), 1),
            .behind = at_layer(profile.behind),
            .ahead = at_layer(profile.ahead),
            .noise = noise,
            .before_mev = before_mev};
  }

  std::string noise_of(std::int64_t begin, std::int64_t count) {
    return o_.node("Slice", {noise_, o_.axis(begin), o_.axis(begin + count), o_.axis(1)});
  }

  std::string hits_of(const std::string& cells) { return o_.to_float(o_.is_positive(cells)); }

  // Splits the layers' energies [N, layers] into those of cells [N, cells].
  std::string split_patterns(const std::string& layers) {
    const std::string count_before = o_.constant({n_z_, n_z_}, before_matrix(place(n_z_))),
                      count_after = o_.constant({n_z_, n_z_}, before_matrix(place(n_z_), true));
    const Profile profile = {.mev = layers,
                             .codes = o_.concat({zero_, zero_, code(layers), zero_, zero_}, 1),
                             .behind = code(o_.product(layers, count_before)),
                             .ahead = code(o_.product(layers, count_after)),
                             .reach = o_.indices({0, 1, 2, 3, 4})};
    std::vector<Segment> segments;
    segments.reserve(mesh_.frames().size());
    for (const PatternFrame& frame : mesh_.frames()) segments.push_back(segment_of(frame));
    return segments.size() == 1 ? in_a_loop(profile, segments[0]) : one_by_one(profile, segments);
  }

  // The layers, if all are alike.
  std::string in_a_loop(const Profile& profile, const Segment& segment) {
    const std::int64_t splits = extent(segment.frame.splits_of_layer);
    const std::string noise = o_.reshape(noise_of(first_splits(), n_z_ * splits), {0, n_z_, splits, 2});
    History history;
    std::vector<GraphBuilder::Carried> carried;
    for (const HistoryPart& part : parts_of(segment, history)) {
      *part.value = part.name;
      carried.push_back({part.name, zeros(part.width)});
    }
    carried.push_back({"before_mev", zeros(1)});
    graph_.begin_loop("layer", carried);
    const LayerInputs layer = inputs_of_layer(profile, "layer", o_.gather(noise, "layer", 1), "before_mev");
    Values codes;
    const Values energies = split_layer(segment, history, layer, codes);
    History after = after_layer(segment, history, energies, codes, hits_of(energies.back()), layer.mev);
    Values next;
    for (const HistoryPart& part : parts_of(segment, after)) next.push_back(*part.value);
    next.push_back(o_.add("before_mev", layer.mev));
    const std::string cells =
        graph_.end_loop(scalar(n_z_), next, {energies.back()}, "layers_in_order").back();
    // [layers, N, r * phi]
    if (trained_.shape.mesh.is_cylinder)
      return o_.reshape(o_.node("Transpose", {cells}, {{"perm", Shape{1, 2, 0}}}),
                        {0, trained_.shape.mesh.num_cells()});
    const std::string in_order = o_.gather(cells, phi_before_r(segment), 2);
    return o_.reshape(o_.node("Transpose", {in_order}, {{"perm", Shape{1, 0, 2}}}),
                      {0, trained_.shape.mesh.num_cells()});
  }

  // The layers, if they differ.
  std::string one_by_one(const Profile& profile, const std::vector<Segment>& segments) {
    std::vector<History> histories(segments.size());
    for (std::size_t i = 0; i < segments.size(); ++i)
      for (const HistoryPart& part : parts_of(segments[i], histories[i])) *part.value = zeros(part.width);
    std::map<std::pair<std::size_t, std::size_t>, std::string> matrices;
    Values orders(segments.size()), cells;
    std::string before_mev = zeros(1);
    for (int number = 0; number < n_z_; ++number) {
      const std::size_t own = mesh_.segmentation_of(number);
      const Segment& segment = segments[own];
      const LayerInputs layer = inputs_of_layer(profile, scalar(number),
                                                noise_of(first_splits() + extent(mesh_.splits_before(number)),
                                                         extent(segment.frame.splits_of_layer)),
                                                before_mev);
      Values codes;
      const Values energies = split_layer(segment, histories[own], layer, codes);
      const std::string& made = energies.back();
      if (orders[own].empty()) orders[own] = phi_before_r(segment);
      cells.push_back(o_.gather(made, orders[own], 1));
      if (number + 1 == n_z_) break;
      const std::string hits = hits_of(made);
      histories[own] = after_layer(segment, histories[own], energies, codes, hits, layer.mev);
      for (std::size_t other = 0; other < segments.size(); ++other) {
        if (other == own) continue;
        std::string& matrix = matrices[{own, other}];
        if (matrix.empty()) matrix = shares(own, other);
        const Segment& to = segments[other];
        Values seen(place(to.depth) + 1), seen_codes(seen.size());
        seen.back() = o_.product(made, matrix);
        for (int level = to.depth - 1; level >= 0; --level)
          seen[place(level)] = sum_children(to, level, seen[place(level) + 1]);
        for (std::size_t level = 0; level < seen.size(); ++level)
          seen_codes[level] = code_of_shares(seen[level]);
        histories[other] =
            after_layer(to, histories[other], seen, seen_codes, o_.product(hits, matrix), layer.mev);
      }
      before_mev = o_.add(before_mev, layer.mev);
    }
    return o_.concat(cells, 1);
  }

  // Indices of the cells [phi, r] in [r, phi].
  std::string phi_before_r(const Segment& segment) {
    const std::int64_t n_phi = segment.frame.n_phi;
    Shape order;
    for (std::int64_t phi = 0; phi < n_phi; ++phi)
      for (std::int64_t ring = 0; ring < segment.n_r; ++ring) order.push_back(ring * n_phi + phi);
    return o_.indices(order);
  }

  GraphBuilder& graph_;
  Operators o_;
  const ModelFolder& model_;
  const ContractMapping& mapping_;
  cascade::Trained trained_;
  std::vector<CascadeNet> nets_;
  Frame frame_;
  MeshFrame mesh_;
  std::int64_t n_z_, most_rings_;
  std::vector<Net> made_;  // in the order of nets_
  ContractInputs inputs_;
  std::map<std::int64_t, std::pair<std::string, std::string>> choices_;
  std::string noise_, e_, others_, zero_, zero_3_, threshold_, log_threshold_, total_code_, bins_,
      below_matrix_, ring_tables_;
};

}  // namespace

std::int64_t cascade_latent_dim(const ModelFolder& model) {
  const cascade::CascadeShape shape = cascade_shape(model.description, model.transform);
  const MeshFrame mesh(shape.mesh, 1);
  return 2 * (1 + (mesh.n_z() - 1) + extent(mesh.splits_before(mesh.n_z())));
}

void cascade_graph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping) {
  CascadeGraph(graph, model, mapping).build();
}

}  // namespace calo
