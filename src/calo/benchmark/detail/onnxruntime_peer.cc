#include "calo/benchmark/detail/onnxruntime_peer.h"

#include "calo/benchmark/detail/peer_process.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr const char* kScript = R"py(
import json, statistics, sys, time

try:
    import numpy as np
    import onnxruntime
except ImportError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit()

session = None


def memory(what):
    for line in open("/proc/self/status"):
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024


def load(request):
    global session
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if request["optimised"] else levels.ORT_DISABLE_ALL
    options.intra_op_num_threads = request["threads"]
    options.inter_op_num_threads = 1
    session = None
    begin = time.perf_counter()
    session = onnxruntime.InferenceSession(request["file"], options, providers=["CPUExecutionProvider"])
    return time.perf_counter() - begin


def bind(batch, fill):
    random = np.random.default_rng(1)
    binding = session.io_binding()
    for entry in session.get_inputs():
        value = fill.get(entry.name)
        columns = entry.shape[1]
        if value is None:
            array = random.standard_normal((batch, columns))
        else:
            array = np.broadcast_to(np.array(value), (batch, columns))
        binding.bind_cpu_input(entry.name, np.ascontiguousarray(array, np.float32))
    result = session.get_outputs()[0]
    out = onnxruntime.OrtValue.ortvalue_from_shape_and_type([batch, *result.shape[1:]], np.float32)
    binding.bind_ortvalue_output(result.name, out)
    return binding


def measure(request):
    binding = bind(request["batch"], request["fill"])
    session.run_with_iobinding(binding)
    times, end = [], time.perf_counter() + request["seconds"]
    while len(times) < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        session.run_with_iobinding(binding)
        times.append(time.perf_counter() - begin)
    times.sort()
    return {"least_s": times[0], "median_s": times[len(times) // 2],
            "p99_s": times[min(len(times) - 1, len(times) * 99 // 100)], "calls": len(times)}


def start(request):
    load(request)
    starts = [load(request) for _ in range(3)]
    open("/proc/self/clear_refs", "w").write("5")
    global session
    session = None
    before = memory("VmRSS")
    load(request)
    measure({**request, "batch": 1, "seconds": 0})
    return {"start_s": statistics.median(starts), "memory_bytes": memory("VmHWM") - before}


for line in sys.stdin:
    request = json.loads(line)
    try:
        if request["op"] == "hello":
            answer = {"version": onnxruntime.__version__}
        else:
            answer = start(request) if request["op"] == "start" else measure(request)
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
)py";

Timing timing_of(const json& answer) {
  return {.least_s = answer.at("least_s"),
          .median_s = answer.at("median_s"),
          .p99_s = answer.at("p99_s"),
          .calls = answer.at("calls")};
}

}  // namespace

std::vector<EngineFigures> measure_onnxruntime(const std::filesystem::path& onnx,
                                               const infer::Generator& generator,
                                               const infer::Particle& particle,
                                               const BenchmarkOptions& options) {
  json fill = json::object();  // unnamed inputs are noise
  if (generator.contract() == "plain") {
    fill["energy_mev"] = {particle.energy_mev};
    fill["theta_rad"] = {particle.theta_rad};
    std::vector<float> one_hot(static_cast<std::size_t>(generator.model().inputs()[3].shape[1]), 0.0f);
    if (particle.geometry < one_hot.size()) one_hot[particle.geometry] = 1;
    fill["geometry"] = one_hot;
  }
  const bool any_batch = generator.model().inputs()[0].shape[0] < 0;
  std::vector<EngineFigures> all;
  for (const bool optimised : {true, false}) {
    if (!optimised && any_batch) continue;  // Par04 does not use such files
    EngineFigures figures{.name = "onnxruntime",
                          .variant = optimised ? "fp32, dense" : "fp32, dense, not optimised (as in Par04)"};
    PeerProcess peer(options.python, kScript);
    figures.version = peer.ask({{"op", "hello"}}).value("version", "");
    bool first = true;
    for (const std::int64_t threads : options.threads) {
      if (!optimised && threads != 1) continue;
      const json session = {{"op", "start"},
                            {"file", onnx.string()},
                            {"threads", threads},
                            {"optimised", optimised},
                            {"fill", fill}};
      const json started = peer.ask(session);
      if (first) {
        figures.start_s = started.at("start_s");
        figures.memory_bytes = started.at("memory_bytes");
        first = false;
      }
      for (const std::int64_t batch : options.batch_sizes) {
        if (batch != 1 && !any_batch) continue;
        figures.batches.push_back(
            {.batch = batch,
             .threads = threads,
             .timing = timing_of(peer.ask(
                 {{"op", "time"}, {"batch", batch}, {"fill", fill}, {"seconds", options.seconds}}))});
      }
    }
    all.push_back(std::move(figures));
  }
  return all;
}

}  // namespace calo
