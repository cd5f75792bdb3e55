#include "tracking/onnx_model.h"

#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;

TEST(OnnxModel, HasItsSignature) {
  const auto files = tracking::mlflow_files({.file = "generator.onnx",
                                             .inputs = {{"energy_mev", "float32", {-1, 1}}},
                                             .outputs = {{"energies_mev", "float32", {-1, 18, 50, 45}}},
                                             .id = "ab",
                                             .time_s = 0});
  const json model = json::parse(files.at("MLmodel"));
  EXPECT_EQ(model.at("flavors").at("onnx").at("data"), "generator.onnx");
  EXPECT_EQ(model.at("flavors").at("python_function").at("loader_module"), "mlflow.onnx");
  EXPECT_EQ(model.at("utc_time_created"), "1970-01-01 00:00:00");
  const json inputs = json::parse(model.at("signature").at("inputs").get<std::string>());
  EXPECT_EQ(inputs, json::parse(R"([{"type": "tensor", "name": "energy_mev",
                                     "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}])"));
}

}  // namespace
