// Compiles a pipeline of 1000 tasks to IR YAML with calopipe's DSL and with the Python SDK, which must give
// the same data. usage: compile_bench [TASKS]   (CALOPIPE_PYTHON is a Python with kfp)
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/bench.h"
#include "bench/kfp_peer.h"
#include "kfp/compile/compile.h"
#include "kfp/dsl/pipeline.h"
#include "kfp/ir/document.h"

namespace {

using kfp::dsl::ContainerComponent;
using enum kfp::ir::ParameterType;

// Each task takes the number that the previous one gave.
kfp::ir::Pipeline compile_chain(int tasks) {
  const ContainerComponent step{.name = "step",
                                .inputs = {{"n", kfp::dsl::parameter(kNumberInteger)}},
                                .outputs = {{"out", kfp::dsl::parameter(kNumberInteger)}},
                                .image = "registry.example.org/tools@sha256:0123",
                                .command = {"count"},
                                .args = {"--n", kfp::dsl::input("n"), "--out", kfp::dsl::output_file("out")}};
  kfp::dsl::Pipeline pipeline("chain");
  kfp::dsl::Value value = pipeline.parameter("n", kNumberInteger, {.default_value = 1});
  for (int i = 0; i < tasks; ++i) value = pipeline.task(step).set("n", value).output();
  return kfp::dsl::compile(pipeline);
}

nlohmann::json data_of(const kfp::ir::Pipeline& pipeline) {
  nlohmann::json data = kfp::ir::to_json(pipeline.spec);
  data.erase("sdkVersion");
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  const int tasks = argc > 1 ? std::atoi(argv[1]) : 1000;
  std::string yaml;
  const double ours = bench::best_seconds([&] { yaml = kfp::ir::to_yaml(compile_chain(tasks)); });
  const double without_text = bench::best_seconds([&] { compile_chain(tasks); });
  fmt::print("compiling {} tasks, {:.1f} MiB of YAML\n", tasks, static_cast<double>(yaml.size()) / 1048576);
  const auto row = [&](const char* name, double seconds) {
    fmt::print("  {:<34} {:>9.1f} ms   ours / this: {:7.4f}\n", name, 1e3 * seconds, ours / seconds);
  };
  row("calopipe, to YAML", ours);
  row("calopipe, without writing the text", without_text);
  if (bench::python() == nullptr) {
    fmt::print("  kfp: CALOPIPE_PYTHON is not set\n");
    return 0;
  }
  const bench::TempFolder folder;
  const double peer = bench::kfp_peer("compile-chain", folder.path(), tasks);
  if (peer < 0) {
    fmt::print("  kfp: failed\n");
    return 1;
  }
  row("Python SDK, to YAML", peer);
  if (data_of(kfp::ir::read_pipeline(folder / "chain.yaml")) != data_of(kfp::ir::parse_pipeline(yaml))) {
    fmt::print("  the two pipelines differ\n");
    return 1;
  }
}
