#include "calo/infer/detail/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/error.h"

namespace calo::infer {

MappedFile::MappedFile(const std::filesystem::path& file, Kind kind) {
  // Without O_NONBLOCK a pipe would wait for somebody who writes.
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const auto refuse = [&](const std::string& message) {
    if (descriptor >= 0) close(descriptor);
    throw core::InputError({.message = message, .file = file});
  };
  if (descriptor < 0) refuse(std::string("cannot be read: ") + std::strerror(errno));
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) refuse("is no file");
  if (status.st_size == 0 && kind == Kind::kData) {
    close(descriptor);
    return;
  }
  if (status.st_size == 0) refuse("is empty");
  if (kind == Kind::kModel && status.st_size > std::int64_t{0x7fffffff})
    refuse("is over 2 GiB, and no ONNX file is");
  size_ = static_cast<std::size_t>(status.st_size);
  void* const data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) refuse(std::string("cannot be read: ") + std::strerror(errno));
  close(descriptor);
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace calo::infer
