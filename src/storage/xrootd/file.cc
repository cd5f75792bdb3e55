#include "storage/xrootd/file.h"

#include <fmt/format.h>

#include <XrdCl/XrdClFile.hh>
#include <algorithm>

#include "storage/fault.h"
#include "storage/xrootd/status.h"

namespace storage {
namespace {

// Limits of a vector read in XRootD's servers.
constexpr std::size_t kMostChunks = 1024;
constexpr std::uint64_t kMostChunkBytes = 2'097'136;
// Larger pieces are read by themselves.
constexpr std::uint64_t kLarge = 1 << 20;
constexpr std::uint64_t kMostReadBytes = std::uint64_t{64} << 20;

class XrootdFile final : public Source {
 public:
  XrootdFile(const std::string& url, const Settings& settings) : limit_s_(limit_s(settings)) {
    check(file_.Open(url, XrdCl::OpenFlags::Read, XrdCl::Access::None, limit_s_));
    XrdCl::StatInfo* raw = nullptr;
    check(file_.Stat(false, raw, limit_s_));
    const std::unique_ptr<XrdCl::StatInfo> info(raw);
    if (info->TestFlags(XrdCl::StatInfo::IsDir)) throw Fault(Fault::Kind::kWrongKind, "it is a folder");
    size_bytes_ = info->GetSize();
    version_ = std::to_string(info->GetModTime());
  }
  XrootdFile(const XrootdFile&) = delete;
  XrootdFile& operator=(const XrootdFile&) = delete;
  ~XrootdFile() override {
    if (file_.IsOpen()) static_cast<void>(file_.Close(1).IsOK());
  }

  std::uint64_t size_bytes() const override { return size_bytes_; }
  std::string version() const override { return version_; }

  void read(std::span<const core::RemotePiece> pieces) override {
    XrdCl::ChunkList chunks;
    for (const core::RemotePiece& piece : pieces) {
      if (pieces.size() == 1 || piece.into.size() > kLarge) {
        read_alone(piece);
        continue;
      }
      chunks.emplace_back(piece.offset, static_cast<std::uint32_t>(piece.into.size()), piece.into.data());
      if (chunks.size() == kMostChunks) read_together(chunks);
    }
    if (!chunks.empty()) read_together(chunks);
  }

 private:
  static_assert(kLarge <= kMostChunkBytes);

  void read_alone(const core::RemotePiece& piece) {
    for (std::uint64_t done = 0; done < piece.into.size();) {
      const auto size = static_cast<std::uint32_t>(std::min(kMostReadBytes, piece.into.size() - done));
      std::uint32_t read = 0;
      check(file_.Read(piece.offset + done, size, piece.into.data() + done, read, limit_s_));
      if (read == 0)
        throw Fault(Fault::Kind::kDamaged, fmt::format("it had {} bytes, but now it ends at byte {}",
                                                       size_bytes_, piece.offset + done));
      done += read;
    }
  }

  void read_together(XrdCl::ChunkList& chunks) {
    XrdCl::VectorReadInfo* raw = nullptr;
    check(file_.VectorRead(chunks, nullptr, raw, limit_s_));
    const std::unique_ptr<XrdCl::VectorReadInfo> info(raw);
    std::uint64_t wanted = 0;
    for (const XrdCl::ChunkInfo& chunk : chunks) wanted += chunk.length;
    if (info->GetSize() != wanted)
      throw Fault(Fault::Kind::kDamaged,
                  fmt::format("the server sent {} of {} bytes", info->GetSize(), wanted));
    chunks.clear();
  }

  std::uint16_t limit_s_;
  XrdCl::File file_;
  std::uint64_t size_bytes_ = 0;
  std::string version_;
};

}  // namespace

std::unique_ptr<Source> open_xrootd_file(const std::string& url, const Settings& settings) {
  return std::make_unique<XrootdFile>(url, settings);
}

}  // namespace storage
