#include "calo/infer/detail/control_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <type_traits>
#include <utility>

namespace calo::infer {
namespace {

const OnnxGraph& body_of(const OnnxNode& node, const char* name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end() || found->second.kind != OnnxAttribute::Kind::kGraph)
    refuse_node(node, fmt::format("misses its body \"{}\"", name));
  return *found->second.g;
}

void check_type(const OnnxNode& node, const OnnxValue& value, ElementType type, const char* what) {
  if (value.is_typed && value.type != type)
    refuse_node(node, fmt::format("has a body whose {} is {}, and not {}", what, to_string(value.type),
                                  to_string(type)));
}

// What a body works in, kept in the workspace.
struct Memory : Kept {
  RunState state[2];           // Loop has one body, If two
  std::vector<Tensor> staged;  // carried values on the way to the next iteration
  std::vector<Tensor> scans;
};

Memory& memory_of(OperatorCall& call) {
  auto* memory = dynamic_cast<Memory*>(call.kept->get());
  if (memory == nullptr) {  // the first run, or the workspace has been used for another model
    auto made = std::make_unique<Memory>();
    memory = made.get();
    *call.kept = std::move(made);
  }
  return *memory;
}

void assign(Tensor& to, const Tensor& from) {
  to.type = from.type;
  to.shape = from.shape;
  to.make_room();
  copy(from, 0, to, 0, from.shape.count());
}

// Values that a step makes, and that are an output once: their memory may be given away.
std::vector<bool> given_away(const Program& body) {
  std::set<int> made;
  for (const Program::Step& step : body.steps) made.insert(step.outputs.begin(), step.outputs.end());
  std::map<int, int> times;
  for (const int value : body.output_values) ++times[value];
  std::vector<bool> out;
  for (const int value : body.output_values) out.push_back(made.contains(value) && times[value] == 1);
  return out;
}

void start(const OperatorCall& call, const Body& body, RunState& state) {
  const Program& program = *body.program;
  state.pool = call.pool;
  if (state.values.size() < program.num_values()) state.values.resize(program.num_values());
  state.borrowed.assign(program.num_values(), nullptr);
  for (std::size_t i = 0; i < body.places.size(); ++i)
    state.borrowed[static_cast<std::size_t>(program.captured[i])] = &call.input(body.places[i]);
}

const Tensor& output_of(const OperatorCall& call, const Program& body, const RunState& state, std::size_t i) {
  const Tensor& made = tensor_of(body, state, body.output_values[i]);
  const OnnxValue& said = body.outputs[i];
  if (said.is_typed && said.type != made.type)
    call.fail(fmt::format("has a body that declares {} as its output {} and makes {}", to_string(said.type),
                          i, to_string(made.type)));
  return made;
}

bool truth(const OperatorCall& call, const Tensor& tensor) {
  if (tensor.type != ElementType::kBool || tensor.size() != 1)
    call.fail(fmt::format("needs one bool as its condition, not {} {}", to_string(tensor.type),
                          tensor.shape.to_string()));
  return tensor.integers[0] != 0;
}

class Loop {
 public:
  Loop(const OnnxNode& node, Body body) : body_(std::move(body)), given_(node.inputs.size()) {
    const std::size_t count = given_ > 2 ? given_ - 2 : 0;
    std::map<int, int> times;
    for (std::size_t i = 0; i < count; ++i) ++times[program().output_values[1 + i]];
    std::set<int> made;
    for (const Program::Step& step : program().steps) made.insert(step.outputs.begin(), step.outputs.end());
    for (std::size_t i = 0; i < count; ++i) {
      const int from = program().output_values[1 + i], to = program().input_values[2 + i];
      carried_.push_back({.in = static_cast<std::size_t>(to),
                          .out = static_cast<std::size_t>(from),
                          .way = from == to                                ? Way::kStays
                                 : made.contains(from) && times[from] == 1 ? Way::kSwapped
                                                                           : Way::kCopied});
    }
    num_scans_ = program().output_values.size() - 1 - count;
  }

  void run(OperatorCall& call) const {
    Memory& memory = memory_of(call);
    RunState& state = memory.state[0];
    start(call, body_, state);
    memory.staged.resize(std::max(memory.staged.size(), carried_.size()));
    memory.scans.resize(std::max(memory.scans.size(), num_scans_));
    const std::int64_t trips = trip_count(call);
    bool goes_on = given_ < 2 || call.inputs[1] == nullptr || truth(call, *call.inputs[1]);
    for (std::size_t i = 0; i < carried_.size(); ++i) {
      const Tensor& first = call.input(2 + i);
      const OnnxValue& said = program().inputs[2 + i];
      if (said.is_typed && said.type != first.type)
        call.fail(fmt::format("is given {} as its input {}, for which its body has {}", to_string(first.type),
                              2 + i, to_string(said.type)));
      state.borrowed[carried_[i].in] = &first;
    }
    std::int64_t iteration = 0;
    for (; goes_on && iteration < trips; ++iteration) {
      if (*call.iterations <= 0)
        throw EndlessLoop(
            {.message = fmt::format("does not end within {} iterations of all loops", call.limits.iterations),
             .field = call.where});
      --*call.iterations;
      set(state, 0, ElementType::kInt64, iteration);
      set(state, 1, ElementType::kBool, 1);
      run_steps(program(), state, {.work = call.work, .iterations = *call.iterations, .noise = call.noise});
      goes_on = truth(call, output_of(call, program(), state, 0));
      for (std::size_t i = 0; i < num_scans_; ++i)
        if (wanted(call, carried_.size() + i) != nullptr)
          append(call, output_of(call, program(), state, 1 + carried_.size() + i), iteration, trips,
                 memory.scans[i]);
      carry_on(call, state, memory.staged);
    }
    for (std::size_t i = 0; i < carried_.size(); ++i) {
      Tensor* const out = wanted(call, i);
      if (out == nullptr) continue;
      if (const Tensor* first = state.borrowed[carried_[i].in])
        assign(*out, *first);
      else
        std::swap(*out, state.values[carried_[i].in]);
    }
    for (std::size_t i = 0; i < num_scans_; ++i) {
      Tensor* const out = wanted(call, carried_.size() + i);
      if (out == nullptr) continue;
      if (iteration == 0)
        make_nothing(call, i);
      else
        std::swap(*out, memory.scans[i]);
    }
  }

 private:
  // How a value comes to the next iteration: it is what it was, its memory changes places, or its numbers do.
  enum class Way { kStays, kSwapped, kCopied };
  struct Carried {
    std::size_t in, out;
    Way way;
  };

  const Program& program() const { return *body_.program; }

  static Tensor* wanted(const OperatorCall& call, std::size_t i) {
    return i < call.outputs.size() ? call.outputs[i] : nullptr;
  }

  std::int64_t trip_count(const OperatorCall& call) const {
    if (given_ < 1 || call.inputs[0] == nullptr) return std::numeric_limits<std::int64_t>::max();
    const Tensor& count = *call.inputs[0];
    if (count.type != ElementType::kInt64 || count.size() != 1)
      call.fail(fmt::format("needs one int64 as its trip count, not {} {}", to_string(count.type),
                            count.shape.to_string()));
    return count.integers[0];
  }

  // The iteration's number, and the condition.
  void set(RunState& state, std::size_t input, ElementType type, std::int64_t number) const {
    Tensor& tensor = state.values[static_cast<std::size_t>(program().input_values[input])];
    tensor.type = type;
    tensor.shape = program().inputs[input].shape.size() == 1 ? Shape{1} : Shape();
    tensor.make_room();
    tensor.integers[0] = number;
  }

  void carry_on(const OperatorCall& call, RunState& state, std::vector<Tensor>& staged) const {
    for (std::size_t i = 0; i < carried_.size(); ++i) {
      const auto& [in, out, way] = carried_[i];
      const Tensor& made = output_of(call, program(), state, 1 + i);
      if (const ElementType type = call.input(2 + i).type; made.type != type)
        call.fail(fmt::format("makes {} of the carried value {}, which is {}", to_string(made.type), i,
                              to_string(type)));
      if (way == Way::kCopied) assign(staged[i], made);
    }
    for (std::size_t i = 0; i < carried_.size(); ++i) {
      const auto& [in, out, way] = carried_[i];
      if (way == Way::kStays) continue;
      std::swap(state.values[in], way == Way::kCopied ? staged[i] : state.values[out]);
      state.borrowed[in] = nullptr;
    }
  }

  static void append(const OperatorCall& call, const Tensor& one, std::int64_t iteration, std::int64_t trips,
                     Tensor& all) {
    if (iteration == 0) {
      if (one.shape.rank >= Shape::kMaxRank) call.fail("scans a value of 8 dimensions, to make 9 of them");
      all.type = one.type;
      all.shape = Shape{0};
      for (const std::int64_t extent : one.shape.span()) all.shape.push_back(extent);
    }
    Shape each;
    for (std::size_t d = 1; d < all.shape.rank; ++d) each.push_back(all.shape[d]);
    if (one.type != all.type || !(one.shape == each))
      call.fail(fmt::format("scans {} {}, and before {} {}", to_string(one.type), one.shape.to_string(),
                            to_string(all.type), each.to_string()));
    const std::int64_t size = one.shape.count(), most = call.limits.elements;
    if (size > 0 && iteration >= most / size)
      call.fail(
          fmt::format("makes more than {} elements: {} times {}", most, iteration + 1, each.to_string()));
    const std::int64_t begin = size * iteration, end = begin + size;
    by_storage(all.type, [&](auto kind) {
      using T = decltype(kind);
      auto& numbers = array<T>(all);
      if (numbers.size() >= static_cast<std::size_t>(end)) return;
      // All of a loop of moderate size at once; else twice as much again and again.
      constexpr std::int64_t kModerate = std::int64_t{1} << 22;
      const std::int64_t whole = trips <= kModerate / std::max<std::int64_t>(size, 1) ? size * trips : 0;
      auto more = std::remove_reference_t<decltype(numbers)>(
          static_cast<std::size_t>(std::max(whole, std::min(2 * end, most))));
      if (begin > 0) std::memcpy(more.data(), numbers.data(), static_cast<std::size_t>(begin) * sizeof(T));
      numbers = std::move(more);
    });
    copy(one, 0, all, begin, size);
    all.shape[0] = iteration + 1;
  }

  template <class T>
  static auto& array(Tensor& tensor) {
    if constexpr (std::is_same_v<T, float>)
      return tensor.floats;
    else if constexpr (std::is_same_v<T, double>)
      return tensor.doubles;
    else
      return tensor.integers;
  }

  // A scan output without iterations: what the body says of it.
  void make_nothing(const OperatorCall& call, std::size_t scan) const {
    const OnnxValue& said = program().outputs[1 + carried_.size() + scan];
    if (!said.is_typed) call.fail("has no iterations, and its body does not say what type it scans");
    if (said.shape.size() >= Shape::kMaxRank) call.fail("scans a value of 8 dimensions, to make 9 of them");
    Shape shape{0};
    for (const std::int64_t extent : said.shape) shape.push_back(std::max<std::int64_t>(extent, 0));
    call.output(carried_.size() + scan, said.type, shape);
  }

  Body body_;
  std::size_t given_;  // inputs of the node, before captured ones
  std::vector<Carried> carried_;
  std::size_t num_scans_ = 0;
};

}  // namespace

void check_bodies(const OnnxNode& node) {
  if (node.op_type == "If") {
    only_attributes(node, {"then_branch", "else_branch"});
    if (node.inputs.size() != 1 || node.inputs[0].empty()) refuse_node(node, "needs one condition");
    for (const char* name : {"then_branch", "else_branch"}) {
      const OnnxGraph& body = body_of(node, name);
      if (!body.inputs.empty()) refuse_node(node, "has a branch with inputs");
      if (body.outputs.size() != node.outputs.size())
        refuse_node(node, fmt::format("has {} outputs, and its branch \"{}\" {}", node.outputs.size(), name,
                                      body.outputs.size()));
    }
    return;
  }
  only_attributes(node, {"body"});
  const OnnxGraph& body = body_of(node, "body");
  const std::size_t carried = node.inputs.size() > 2 ? node.inputs.size() - 2 : 0;
  for (std::size_t i = 0; i < carried; ++i)
    if (node.inputs[2 + i].empty()) refuse_node(node, fmt::format("misses its input {}", 2 + i));
  if (body.inputs.size() != 2 + carried)
    refuse_node(node, fmt::format("carries {} values, and its body has {} inputs, which should be {}",
                                  carried, body.inputs.size(), 2 + carried));
  if (body.outputs.size() < 1 + carried || body.outputs.size() - 1 != node.outputs.size())
    refuse_node(node, fmt::format("carries {} values and has {} outputs, and its body {}", carried,
                                  node.outputs.size(), body.outputs.size()));
  check_type(node, body.inputs[0], ElementType::kInt64, "iteration number");
  check_type(node, body.inputs[1], ElementType::kBool, "condition");
  check_type(node, body.outputs[0], ElementType::kBool, "condition");
  for (std::size_t i = 0; i < carried; ++i)
    if (body.outputs[1 + i].is_typed && body.inputs[2 + i].is_typed)
      check_type(node, body.outputs[1 + i], body.inputs[2 + i].type, "carried value");
}

Operator make_loop(const OnnxNode& node, Body body) {
  return [loop = Loop(node, std::move(body))](OperatorCall& call) { loop.run(call); };
}

Operator make_if(Body then_branch, Body else_branch) {
  struct Branch {
    Body body;
    std::vector<bool> given_away;
  };
  const auto branch = [](Body&& body) {
    std::vector<bool> given = given_away(*body.program);
    return Branch{std::move(body), std::move(given)};
  };
  return [then_one = branch(std::move(then_branch)),
          else_one = branch(std::move(else_branch))](OperatorCall& call) {
    const bool yes = truth(call, call.input(0));
    const Branch& taken = yes ? then_one : else_one;
    const Program& program = *taken.body.program;
    RunState& state = memory_of(call).state[yes ? 1 : 0];
    start(call, taken.body, state);
    run_steps(program, state, {.work = call.work, .iterations = *call.iterations, .noise = call.noise});
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      const Tensor& made = output_of(call, program, state, i);
      if (call.outputs[i] == nullptr) continue;
      if (taken.given_away[i])
        std::swap(*call.outputs[i], state.values[static_cast<std::size_t>(program.output_values[i])]);
      else
        assign(*call.outputs[i], made);
    }
  };
}

}  // namespace calo::infer
