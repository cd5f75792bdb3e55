#include "storage/cached_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/interrupt.h"

namespace storage {
namespace {

constexpr std::uint64_t kPage = 16 << 10;
constexpr std::size_t kMostPages = 256;
// Larger pieces are data.
constexpr std::uint64_t kLarge = 32 << 10;
// Pieces with a smaller gap between them are read in order: HDF5 puts its index between the data.
constexpr std::uint64_t kGap = 64 << 10;
constexpr std::uint64_t kMostAhead = std::uint64_t{32} << 20;
constexpr std::uint64_t kAheadRequest = std::uint64_t{8} << 20;

}  // namespace

CachedFile::CachedFile(Retry retry) : retry_(std::move(retry)) {
  source_ = retry_("opened", [&] { return retry_.backend().open(retry_.url().string()); });
  size_bytes_ = source_->size_bytes();
  version_ = source_->version();
}

CachedFile::~CachedFile() {
  for (Stream& stream : streams_) stream.ahead.clear();  // waits for what is still on its way
}

void CachedFile::read(std::span<const core::RemotePiece> pieces) {
  if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted", .file = retry_.url()});
  std::vector<core::RemotePiece> direct;
  for (const core::RemotePiece& piece : pieces) {
    const std::uint64_t size = piece.into.size();
    if (piece.offset > size_bytes_ || size > size_bytes_ - piece.offset)
      throw core::InputError({.message = fmt::format("has {} bytes, but {} were to be read from byte {} on",
                                                     size_bytes_, size, piece.offset),
                              .file = retry_.url()});
    if (size < kLarge && pieces.size() == 1) {
      read_small(piece);
      continue;
    }
    const std::uint64_t done = read_from_ahead(piece);
    if (done < size) direct.push_back({.offset = piece.offset + done, .into = piece.into.subspan(done)});
  }
  if (!direct.empty()) fetch(direct);
  if (pieces.size() == 1 && pieces[0].into.size() < kLarge) return;
  for (const core::RemotePiece& piece : pieces) note(piece.offset, piece.offset + piece.into.size());
  for (Stream& stream : streams_)
    if (stream.is_continued) read_ahead(stream);
}

void CachedFile::read_small(const core::RemotePiece& piece) {
  for (std::uint64_t done = 0; done < piece.into.size();) {
    const std::uint64_t at = piece.offset + done;
    const Bytes& bytes = page(at / kPage);
    const std::uint64_t inside = at % kPage;
    const std::uint64_t size = std::min(piece.into.size() - done, kPage - inside);
    std::memcpy(piece.into.data() + done, bytes.data() + inside, size);
    done += size;
  }
}

const CachedFile::Bytes& CachedFile::page(std::uint64_t number) {
  if (const auto found = pages_.find(number); found != pages_.end()) {
    use_.splice(use_.begin(), use_, found->second.use);
    return found->second.bytes;
  }
  Bytes bytes(std::min(kPage, size_bytes_ - number * kPage));
  const core::RemotePiece piece{.offset = number * kPage, .into = bytes};
  const std::uint64_t done = read_from_ahead(piece);
  if (const core::RemotePiece rest{.offset = piece.offset + done, .into = piece.into.subspan(done)};
      !rest.into.empty())
    fetch({&rest, 1});
  if (pages_.size() >= kMostPages) {
    pages_.erase(use_.back());
    use_.pop_back();
  }
  use_.push_front(number);
  return pages_.emplace(number, Page{.bytes = std::move(bytes), .use = use_.begin()}).first->second.bytes;
}

// Copies the beginning of the piece as far as it was fetched ahead, and returns the size of this part.
std::uint64_t CachedFile::read_from_ahead(const core::RemotePiece& piece) {
  std::uint64_t done = 0;
  for (Stream& stream : streams_)
    for (Ahead& ahead : stream.ahead) {
      const std::uint64_t at = piece.offset + done;
      if (done == piece.into.size() || at < ahead.begin) break;
      if (at >= ahead.end) continue;
      if (ahead.bytes.valid()) ahead.ready = ahead.bytes.get();
      const std::uint64_t size = std::min(piece.into.size() - done, ahead.end - at);
      std::memcpy(piece.into.data() + done, ahead.ready.data() + (at - ahead.begin), size);
      done += size;
    }
  return done;
}

// The stream that continues here, or a new one in place of the one that was not used for the longest time.
CachedFile::Stream& CachedFile::stream_at(std::uint64_t begin) {
  const auto continues = [&](const Stream& stream) {
    return stream.in_order > 0 && begin + kGap >= stream.next && begin <= stream.next + kGap;
  };
  const auto found = std::find_if(streams_.begin(), streams_.end(), continues);
  if (found != streams_.end()) return *found;
  const auto oldest =
      std::min_element(streams_.begin(), streams_.end(),
                       [](const Stream& a, const Stream& b) { return a.last_use < b.last_use; });
  *oldest = {};
  return *oldest;
}

// Notes that a large piece was read.
void CachedFile::note(std::uint64_t begin, std::uint64_t end) {
  Stream& stream = stream_at(begin);
  stream.is_continued = stream.in_order > 0;
  stream.in_order += end - begin;
  stream.next = end;
  stream.last_use = ++uses_;
}

// Fetches what probably follows.
void CachedFile::read_ahead(Stream& stream) {
  stream.is_continued = false;
  std::deque<Ahead>& ahead = stream.ahead;
  while (!ahead.empty() && ahead.front().end <= stream.next) {
    if (ahead.front().ready.size() == kAheadRequest) spare_.push_back(std::move(ahead.front().ready));
    ahead.pop_front();
  }
  const std::uint64_t wanted = std::min(size_bytes_, stream.next + std::min(kMostAhead, stream.in_order / 2));
  std::uint64_t from = ahead.empty() ? stream.next : ahead.back().end;
  // Not in many small requests.
  const std::uint64_t least = std::min(kAheadRequest, stream.in_order / 4);
  while (from < wanted && (wanted - from >= least || wanted == size_bytes_)) {
    const std::uint64_t to = std::min(wanted, from + kAheadRequest);
    ahead.push_back(fetch_ahead(from, to));
    from = to;
  }
  if (from >= size_bytes_) spare_.clear();  // many files may be open
}

// Fresh memory costs more than it does to fill it: memory is used again.
CachedFile::Ahead CachedFile::fetch_ahead(std::uint64_t begin, std::uint64_t end) {
  Bytes bytes;
  if (!spare_.empty() && end - begin == kAheadRequest) {
    bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  bytes.resize(end - begin);
  return {.begin = begin,
          .end = end,
          .bytes = std::async(std::launch::async, [=, this, bytes = std::move(bytes)]() mutable {
            const core::RemotePiece piece{.offset = begin, .into = bytes};
            fetch({&piece, 1});
            return std::move(bytes);
          })};
}

void CachedFile::fetch(std::span<const core::RemotePiece> pieces) {
  std::shared_ptr<Source> used;
  retry_("read", [&] {
    if (used) reopen(used);
    used = source();
    used->read(pieces);
  });
}

std::shared_ptr<Source> CachedFile::source() {
  const std::lock_guard lock(mutex_);
  return source_;
}

void CachedFile::reopen(const std::shared_ptr<Source>& failed) {
  const std::lock_guard lock(mutex_);
  if (source_ != failed) return;  // another thread has done it
  std::shared_ptr<Source> again = retry_.backend().open(retry_.url().string());
  if (again->size_bytes() != size_bytes_ || again->version() != version_)
    throw core::InputError({.message = "has changed while it was read", .file = retry_.url()});
  source_ = std::move(again);
}

}  // namespace storage
