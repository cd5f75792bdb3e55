#include "calo/infer/program.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace calo::infer {
namespace {

void run_dense(const Program& program, const Program::Step& step, RunState& state, OperatorCall& call) {
  const DenseLayer& dense = program.dense[static_cast<std::size_t>(step.dense)];
  const Tensor& in = call.floats(0);
  if (in.shape.rank < 1 || in.shape[in.shape.rank - 1] != dense.layer.in())
    call.fail(
        fmt::format("takes {}, and its weights have {} inputs", in.shape.to_string(), dense.layer.in()));
  Shape shape = in.shape;
  shape[shape.rank - 1] = dense.layer.out();
  Tensor& out = call.output(0, in.type, shape);
  const std::int64_t rows = in.shape.count(0, in.shape.rank - 1);
  call.spend(rows, dense.layer.in(), dense.layer.out());
  dense.forward(in.floats.data(), rows, out.floats.data(), state.scratch);
}

void run_output(const Program& program, RunState& state, OperatorCall& call, const CellOptions& cells) {
  const Program::Output& output = *program.output;
  const Tensor& in = call.floats(0);
  if (in.shape.rank != 2 || in.shape[1] != output.layer.layer().in())
    call.fail(fmt::format("takes {}, and its weights have {} inputs", in.shape.to_string(),
                          output.layer.layer().in()));
  const std::int64_t rows = in.shape[0];
  state.scale.assign(static_cast<std::size_t>(rows), output.factor);
  std::size_t next = 1;
  const auto each = [&](const std::vector<int>& values, const auto& combine) {
    for (std::size_t v = 0; v < values.size(); ++v) {
      const Tensor& factor = call.floats(next++);
      if (factor.shape.count() != rows)
        call.fail(fmt::format("scales {} rows by {}", rows, factor.shape.to_string()));
      for (std::size_t i = 0; i < state.scale.size(); ++i) combine(state.scale[i], factor.floats[i]);
    }
  };
  each(output.times, [](float& scale, float factor) { scale *= factor; });
  each(output.over, [](float& scale, float factor) { scale /= factor; });
  call.spend(rows, output.layer.layer().in(), output.layer.cells());
  if (!cells.scale.empty()) {
    if (cells.scale.size() != state.scale.size()) call.fail("has another number of rows");
    for (std::size_t i = 0; i < state.scale.size(); ++i) state.scale[i] *= cells.scale[i];
  }
  if (cells.sparse != nullptr) {
    output.layer.sparse(in.floats.data(), state.scale, cells.threshold, state.pool, state.output_work,
                        *cells.sparse);
    return;
  }
  float* const out =
      cells.dense != nullptr
          ? cells.dense
          : call.output(0, ElementType::kFloat, with_rows(output.row_shape, rows)).floats.data();
  state.cells_are_finite =
      output.layer.dense(in.floats.data(), state.scale, state.pool, state.output_work, out);
}

}  // namespace

Shape with_rows(const Shape& row_shape, std::int64_t rows) {
  Shape shape = row_shape;
  if (shape.rank > 0) shape[0] = rows;
  return shape;
}

const Tensor& tensor_of(const Program& program, const RunState& state, int value) {
  const auto at = static_cast<std::size_t>(value);
  if (program.is_constant[at]) return program.constants[at];
  return at < state.borrowed.size() && state.borrowed[at] != nullptr ? *state.borrowed[at] : state.values[at];
}

void run_steps(const Program& program, RunState& state, const RunBudget& budget, const CellOptions& cells) {
  if (state.values.size() < program.num_values()) state.values.resize(program.num_values());
  if (state.kept.size() < program.steps.size()) state.kept.resize(program.steps.size());
  std::size_t number = 0;
  for (const Program::Step& step : program.steps) {
    state.step_inputs.clear();
    state.step_outputs.clear();
    for (const int value : step.inputs)
      state.step_inputs.push_back(value < 0 ? nullptr : &tensor_of(program, state, value));
    for (const int value : step.outputs)
      state.step_outputs.push_back(value < 0 ? nullptr : &state.values[static_cast<std::size_t>(value)]);
    OperatorCall call{.where = step.where,
                      .inputs = state.step_inputs,
                      .outputs = state.step_outputs,
                      .limits = program.limits,
                      .work = budget.work,
                      .noise = budget.noise,
                      .noise_by_row = program.by_row,
                      .scratch = &state.scratch,
                      .pool = state.pool,
                      .isa = program.isa,
                      .kept = &state.kept[number++],
                      .iterations = &budget.iterations};
    if (step.dense >= 0)
      run_dense(program, step, state, call);
    else if (step.is_output)
      run_output(program, state, call, cells);
    else
      step.op(call);
    for (Tensor* const made : state.step_outputs) {
      if (made == nullptr) continue;
      settle(*made);
      // A loop makes much of a small file, and not only by products.
      constexpr std::int64_t kStep = 64;
      if (program.is_body) call.spend(1, 1, kStep + made->shape.count());
    }
  }
}

void run(const Program& program, RunState& state, const CellOptions& cells) {
  std::int64_t work = program.limits.work, iterations = program.limits.iterations;
  run_steps(program, state, {.work = work, .iterations = iterations, .noise = state.noise}, cells);
  // Outputs of float64 are given as floats.
  for (const int value : program.output_values) {
    const auto at = static_cast<std::size_t>(value);
    if (program.is_constant[at] || !is_double(state.values[at].type)) continue;
    Tensor& tensor = state.values[at];
    tensor.floats.make_room(tensor.size());
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.floats[i] = static_cast<float>(tensor.doubles[i]);
  }
}

}  // namespace calo::infer
