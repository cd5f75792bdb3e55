#include "tracking/onnx_model.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

namespace tracking {
namespace {

using nlohmann::json;

// MLflow keeps a signature as a text of JSON.
std::string signature_of(const std::vector<OnnxTensor>& tensors) {
  json list = json::array();
  for (const OnnxTensor& tensor : tensors)
    list.push_back({{"type", "tensor"},
                    {"name", tensor.name},
                    {"tensor-spec", {{"dtype", tensor.type}, {"shape", tensor.shape}}}});
  return list.dump();
}

}  // namespace

std::map<std::string, std::string> mlflow_files(const OnnxModel& model) {
  const auto seconds = static_cast<std::time_t>(model.time_s);
  // JSON is YAML, too.
  const json described = {
      {"flavors",
       {{"onnx",
         {{"data", model.file}, {"providers", json::array({"CPUExecutionProvider"})}, {"code", nullptr}}},
        {"python_function",
         {{"loader_module", "mlflow.onnx"}, {"data", model.file}, {"env", json::object()}}}}},
      {"model_uuid", model.id},
      {"signature",
       {{"inputs", signature_of(model.inputs)},
        {"outputs", signature_of(model.outputs)},
        {"params", nullptr}}},
      {"utc_time_created", fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(seconds))}};
  return {{"MLmodel", described.dump(2) + "\n"}, {"requirements.txt", "mlflow\nonnx\nonnxruntime\n"}};
}

}  // namespace tracking
