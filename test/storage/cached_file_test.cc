#include "storage/cached_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <random>

#include "core/error.h"
#include "storage/fault.h"

namespace {

using core::RemotePiece;

// A server in memory that counts and fails on request.
class Memory final : public storage::Backend {
 public:
  explicit Memory(std::size_t size) : bytes(size) {
    std::mt19937 random(5);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 255);
  }

  std::optional<core::RemoteStatus> status(const std::string&) override { return core::RemoteStatus{}; }
  std::vector<core::RemoteEntry> files_in(const std::string&) override { return {}; }
  std::optional<std::string> checksum(const std::string&) override { return std::nullopt; }
  std::unique_ptr<storage::Sender> upload(const std::string&, bool) override { return nullptr; }
  std::string login_hint() const override { return "log in"; }
  std::unique_ptr<storage::Source> open(const std::string&) override {
    ++opened;
    return std::make_unique<Opened>(*this);
  }

  std::vector<std::byte> bytes;
  std::string version = "1";
  std::atomic<std::uint64_t> transferred = 0;
  std::atomic<int> requests = 0, opened = 0, failures = 0;
  storage::Fault::Kind failure = storage::Fault::Kind::kUnreachable;

 private:
  class Opened final : public storage::Source {
   public:
    explicit Opened(Memory& memory) : memory_(memory), version_(memory.version) {}
    std::uint64_t size_bytes() const override { return memory_.bytes.size(); }
    std::string version() const override { return version_; }
    void read(std::span<const RemotePiece> pieces) override {
      ++memory_.requests;
      if (memory_.failures > 0) {
        --memory_.failures;
        throw storage::Fault(memory_.failure, "the cable is cut");
      }
      for (const RemotePiece& piece : pieces) {
        std::memcpy(piece.into.data(), memory_.bytes.data() + piece.offset, piece.into.size());
        memory_.transferred += piece.into.size();
      }
    }

   private:
    Memory& memory_;
    std::string version_;
  };
};

storage::Retry retry(Memory& memory) {
  return {"root://here//file", memory, {.timeout_s = 2}};
}

void expect_same(const Memory& memory, std::uint64_t offset, std::span<const std::byte> read) {
  ASSERT_TRUE(
      std::equal(read.begin(), read.end(), memory.bytes.begin() + static_cast<std::ptrdiff_t>(offset)))
      << "at " << offset;
}

TEST(CachedFile, GivesTheBytesOfTheFileInAnyOrder) {
  Memory memory(5'000'001);
  storage::CachedFile file(retry(memory));
  ASSERT_EQ(file.size_bytes(), memory.bytes.size());
  std::mt19937 random(11);
  std::uint64_t at = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::vector<std::byte>> into(1 + random() % 3);
    std::vector<RemotePiece> pieces;
    for (auto& bytes : into) {
      // Sometimes somewhere else, mostly further on.
      if (random() % 4 == 0) at = random() % memory.bytes.size();
      bytes.resize(std::min<std::uint64_t>(random() % 3 == 0 ? random() % 300'000 : random() % 3000,
                                           memory.bytes.size() - at));
      pieces.push_back({.offset = at, .into = bytes});
      at = (at + bytes.size()) % memory.bytes.size();
    }
    file.read(pieces);
    for (const RemotePiece& piece : pieces) expect_same(memory, piece.offset, piece.into);
  }
}

TEST(CachedFile, ReadsSmallPiecesAgainFromItsPages) {
  Memory memory(1'000'000);
  storage::CachedFile file(retry(memory));
  std::vector<std::byte> bytes(512);
  for (int i = 0; i < 100; ++i) {
    const RemotePiece piece{.offset = static_cast<std::uint64_t>(i) * 512, .into = bytes};
    file.read({&piece, 1});
    expect_same(memory, piece.offset, bytes);
  }
  EXPECT_EQ(memory.requests, 4);
}

TEST(CachedFile, ReadsManyPiecesWithOneRequest) {
  Memory memory(50'000'000);
  storage::CachedFile file(retry(memory));
  std::vector<std::vector<std::byte>> into(100, std::vector<std::byte>(100'000));
  std::vector<RemotePiece> pieces;
  for (std::size_t i = 0; i < into.size(); ++i) pieces.push_back({.offset = i * 400'000, .into = into[i]});
  file.read(pieces);
  EXPECT_EQ(memory.requests, 1);
  EXPECT_EQ(memory.transferred, 10'000'000U);
}

TEST(CachedFile, ReadsAheadAtMostHalfOfWhatWasReadInOrder) {
  Memory memory(100'000'000);
  std::uint64_t wanted = 0;
  {
    storage::CachedFile file(retry(memory));
    std::vector<std::byte> bytes(200'000);
    for (int i = 0; i < 20; ++i) {
      const RemotePiece piece{.offset = 3'000'000 + static_cast<std::uint64_t>(i) * bytes.size(),
                              .into = bytes};
      file.read({&piece, 1});
      expect_same(memory, piece.offset, bytes);
      wanted += bytes.size();
    }
  }
  EXPECT_GT(memory.transferred, wanted);
  EXPECT_LE(memory.transferred, wanted + wanted / 2);
}

TEST(CachedFile, TransfersAWholeFileOnce) {
  Memory memory(40'000'000);
  {
    storage::CachedFile file(retry(memory));
    std::vector<std::byte> bytes(100'000);
    for (std::uint64_t at = 0; at < memory.bytes.size(); at += bytes.size()) {
      const RemotePiece piece{.offset = at, .into = bytes};
      file.read({&piece, 1});
      expect_same(memory, at, bytes);
    }
  }
  EXPECT_EQ(memory.transferred, memory.bytes.size());
  EXPECT_LT(memory.requests, 80);
}

TEST(CachedFile, OpensTheFileAgainAfterAFailure) {
  Memory memory(1'000'000);
  storage::CachedFile file(retry(memory));
  memory.failures = 2;
  std::vector<std::byte> bytes(100'000);
  const RemotePiece piece{.offset = 5, .into = bytes};
  file.read({&piece, 1});
  expect_same(memory, 5, bytes);
  EXPECT_EQ(memory.opened, 3);
}

TEST(CachedFile, DoesNotMixTwoVersionsOfAFile) {
  Memory memory(1'000'000);
  storage::CachedFile file(retry(memory));
  memory.failures = 1;
  memory.version = "2";
  std::vector<std::byte> bytes(100'000);
  const RemotePiece piece{.offset = 5, .into = bytes};
  EXPECT_THROW(file.read({&piece, 1}), core::InputError);
}

TEST(CachedFile, SaysWhatFailedAndWhatToDo) {
  Memory memory(1'000'000);
  storage::CachedFile file(retry(memory));
  std::vector<std::byte> bytes(100'000);
  const RemotePiece piece{.offset = 5, .into = bytes};
  memory.failures = 1'000'000;
  memory.failure = storage::Fault::Kind::kLogin;
  try {
    file.read({&piece, 1});
    FAIL();
  } catch (const core::UnavailableError& error) {
    EXPECT_STREQ(error.what(), "root://here//file: cannot be read: the cable is cut (log in)");
  }
  memory.failure = storage::Fault::Kind::kUnreachable;
  try {
    file.read({&piece, 1});
    FAIL();
  } catch (const core::UnavailableError& error) {
    EXPECT_NE(error.details().hint.find("times"), std::string::npos) << error.what();
  }
  memory.failure = storage::Fault::Kind::kDamaged;
  EXPECT_THROW(file.read({&piece, 1}), core::InputError);
}

TEST(CachedFile, RefusesToReadBeyondTheEnd) {
  Memory memory(1000);
  storage::CachedFile file(retry(memory));
  std::vector<std::byte> bytes(10);
  const RemotePiece piece{.offset = 995, .into = bytes};
  EXPECT_THROW(file.read({&piece, 1}), core::InputError);
}

}  // namespace
