#include "storage/storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/remote.h"
#include "storage/backend.h"
#include "storage/cached_file.h"
#include "storage/detail/backends.h"
#include "storage/fault.h"
#include "storage/retry.h"

namespace storage {
namespace {

namespace fs = std::filesystem;

struct Protocol {
  const char* scheme;
  std::unique_ptr<Backend> (*make)(const Settings&);
};

constexpr Protocol kProtocols[] = {{"root", xrootd_backend},  {"roots", xrootd_backend},
                                   {"xroot", xrootd_backend}, {"xroots", xrootd_backend},
                                   {"https", web_backend},    {"http", web_backend},
                                   {"s3", s3_backend}};

Settings settings() {
  Settings settings;
  const char* text = std::getenv(kTimeoutVariable);
  if (text == nullptr || *text == '\0') return settings;
  char* end = nullptr;
  settings.timeout_s = std::strtod(text, &end);
  if (*end != '\0' || !(settings.timeout_s >= 1 && settings.timeout_s <= 3600))
    throw core::UsageError({.message = fmt::format("is \"{}\" instead of a number from 1 to 3600", text),
                            .field = kTimeoutVariable});
  return settings;
}

// Sends with progress, retries and errors that name the URL.
class Upload final : public core::RemoteUpload {
 public:
  Upload(Retry retry, std::unique_ptr<Sender> sender)
      : retry_(std::move(retry)), sender_(std::move(sender)) {}

  void send(const fs::path& file, const std::string& name) override {
    constexpr double kMegabyte = 1e6;
    core::Progress progress("upload " + file.filename().string(),
                            std::llround(static_cast<double>(fs::file_size(file)) / kMegabyte), "MB");
    retry_("written", [&] {
      sender_->send(file, name, [&](std::uint64_t bytes) {
        if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
        progress.update(std::llround(static_cast<double>(bytes) / kMegabyte));
      });
    });
  }

  void commit() override {
    retry_("written", [&] { sender_->commit(); });
  }

 private:
  Retry retry_;
  std::unique_ptr<Sender> sender_;
};

class Storage final : public core::RemoteStorage {
 public:
  /// @param s3_endpoint  empty: from the environment
  explicit Storage(std::string s3_endpoint = {}) : s3_endpoint_(std::move(s3_endpoint)) {}

  std::optional<core::RemoteStatus> status(const fs::path& url) override {
    const Retry retry = retry_for(url);
    return retry("found", [&] { return retry.backend().status(url.string()); });
  }

  std::vector<core::RemoteEntry> files_in(const fs::path& url) override {
    const Retry retry = retry_for(url);
    auto entries = retry("listed", [&] { return retry.backend().files_in(url.string()); });
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  std::string content_id(const fs::path& url) override {
    const Retry retry = retry_for(url);
    const auto checksum = retry("read", [&] { return retry.backend().checksum(url.string()); });
    const auto there = status(url);
    if (!there) throw core::InputError({.message = "does not exist", .file = url});
    return fmt::format("{} {}", there->size_bytes, checksum ? *checksum : there->version);
  }

  std::unique_ptr<core::RemoteFile> open(const fs::path& url) override {
    return std::make_unique<CachedFile>(retry_for(url));
  }

  std::unique_ptr<core::RemoteUpload> upload(const fs::path& url, bool is_folder) override {
    const Retry retry = retry_for(url);
    return std::make_unique<Upload>(
        retry, retry("written", [&] { return retry.backend().upload(url.string(), is_folder); }));
  }

  RemoteStorage& with_s3_endpoint(const std::string& endpoint) override {
    const std::lock_guard lock(mutex_);
    auto& other = others_[endpoint];
    if (!other) other = std::make_unique<Storage>(endpoint);
    return *other;
  }

 private:
  Retry retry_for(const fs::path& url) {
    const std::lock_guard lock(mutex_);
    // With the first URL: before, a mistake in the environment does not matter.
    if (!settings_) {
      settings_ = settings();
      settings_->s3_endpoint = s3_endpoint_;
    }
    return {url, backend(url), *settings_};
  }

  Backend& backend(const fs::path& url) {
    const std::string text = url.string(), scheme = text.substr(0, text.find("://"));
    for (const Protocol& protocol : kProtocols) {
      if (scheme != protocol.scheme) continue;
      auto& made = made_[protocol.make];
      if (!made) made = protocol.make(*settings_);
      return *made;
    }
    throw core::UsageError({.message = fmt::format("has the unknown scheme \"{}\"", scheme),
                            .file = url,
                            .hint = "known: root, https, s3 (doc/storage.md)"});
  }

  std::string s3_endpoint_;
  std::optional<Settings> settings_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Storage>> others_;  // by their endpoint
  std::map<decltype(Protocol::make), std::unique_ptr<Backend>> made_;
};

}  // namespace

void provide() {
  // Never destroyed: the libraries of the protocols have threads of their own, which may outlive static
  // objects.
  static auto& storage = *new Storage;
  core::provide_remote_storage(storage);
}

}  // namespace storage
