#include "tracking/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "core/error.h"
#include "core/hash.h"
#include "core/json_file.h"
#include "core/staged_output.h"

namespace tracking {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kJournal = "journal.jsonl";
constexpr const char* kSent = "sent.json";
constexpr const char* kFiles = "files";

[[noreturn]] void fail(const fs::path& file) {
  throw core::UnavailableError(
      {.message = fmt::format("records cannot be written: {}", std::strerror(errno)), .file = file});
}

std::string content_of(const fs::path& file, std::uint64_t from = 0) {
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(from));
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

std::unique_ptr<Journal> Journal::open(const fs::path& queue, const std::string& id) {
  const fs::path folder = queue / id, file = folder / kJournal;
  std::error_code error;
  fs::create_directories(folder / kFiles, error);
  if (error)
    throw core::UnavailableError(
        {.message = "records cannot be written: " + error.message(), .file = folder});
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(file);
  std::unique_ptr<Journal> journal(new Journal(folder, descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return nullptr;
    fail(file);
  }
  struct stat status {};
  // Another process may have sent and removed it between the two calls.
  if (::fstat(descriptor, &status) != 0 || status.st_nlink == 0) return open(queue, id);
  const std::string text = content_of(file);
  const std::size_t complete = text.rfind('\n') + 1;  // 0 if there is none
  if (complete < text.size() && ::ftruncate(descriptor, static_cast<off_t>(complete)) != 0) fail(file);
  for (const auto& entry : fs::directory_iterator(folder / kFiles))
    journal->files_ = std::max<std::int64_t>(journal->files_, std::atoll(entry.path().filename().c_str()));
  return journal;
}

Journal::Journal(fs::path folder, int descriptor) : folder_(std::move(folder)), descriptor_(descriptor) {}

Journal::~Journal() {
  ::close(descriptor_);
}

void Journal::append(const std::vector<Record>& records) {
  std::string lines;
  for (const Record& record : records)
    lines += record.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  for (std::size_t done = 0; done < lines.size();) {
    const ssize_t written = ::write(descriptor_, lines.data() + done, lines.size() - done);
    if (written < 0 && errno != EINTR) fail(folder_ / kJournal);
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

void Journal::append_artifact(const fs::path& file, const std::string& path) {
  const std::string name = fmt::format("{}/{}", kFiles, ++files_);
  std::error_code error;
  // An output of calopipe is replaced by renaming, which leaves the content of a hard link as it is.
  fs::create_hard_link(file, folder_ / name, error);
  if (error) fs::copy_file(file, folder_ / name, error);
  if (error)
    throw core::UnavailableError(
        {.message = "cannot be kept for the server: " + error.message(), .file = file});
  append({{{"record", "artifact"},
           {"file", name},
           {"path", path},
           {"sha256", core::sha256_of_path(folder_ / name)}}});
}

std::vector<Journal::Line> Journal::read(std::uint64_t from) const {
  const std::string text = content_of(folder_ / kJournal, from);
  std::vector<Line> lines;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) return lines;
    json record = json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                              text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (!record.is_object() || !record.contains("record") || !record["record"].is_string())
      throw core::InputError({.message = fmt::format("byte {}: is not a record", from + begin),
                              .file = folder_ / kJournal,
                              .hint = "calopipe runs sync --drop removes the run's records"});
    begin = end + 1;
    lines.push_back({.record = std::move(record), .end = from + begin});
  }
}

json Journal::sent() const {
  const fs::path file = folder_ / kSent;
  std::error_code error;
  return fs::exists(file, error) ? core::read_json(file) : json::object();
}

void Journal::set_sent(const json& sent) const {
  core::write_file(folder_ / kSent, sent.dump() + "\n");
}

void Journal::remove() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string new_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

std::vector<Waiting> waiting(const fs::path& queue) {
  std::vector<Waiting> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(queue, error)) {
    std::ifstream journal(entry.path() / kJournal);
    std::string line;
    std::getline(journal, line);
    json start = json::parse(line, nullptr, false);
    if (!start.is_object()) start = nullptr;
    found.push_back({.id = entry.path().filename().string(), .start = std::move(start)});
  }
  const auto time_of = [](const Waiting& run) {
    const bool has_time =
        run.start.is_object() && run.start.contains("time_ms") && run.start["time_ms"].is_number();
    return has_time ? run.start["time_ms"].get<double>() : 0;
  };
  std::sort(found.begin(), found.end(), [&](const Waiting& a, const Waiting& b) {
    return std::pair(time_of(a), a.id) < std::pair(time_of(b), b.id);
  });
  return found;
}

}  // namespace tracking
