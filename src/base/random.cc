#include "base/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/assert.h"

namespace firstcome {

namespace {

void draw(std::span<std::uint8_t> bytes) {
  MUST(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "the system has no randomness to give");
}

/// Randomness of one thread, drawn in advance: each call of OpenSSL costs half a microsecond and a system call (it asks
/// whether the process has forked; this one never does), as much as all the rest of making a ticket.
struct Block {
  std::array<std::uint8_t, 4096> bytes;
  std::size_t used = sizeof bytes;
};

}  // namespace

void SystemRandom::fill(std::span<std::uint8_t> bytes) {
  thread_local Block block;
  if (bytes.size() > block.bytes.size()) return draw(bytes);
  if (bytes.size() > block.bytes.size() - block.used) {
    draw(block.bytes);
    block.used = 0;
  }
  std::memcpy(bytes.data(), block.bytes.data() + block.used, bytes.size());
  OPENSSL_cleanse(block.bytes.data() + block.used, bytes.size());  // what was given away is not kept
  block.used += bytes.size();
}

}  // namespace firstcome
