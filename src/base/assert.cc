#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace firstcome {

void bug(const char* file, int line, const char* condition, std::string_view why) {
  std::fprintf(stderr, "firstcome: bug at %s:%d: %.*s (expected: %s)\n", file, line, static_cast<int>(why.size()),
               why.data(), condition);
  std::abort();
}

}  // namespace firstcome
