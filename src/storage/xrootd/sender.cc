#include "storage/xrootd/sender.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <XProtocol/XProtocol.hh>
#include <XrdCl/XrdClFile.hh>
#include <XrdCl/XrdClFileSystem.hh>
#include <XrdCl/XrdClURL.hh>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "core/error.h"
#include "storage/fault.h"
#include "storage/xrootd/file.h"
#include "storage/xrootd/status.h"

namespace storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{8} << 20;
const auto kFileMode = XrdCl::Access::UR | XrdCl::Access::UW | XrdCl::Access::GR | XrdCl::Access::OR;
const auto kFolderMode = XrdCl::Access::UR | XrdCl::Access::UW | XrdCl::Access::UX | XrdCl::Access::GR |
                         XrdCl::Access::GX | XrdCl::Access::OR | XrdCl::Access::OX;

std::string hex(unsigned long checksum) {
  return fmt::format("{:08x}", checksum);
}

std::string random_suffix() {
  std::random_device random;
  return fmt::format(".partial-{}-{:08x}", ::getpid(), random());
}

// Adler-32 of what can be read at the URL.
std::string adler32_of(const std::string& url, const Settings& settings) {
  const auto source = open_xrootd_file(url, settings);
  std::vector<std::byte> bytes;
  unsigned long checksum = ::adler32(0, nullptr, 0);
  for (std::uint64_t at = 0; at < source->size_bytes(); at += bytes.size()) {
    bytes.resize(std::min<std::uint64_t>(kPiece, source->size_bytes() - at));
    const core::RemotePiece piece{.offset = at, .into = bytes};
    source->read({&piece, 1});
    checksum =
        ::adler32(checksum, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
  }
  return hex(checksum);
}

// The output is written beside its final place under a hidden name, and renamed by commit().
class XrootdSender final : public Sender {
 public:
  XrootdSender(const std::string& url, bool is_folder, const Settings& settings)
      : settings_(settings),
        limit_s_(limit_s(settings)),
        url_(url),
        server_(url_),
        is_folder_(is_folder),
        final_(url_.GetPath()) {
    const std::size_t slash = final_.rfind('/');
    parent_ = final_.substr(0, slash);
    temporary_ = parent_ + "/." + final_.substr(slash + 1) + random_suffix();
    if (!parent_.empty()) make_folder(parent_);
    // Shows at once whether the user may write there.
    if (is_folder_)
      make_folder(temporary_);
    else
      write_empty();
  }
  XrootdSender(const XrootdSender&) = delete;
  XrootdSender& operator=(const XrootdSender&) = delete;
  ~XrootdSender() override {
    if (is_committed_) return;
    try {
      remove(temporary_, is_folder_);
    } catch (const std::exception&) {
      // It stays under its temporary name.
    }
  }

  void send(const fs::path& file, const std::string& name, const OnBytes& on_bytes) override {
    const std::string target = is_folder_ ? temporary_ + "/" + name : temporary_;
    const std::string checksum = write(file, target, on_bytes);
    std::optional<std::string> stored = adler32_at(url_of(target), settings_);
    if (!stored) stored = adler32_of(url_of(target), settings_);
    if (*stored != checksum)
      throw Fault(Fault::Kind::kUnreachable,
                  fmt::format("the server has other bytes than were sent (adler32 {} instead of {})", *stored,
                              checksum));
  }

  void commit() override {
    // An earlier attempt may have succeeded although its answer was lost.
    if (!exists(temporary_) && exists(final_)) {
      is_committed_ = true;
      return;
    }
    XrdCl::XRootDStatus moved = server_.Mv(temporary_, final_, limit_s_);
    if (!moved.IsOK() && exists(final_)) moved = replace();
    check(moved);
    is_committed_ = true;
  }

 private:
  std::string url_of(const std::string& path) const {
    XrdCl::URL url = url_;
    url.SetPath(path);
    return url.GetURL();
  }

  bool exists(const std::string& path) {
    XrdCl::StatInfo* raw = nullptr;
    const XrdCl::XRootDStatus status = server_.Stat(path, raw, limit_s_);
    const std::unique_ptr<XrdCl::StatInfo> info(raw);
    if (is_missing(status)) return false;
    check(status);
    return true;
  }

  void make_folder(const std::string& path) {
    const XrdCl::XRootDStatus status =
        server_.MkDir(path, XrdCl::MkDirFlags::MakePath, kFolderMode, limit_s_);
    if (status.code == XrdCl::errErrorResponse && status.errNo == kXR_ItExists) return;
    // Some servers refuse to make a folder that exists for another reason.
    if (!status.IsOK() && exists(path)) return;
    check(status);
  }

  void write_empty() {
    XrdCl::File file;
    check(file.Open(url_of(temporary_), XrdCl::OpenFlags::Delete | XrdCl::OpenFlags::Write, kFileMode,
                    limit_s_));
    check(file.Close(limit_s_));
  }

  // Returns the Adler-32 of the local file.
  std::string write(const fs::path& local, const std::string& target, const OnBytes& on_bytes) {
    std::ifstream in(local, std::ios::binary);
    XrdCl::File file;
    check(file.Open(url_of(target),
                    XrdCl::OpenFlags::Delete | XrdCl::OpenFlags::Write | XrdCl::OpenFlags::MakePath,
                    kFileMode, limit_s_));
    try {
      std::vector<char> bytes(kPiece);
      unsigned long checksum = ::adler32(0, nullptr, 0);
      std::uint64_t at = 0;
      const std::uint64_t size = fs::file_size(local);
      while (at < size) {
        const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(kPiece, size - at));
        if (!in.read(bytes.data(), count))
          throw core::UnavailableError({.message = "cannot be read again", .file = local});
        checksum = ::adler32(checksum, reinterpret_cast<const Bytef*>(bytes.data()), count);
        check(file.Write(at, count, bytes.data(), limit_s_));
        at += count;
        on_bytes(at);
      }
      check(file.Sync(limit_s_));
      check(file.Close(limit_s_));
      return hex(checksum);
    } catch (...) {
      if (file.IsOpen()) static_cast<void>(file.Close(1).IsOK());
      throw;
    }
  }

  // For servers that do not rename onto something that exists, and for folders.
  XrdCl::XRootDStatus replace() {
    const std::string old = temporary_ + ".old";
    if (XrdCl::XRootDStatus status = server_.Mv(final_, old, limit_s_); !status.IsOK()) return status;
    XrdCl::XRootDStatus moved = server_.Mv(temporary_, final_, limit_s_);
    if (!moved.IsOK()) {
      static_cast<void>(server_.Mv(old, final_, limit_s_).IsOK());
      return moved;
    }
    remove(old, is_folder_);
    return moved;
  }

  void remove(const std::string& path, bool is_folder) {
    if (is_folder) {
      XrdCl::DirectoryList* raw = nullptr;
      const XrdCl::XRootDStatus status = server_.DirList(path, XrdCl::DirListFlags::Stat, raw, limit_s_);
      const std::unique_ptr<XrdCl::DirectoryList> list(raw);
      if (is_missing(status)) return;
      check(status);
      for (std::uint32_t i = 0; i < list->GetSize(); ++i) {
        const XrdCl::DirectoryList::ListEntry* entry = list->At(i);
        const XrdCl::StatInfo* info = entry->GetStatInfo();
        remove(path + "/" + entry->GetName(), info != nullptr && info->TestFlags(XrdCl::StatInfo::IsDir));
      }
    }
    const XrdCl::XRootDStatus status = is_folder ? server_.RmDir(path, limit_s_) : server_.Rm(path, limit_s_);
    if (!is_missing(status)) check(status);
  }

  Settings settings_;
  std::uint16_t limit_s_;
  XrdCl::URL url_;
  XrdCl::FileSystem server_;
  bool is_folder_;
  std::string final_, parent_, temporary_;
  bool is_committed_ = false;
};

}  // namespace

std::unique_ptr<Sender> xrootd_sender(const std::string& url, bool is_folder, const Settings& settings) {
  return std::make_unique<XrootdSender>(url, is_folder, settings);
}

std::optional<std::string> adler32_at(const std::string& url, const Settings& settings) {
  const XrdCl::URL parsed(url);
  XrdCl::FileSystem server(parsed);
  XrdCl::Buffer question;
  question.FromString(parsed.GetPathWithParams() + (parsed.GetParams().empty() ? "?" : "&") +
                      "cks.type=adler32");
  XrdCl::Buffer* raw = nullptr;
  const XrdCl::XRootDStatus status =
      server.Query(XrdCl::QueryCode::Checksum, question, raw, limit_s(settings));
  const std::unique_ptr<XrdCl::Buffer> answer(raw);
  const bool is_answer = status.code == XrdCl::errErrorResponse;
  if (is_answer && status.errNo != kXR_NotAuthorized && status.errNo != kXR_NotFound) return std::nullopt;
  check(status);
  std::istringstream words(std::string(answer->GetBuffer(), answer->GetSize()));
  std::string kind, checksum;
  words >> kind >> checksum;
  checksum = checksum.c_str();  // ends at the zero that some servers send
  if (kind != "adler32" || checksum.empty()) return std::nullopt;
  return checksum.size() < 8 ? std::string(8 - checksum.size(), '0') + checksum : checksum;
}

}  // namespace storage
