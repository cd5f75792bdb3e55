#include "core/staged_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "core/error.h"

namespace core {
namespace fs = std::filesystem;
namespace {

void sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  const int rc = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (rc != 0 && (error == ENOSPC || error == EIO || error == EDQUOT))
    throw UnavailableError(
        {.message = std::string("cannot be written: ") + std::strerror(error), .file = path});
}

[[noreturn]] void refuse_kind(const fs::path& path, StagedOutput::Kind kind) {
  throw UsageError({.message = kind == StagedOutput::Kind::kFolder ? "is a file, but the output is a folder"
                                                                   : "is a folder, but the output is a file",
                    .file = path,
                    .hint = "choose another output path"});
}

std::string unique_suffix() {
  static std::atomic<unsigned> counter{0};
  return ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

}  // namespace

StagedOutput::StagedOutput(fs::path final_path, Kind kind) : final_(std::move(final_path)), kind_(kind) {
  if (final_.empty()) throw UsageError({.message = "the path of an output must not be empty"});
  if (is_url(final_)) {
    start_upload();
    return;
  }
  final_ = fs::absolute(final_).lexically_normal();
  if (!final_.has_filename()) final_ = final_.parent_path();
  std::error_code error;
  const fs::file_status status = fs::status(final_, error);
  const bool exists = fs::exists(status);
  if (exists && !fs::is_directory(status) && !fs::is_regular_file(status))
    throw UsageError({.message = "is a device, a pipe or a similar file, which the output would replace",
                      .file = final_,
                      .hint = "choose another output path"});
  if (exists && fs::is_directory(status) != (kind == Kind::kFolder)) refuse_kind(final_, kind);
  fs::create_directories(final_.parent_path(), error);
  if (error)
    throw UnavailableError({.message = "the folder of the output cannot be created: " + error.message(),
                            .file = final_.parent_path(),
                            .hint = "choose a path that you may write to"});
  if (::access(final_.parent_path().c_str(), W_OK | X_OK) != 0)
    throw UnavailableError({.message = std::string("cannot be written to: ") + std::strerror(errno),
                            .file = final_.parent_path(),
                            .hint = "choose a path that you may write to"});
  staged_ = final_.parent_path() /
            ("." + final_.filename().string() + unique_suffix() + final_.extension().string());
  if (kind == Kind::kFolder) {
    fs::create_directory(staged_, error);
    if (error)
      throw UnavailableError(
          {.message = "the output folder cannot be created: " + error.message(), .file = final_});
  }
}

StagedOutput::~StagedOutput() {
  if (committed_ || folder_) return;
  std::error_code ignored;
  fs::remove_all(staged_, ignored);
}

void StagedOutput::start_upload() {
  if (!final_.has_filename()) final_ = final_.parent_path();
  const auto status = remote_storage().status(final_);
  if (status && status->is_folder != (kind_ == Kind::kFolder)) refuse_kind(final_, kind_);
  folder_ = std::make_unique<TempFolder>("output");
  staged_ = folder_->path() / fs::path(shown(final_)).filename();
  if (kind_ == Kind::kFolder) fs::create_directory(staged_);
  upload_ = remote_storage().upload(final_, kind_ == Kind::kFolder);
}

void StagedOutput::send() {
  try {
    if (kind_ == Kind::kFile) {
      upload_->send(staged_, "");
    } else {
      std::vector<fs::path> files;
      for (const auto& entry : fs::recursive_directory_iterator(staged_))
        if (entry.is_regular_file()) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (const fs::path& file : files) upload_->send(file, file.lexically_relative(staged_).string());
    }
    upload_->commit();
  } catch (const Error& error) {
    folder_->keep();
    ErrorDetails details = error.details();
    details.hint +=
        (details.hint.empty() ? "" : "; ") + ("the complete output is kept in " + staged_.string());
    throw Error(error.exit_code(), std::move(details));
  }
  committed_ = true;
}

void StagedOutput::commit() {
  if (upload_) return send();
  if (kind_ == Kind::kFolder) {
    for (const auto& entry : fs::recursive_directory_iterator(staged_))
      if (entry.is_regular_file()) sync_path(entry.path());
  } else {
    sync_path(staged_);
  }
  // A rename cannot replace a folder that has content: exchange the two in one step, then remove the old one.
  if (kind_ == Kind::kFolder && fs::exists(final_)) {
    if (::renameat2(AT_FDCWD, staged_.c_str(), AT_FDCWD, final_.c_str(), RENAME_EXCHANGE) != 0) {
      const fs::path old = staged_.string() + ".old";
      fs::rename(final_, old);
      fs::rename(staged_, final_);
      fs::remove_all(old);
    } else {
      fs::remove_all(staged_);
    }
  } else {
    std::error_code error;
    fs::rename(staged_, final_, error);
    if (error)
      throw UnavailableError(
          {.message = "cannot be moved to its final path: " + error.message(), .file = final_});
  }
  committed_ = true;
  sync_path(final_.parent_path());
}

void write_file(const fs::path& path, const std::string& text) {
  StagedOutput output(path, StagedOutput::Kind::kFile);
  {
    std::ofstream stream(output.path(), std::ios::binary);
    stream << text;
    stream.flush();
    if (!stream)
      throw UnavailableError(
          {.message = std::string("cannot be written: ") + std::strerror(errno), .file = path});
  }
  output.commit();
}

std::string read_file(const fs::path& path) {
  if (is_url(path)) return read_remote_file(path);
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError({.message = "does not exist", .file = path});
  if (fs::is_directory(path, error)) throw InputError({.message = "is a folder, not a file", .file = path});
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream)
    throw InputError({.message = std::string("cannot be read: ") + std::strerror(errno), .file = path});
  return std::move(text).str();
}

}  // namespace core
