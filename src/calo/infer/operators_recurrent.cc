#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

/// A gate's function, with the parameters that the node gives it.
struct Gate {
  enum class Kind {
    kSigmoid,
    kTanh,
    kRelu,
    kSoftsign,
    kSoftplus,
    kAffine,
    kLeakyRelu,
    kThresholdedRelu,
    kScaledTanh,
    kHardSigmoid,
    kElu
  };
  Kind kind = Kind::kSigmoid;
  double alpha = 0, beta = 0;

  template <class T>
  T operator()(T x) const {
    const auto a = static_cast<T>(alpha), b = static_cast<T>(beta);
    switch (kind) {
      case Kind::kSigmoid:
        return 1 / (1 + std::exp(-x));
      case Kind::kTanh:
        return std::tanh(x);
      case Kind::kRelu:
        return x < 0 ? T(0) : x;
      case Kind::kSoftsign:
        return x / (1 + std::abs(x));
      case Kind::kSoftplus:
        return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
      case Kind::kAffine:
        return a * x + b;
      case Kind::kLeakyRelu:
        return x < 0 ? a * x : x;
      case Kind::kThresholdedRelu:
        return x > a ? x : T(0);
      case Kind::kScaledTanh:
        return a * std::tanh(b * x);
      case Kind::kHardSigmoid:
        return std::min(T(1), std::max(T(0), a * x + b));
      case Kind::kElu:
        return x < 0 ? a * std::expm1(x) : x;
    }
    return x;
  }
};

struct Cell {
  enum class Kind { kRnn, kGru, kLstm };
  Kind kind = Kind::kRnn;
  std::int64_t hidden = 0;
  std::vector<bool> backward;  // by direction
  std::vector<Gate> gates;     // functions of each direction, one direction after the other
  float clip = 0;              // 0 = none
  bool linear_before_reset = false, input_forget = false;

  std::int64_t count() const { return kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 1; }
  std::size_t functions() const { return kind == Kind::kLstm ? 3 : kind == Kind::kGru ? 2 : 1; }
};

std::vector<Gate> gates_of(const OnnxNode& node, const Cell& cell, const std::vector<std::string>& names) {
  using Kind = Gate::Kind;
  struct Known {
    const char* name;
    Kind kind;
    int parameters;
    double alpha, beta;
  };
  static constexpr Known kKnown[] = {{"sigmoid", Kind::kSigmoid, 0, 0, 0},
                                     {"tanh", Kind::kTanh, 0, 0, 0},
                                     {"relu", Kind::kRelu, 0, 0, 0},
                                     {"softsign", Kind::kSoftsign, 0, 0, 0},
                                     {"softplus", Kind::kSoftplus, 0, 0, 0},
                                     {"affine", Kind::kAffine, 2, 1, 0},
                                     {"leakyrelu", Kind::kLeakyRelu, 1, 0.01, 0},
                                     {"thresholdedrelu", Kind::kThresholdedRelu, 1, 1, 0},
                                     {"scaledtanh", Kind::kScaledTanh, 2, 1, 1},
                                     {"hardsigmoid", Kind::kHardSigmoid, 2, 0.2, 0.5},
                                     {"elu", Kind::kElu, 1, 1, 0}};
  const std::vector<float> alphas = floats_attribute(node, "activation_alpha"),
                           betas = floats_attribute(node, "activation_beta");
  std::size_t next_alpha = 0, next_beta = 0;
  std::vector<Gate> gates;
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto* const found = std::find_if(std::begin(kKnown), std::end(kKnown),
                                           [&](const Known& known) { return name == known.name; });
    if (found == std::end(kKnown)) refuse_node(node, "has a function that is not known: " + name);
    Gate gate{found->kind, found->alpha, found->beta};
    if (found->parameters > 0 && next_alpha < alphas.size()) gate.alpha = alphas[next_alpha++];
    if (found->parameters > 1 && next_beta < betas.size()) gate.beta = betas[next_beta++];
    gates.push_back(gate);
  }
  if (next_alpha < alphas.size() || next_beta < betas.size())
    refuse_node(node, "has parameters for more functions than there are");
  if (gates.size() != cell.functions() * cell.backward.size())
    refuse_node(node, fmt::format("has {} functions, and needs {}", gates.size(),
                                  cell.functions() * cell.backward.size()));
  return gates;
}

Cell cell_of(const OnnxNode& node, Cell::Kind kind) {
  const bool lstm = kind == Cell::Kind::kLstm, gru = kind == Cell::Kind::kGru;
  for (const auto& [name, attribute] : node.attributes) {
    const bool known = name == "activation_alpha" || name == "activation_beta" || name == "activations" ||
                       name == "clip" || name == "direction" || name == "hidden_size" || name == "layout" ||
                       (name == "input_forget" && lstm) || (name == "linear_before_reset" && gru);
    if (!known) only_attributes(node, {});
  }
  Cell cell{.kind = kind};
  if (int_attribute(node, "layout", 0) != 0)
    refuse_node(node, "has rows first (layout 1), which is not known");
  cell.hidden = int_attribute(node, "hidden_size", 0);
  const std::string direction = string_attribute(node, "direction", "forward");
  if (direction == "forward")
    cell.backward = {false};
  else if (direction == "reverse")
    cell.backward = {true};
  else if (direction == "bidirectional")
    cell.backward = {false, true};
  else
    refuse_node(node, "has a direction that is not known: " + direction);
  cell.clip = float_attribute(node, "clip", 0);
  if (!(cell.clip >= 0)) refuse_node(node, "clips at what is no positive number");
  cell.linear_before_reset = flag_attribute(node, "linear_before_reset", false);
  cell.input_forget = flag_attribute(node, "input_forget", false);
  std::vector<std::string> names = strings_attribute(node, "activations");
  if (names.empty())
    for (std::size_t d = 0; d < cell.backward.size(); ++d) {
      if (kind != Cell::Kind::kRnn) names.emplace_back("Sigmoid");
      names.emplace_back("Tanh");
      if (lstm) names.emplace_back("Tanh");
    }
  cell.gates = gates_of(node, cell, names);
  return cell;
}

// Eight sums side by side, added in a fixed order.
template <class T>
T dot(const T* a, const T* b, std::int64_t count) {
  constexpr int kLanes = 8;
  T lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) lanes[k] += a[i + k] * b[i + k];
  for (; i < count; ++i) lanes[0] += a[i] * b[i];
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// One direction's weights and one row's state.
template <class T>
struct Step {
  const Cell& cell;
  const Gate* gates;
  const T *w, *r, *wb, *rb, *p;  // biases and peepholes may be null
  std::int64_t in;
  T *h, *c;  // state
  T* z;      // room: gates of a step
  T* reset;  // room

  T clipped(T x) const {
    const auto limit = static_cast<T>(cell.clip);
    return limit > 0 ? std::clamp(x, -limit, limit) : x;
  }
  T from_input(std::int64_t gate, const T* x) const {
    return dot(w + gate * in, x, in) + (wb != nullptr ? wb[gate] : T(0));
  }
  T from_state(std::int64_t gate, const T* state) const {
    return dot(r + gate * cell.hidden, state, cell.hidden) + (rb != nullptr ? rb[gate] : T(0));
  }

  void run(const T* x) {
    const std::int64_t n = cell.hidden;
    const Gate &f = gates[0], &g = gates[cell.functions() > 1 ? 1 : 0];
    if (cell.kind == Cell::Kind::kRnn) {
      for (std::int64_t k = 0; k < n; ++k) z[k] = f(clipped(from_input(k, x) + from_state(k, h)));
      std::copy_n(z, n, h);
    } else if (cell.kind == Cell::Kind::kGru) {  // z, r, h
      for (std::int64_t k = 0; k < 2 * n; ++k) z[k] = f(clipped(from_input(k, x) + from_state(k, h)));
      for (std::int64_t k = 0; k < n; ++k) reset[k] = z[n + k] * h[k];
      for (std::int64_t k = 0; k < n; ++k) {
        const std::int64_t gate = 2 * n + k;
        const T state = cell.linear_before_reset ? z[n + k] * from_state(gate, h) : from_state(gate, reset);
        z[gate] = g(clipped(from_input(gate, x) + state));
      }
      for (std::int64_t k = 0; k < n; ++k) h[k] = (1 - z[k]) * z[2 * n + k] + z[k] * h[k];
    } else {  // i, o, f, c; peepholes i, o, f
      const Gate& out = gates[2];
      for (std::int64_t k = 0; k < 4 * n; ++k) z[k] = from_input(k, x) + from_state(k, h);
      for (std::int64_t k = 0; k < n; ++k) {
        T i = z[k], o = z[n + k], forget = z[2 * n + k];
        if (p != nullptr) {
          i += p[k] * c[k];
          forget += p[2 * n + k] * c[k];
        }
        i = f(clipped(i));
        forget = cell.input_forget ? 1 - i : f(clipped(forget));
        c[k] = forget * c[k] + i * g(clipped(z[3 * n + k]));
        if (p != nullptr) o += p[n + k] * c[k];
        h[k] = f(clipped(o)) * out(c[k]);
      }
    }
  }
};

void run_cell(OperatorCall& call, const Cell& cell) {
  const bool lstm = cell.kind == Cell::Kind::kLstm;
  call.inputs_between(3, lstm ? 8 : 6);
  const Tensor &x = call.reals(0), &w = call.like_first(1), &r = call.like_first(2);
  if (x.shape.rank != 3) call.fail("needs [steps, rows, inputs]");
  const std::int64_t steps = x.shape[0], rows = x.shape[1], in = x.shape[2];
  const auto directions = static_cast<std::int64_t>(cell.backward.size());
  if (w.shape.rank != 3 || r.shape.rank != 3) call.fail("has weights of another rank");
  const std::int64_t hidden = r.shape[2], all = cell.count() * hidden;
  if (cell.hidden != 0 && cell.hidden != hidden) call.fail("has weights for another hidden_size");
  const auto optional = [&](std::size_t i, const Shape& shape) {
    const Tensor* const given = call.optional_input(i);
    if (given != nullptr && (given->type != x.type || !(given->shape == shape)))
      call.fail(
          fmt::format("has {} as input {}, and needs {}", given->shape.to_string(), i, shape.to_string()));
    return given;
  };
  if (!(w.shape == Shape{directions, all, in}) || !(r.shape == Shape{directions, all, hidden}))
    call.fail(
        fmt::format("has weights {} and {} for {} inputs", w.shape.to_string(), r.shape.to_string(), in));
  const Tensor *const bias = optional(3, {directions, 2 * all}), *const lengths = call.optional_input(4),
                      *const first = optional(5, {directions, rows, hidden});
  const Tensor* const first_cell = lstm ? optional(6, {directions, rows, hidden}) : nullptr;
  const Tensor* const peepholes = lstm ? optional(7, {directions, 3 * hidden}) : nullptr;
  if (lengths != nullptr) {
    if (is_real(lengths->type) || lengths->shape.rank != 1 || lengths->shape[0] != rows)
      call.fail("needs the length of each row as input 4");
    for (std::int64_t i = 0; i < rows; ++i)
      if (const std::int64_t length = lengths->integers[static_cast<std::size_t>(i)];
          length < 0 || length > steps)
        call.fail(fmt::format("has {} steps of {}", length, steps));
  }
  const auto result = [&](std::size_t i, const Shape& shape) {
    return i < call.outputs.size() && call.outputs[i] != nullptr ? &call.output(i, x.type, shape) : nullptr;
  };
  if (call.outputs.size() > (lstm ? 3 : 2)) call.fail("has more outputs than there are");
  Tensor *const y = result(0, {steps, directions, rows, hidden}),
                *const last = result(1, {directions, rows, hidden}),
                *const last_cell = lstm ? result(2, {directions, rows, hidden}) : nullptr;
  call.spend(steps * directions, rows * all, in + hidden);
  by_real(x.type, [&](auto kind) {
    using T = decltype(kind);
    Cell own = cell;
    own.hidden = hidden;
    std::vector<T> room(static_cast<std::size_t>(all + 3 * hidden));
    for (std::int64_t d = 0; d < directions; ++d)
      for (std::int64_t row = 0; row < rows; ++row) {
        const T* const b = bias != nullptr ? bias->numbers<T>() + d * 2 * all : nullptr;
        T* const h = room.data() + all;
        Step<T> step{own,
                     cell.gates.data() + static_cast<std::size_t>(d) * cell.functions(),
                     w.numbers<T>() + d * all * in,
                     r.numbers<T>() + d * all * hidden,
                     b,
                     b != nullptr ? b + all : nullptr,
                     peepholes != nullptr ? peepholes->numbers<T>() + d * 3 * hidden : nullptr,
                     in,
                     h,
                     h + hidden,
                     room.data(),
                     h + 2 * hidden};
        const std::int64_t place = (d * rows + row) * hidden;
        const auto start = [&](const Tensor* from, T* to) {
          if (from != nullptr)
            std::copy_n(from->numbers<T>() + place, hidden, to);
          else
            std::fill_n(to, hidden, T(0));
        };
        start(first, step.h);
        start(first_cell, step.c);
        const std::int64_t length =
            lengths != nullptr ? lengths->integers[static_cast<std::size_t>(row)] : steps;
        for (std::int64_t s = 0; s < steps; ++s) {
          const bool over = s >= length;
          const std::int64_t t = over ? s : cell.backward[static_cast<std::size_t>(d)] ? length - 1 - s : s;
          if (!over) step.run(x.numbers<T>() + (t * rows + row) * in);
          if (y == nullptr) continue;
          T* const to = y->numbers<T>() + ((t * directions + d) * rows + row) * hidden;
          if (over)
            std::fill_n(to, hidden, T(0));
          else
            std::copy_n(step.h, hidden, to);
        }
        if (last != nullptr) std::copy_n(step.h, hidden, last->numbers<T>() + place);
        if (last_cell != nullptr) std::copy_n(step.c, hidden, last_cell->numbers<T>() + place);
      }
  });
}

}  // namespace

void add_recurrent_operators(OperatorTable& table) {
  const auto add = [&](const char* name, Cell::Kind kind) {
    table[name] = [kind](const OnnxNode& node, std::int64_t) -> Operator {
      return [cell = cell_of(node, kind)](OperatorCall& call) { run_cell(call, cell); };
    };
  };
  add("RNN", Cell::Kind::kRnn);
  add("GRU", Cell::Kind::kGru);
  add("LSTM", Cell::Kind::kLstm);
}

}  // namespace calo::infer
