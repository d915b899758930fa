#include "standings/large_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace firstcome {

void ask_for_large_pages(void* begin, std::size_t bytes) {
  constexpr std::uintptr_t page_bytes = 4096;
  constexpr std::size_t large_page_bytes = std::size_t{2} << 20;
  if (bytes < large_page_bytes) return;
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t from = (first + page_bytes - 1) / page_bytes * page_bytes;
  const std::uintptr_t to = (first + bytes) / page_bytes * page_bytes;
  // A wish: kernels without large pages refuse it (EINVAL), and then small ones do.
  static_cast<void>(madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE));
}

}  // namespace firstcome
