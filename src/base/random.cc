#include "base/random.h"

#include <openssl/rand.h>

#include "base/assert.h"

namespace firstcome {

void SystemRandom::fill(std::span<std::uint8_t> bytes) {
  MUST(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "the system has no randomness to give");
}

}  // namespace firstcome
