#include <XrdCl/XrdClDefaultEnv.hh>
#include <XrdCl/XrdClFileSystem.hh>
#include <XrdCl/XrdClURL.hh>
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/provenance.h"
#include "storage/detail/xrootd_entry.h"
#include "storage/fault.h"
#include "storage/xrootd/file.h"
#include "storage/xrootd/sender.h"
#include "storage/xrootd/status.h"

namespace storage {
namespace {

// The client repeats requests itself, for up to half an hour by default. A value that the user sets (XRD_…)
// stays.
void set_time_limits(const Settings& settings) {
  XrdCl::Env* const environment = XrdCl::DefaultEnv::GetEnv();
  const int limit = limit_s(settings);
  environment->PutInt("ConnectionWindow", std::min(limit, 30));
  environment->PutInt("ConnectionRetry", 1);
  environment->PutInt("RequestTimeout", limit);
  environment->PutInt("StreamTimeout", limit);
  environment->PutInt("StreamErrorWindow", 1);
  environment->PutInt("TimeoutResolution", 1);
}

core::RemoteStatus status_of(const XrdCl::StatInfo& info) {
  const bool is_folder = info.TestFlags(XrdCl::StatInfo::IsDir);
  return {.is_folder = is_folder,
          .size_bytes = is_folder ? 0 : info.GetSize(),
          .version = std::to_string(info.GetModTime())};
}

class Xrootd final : public Backend {
 public:
  explicit Xrootd(const Settings& settings) : settings_(settings), limit_s_(limit_s(settings)) {
    set_time_limits(settings);
  }

  std::optional<core::RemoteStatus> status(const std::string& url) override {
    const XrdCl::URL parsed = parse(url);
    XrdCl::FileSystem server(parsed);
    XrdCl::StatInfo* raw = nullptr;
    const XrdCl::XRootDStatus status = server.Stat(parsed.GetPathWithParams(), raw, limit_s_);
    const std::unique_ptr<XrdCl::StatInfo> info(raw);
    if (is_missing(status)) return std::nullopt;
    check(status);
    return status_of(*info);
  }

  std::vector<core::RemoteEntry> files_in(const std::string& url) override {
    const XrdCl::URL parsed = parse(url);
    XrdCl::FileSystem server(parsed);
    std::vector<core::RemoteEntry> files;
    add_files(server, parsed.GetPath(), "", files);
    return files;
  }

  std::optional<std::string> checksum(const std::string& url) override {
    const auto adler32 = adler32_at(url, settings_);
    if (!adler32) return std::nullopt;
    return "adler32:" + *adler32;
  }

  std::unique_ptr<Source> open(const std::string& url) override {
    parse(url);
    return open_xrootd_file(url, settings_);
  }

  std::unique_ptr<Sender> upload(const std::string& url, bool is_folder) override {
    parse(url);
    return xrootd_sender(url, is_folder, settings_);
  }

  std::string login_hint() const override {
    return "log in with kinit, or name a file with a token in BEARER_TOKEN_FILE; klist shows when a ticket "
           "expires";
  }

 private:
  static XrdCl::URL parse(const std::string& url) {
    XrdCl::URL parsed(url);
    if (!parsed.IsValid() || parsed.GetHostName().empty() || parsed.GetPath().empty())
      throw core::UsageError({.message = "is not a URL of XRootD",
                              .file = url,
                              .hint = "the form is root://SERVER//FOLDER/FILE"});
    return parsed;
  }

  void add_files(XrdCl::FileSystem& server, const std::string& folder, const std::string& before,
                 std::vector<core::RemoteEntry>& files) {
    XrdCl::DirectoryList* raw = nullptr;
    const XrdCl::XRootDStatus status = server.DirList(folder, XrdCl::DirListFlags::Stat, raw, limit_s_);
    const std::unique_ptr<XrdCl::DirectoryList> list(raw);
    check(status);
    for (std::uint32_t i = 0; i < list->GetSize(); ++i) {
      const XrdCl::DirectoryList::ListEntry* entry = list->At(i);
      const std::string path = folder + "/" + entry->GetName(), name = before + entry->GetName();
      core::RemoteStatus found;
      if (const XrdCl::StatInfo* info = entry->GetStatInfo()) {
        found = status_of(*info);
      } else {
        XrdCl::StatInfo* asked = nullptr;
        const XrdCl::XRootDStatus answer = server.Stat(path, asked, limit_s_);
        const std::unique_ptr<XrdCl::StatInfo> owner(asked);
        check(answer);
        found = status_of(*asked);
      }
      if (found.is_folder)
        add_files(server, path, name + "/", files);
      else
        files.push_back({.name = name, .status = std::move(found)});
    }
  }

  Settings settings_;
  std::uint16_t limit_s_;
};

}  // namespace
}  // namespace storage

extern "C" __attribute__((visibility("default"))) const storage::XrootdEntry* calopipe_xrootd() {
  static const storage::XrootdEntry entry{.calopipe_version = core::version(),
                                          .make = [](const storage::Settings& settings) -> storage::Backend* {
                                            static auto& backend = *new storage::Xrootd(settings);
                                            return &backend;
                                          }};
  return &entry;
}
