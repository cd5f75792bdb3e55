#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/remote.h"
#include "storage/retry.h"

namespace storage {

/// A file of a server with a cache for HDF5's way of reading: small pieces of metadata, read again and again,
/// and large pieces of data, read once and mostly in order.
///
/// - Small pieces are read in aligned pages, of which the last used are kept.
/// - Large pieces go directly into the reader's memory, all of one call with one request of the protocol.
/// - If large pieces follow each other, the next part of the file is fetched in the background. It is at most
/// half
///   as long as what was read in order before, so that reading a small part of a file transfers little more.
///   Several places of a file can be read in turns.
///
/// If the server fails, the file is opened again; if it has changed meanwhile, reading ends with an error.
class CachedFile final : public core::RemoteFile {
 public:
  /// Opens the file. @throws as Retry
  explicit CachedFile(Retry retry);
  ~CachedFile() override;

  std::uint64_t size_bytes() const override { return size_bytes_; }
  void read(std::span<const core::RemotePiece> pieces) override;

 private:
  using Bytes = std::vector<std::byte>;
  struct Ahead {
    std::uint64_t begin, end;
    std::future<Bytes> bytes;
    Bytes ready;
  };
  // A place of the file that is read in order.
  struct Stream {
    std::uint64_t next = 0;      // end of the last piece
    std::uint64_t in_order = 0;  // bytes that were read one after another
    std::uint64_t last_use = 0;
    bool is_continued = false;  // by the last call of read()
    std::deque<Ahead> ahead;    // in the order of the file, without gaps
  };
  struct Page {
    Bytes bytes;
    std::list<std::uint64_t>::iterator use;
  };

  void read_small(const core::RemotePiece& piece);
  const Bytes& page(std::uint64_t number);
  std::uint64_t read_from_ahead(const core::RemotePiece& piece);
  Stream& stream_at(std::uint64_t begin);
  void note(std::uint64_t begin, std::uint64_t end);
  void read_ahead(Stream& stream);
  Ahead fetch_ahead(std::uint64_t begin, std::uint64_t end);
  void fetch(std::span<const core::RemotePiece> pieces);
  std::shared_ptr<Source> source();
  void reopen(const std::shared_ptr<Source>& failed);

  Retry retry_;
  std::uint64_t size_bytes_ = 0;
  std::string version_;
  std::mutex mutex_;  // of source_
  std::shared_ptr<Source> source_;
  std::map<std::uint64_t, Page> pages_;
  std::list<std::uint64_t> use_;  // page numbers, the last used first
  std::array<Stream, 4> streams_;
  std::uint64_t uses_ = 0;    // of streams
  std::vector<Bytes> spare_;  // memory of what was read ahead and is read
};

}  // namespace storage
