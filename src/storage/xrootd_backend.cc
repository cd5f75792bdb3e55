#include "core/own_library.h"
#include "storage/detail/backends.h"
#include "storage/detail/xrootd_entry.h"

namespace storage {
namespace {

// Passes everything on to the object in the library, which must not be destroyed.
class Loaded final : public Backend {
 public:
  explicit Loaded(Backend& backend) : backend_(backend) {}

  std::optional<core::RemoteStatus> status(const std::string& url) override { return backend_.status(url); }
  std::vector<core::RemoteEntry> files_in(const std::string& url) override { return backend_.files_in(url); }
  std::optional<std::string> checksum(const std::string& url) override { return backend_.checksum(url); }
  std::unique_ptr<Source> open(const std::string& url) override { return backend_.open(url); }
  std::unique_ptr<Sender> upload(const std::string& url, bool is_folder) override {
    return backend_.upload(url, is_folder);
  }
  std::string login_hint() const override { return backend_.login_hint(); }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<Backend> xrootd_backend(const Settings& settings) {
  const core::OwnLibrary library{
      .file = "libcalopipe-xrootd.so",
      .variable = kXrootdVariable,
      .entry = kXrootdEntry,
      .uses = "XRootD's client",
      .missing = "root:// needs it: build calopipe with libxrootd-client-dev installed"};
  const XrootdEntry& entry = *reinterpret_cast<XrootdEntryFunction>(core::entry_of(library))();
  core::check_version(library, entry.calopipe_version);
  return std::make_unique<Loaded>(*entry.make(settings));
}

}  // namespace storage
