#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "calo/infer/detail/parallel.h"
#include "calo/infer/detail/product_kernels.h"
#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

// Integers wrap around.
template <class T>
T times(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a * b;
  else
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}
template <class T>
T plus(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a + b;
  else
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

void check_types(const OperatorCall& call) {
  const ElementType type = call.input(0).type;
  if (type != call.input(1).type)
    call.fail(fmt::format("takes two types, {} and {}", to_string(type), to_string(call.input(1).type)));
  if (type == ElementType::kBool) call.fail("multiplies bool");
}

// out[m, n] += a[m, k] · b[k, n], each sum in the order of k.
template <class T>
void add_product(const OperatorCall& call, const T* a, const T* b, T* out, std::int64_t m, std::int64_t k,
                 std::int64_t n) {
  if constexpr (std::is_floating_point_v<T>) {
    constexpr std::int64_t kLeastProducts =
        1 << 20;  // in a part, beside which it costs little to share the work
    const std::int64_t rows = std::max<std::int64_t>(24, kLeastProducts / std::max<std::int64_t>(1, k * n));
    const ProductKernel<T> kernel = product_kernel<T>(call.isa);
    for_each(call.pool, static_cast<std::size_t>((m + rows - 1) / rows), [&](std::size_t part) {
      const std::int64_t first = static_cast<std::int64_t>(part) * rows;
      kernel(a + first * k, b, out + first * n, std::min(rows, m - first), k, n);
    });
  } else {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t p = 0; p < k; ++p) {
        const T x = a[i * k + p];
        for (std::int64_t j = 0; j < n; ++j) out[i * n + j] = plus(out[i * n + j], times(x, b[p * n + j]));
      }
  }
}

Operator gemm(const OnnxNode& node) {
  only_attributes(node, {"alpha", "beta", "transA", "transB"});
  const float alpha = float_attribute(node, "alpha", 1), beta = float_attribute(node, "beta", 1);
  const bool turn_a = flag_attribute(node, "transA", false), turn_b = flag_attribute(node, "transB", false);
  return [=](OperatorCall& call) {
    call.inputs_between(2, 3);
    const Tensor &a = call.input(0), &b = call.input(1);
    check_types(call);
    if (a.shape.rank != 2 || b.shape.rank != 2) call.fail("needs two matrices");
    const std::int64_t m = a.shape[turn_a ? 1 : 0], k = a.shape[turn_a ? 0 : 1];
    const std::int64_t n = b.shape[turn_b ? 0 : 1];
    if (b.shape[turn_b ? 1 : 0] != k)
      call.fail(fmt::format("multiplies {} with {}", a.shape.to_string(), b.shape.to_string()));
    const Tensor* c = call.optional_input(2);
    std::int64_t row = 0, column = 0;  // strides of c
    if (c != nullptr) {
      if (c->type != a.type || c->shape.rank > 2) call.fail("adds what is no matrix of its type");
      const std::int64_t c_columns = c->shape.rank > 0 ? c->shape[c->shape.rank - 1] : 1;
      const std::int64_t c_rows = c->shape.rank > 1 ? c->shape[0] : 1;
      if ((c_columns != 1 && c_columns != n) || (c_rows != 1 && c_rows != m))
        call.fail(fmt::format("adds {} to [{}, {}]", c->shape.to_string(), m, n));
      column = c_columns == 1 ? 0 : 1;
      row = c_rows == 1 ? 0 : c_columns;
    }
    Tensor& out = call.output(0, a.type, {m, n});
    call.spend(m, k, n);
    by_storage(a.type, [&](auto kind) {
      using T = decltype(kind);
      using Factor = std::conditional_t<std::is_floating_point_v<T>, T, double>;
      std::fill_n(out.numbers<T>(), out.size(), T(0));
      if (!turn_a && !turn_b) add_product(call, a.numbers<T>(), b.numbers<T>(), out.numbers<T>(), m, k, n);
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          T& target = out.numbers<T>()[i * n + j];
          if (turn_a || turn_b)
            for (std::int64_t p = 0; p < k; ++p)
              target = plus(target, times(a.numbers<T>()[turn_a ? p * m + i : i * k + p],
                                          b.numbers<T>()[turn_b ? j * k + p : p * n + j]));
          if constexpr (std::is_floating_point_v<T>) {
            target *= static_cast<Factor>(alpha);
            if (c != nullptr && beta != 0)
              target += static_cast<Factor>(beta) * c->numbers<T>()[i * row + j * column];
          } else {
            if (alpha != 1 || beta != 1) call.fail("has factors, which for integers is not known");
            if (c != nullptr) target = plus(target, c->numbers<T>()[i * row + j * column]);
          }
        }
    });
  };
}

void matmul(OperatorCall& call) {
  call.inputs_between(2, 2);
  const Tensor &a = call.input(0), &b = call.input(1);
  check_types(call);
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
  Tensor& out = call.output(0, a.type, shape);
  call.spend(batch.count(), m * n, k);
  by_storage(a.type, [&](auto kind) {
    using T = decltype(kind);
    std::fill_n(out.numbers<T>(), out.size(), T(0));
    std::int64_t from_a = 0, from_b = 0;
    const std::int64_t count = batch.count();
    for (std::int64_t one = 0; one < count; ++one) {
      add_product(call, a.numbers<T>() + from_a, b.numbers<T>() + from_b, out.numbers<T>() + one * m * n, m,
                  k, n);
      for (std::size_t i = batch.rank; i-- > 0;) {
        from_a += a_stride[i];
        from_b += b_stride[i];
        if (++at[i] < batch[i]) break;
        from_a -= a_stride[i] * batch[i];
        from_b -= b_stride[i] * batch[i];
        at[i] = 0;
      }
    }
  });
}

}  // namespace

void add_product_operators(OperatorTable& table) {
  table["Gemm"] = [](const OnnxNode& node, std::int64_t) { return gemm(node); };
  table["MatMul"] = [](const OnnxNode& node, std::int64_t) -> Operator {
    only_attributes(node, {});
    return matmul;
  };
}

}  // namespace calo::infer
