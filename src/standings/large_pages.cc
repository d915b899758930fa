#include "standings/large_pages.h"

#include <sys/mman.h>

#include <memory>

namespace firstcome {

void ask_for_large_pages(void* begin, std::size_t bytes) {
  constexpr std::size_t page_bytes = 4096;
  constexpr std::size_t large_page_bytes = std::size_t{2} << 20;
  if (bytes < large_page_bytes) return;
  void* from = begin;
  std::size_t left = bytes;
  if (!std::align(page_bytes, page_bytes, from, left)) return;
  // A wish: kernels without large pages refuse it (EINVAL), and then small ones do.
  static_cast<void>(madvise(from, left / page_bytes * page_bytes, MADV_HUGEPAGE));
}

}  // namespace firstcome
