#include "calo/benchmark/benchmark.h"

#include <fmt/format.h>

#include "calo/benchmark/benchmark_page.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo Benchmark::info() {
  return {
      .name = "benchmark",
      .summary = "Measures the speed of a converted model, and of onnxruntime and LibTorch for comparison",
      .description =
          "Measures start-up time, latency (median and 99 %), throughput by batch size and threads, memory "
          "and size, and writes a table, JSON, and a page. The engine is measured with sparse showers (as "
          "Geant4 deposits them) and with dense ones, as the peers make them. onnxruntime runs in your own "
          "Python (`--python`); LibTorch needs the model folder.",
      .examples = {"calopipe benchmark model.onnx --report benchmark.html",
                   "calopipe benchmark model.onnx --against onnxruntime,libtorch --model model --python "
                   "venv/bin/python"}};
}

void Benchmark::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("onnx", onnx, {.type = ArtifactType::kModel, .help = "ONNX file (convert, optimise)"});
  v.input("model", model,
          {.type = ArtifactType::kModel,
           .help = "Model folder that the file was converted from, for libtorch",
           .optional = true});
  v.parameter("against", against, {.help = "Engines to compare with: onnxruntime, libtorch"});
  v.parameter("precisions", precisions, {.help = "Precisions of calopipe's engine: fp32, bf16, int8, w8a8"});
  v.parameter("batch_sizes", batch_sizes, {.help = "Numbers of showers in a batch", .min = 1, .max = 65536});
  v.parameter("thread_counts", thread_counts,
              {.help = "Numbers of threads to measure with; empty = one, and as many as the machine has",
               .min = 1,
               .max = 4096});
  v.parameter("geometry", geometry,
              {.help = "Geometry of the showers; none = the first geometry of the model"});
  v.parameter("energy_gev", energy_gev,
              {.help = "Energy of the showers; 0 = the geometric mean of the training range",
               .unit = "GeV",
               .min = 0});
  foreign.describe(v);
  v.parameter("threshold_mev", threshold_mev,
              {.help = "Cells below this energy are left out", .unit = "MeV", .min = 0});
  v.parameter("seconds", seconds,
              {.help = "Time for each measurement",
               .unit = "s",
               .min = 0,
               .max = 3600,
               .above_min = true,
               .operational = true});
  v.parameter(
      "python", python,
      {.help = "Python program that has onnxruntime, for --against onnxruntime", .operational = true});
  v.output("metrics", metrics,
           {.type = ArtifactType::kMetrics,
            .help = "All numbers (JSON)",
            .optional = true,
            .file = "benchmark.json"});
  v.output(
      "report", report,
      {.type = ArtifactType::kHtml, .help = "Page with plots", .optional = true, .file = "benchmark.html"});
}

void Benchmark::run(kfp::RunContext& context) {
  const calo::infer::ForeignContract contract = foreign.contract_of_file();
  note_model(context.provenance, "onnx", onnx.path, contract);
  const calo::BenchmarkReport result = calo::run_benchmark(onnx.path, {.precisions = precisions,
                                                                       .against = against,
                                                                       .model = model ? model.path : "",
                                                                       .python = python,
                                                                       .batch_sizes = batch_sizes,
                                                                       .threads = thread_counts,
                                                                       .geometry = geometry,
                                                                       .energy_gev = energy_gev,
                                                                       .threshold_mev = threshold_mev,
                                                                       .seconds = seconds,
                                                                       .contract = contract});
  nlohmann::json numbers = result.to_json();
  numbers["calopipe"] = context.provenance;
  if (metrics) core::write_file(metrics.path, numbers.dump(2) + "\n");
  if (report) calo::write_benchmark_page(report.path, result, context.provenance);
  metrics.metadata = result.summary();
  fmt::print("{}", result.to_table());
}

}  // namespace pipeline
