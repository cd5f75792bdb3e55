#include "kfp/client/types.h"

#include <array>

namespace kfp::client {
namespace {

constexpr std::array<const char*, 9> kRunStates = {"",       "PENDING",   "RUNNING",  "SUCCEEDED", "SKIPPED",
                                                   "FAILED", "CANCELING", "CANCELED", "PAUSED"};

}  // namespace

std::string to_string(RunState state) {
  return kRunStates.at(static_cast<std::size_t>(state));
}

RunState parse_run_state(const std::string& text) {
  for (std::size_t i = 1; i < kRunStates.size(); ++i)
    if (text == kRunStates[i]) return static_cast<RunState>(i);
  return RunState::kUnspecified;
}

bool is_final(RunState state) {
  return state == RunState::kSucceeded || state == RunState::kSkipped || state == RunState::kFailed ||
         state == RunState::kCanceled;
}

std::string to_string(StorageState state) {
  return state == StorageState::kAvailable ? "AVAILABLE" : state == StorageState::kArchived ? "ARCHIVED" : "";
}

std::string to_string(RecurringState state) {
  return state == RecurringState::kEnabled ? "ENABLED" : state == RecurringState::kDisabled ? "DISABLED" : "";
}

}  // namespace kfp::client
