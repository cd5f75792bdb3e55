#include "calo/io/detail/hdf5_remote.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace calo::hdf5 {

// A file that HDF5 reads through the driver below. HDF5 knows only its first member.
struct RemoteDriverFile {
  H5FD_t base{};
  std::unique_ptr<core::RemoteFile> file;
  haddr_t end_of_allocation = 0;
  std::vector<core::RemotePiece>* collected = nullptr;
};

namespace {

// HDF5 is called by one thread at a time.
std::exception_ptr remote_failure;
std::unique_ptr<core::RemoteFile> opened;  // on its way through H5Fopen()

RemoteDriverFile& of(const H5FD_t* file) {
  return *reinterpret_cast<RemoteDriverFile*>(const_cast<H5FD_t*>(file));
}

// Fails without words for what is not open_remote()'s: files that a link or a virtual dataset names.
H5FD_t* open_file(const char*, unsigned flags, hid_t, haddr_t) {
  if (!opened || (flags & H5F_ACC_RDWR) != 0) return nullptr;
  auto file = std::make_unique<RemoteDriverFile>();
  file->file = std::move(opened);
  return &file.release()->base;
}

herr_t close_file(H5FD_t* file) {
  delete &of(file);
  return 0;
}

int compare_files(const H5FD_t* a, const H5FD_t* b) {
  return std::less<const H5FD_t*>()(a, b) ? -1 : a == b ? 0 : 1;
}

herr_t features(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
  return 0;
}

haddr_t end_of_allocation(const H5FD_t* file, H5FD_mem_t) {
  return of(file).end_of_allocation;
}

herr_t set_end_of_allocation(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  of(file).end_of_allocation = end;
  return 0;
}

haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) {
  return of(file).file->size_bytes();
}

herr_t handle_of(H5FD_t* file, hid_t, void** handle) {
  *handle = &of(file);
  return 0;
}

herr_t read_piece(H5FD_t* base, H5FD_mem_t type, hid_t, haddr_t offset, std::size_t size, void* into) {
  RemoteDriverFile& file = of(base);
  const std::uint64_t end = file.file->size_bytes();
  const std::size_t there =
      offset >= end ? 0 : static_cast<std::size_t>(std::min<std::uint64_t>(size, end - offset));
  // Like HDF5's drivers for local files: zeros after the end.
  std::memset(static_cast<char*>(into) + there, 0, size - there);
  if (there == 0) return 0;
  const core::RemotePiece piece{.offset = offset, .into = {static_cast<std::byte*>(into), there}};
  if (file.collected != nullptr && type == H5FD_MEM_DRAW) {
    file.collected->push_back(piece);
    return 0;
  }
  try {
    file.file->read({&piece, 1});
    return 0;
  } catch (...) {
    if (!remote_failure) remote_failure = std::current_exception();
    return -1;
  }
}

herr_t write_nothing(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, std::size_t, const void*) {
  return -1;
}

hid_t driver() {
  static const hid_t registered = [] {
    // Member by member: other versions of HDF5 have other members before and between these.
    static H5FD_class_t table{};
    table.name = "calopipe-remote";
    table.maxaddr = INT64_MAX;
    table.fc_degree = H5F_CLOSE_WEAK;
    table.open = open_file;
    table.close = close_file;
    table.cmp = compare_files;
    table.query = features;
    table.get_eoa = end_of_allocation;
    table.set_eoa = set_end_of_allocation;
    table.get_eof = end_of_file;
    table.get_handle = handle_of;
    table.read = read_piece;
    table.write = write_nothing;
    for (auto& type : table.fl_map) type = H5FD_MEM_DEFAULT;
    return H5FDregister(&table);
  }();
  return registered;
}

}  // namespace

Handle open_remote(const std::filesystem::path& url) {
  opened = core::remote_storage().open(url);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_driver(access, driver(), nullptr);
  Handle file =
      with_remote_failures([&] { return Handle(H5Fopen(url.c_str(), H5F_ACC_RDONLY, access), H5Fclose); });
  opened.reset();
  return file;
}

void rethrow_remote_failure() {
  if (remote_failure) std::rethrow_exception(std::exchange(remote_failure, nullptr));
}

CollectedReads::CollectedReads(const File& file) {
  if (!core::is_url(file.path())) return;
  void* handle = nullptr;
  if (H5Fget_vfd_handle(file.id(), H5P_DEFAULT, &handle) < 0) return;
  file_ = static_cast<RemoteDriverFile*>(handle);
  file_->collected = &pieces_;
}

CollectedReads::~CollectedReads() {
  if (file_ != nullptr) file_->collected = nullptr;
}

void CollectedReads::finish() {
  if (file_ == nullptr) return;
  file_->collected = nullptr;
  file_->file->read(pieces_);
  pieces_.clear();
}

}  // namespace calo::hdf5
