#include "kfp/local/detail/resources.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/thread_pool.h"
#include "kfp/ir/quantity.h"
#include "kfp/local/detail/launcher.h"

namespace kfp::local {
namespace fs = std::filesystem;

namespace {

double parse_quantity(const std::string& text) {
  const std::optional<double> amount = ir::quantity(text);
  if (!amount)
    throw core::InputError(
        {.message = "\"" + text + "\" is not a quantity", .hint = "write it like 500m, 2, or 4Gi"});
  return *amount;
}

}  // namespace

Claim claim_of(const ir::Container& container, const std::map<std::string, nlohmann::json>& parameters,
               const Claim& standard) {
  Claim claim = standard;
  if (!container.resources) return claim;
  const ir::Resources& resources = *container.resources;
  const auto amount = [&](const std::optional<std::string>& text, const std::optional<double>& number,
                          double unit) {
    if (text && !text->empty()) return parse_quantity(with_parameters(*text, parameters).get<std::string>());
    return number.value_or(0) * unit;
  };
  for (const double cpus : {amount(resources.resource_cpu_limit, resources.cpu_limit, 1),
                            amount(resources.resource_cpu_request, resources.cpu_request, 1)})
    if (cpus > 0) claim.cpus = cpus;
  for (const double memory : {amount(resources.resource_memory_limit, resources.memory_limit, 1e9),
                              amount(resources.resource_memory_request, resources.memory_request, 1e9)})
    if (memory > 0) claim.memory_bytes = static_cast<std::int64_t>(std::min(memory, 0x1p62));
  if (resources.accelerator) {
    const ir::Accelerator& accelerator = *resources.accelerator;
    std::optional<double> count;
    if (accelerator.count) count = static_cast<double>(*accelerator.count);
    claim.accelerators = static_cast<int>(std::min(amount(accelerator.resource_count, count, 1), 1e6));
  }
  return claim;
}

Claim machine() {
  Claim total;
  total.cpus = core::available_threads();
  total.memory_bytes = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream stream(file);
    std::int64_t limit = 0;
    if (stream >> limit && limit > 0) total.memory_bytes = std::min(total.memory_bytes, limit);
  }
  std::error_code error;
  for (int i = 0; fs::exists("/dev/nvidia" + std::to_string(i), error); ++i) ++total.accelerators;
  return total;
}

Claim Budget::clamped(const Claim& claim) const {
  return {.cpus = std::min(claim.cpus, total_.cpus),
          .memory_bytes = std::min(claim.memory_bytes, total_.memory_bytes),
          .accelerators = std::min(claim.accelerators, total_.accelerators)};
}

bool Budget::fits(const Claim& claim) const {
  const Claim need = clamped(claim);
  return need.cpus <= free_.cpus + 1e-9 && need.memory_bytes <= free_.memory_bytes &&
         need.accelerators <= free_.accelerators;
}

void Budget::take(const Claim& claim) {
  const Claim need = clamped(claim);
  free_.cpus -= need.cpus;
  free_.memory_bytes -= need.memory_bytes;
  free_.accelerators -= need.accelerators;
}

void Budget::give_back(const Claim& claim) {
  const Claim need = clamped(claim);
  free_.cpus += need.cpus;
  free_.memory_bytes += need.memory_bytes;
  free_.accelerators += need.accelerators;
}

}  // namespace kfp::local
