#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calo/infer/operators.h"
#include "core/error.h"

namespace calo::infer {
namespace {

// out[m, n] += a[m, k] · b[k, n], each sum in the order of k.
void add_product(const float* a, const float* b, float* out, std::int64_t m, std::int64_t k, std::int64_t n) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t p = 0; p < k; ++p) {
      const float x = a[i * k + p];
      for (std::int64_t j = 0; j < n; ++j) out[i * n + j] += x * b[p * n + j];
    }
}

Operator gemm(const OnnxNode& node) {
  only_attributes(node, {"alpha", "beta", "transA", "transB"});
  const float alpha = float_attribute(node, "alpha", 1), beta = float_attribute(node, "beta", 1);
  const bool turn_a = int_attribute(node, "transA", 0) != 0, turn_b = int_attribute(node, "transB", 0) != 0;
  return [=](OperatorCall& call) {
    const Tensor &a = call.floats(0), &b = call.floats(1);
    if (a.shape.rank != 2 || b.shape.rank != 2) call.fail("needs two matrices");
    const std::int64_t m = a.shape[turn_a ? 1 : 0], k = a.shape[turn_a ? 0 : 1];
    const std::int64_t n = b.shape[turn_b ? 0 : 1];
    if (b.shape[turn_b ? 1 : 0] != k)
      call.fail(fmt::format("multiplies {} with {}", a.shape.to_string(), b.shape.to_string()));
    const Tensor* c = call.optional_input(2);
    std::int64_t row = 0, column = 0;  // strides of c
    if (c != nullptr) {
      if (!c->is_float() || c->shape.rank > 2) call.fail("adds what is no matrix");
      const std::int64_t c_columns = c->shape.rank > 0 ? c->shape[c->shape.rank - 1] : 1;
      const std::int64_t c_rows = c->shape.rank > 1 ? c->shape[0] : 1;
      if ((c_columns != 1 && c_columns != n) || (c_rows != 1 && c_rows != m))
        call.fail(fmt::format("adds {} to [{}, {}]", c->shape.to_string(), m, n));
      column = c_columns == 1 ? 0 : 1;
      row = c_rows == 1 ? 0 : c_columns;
    }
    Tensor& out = call.output(0, ElementType::kFloat, {m, n});
    call.spend(m, k, n);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        float sum = 0;
        for (std::int64_t p = 0; p < k; ++p)
          sum += a.floats[static_cast<std::size_t>(turn_a ? p * m + i : i * k + p)] *
                 b.floats[static_cast<std::size_t>(turn_b ? j * k + p : p * n + j)];
        sum *= alpha;
        if (c != nullptr) sum += beta * c->floats[static_cast<std::size_t>(i * row + j * column)];
        out.floats[static_cast<std::size_t>(i * n + j)] = sum;
      }
  };
}

void matmul(OperatorCall& call) {
  const Tensor &a = call.floats(0), &b = call.floats(1);
  if (a.shape.rank == 0 || b.shape.rank == 0) call.fail("multiplies single numbers");
  // Vectors are matrices of one row or column.
  Shape left = a.shape.rank == 1 ? Shape{1, a.shape[0]} : a.shape;
  Shape right = b.shape.rank == 1 ? Shape{b.shape[0], 1} : b.shape;
  const std::int64_t m = left[left.rank - 2], k = left[left.rank - 1], n = right[right.rank - 1];
  if (right[right.rank - 2] != k)
    call.fail(fmt::format("multiplies {} with {}", a.shape.to_string(), b.shape.to_string()));
  left.rank -= 2;
  right.rank -= 2;
  Shape batch;
  batch.rank = std::max(left.rank, right.rank);
  std::array<std::int64_t, Shape::kMaxRank> a_stride{}, b_stride{}, at{};
  std::int64_t a_size = m * k, b_size = k * n;
  for (std::size_t i = batch.rank; i-- > 0;) {
    const bool in_a = i + left.rank >= batch.rank, in_b = i + right.rank >= batch.rank;
    const std::int64_t x = in_a ? left[i + left.rank - batch.rank] : 1;
    const std::int64_t y = in_b ? right[i + right.rank - batch.rank] : 1;
    if (x != 1 && y != 1 && x != y)
      call.fail(fmt::format("multiplies {} with {}", a.shape.to_string(), b.shape.to_string()));
    batch[i] = x == 1 ? y : x;
    a_stride[i] = x == 1 ? 0 : a_size;
    b_stride[i] = y == 1 ? 0 : b_size;
    a_size *= x;
    b_size *= y;
  }
  Shape shape = batch;
  if (a.shape.rank > 1) shape.push_back(m);
  if (b.shape.rank > 1) shape.push_back(n);
  Tensor& out = call.output(0, ElementType::kFloat, shape);
  call.spend(batch.count(), m * n, k);
  std::fill_n(out.floats.data(), out.size(), 0.0f);
  std::int64_t from_a = 0, from_b = 0;
  const std::int64_t count = batch.count();
  for (std::int64_t one = 0; one < count; ++one) {
    add_product(a.floats.data() + from_a, b.floats.data() + from_b, out.floats.data() + one * m * n, m, k, n);
    for (std::size_t i = batch.rank; i-- > 0;) {
      from_a += a_stride[i];
      from_b += b_stride[i];
      if (++at[i] < batch[i]) break;
      from_a -= a_stride[i] * batch[i];
      from_b -= b_stride[i] * batch[i];
      at[i] = 0;
    }
  }
}

Operator batch_normalization(const OnnxNode& node) {
  only_attributes(node, {"epsilon", "momentum", "training_mode", "spatial"});
  if (int_attribute(node, "training_mode", 0) != 0)
    throw core::InputError({.message = "is in training mode", .field = where_of(node)});
  const float epsilon = float_attribute(node, "epsilon", 1e-5f);
  return [epsilon](OperatorCall& call) {
    const Tensor& in = call.floats(0);
    const std::int64_t channels = in.shape.rank > 1 ? in.shape[1] : 1;
    for (std::size_t i = 1; i < 5; ++i)
      if (call.floats(i).shape.count() != channels) call.fail("has statistics of another size");
    Tensor& out = call.output(0, ElementType::kFloat, in.shape);
    if (in.size() == 0) return;
    const std::int64_t inner = in.shape.rank > 2 ? in.shape.count(2, in.shape.rank) : 1;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto c = static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % channels);
      const float scale = call.floats(1).floats[c] / std::sqrt(call.floats(4).floats[c] + epsilon);
      out.floats[i] = (in.floats[i] - call.floats(3).floats[c]) * scale + call.floats(2).floats[c];
    }
  };
}

Operator softmax(const OnnxNode& node, std::int64_t opset) {
  only_attributes(node, {"axis"});
  const std::int64_t wanted = int_attribute(node, "axis", -1);
  if (opset < 13)
    throw core::InputError({.message = "is known from operator set 13 on", .field = where_of(node)});
  return [wanted](OperatorCall& call) {
    const Tensor& in = call.floats(0);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    Tensor& out = call.output(0, ElementType::kFloat, in.shape);
    const std::int64_t outer = in.shape.count(0, axis), extent = in.shape[axis],
                       inner = in.shape.count(axis + 1, in.shape.rank);
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        const std::int64_t first = o * extent * inner + i;
        const float* x = in.floats.data() + first;
        float* y = out.floats.data() + first;
        float most = -std::numeric_limits<float>::infinity(), sum = 0;
        for (std::int64_t k = 0; k < extent; ++k) most = std::max(most, x[k * inner]);
        for (std::int64_t k = 0; k < extent; ++k) sum += y[k * inner] = std::exp(x[k * inner] - most);
        for (std::int64_t k = 0; k < extent; ++k) y[k * inner] /= sum;
      }
  };
}

enum class Reduction { kSum, kMean, kMax, kMin };

Operator reduce(const OnnxNode& node, Reduction how) {
  only_attributes(node, {"axes", "keepdims", "noop_with_empty_axes"});
  const bool keep = int_attribute(node, "keepdims", 1) != 0;
  const bool nothing = int_attribute(node, "noop_with_empty_axes", 0) != 0;
  return [=, attribute = ints_attribute(node, "axes")](OperatorCall& call) {
    const Tensor& in = call.floats(0);
    std::vector<std::int64_t> axes = attribute;
    if (const Tensor* given = call.optional_input(1); given != nullptr) {
      const Tensor& list = call.integers(1);
      if (list.shape.rank > 1 || list.size() > Shape::kMaxRank) call.fail("needs a list of axes");
      axes.assign(list.integers.data(), list.integers.data() + list.size());
    }
    std::array<bool, Shape::kMaxRank> gone{};
    for (const std::int64_t axis : axes) gone[axis_of(call, axis, in.shape.rank)] = true;
    if (axes.empty() && !nothing) gone.fill(true);
    Shape shape;
    std::array<std::int64_t, Shape::kMaxRank> strides{}, at{};
    std::int64_t stride = 1, merged = 1;
    for (std::size_t i = in.shape.rank; i-- > 0;) {
      strides[i] = gone[i] ? 0 : stride;
      (gone[i] ? merged : stride) *= in.shape[i];
    }
    for (std::size_t i = 0; i < in.shape.rank; ++i)
      if (!gone[i] || keep) shape.push_back(gone[i] ? 1 : in.shape[i]);
    if (merged == 0) call.fail("reduces nothing");
    Tensor& out = call.output(0, ElementType::kFloat, shape);
    const float start = how == Reduction::kMax   ? -std::numeric_limits<float>::infinity()
                        : how == Reduction::kMin ? std::numeric_limits<float>::infinity()
                                                 : 0.0f;
    std::fill_n(out.floats.data(), out.size(), start);
    std::int64_t to = 0;
    for (std::size_t place = 0; place < in.size(); ++place) {
      float& target = out.floats[static_cast<std::size_t>(to)];
      const float x = in.floats[place];
      target = how == Reduction::kMax   ? std::max(target, x)
               : how == Reduction::kMin ? std::min(target, x)
                                        : target + x;
      for (std::size_t i = in.shape.rank; i-- > 0;) {
        to += strides[i];
        if (++at[i] < in.shape[i]) break;
        to -= strides[i] * in.shape[i];
        at[i] = 0;
      }
    }
    if (how == Reduction::kMean)
      for (std::size_t i = 0; i < out.size(); ++i) out.floats[i] /= static_cast<float>(merged);
  };
}

Operator layer_normalization(const OnnxNode& node) {
  only_attributes(node, {"axis", "epsilon", "stash_type"});
  const std::int64_t wanted = int_attribute(node, "axis", -1);
  const float epsilon = float_attribute(node, "epsilon", 1e-5f);
  return [wanted, epsilon](OperatorCall& call) {
    if (call.outputs.size() != 1) call.fail("gives its mean and deviation, which is not known");
    const Tensor &in = call.floats(0), &scale = call.floats(1);
    const Tensor* bias = call.optional_input(2) != nullptr ? &call.floats(2) : nullptr;
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const std::int64_t outer = in.shape.count(0, axis), inner = in.shape.count(axis, in.shape.rank);
    if (scale.shape.count() != inner || (bias != nullptr && bias->shape.count() != inner))
      call.fail("has a scale or bias of another size");
    Tensor& out = call.output(0, ElementType::kFloat, in.shape);
    for (std::int64_t o = 0; o < outer; ++o) {
      const float* x = in.floats.data() + o * inner;
      float* y = out.floats.data() + o * inner;
      double mean = 0, variance = 0;
      for (std::int64_t i = 0; i < inner; ++i) mean += x[i];
      mean /= static_cast<double>(inner);
      for (std::int64_t i = 0; i < inner; ++i) variance += (x[i] - mean) * (x[i] - mean);
      const double factor = 1 / std::sqrt(variance / static_cast<double>(inner) + epsilon);
      for (std::int64_t i = 0; i < inner; ++i) {
        const auto at = static_cast<std::size_t>(i);
        y[i] = static_cast<float>((x[i] - mean) * factor) * scale.floats[at] +
               (bias != nullptr ? bias->floats[at] : 0.0f);
      }
    }
  };
}

// Noise comes from the caller's keys: the file's own seed would give every shower the same.
Operator random_normal(const OnnxNode& node, bool like) {
  only_attributes(node, {"dtype", "mean", "scale", "seed", "shape"});
  const float mean = float_attribute(node, "mean", 0), scale = float_attribute(node, "scale", 1);
  if (int_attribute(node, "dtype", 1) != 1)
    throw core::InputError({.message = "makes another type than float", .field = where_of(node)});
  const std::vector<std::int64_t> extents = ints_attribute(node, "shape");
  if (extents.size() > Shape::kMaxRank)
    throw core::InputError({.message = "has more than 8 dimensions", .field = where_of(node)});
  return [=, shape_given = Shape(extents)](OperatorCall& call) {
    Shape shape = like ? call.input(0).shape : shape_given;
    if (call.noise.empty()) call.fail("needs a seed");
    if (call.noise_by_row && !like) {
      if (shape.rank == 0) call.fail("has no rows");
      shape[0] = static_cast<std::int64_t>(call.noise.size());
    }
    Tensor& out = call.output(0, ElementType::kFloat, shape);
    const std::size_t count = out.size();
    const std::size_t rows =
        call.noise_by_row && shape.rank > 0 && shape[0] == static_cast<std::int64_t>(call.noise.size())
            ? call.noise.size()
            : 1;
    for (std::size_t i = 0; i < count; ++i)
      out.floats[i] = mean + scale * call.noise[i / (count / rows)].normal();
  };
}

}  // namespace

Operator product_operator(const OnnxNode& node, std::int64_t opset) {
  const std::string& op = node.op_type;
  if (op == "Gemm") return gemm(node);
  if (op == "MatMul") {
    only_attributes(node, {});
    return matmul;
  }
  if (op == "BatchNormalization") return batch_normalization(node);
  if (op == "Softmax") return softmax(node, opset);
  if (op == "ReduceSum") return reduce(node, Reduction::kSum);
  if (op == "ReduceMean") return reduce(node, Reduction::kMean);
  if (op == "ReduceMax") return reduce(node, Reduction::kMax);
  if (op == "ReduceMin") return reduce(node, Reduction::kMin);
  if (op == "LayerNormalization") return layer_normalization(node);
  if (op == "RandomNormal") return random_normal(node, false);
  if (op == "RandomNormalLike") return random_normal(node, true);
  return nullptr;
}

}  // namespace calo::infer
