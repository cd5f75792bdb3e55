#include "kfp/ir/types.h"

#include <charconv>

namespace kfp::ir {

double Duration::seconds() const {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::span<const char* const> enum_names(ParameterType) {
  static constexpr const char* kNames[] = {"PARAMETER_TYPE_ENUM_UNSPECIFIED",
                                           "NUMBER_DOUBLE",
                                           "NUMBER_INTEGER",
                                           "STRING",
                                           "BOOLEAN",
                                           "LIST",
                                           "STRUCT",
                                           "TASK_FINAL_STATUS",
                                           "TASK_CONFIG"};
  return kNames;
}

std::span<const char* const> enum_names(PrimitiveType) {
  static constexpr const char* kNames[] = {"PRIMITIVE_TYPE_UNSPECIFIED", "INT", "DOUBLE", "STRING"};
  return kNames;
}

std::span<const char* const> enum_names(TriggerStrategy) {
  static constexpr const char* kNames[] = {"TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED",
                                           "ALL_UPSTREAM_TASKS_COMPLETED"};
  return kNames;
}

std::span<const char* const> enum_names(TaskConfigPassthroughType) {
  static constexpr const char* kNames[] = {"NONE",
                                           "RESOURCES",
                                           "ENV",
                                           "KUBERNETES_AFFINITY",
                                           "KUBERNETES_TOLERATIONS",
                                           "KUBERNETES_NODE_SELECTOR",
                                           "KUBERNETES_VOLUMES"};
  return kNames;
}

}  // namespace kfp::ir
