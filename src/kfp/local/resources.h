#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/deployment.h"

namespace kfp::local {

/// What a task takes of the machine, or what there is.
struct Claim {
  double cpus = 0;
  std::int64_t memory_bytes = 0;
  int accelerators = 0;
};

/// What a container asks for: requests, else limits, else `standard`. Texts may hold placeholders of input
/// parameters. @throws core::InputError
Claim claim_of(const ir::Container& container, const std::map<std::string, nlohmann::json>& parameters,
               const Claim& standard);

/// CPUs that this process may use, memory of the machine or control group, NVIDIA devices.
Claim machine();

/// What of the machine is taken. A task that claims more than there is counts as all there is, and so runs
/// alone.
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
