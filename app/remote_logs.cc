#include "app/remote_logs.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "app/output.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/client/metadata.h"

namespace app {

int print_remote_logs(const kfp::client::Context& context, const std::string& run_id,
                      kfp::client::RunLogOptions options, bool json) {
  kfp::client::Client client(kfp::client::http_options(context), context.namespace_name);
  kfp::client::Metadata metadata(kfp::client::http_options(context));
  bool complete = true;
  options.on_problem = [&](const std::string& task, const std::string& error) {
    complete = false;
    fmt::print(stderr, "calopipe: the log of task {} is missing: {}\n", shown(task), error);
  };
  std::string text;
  try {
    kfp::client::write_run_logs(client, metadata, run_id, options, [&](std::string_view bytes) {
      if (json) {
        text += bytes;
        return;
      }
      std::fwrite(bytes.data(), 1, bytes.size(), stdout);
      std::fflush(stdout);
    });
  } catch (const core::Interrupted&) {
    if (!options.follow) throw;
  }
  if (json)
    print({{"run", run_id},
           {"task", options.task.empty() ? nlohmann::json() : nlohmann::json(options.task)},
           {"log", text}});
  if (core::interrupt_requested()) return static_cast<int>(core::ExitCode::kInterrupted);
  return complete ? 0 : static_cast<int>(core::ExitCode::kUnavailable);
}

}  // namespace app
