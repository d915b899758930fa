#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "base/schedule_point.h"
#include "standings/large_pages.h"

namespace firstcome {

/// A list that only grows, and whose elements never move.
///
///   Threads   one thread appends; any thread reads the elements below size().
///   Memory    segments of 16, 32, 64, ...: no pointer is invalidated by growth, and what is not yet used of a segment
///             is not touched either, so that it costs no memory.
template <class T>
class AppendOnly {
 public:
  AppendOnly() = default;
  AppendOnly(const AppendOnly&) = delete;
  AppendOnly& operator=(const AppendOnly&) = delete;
  ~AppendOnly() {
    for (std::uint32_t index = size(); index-- > 0;) std::destroy_at(&at(index));
    for (unsigned k = 0; k < segments_.size(); ++k) {
      if (T* const segment = segments_[k].load(std::memory_order_relaxed)) Memory().deallocate(segment, elements_of(k));
    }
  }

  std::uint32_t size() const { return size_.load(std::memory_order_acquire); }
  bool empty() const { return size() == 0; }

  const T& operator[](std::uint32_t index) const { return const_cast<AppendOnly*>(this)->at(index); }
  T& at(std::uint32_t index) {
    const auto [segment, offset] = place_of(index);
    return segments_[segment].load(std::memory_order_acquire)[offset];
  }

  /// The element is visible to readers when this returns.
  T& append(T value) {
    const std::uint32_t index = size_.load(std::memory_order_relaxed);
    const auto [segment, offset] = place_of(index);
    if (offset == 0) segments_[segment].store(make_segment(segment), std::memory_order_release);
    T* const element = segments_[segment].load(std::memory_order_relaxed) + offset;
    std::construct_at(element, std::move(value));
    schedule_point();
    size_.store(index + 1, std::memory_order_release);
    return *element;
  }

 private:
  using Memory = std::allocator<T>;
  static constexpr std::uint32_t first = 16;
  struct Place {
    unsigned segment;
    std::uint32_t offset;
  };
  // Segment k holds 16 * 2^k elements and begins at 16 * (2^k - 1).
  static Place place_of(std::uint32_t index) {
    const std::uint64_t shifted = std::uint64_t{index} + first;
    const auto segment = static_cast<unsigned>(std::bit_width(shifted) - std::bit_width(std::uint64_t{first}));
    return {segment, static_cast<std::uint32_t>(shifted - (std::uint64_t{first} << segment))};
  }
  static std::size_t elements_of(unsigned segment) { return std::size_t{first} << segment; }
  static T* make_segment(unsigned segment) {
    T* const made = Memory().allocate(elements_of(segment));
    // 16 MB: then a large page of 2 MB that is touched at its first byte only adds less than 13 %.
    if (elements_of(segment) * sizeof(T) >= (std::size_t{16} << 20)) {
      ask_for_large_pages(made, elements_of(segment) * sizeof(T));
    }
    return made;
  }

  std::array<std::atomic<T*>, 29> segments_{};
  std::atomic<std::uint32_t> size_{0};
};

}  // namespace firstcome
