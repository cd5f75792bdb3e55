#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/deployment.h"

namespace kfp::local {

/// Resources of a task or of the machine.
struct Claim {
  double cpus = 0;
  std::int64_t memory_bytes = 0;
  int accelerators = 0;
};

/// Resources of a container: requests, else limits, else `standard`. Strings may have placeholders for input
/// parameters. @throws core::InputError
Claim claim_of(const ir::Container& container, const std::map<std::string, nlohmann::json>& parameters,
               const Claim& standard);

/// CPUs that this process may use, memory of the machine or control group, NVIDIA devices.
Claim machine();

/// Account of the machine's resources. A task that claims more than the total counts as the total, and so
/// runs alone.
class Budget {
 public:
  explicit Budget(const Claim& total) : total_(total), free_(total) {}

  Claim clamped(const Claim& claim) const;
  bool fits(const Claim& claim) const;
  void take(const Claim& claim);
  void give_back(const Claim& claim);

 private:
  Claim total_;
  Claim free_;
};

}  // namespace kfp::local
