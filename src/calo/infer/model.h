#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/precision.h"
#include "core/thread_pool.h"

namespace calo::infer {

class ExternalData;
struct Program;
struct RunState;

struct LoadOptions {
  /// None: what the file is made for (`calopipe.precision` of `calopipe optimise`, or how its weights are
  /// stored), fp32 where it does not say.
  std::optional<Precision> precision = {};
  Isa isa = best_isa();
  /// False: every operator on the simple interpreter, for comparison.
  bool fuse = true;
};

/// An input or output: -1 is an extent that is not fixed.
struct TensorInfo {
  std::string name;
  std::string type;  ///< float, float16, float64, int8 … uint64, bool
  std::vector<std::int64_t> shape;
};

/// What noise inside a graph belongs to: each its own numbers, whatever is computed beside it.
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint64_t event = 0;
  std::uint32_t particle = 0;
};

/// Values of one input, as many as the product of `shape`: floats (for float16 and float64 too) or, for
/// integer inputs, integers.
struct InputView {
  std::span<const std::int64_t> shape;
  std::span<const float> floats;
  std::span<const std::int64_t> integers = {};
};

/// Numbers of an output, valid until the workspace is used again.
struct OutputView {
  std::span<const std::int64_t> shape;
  std::span<const float> floats;
  std::span<const std::int64_t> integers = {};
};

/// What one thread works in. Not to be used by two threads at once.
class Workspace {
 public:
  /// @param pool  threads for one batch; null = the caller's alone. Must outlive the workspace.
  explicit Workspace(core::ThreadPool* pool = nullptr);
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

  RunState& state() { return *state_; }

 private:
  std::unique_ptr<RunState> state_;
};

/// An ONNX model ready to run. Const use is thread-safe: one model, a workspace for each thread. fp32 gives
/// each row the same bits whatever the batch, the threads and (with FMA) the instruction set.
class Model {
 public:
  /// Tensors may lie in files beside it, as torch.onnx.export writes them (see ExternalFiles).
  /// @throws core::InputError (not readable, damaged, weights that are not finite, operators that are not
  /// known; see read_onnx and compile)
  static Model load(const std::filesystem::path& file, const LoadOptions& options = {});
  /// @param bytes of an ONNX file; not needed afterwards. Tensors in files beside it are refused.
  /// @param name  what messages call it: file()
  static Model from_bytes(std::span<const std::byte> bytes, const LoadOptions& options = {},
                          const std::filesystem::path& name = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }
  /// metadata_props of the file.
  const std::map<std::string, std::string>& metadata() const;
  const std::filesystem::path& file() const { return file_; }

  /// Of the largest layer.
  Precision precision() const;
  /// Memory of the weights as they are kept.
  std::size_t weight_bytes() const;
  /// Whether any batch may be run, even where the file fixes it to one: rows do not depend on each other.
  bool runs_any_batch() const;
  /// Whether the end of the graph is a dense generator's, for which sparse cells need no dense ones.
  bool is_generator() const;

  /// Runs the graph; outputs stand in the workspace.
  /// @param inputs in the order of inputs()  @param noise one key per row, or one; may be empty if nothing
  ///        is drawn
  /// @throws core::UsageError (inputs of other shapes than inputs() says), core::InputError (see compile)
  void run(std::span<const InputView> inputs, std::span<const NoiseKey> noise, Workspace& workspace) const;
  OutputView output(Workspace& workspace, std::size_t i) const;

  const Program& program() const { return *program_; }

 private:
  Model();
  static Model compiled(std::span<const std::byte> bytes, ExternalData* beside, const LoadOptions& options,
                        const std::function<void(std::span<const std::byte>)>& release,
                        const std::filesystem::path& name);

  std::unique_ptr<Program> program_;
  std::vector<TensorInfo> inputs_, outputs_;
  std::filesystem::path file_;
};

}  // namespace calo::infer
