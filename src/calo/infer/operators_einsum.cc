#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <type_traits>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

// Dimensions behind an ellipsis are numbered from the last one on, by characters that are no letters.
constexpr std::size_t kMaxLabels = 24, kMaxOperands = 8;

struct Equation {
  std::vector<std::string> operands;  // labels; '.' once for an ellipsis
  std::string result;
  bool has_result = false;
};

Equation parse(const OnnxNode& node) {
  only_attributes(node, {"equation"});
  const auto garbage = [&](const std::string& why) { refuse_node(node, "has an equation that " + why); };
  std::string text;
  for (const char c : string_attribute(node, "equation", ""))
    if (c != ' ') text += c;
  Equation out;
  if (const auto arrow = text.find("->"); arrow != std::string::npos) {
    out.result = text.substr(arrow + 2);
    out.has_result = true;
    text.resize(arrow);
  }
  if (text.size() > 200 || out.result.size() > 200) garbage("is too long");
  std::size_t begin = 0;
  for (std::size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', begin)) {
    out.operands.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  out.operands.push_back(text.substr(begin));
  const auto simplify = [&](std::string& labels) {
    if (const auto dots = labels.find("..."); dots != std::string::npos) labels.replace(dots, 3, ".");
    if (std::count(labels.begin(), labels.end(), '.') > 1) garbage("has two ellipses in one term");
    for (const char c : labels)
      if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.') garbage("holds what is no letter");
  };
  for (std::string& labels : out.operands) simplify(labels);
  simplify(out.result);
  if (out.operands.size() > kMaxOperands) garbage(fmt::format("has more than {} terms", kMaxOperands));
  return out;
}

// A term with its ellipsis written out for a tensor of this rank.
std::string expanded(const OperatorCall& call, const std::string& labels, std::size_t rank) {
  std::string out;
  const bool open = labels.find('.') != std::string::npos;
  const std::size_t named = labels.size() - (open ? 1 : 0);
  if (open ? named > rank : named != rank)
    call.fail(fmt::format("has the term \"{}\" for {} dimensions", labels, rank));
  for (const char c : labels) {
    if (c != '.') {
      out += c;
      continue;
    }
    for (std::size_t i = rank - named; i-- > 0;) out += static_cast<char>('0' + i);
  }
  return out;
}

struct Dimension {
  char label = 0;
  std::int64_t extent = 1;
  std::array<std::int64_t, kMaxOperands> strides{};
};

void einsum(OperatorCall& call, const Equation& equation) {
  const std::size_t operands = equation.operands.size();
  call.inputs_between(operands, operands);
  const ElementType type = call.input(0).type;
  std::array<Dimension, kMaxLabels> dimensions;
  std::size_t count = 0;
  std::size_t dots = 0;
  std::string seen_once, all;  // of labels, for the result that is not given
  const auto of = [&](char label) -> Dimension& {
    for (std::size_t i = 0; i < count; ++i)
      if (dimensions[i].label == label) return dimensions[i];
    if (count == kMaxLabels) call.fail("has too many labels");
    dimensions[count].label = label;
    return dimensions[count++];
  };
  for (std::size_t o = 0; o < operands; ++o) {
    const Tensor& in = call.input(o);
    if (in.type != type || type == ElementType::kBool) call.fail("takes types that do not fit together");
    const std::string labels = expanded(call, equation.operands[o], in.shape.rank);
    dots = std::max(dots, static_cast<std::size_t>(
                              std::count_if(labels.begin(), labels.end(), [](char c) { return c < 'A'; })));
    for (std::size_t d = 0; d < labels.size(); ++d) {
      Dimension& dimension = of(labels[d]);
      all += labels[d];
      const std::int64_t extent = in.shape[d];
      if (extent == 1) continue;
      if (dimension.extent != 1 && dimension.extent != extent)
        call.fail(fmt::format("has two extents for \"{}\": {} and {}", labels[d], dimension.extent, extent));
      dimension.extent = extent;
      dimension.strides[o] += in.shape.count(d + 1, in.shape.rank);
    }
  }
  std::string result;
  if (equation.has_result) {
    for (const char c : equation.result) {
      if (c != '.')
        result += c;
      else
        for (std::size_t i = dots; i-- > 0;) result += static_cast<char>('0' + i);
    }
  } else {  // the ellipsis, then what stands there once, in alphabetical order
    for (std::size_t i = dots; i-- > 0;) result += static_cast<char>('0' + i);
    std::sort(all.begin(), all.end());
    for (const char c : all)
      if (c >= 'A' && std::count(all.begin(), all.end(), c) == 1) result += c;
  }
  if (result.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
  // Those of the result first, in its order.
  Shape shape;
  for (std::size_t i = 0; i < result.size(); ++i) {
    std::size_t at = i;
    while (at < count && dimensions[at].label != result[i]) ++at;
    if (at == count) call.fail(fmt::format("makes \"{}\", which no term has, or twice", result[i]));
    std::swap(dimensions[i], dimensions[at]);
    shape.push_back(dimensions[i].extent);
  }
  std::int64_t summed = 1;
  for (std::size_t i = result.size(); i < count; ++i) {
    const std::int64_t extent = dimensions[i].extent;
    if (extent > 0 && summed > call.limits.work / extent) call.fail("asks for more work than a model may");
    summed *= extent;
  }
  Tensor& out = call.output(0, type, shape);
  call.spend(shape.count(), summed, static_cast<std::int64_t>(operands));
  by_storage(type, [&](auto kind) {
    using T = decltype(kind);
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
    std::array<const T*, kMaxOperands> x{};
    for (std::size_t o = 0; o < operands; ++o) x[o] = call.input(o).numbers<T>();
    std::array<std::int64_t, kMaxLabels> at{};
    const auto step = [&](std::size_t first, std::size_t last) {
      for (std::size_t d = last; d-- > first;) {
        for (std::size_t o = 0; o < operands; ++o) x[o] += dimensions[d].strides[o];
        if (++at[d] < dimensions[d].extent) return;
        for (std::size_t o = 0; o < operands; ++o) x[o] -= dimensions[d].strides[o] * dimensions[d].extent;
        at[d] = 0;
      }
    };
    const bool has_sum = count > result.size();
    const Dimension innermost = has_sum ? dimensions[count - 1] : Dimension();
    const std::int64_t length = innermost.extent, runs = length > 0 ? summed / length : 0;
    for (std::size_t place = 0; place < out.size(); ++place) {
      Sum sum = 0;
      for (std::int64_t run = 0; run < runs; ++run) {
        if (operands == 2) {
          const T *a = x[0], *b = x[1];
          for (std::int64_t i = 0; i < length; ++i)
            sum +=
                static_cast<Sum>(a[i * innermost.strides[0]]) * static_cast<Sum>(b[i * innermost.strides[1]]);
        } else {
          for (std::int64_t i = 0; i < length; ++i) {
            Sum product = 1;
            for (std::size_t o = 0; o < operands; ++o)
              product *= static_cast<Sum>(x[o][i * innermost.strides[o]]);
            sum += product;
          }
        }
        if (has_sum) step(result.size(), count - 1);
      }
      out.numbers<T>()[place] = static_cast<T>(sum);
      step(0, result.size());
    }
  });
}

}  // namespace

void add_einsum_operators(OperatorTable& table) {
  table["Einsum"] = [](const OnnxNode& node, std::int64_t) -> Operator {
    return [equation = parse(node)](OperatorCall& call) { einsum(call, equation); };
  };
}

}  // namespace calo::infer
