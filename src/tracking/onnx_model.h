#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tracking {

/// An input or output of an ONNX model.
struct OnnxTensor {
  std::string name;
  std::string type;                 ///< as numpy names it: "float32"
  std::vector<std::int64_t> shape;  ///< -1 = any extent
};

/// An ONNX model as MLflow's flavors `onnx` and `python_function` describe it.
struct OnnxModel {
  std::string file;  ///< relative to the model's folder: "generator.onnx"
  std::vector<OnnxTensor> inputs, outputs;
  std::string id;     ///< 32 hexadecimal digits
  double time_s = 0;  ///< when it was made, since 1970
};

/// Files that make a folder with an ONNX model a model of MLflow, by name: MLmodel (flavors, signature of
/// inputs and outputs) and requirements.txt.
std::map<std::string, std::string> mlflow_files(const OnnxModel& model);

}  // namespace tracking
