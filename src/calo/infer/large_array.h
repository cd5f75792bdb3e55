#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace calo::infer {

/// An array of plain numbers, aligned for vectors and not initialised: pages that are not written cost
/// nothing, so that it may be as large as the worst case asks for.
template <class T>
class LargeArray {
 public:
  enum class Pages { kSmall, kHuge };  ///< huge: for what is read from end to end again and again

  LargeArray() = default;
  explicit LargeArray(std::size_t size, Pages pages = Pages::kSmall) : size_(size) {
    if (size == 0) return;
    constexpr std::size_t kHuge = std::size_t{2} << 20;
    const std::size_t alignment = pages == Pages::kHuge && size * sizeof(T) >= kHuge ? kHuge : 64;
    alignment_ = std::align_val_t{alignment};
    const std::size_t bytes = (size * sizeof(T) + alignment - 1) / alignment * alignment;
    data_ = static_cast<T*>(::operator new(bytes, alignment_));
    if (alignment == kHuge) madvise(data_, bytes, MADV_HUGEPAGE);
  }
  ~LargeArray() {
    if (data_ != nullptr) ::operator delete(data_, alignment_);
  }
  LargeArray(LargeArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        alignment_(other.alignment_) {}
  LargeArray& operator=(LargeArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(alignment_, other.alignment_);
    return *this;
  }

  std::size_t size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }

  /// At least `size` elements; what was in it is lost where it grows.
  void make_room(std::size_t size) {
    if (size > size_) *this = LargeArray(size);
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::align_val_t alignment_{64};
};

}  // namespace calo::infer
