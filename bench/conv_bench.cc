// Runs convolutional generators of three kinds on one thread with the inference engine and each of its
// instruction sets, with onnxruntime (all its optimisations), and measures the machine's limit of
// multiplications and additions. Rounds alternate, and times are CPU times of the thread, so that other load
// disturbs less.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "bench/limits.h"
#include "calo/benchmark/detail/peer_process.h"
#include "calo/infer/model.h"
#include "core/staged_output.h"
#include "test/support/onnx_writer.h"
#include "test/support/temp_folder.h"

namespace {

using bench::cpu_seconds;
using calo::infer::Isa;
using W = test::OnnxWriter;
using Extents = std::vector<std::int64_t>;

// Median seconds of a call in a round.
template <class Body>
double median_seconds(double seconds, const Body& body) {
  std::vector<double> times;
  const double end = cpu_seconds() + seconds;
  while (times.size() < 3 || cpu_seconds() < end) {
    const double start = cpu_seconds();
    body();
    times.push_back(cpu_seconds() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

std::int64_t product(const Extents& extents) {
  std::int64_t out = 1;
  for (const std::int64_t extent : extents) out *= extent;
  return out;
}

// A graph built layer by layer, with random weights and any number of rows.
class Graph {
 public:
  Graph(std::string title, std::int64_t channels, Extents places, int opset)
      : name(std::move(title)), channels_(channels), places_(std::move(places)), opset_(opset) {
    row = {channels_};
    row.insert(row.end(), places_.begin(), places_.end());
    writer_.input(W::value("x", with_rows()));
  }

  std::string name;
  Extents row;            // shape of the input
  double operations = 0;  // number of multiplications and additions for a row

  // Dense layer from a latent vector to channels at positions.
  Graph& dense(std::int64_t channels, const Extents& places) {
    const std::int64_t in = channels_, out = channels * product(places);
    const std::string weight = constant({out, in}, in), bias = constant({out}, 25);
    step("Gemm", {weight, bias}, {W::int_attribute("transB", 1)});
    channels_ = channels;
    places_ = places;
    Extents shape = with_rows();
    const std::string target = fresh();
    writer_.initializer(W::tensor(target, shape));
    step("Reshape", {target}, {});
    operations += 2.0 * static_cast<double>(in * out);
    return *this;
  }
  Graph& transposed(std::int64_t outputs, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                    std::int64_t more = 0) {
    const std::size_t rank = places_.size();
    const Extents window(rank, kernel), whole = join({channels_, outputs}, window);
    operations += 2.0 * static_cast<double>(product(places_) * product(whole));
    const std::string weight = constant(whole, channels_ * product(window)), bias = constant({outputs}, 25);
    step("ConvTranspose", {weight, bias},
         {W::ints_attribute("strides", Extents(rank, stride)),
          W::ints_attribute("pads", Extents(2 * rank, pad)),
          W::ints_attribute("output_padding", Extents(rank, more))});
    channels_ = outputs;
    for (std::int64_t& place : places_) place = (place - 1) * stride + kernel - 2 * pad + more;
    return *this;
  }
  Graph& convolution(std::int64_t outputs, std::int64_t kernel) {
    const std::size_t rank = places_.size();
    const Extents window(rank, kernel), whole = join({outputs, channels_}, window);
    operations += 2.0 * static_cast<double>(product(places_) * product(whole));
    const std::string weight = constant(whole, channels_ * product(window)), bias = constant({outputs}, 25);
    step("Conv", {weight, bias}, {W::ints_attribute("pads", Extents(2 * rank, kernel / 2))});
    channels_ = outputs;
    return *this;
  }
  Graph& batch_normalisation() {
    std::vector<std::string> inputs;
    for (int i = 0; i < 4; ++i) inputs.push_back(constant({channels_}, 9, i == 3 ? 1.0f : 0.0f));
    return step("BatchNormalization", inputs, {});
  }
  Graph& group_normalisation(std::int64_t groups) {
    return step("GroupNormalization", {constant({channels_}, 9, 1), constant({channels_}, 9)},
                {W::int_attribute("num_groups", groups)});
  }
  Graph& function(const std::string& op, const std::vector<std::string>& attributes = {}) {
    return step(op, {}, attributes);
  }
  std::string model() {
    writer_.output(W::value(last_, with_rows()));
    return writer_.model(opset_);
  }

 private:
  static Extents join(Extents a, const Extents& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  Extents with_rows() const { return join({-1, channels_}, places_); }
  std::string fresh() { return "v" + std::to_string(count_++); }
  // Normal random numbers around `middle`, scaled so that sums over `terms` are near 1.
  std::string constant(const Extents& shape, std::int64_t terms, float middle = 0) {
    std::vector<float> numbers(static_cast<std::size_t>(product(shape)));
    const float deviation = 1 / std::sqrt(static_cast<float>(terms));
    for (float& x : numbers) {
      x = middle + deviation * random_.normal();
      if (middle != 0) x = std::abs(x) + 0.1f;
    }
    const std::string name_of_it = fresh();
    writer_.initializer(W::tensor(name_of_it, shape, numbers));
    return name_of_it;
  }
  Graph& step(const std::string& op, std::vector<std::string> inputs,
              const std::vector<std::string>& attributes) {
    inputs.insert(inputs.begin(), last_);
    last_ = fresh();
    writer_.node(op, inputs, {last_}, attributes);
    return *this;
  }

  W writer_;
  core::Philox random_{5, 0};
  std::string last_ = "x";
  std::int64_t channels_;
  Extents places_;
  int opset_, count_ = 0;
};

std::vector<Graph> graphs() {
  std::vector<Graph> out;
  const auto slope = W::float_attribute("alpha", 0.2f);
  out.push_back(
      Graph("2-D generator from a latent vector (ConvTranspose, BatchNormalization)", 100, {1, 1}, 17)
          .transposed(256, 4, 1, 0)
          .batch_normalisation()
          .function("LeakyRelu", {slope})
          .transposed(128, 4, 2, 1)
          .batch_normalisation()
          .function("LeakyRelu", {slope})
          .transposed(64, 4, 2, 1)
          .batch_normalisation()
          .function("LeakyRelu", {slope})
          .transposed(1, 4, 2, 1)
          .function("Tanh"));
  out.push_back(Graph("2-D convolutions with GroupNormalization", 32, {24, 24}, 21)
                    .convolution(64, 3)
                    .group_normalisation(8)
                    .function("LeakyRelu", {slope})
                    .convolution(64, 3)
                    .group_normalisation(8)
                    .function("Gelu")
                    .convolution(1, 3)
                    .function("Sigmoid"));
  out.push_back(Graph("3-D decoder (Gemm, ConvTranspose, BatchNormalization, Conv)", 20, {}, 17)
                    .dense(64, {3, 6, 6})
                    .function("Relu")
                    .transposed(32, 3, 2, 1, 1)
                    .batch_normalisation()
                    .function("Relu")
                    .transposed(16, 3, 2, 1, 1)
                    .batch_normalisation()
                    .function("Relu")
                    .convolution(1, 3)
                    .function("Sigmoid"));
  return out;
}

}  // namespace

int main() {
  const test::TempFolder folder;
  std::unique_ptr<calo::PeerProcess> peer;
  if (const char* python = std::getenv("CALOPIPE_PYTHON"))
    peer = std::make_unique<calo::PeerProcess>(python,
                                               core::read_file(CALOPIPE_SOURCE_DIR "/bench/infer_peer.py"));
  fmt::print("{}, best {}; {}; load {}\n", bench::processor(), to_string(calo::infer::best_isa()),
             peer ? "onnxruntime " + peer->ask(nlohmann::json::object()).at("version").get<std::string>()
                  : "no onnxruntime (CALOPIPE_PYTHON is not set)",
             bench::load_average());
  std::vector<Isa> isas;  // those with other convolutions
  for (const Isa isa : bench::instruction_sets())
    if (isa != Isa::kAvx2Vnni && isa <= Isa::kAvx512) isas.push_back(isa);
  std::vector<double> rates;
  for (const Isa isa : isas) {
    rates.push_back(bench::arithmetic_rate(isa, calo::infer::Precision::kFp32));
    fmt::print("limit of {}: {:.0f} GFLOP/s\n", to_string(isa), rates.back() / 1e9);
  }
  int number = 0;
  for (Graph& graph : graphs()) {
    const auto file = folder / (std::to_string(number++) + ".onnx");
    std::ofstream(file, std::ios::binary) << graph.model();
    fmt::print("{}, {:.1f} MFLOP\n", graph.name, graph.operations / 1e6);
    std::vector<calo::infer::Model> models;
    for (const Isa isa : isas) models.push_back(calo::infer::Model::load(file, {.isa = isa}));
    for (const std::int64_t batch : {1, 16}) {
      Extents shape = graph.row;
      shape.insert(shape.begin(), batch);
      std::vector<float> x(static_cast<std::size_t>(product(shape)));
      core::Philox random(7, 0);
      for (float& value : x) value = random.normal();
      std::vector<double> ours(isas.size(), 1e300);
      double theirs = 1e300;
      for (int round = 0; round < 6; ++round) {
        for (std::size_t i = 0; i < isas.size(); ++i) {
          calo::infer::Workspace workspace;
          const calo::infer::InputView view{.shape = shape, .floats = x};
          models[i].run({&view, 1}, {}, workspace);
          ours[i] = std::min(ours[i], median_seconds(0.25, [&] {
                               models[i].run({&view, 1}, {}, workspace);
                             }));
        }
        if (peer)
          theirs = std::min(theirs, peer->ask({{"file", file.string()}, {"batch", batch}, {"seconds", 0.3}})
                                        .at("median")
                                        .get<double>());
      }
      if (peer) fmt::print("  batch {:2}  {:<11} {:8.3f} ms\n", batch, "onnxruntime", 1e3 * theirs);
      for (std::size_t i = 0; i < isas.size(); ++i) {
        fmt::print("  batch {:2}  {:<11} {:8.3f} ms  {:3.0f} % of the limit", batch, to_string(isas[i]),
                   1e3 * ours[i], 100 * graph.operations * static_cast<double>(batch) / ours[i] / rates[i]);
        if (peer) fmt::print("  onnxruntime / this: {:.2f}", theirs / ours[i]);
        fmt::print("\n");
      }
    }
  }
}
