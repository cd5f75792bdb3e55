#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/cascade/sampler.h"
#include "calo/infer/dense_layer.h"
#include "calo/infer/onnx_graph.h"
#include "calo/infer/onnx_reader.h"
#include "calo/infer/operators.h"
#include "calo/infer/output_layer.h"
#include "calo/infer/tensor.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/thread_pool.h"

namespace calo::infer {

/// A graph made ready to run: constants folded, dense layers packed with what follows them, the last layer of
/// a generator apart, so that it can give sparse cells. The rest runs on the interpreter's operators.
struct Program {
  struct Step {
    std::string where;
    std::vector<int> inputs;   ///< values; -1 = left out
    std::vector<int> outputs;  ///< -1 = nobody reads it
    Operator op;               ///< empty for the two below
    int dense = -1;            ///< of `dense`
    bool is_output = false;    ///< `output`
  };

  /// The last layer with what follows it, up to an output of the graph.
  struct Output {
    OutputLayer layer;
    float factor = 1;
    std::vector<int> times, over;  ///< values `[N, 1]` that rows are multiplied with or divided by
    Shape row_shape;               ///< extents of the output; the first is the batch
    int value = -1;
  };

  OnnxLimits limits;
  Isa isa = best_isa();
  std::vector<OnnxValue> inputs, outputs;
  std::vector<int> input_values, output_values;
  /// Of a body: values that stand where it is called from, in the order in which they are given to it.
  std::vector<int> captured;
  bool is_body = false;
  std::map<std::string, std::string> metadata;
  std::vector<Tensor> constants;  ///< by value; empty ones are computed
  std::vector<bool> is_constant;  ///< by value
  std::vector<Step> steps;
  std::vector<DenseLayer> dense;
  std::optional<Output> output;
  std::shared_ptr<const cascade::Sampler> sampler;  ///< where the graph is a cascade's
  bool by_row = false;                              ///< any batch size gives each row as if it were alone
  Precision precision = Precision::kFp32;           ///< of the largest layer
  std::size_t weight_bytes = 0;

  std::size_t num_values() const { return constants.size(); }
};

/// What one thread needs to run a program; grows to what its largest batch needs.
struct RunState {
  std::vector<Tensor> values;
  std::vector<const Tensor*> borrowed;  ///< by value: what stands elsewhere, of bodies; else null
  std::vector<const Tensor*> step_inputs;
  std::vector<Tensor*> step_outputs;
  std::vector<core::Philox> noise;  ///< by row
  std::vector<float> scale;         ///< of the output layer, by row
  std::vector<float> to_mev;        ///< of the contract, by row
  LargeArray<std::byte> scratch;
  std::vector<std::unique_ptr<Kept>> kept;  ///< by step
  OutputLayer::Work output_work;
  SparseShowers sparse;
  bool cells_are_finite = true;  ///< of the last run's dense cells
  core::ThreadPool* pool = nullptr;
  std::unique_ptr<cascade::Sampler::Work> sampler_work;
};

struct CompileOptions {
  std::optional<Precision> precision = {};  ///< none: LoadOptions
  Isa isa = best_isa();
  bool fuse = true;  ///< false: everything on the interpreter, for tests
  OnnxLimits limits;
  /// Told about bytes of the graph that are not needed any more.
  std::function<void(std::span<const std::byte>)> release;
};

/// Layers with fewer weights stay fp32.
constexpr std::int64_t kSmallLayer = 65536;

/// @throws core::InputError if an operator is not known, or fails in a trial run with a batch of one
Program compile(OnnxGraph graph, const CompileOptions& options);

/// What becomes of the output layer's cells, where the program has one.
struct CellOptions {
  std::span<const float> scale = {};  ///< further factor of each row; empty = none
  SparseShowers* sparse = nullptr;    ///< takes cells ≥ threshold, instead of the output's value
  float threshold = 0;
  float* dense = nullptr;  ///< where cells go that are not sparse; null = the output's value
};

/// A loop that goes on and on.
struct EndlessLoop : core::InputError {
  using InputError::InputError;
};

/// What a run may still use, and its noise: a loop's body has its part of both.
struct RunBudget {
  std::int64_t& work;        ///< multiplications
  std::int64_t& iterations;  ///< of all loops
  std::span<core::Philox> noise;
};

/// The steps alone, within what is left of a run.
void run_steps(const Program& program, RunState& state, const RunBudget& budget,
               const CellOptions& cells = {});

/// Where a value stands after a run.
const Tensor& tensor_of(const Program& program, const RunState& state, int value);

/// Inputs stand in state.values, noise in state.noise. Afterwards outputs stand in state.values.
/// @throws core::InputError naming the node
void run(const Program& program, RunState& state, const CellOptions& cells = {});

/// Shape of an output for `rows`; where the program is by row.
Shape with_rows(const Shape& row_shape, std::int64_t rows);

}  // namespace calo::infer
