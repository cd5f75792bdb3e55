#include "kfp/client/outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <set>
#include <span>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/parameter_field.h"
#include "core/remote.h"
#include "core/staged_output.h"

namespace kfp::client {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kBlock = std::size_t{4} << 20;

void copy_from_store(core::RemoteStorage& storage, const fs::path& url, const fs::path& to) {
  const auto source = storage.open(url);
  fs::create_directories(to.parent_path());
  std::ofstream stream(to, std::ios::binary);
  std::vector<std::byte> block(kBlock);
  for (std::uint64_t at = 0; at < source->size_bytes() && stream;) {
    if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
    const std::uint64_t size = std::min<std::uint64_t>(kBlock, source->size_bytes() - at);
    const core::RemotePiece piece{.offset = at, .into = std::span(block).first(size)};
    source->read(std::span(&piece, 1));
    stream.write(reinterpret_cast<const char*>(block.data()), static_cast<std::streamsize>(size));
    at += size;
  }
  stream.close();
  if (!stream) throw core::UnavailableError({.message = "cannot be written", .file = to});
}

void fetch_from_s3(core::RemoteStorage& storage, const std::string& url, const fs::path& to) {
  const auto status = storage.status(url);
  if (!status) throw core::InputError({.message = "does not exist in the store any more", .file = url});
  if (!status->is_folder) {
    core::StagedOutput file(to, core::StagedOutput::Kind::kFile);
    copy_from_store(storage, url, file.path());
    file.commit();
    return;
  }
  core::StagedOutput folder(to, core::StagedOutput::Kind::kFolder);
  for (const core::RemoteEntry& entry : storage.files_in(url)) {
    const fs::path name = fs::path(entry.name).lexically_normal();
    if (name.is_absolute() || *name.begin() == "..")
      throw core::InputError(
          {.message = fmt::format("the name \"{}\" leads out of the folder", entry.name), .file = url});
    copy_from_store(storage, url + "/" + entry.name, folder.path() / name);
  }
  folder.commit();
}

std::string last_lines(const std::string& text, int lines) {
  if (lines < 0) return text;
  std::size_t begin = text.size();
  while (begin > 0 && lines > 0) {
    const std::size_t newline = begin >= 2 ? text.rfind('\n', begin - 2) : std::string::npos;
    begin = newline == std::string::npos ? 0 : newline + 1;
    --lines;
  }
  return text.substr(begin);
}

std::string prefixed(const std::string& text, const std::string& prefix) {
  std::string lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    lines += prefix + text.substr(at, end - at);
    at = end;
  }
  return lines;
}

// The log of one pod as it grows.
class PodLog {
 public:
  // Passes on whole lines that are new, and what is left with the `last` call.
  void add(std::string log, bool last, int tail, const std::string& prefix,
           const std::function<void(std::string_view)>& write) {
    if (last && !log.empty() && log.back() != '\n') log += '\n';
    const std::size_t whole = log.rfind('\n') + 1;  // 0 if there is none
    if (whole <= printed_) return;
    std::string fresh = log.substr(printed_, whole - printed_);
    if (printed_ == 0) fresh = last_lines(fresh, tail);
    printed_ = whole;
    if (!fresh.empty()) write(prefixed(fresh, prefix));
  }

 private:
  std::size_t printed_ = 0;
};

}  // namespace

void fetch_output(Client& client, const Artifact& artifact, const fs::path& to,
                  const std::string& s3_endpoint) {
  const std::size_t scheme = artifact.uri.find("://");
  const std::string kind = artifact.uri.substr(0, scheme);
  if (!s3_endpoint.empty() && (kind == "minio" || kind == "s3")) {
    fetch_from_s3(core::remote_storage().with_s3_endpoint(s3_endpoint), "s3" + artifact.uri.substr(scheme),
                  to);
    return;
  }
  std::string content;
  try {
    content = client.stored_file(artifact.uri);
  } catch (const Unreachable& error) {
    if (!error.answered()) throw;
    throw core::InputError(
        {.message = "cannot be read through Kubeflow's pages; it may be a folder",
         .file = artifact.uri,
         .hint = "give the context an s3_endpoint (calopipe kubeflow context set --s3-endpoint)"});
  }
  core::write_file(to, content);
}

void write_run_logs(Client& client, Metadata& metadata, const std::string& run_id,
                    const RunLogOptions& options, const std::function<void(std::string_view)>& write) {
  std::map<std::string, PodLog> logs;  // by pod
  std::set<std::string> over;          // pods whose logs are complete
  for (;;) {
    // The state is read first, so that what was printed before the end is read below.
    const bool last = !options.follow || is_final(client.run(run_id).state);
    bool has_task = options.task.empty(), has_log = false;
    std::set<std::string> tasks;
    for (const Execution& execution : metadata.executions(run_id)) {
      tasks.insert(execution.task);
      if (!options.task.empty() && execution.task != options.task) continue;
      has_task = true;
      if (execution.pod_name.empty()) continue;
      has_log = true;
      if (over.contains(execution.pod_name)) continue;
      using State = Execution::State;
      const bool ended = last || execution.state == State::kComplete || execution.state == State::kFailed;
      std::string text;
      try {
        text = client.pod_log(run_id, execution.pod_name);
      } catch (const core::Interrupted&) {
        throw;
      } catch (const core::Error& error) {
        if (!ended) continue;  // the container may not have started yet
        if (!options.task.empty() || !options.on_problem) throw;
        options.on_problem(execution.task, error.what());
      }
      logs[execution.pod_name].add(std::move(text), ended, options.tail,
                                   options.task.empty() ? execution.task + " | " : "", write);
      if (ended) over.insert(execution.pod_name);
    }
    if (last && !has_task) {
      const std::string near = core::nearest(options.task, {tasks.begin(), tasks.end()});
      throw core::UsageError(
          {.message = fmt::format("the run has no task {}{}", options.task,
                                  near.empty() ? "" : fmt::format(", did you mean {}?", near))});
    }
    if (last && !has_log && !options.task.empty())
      throw core::InputError(
          {.message = fmt::format("task {} has no log: its result was reused from another run, "
                                  "or its container has not started",
                                  options.task)});
    if (last || core::interrupt_requested()) return;
    client.http().wait(options.interval_s);
  }
}

}  // namespace kfp::client
