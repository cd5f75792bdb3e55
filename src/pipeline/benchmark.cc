#include "calo/benchmark/benchmark.h"

#include <fmt/format.h>

#include "calo/benchmark/benchmark_page.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo Benchmark::info() {
  return {.name = "benchmark",
          .summary = "Measures how fast a converted model runs, beside onnxruntime and LibTorch",
          .description =
              "Start-up time, latency (median and 99 %), throughput by batch size and threads, memory and "
              "size: a table, "
              "JSON, and a page. The engine is measured with sparse showers (what Geant4 deposits) and with "
              "dense ones, as "
              "the peers make them. onnxruntime runs in a Python of yours (`--python`); LibTorch needs the "
              "model folder.",
          .examples = {"calopipe benchmark model.onnx --report benchmark.html",
                       "calopipe benchmark model.onnx --against onnxruntime,libtorch --model model --python "
                       "venv/bin/python"}};
}

void Benchmark::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("onnx", onnx, {.type = ArtifactType::kModel, .help = "ONNX file (convert, optimise)"});
  v.input("model", model,
          {.type = ArtifactType::kModel,
           .help = "Model folder that it was converted from, for libtorch",
           .optional = true});
  v.parameter("against", against, {.help = "Engines to compare with: onnxruntime, libtorch"});
  v.parameter("precisions", precisions, {.help = "Precisions of our engine: fp32, bf16, int8, w8a8"});
  v.parameter("batch_sizes", batch_sizes, {.help = "Showers at a time", .min = 1, .max = 65536});
  v.parameter("thread_counts", thread_counts,
              {.help = "Numbers of threads to measure with; empty = one thread, and all that the machine has",
               .min = 1,
               .max = 4096});
  v.parameter("geometry", geometry, {.help = "Geometry of the showers; none = the model's first"});
  v.parameter(
      "energy_gev", energy_gev,
      {.help = "Energy of the showers; 0 = the geometric middle of the training", .unit = "GeV", .min = 0});
  foreign.describe(v);
  v.parameter("threshold_mev", threshold_mev, {.help = "Cells below are left out", .unit = "MeV", .min = 0});
  v.parameter("seconds", seconds,
              {.help = "Time for each measurement",
               .unit = "s",
               .min = 0,
               .max = 3600,
               .above_min = true,
               .operational = true});
  v.parameter("python", python,
              {.help = "Python that has onnxruntime, for --against onnxruntime", .operational = true});
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
