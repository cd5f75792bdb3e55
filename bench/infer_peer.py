"""Runs onnxruntime on one thread for comparison with the engine. Requests and answers are lines of JSON.
{"file", "batch", "seconds"}: CPU seconds of a run, {"least", "median"}. {"start": file}: {"seconds"} to create a session.
{}: {"version"}.
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime

SESSIONS = {}


def session(file):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def measure(file, batch, seconds):
    if file not in SESSIONS:
        SESSIONS[file] = session(file)
    run = SESSIONS[file]
    binding = run.io_binding()
    random = np.random.default_rng(1)
    for entry in run.get_inputs():
        value = random.standard_normal((batch, *entry.shape[1:])).astype(np.float32)
        if entry.name == "energy_mev":
            value = np.full((batch, 1), 64000, np.float32)
        elif entry.name == "theta_rad":
            value = np.full((batch, 1), 1.57, np.float32)
        elif entry.name == "geometry":  # the first
            value = np.eye(1, entry.shape[1], dtype=np.float32).repeat(batch, 0)
        binding.bind_cpu_input(entry.name, value)
    result = run.get_outputs()[0]
    out = onnxruntime.OrtValue.ortvalue_from_shape_and_type([batch, *result.shape[1:]], np.float32)
    binding.bind_ortvalue_output(result.name, out)
    run.run_with_iobinding(binding)
    times, end = [], time.monotonic() + seconds
    while not times or time.monotonic() < end:
        start = time.thread_time()
        run.run_with_iobinding(binding)
        times.append(time.thread_time() - start)
    return min(times), statistics.median(times)


def answer(request):
    if "file" in request:
        least, median = measure(request["file"], request["batch"], request["seconds"])
        return {"least": least, "median": median}
    if "start" in request:
        begin = time.thread_time()
        session(request["start"])
        return {"seconds": time.thread_time() - begin}
    return {"version": onnxruntime.__version__}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
