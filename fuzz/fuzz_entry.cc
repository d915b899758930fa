// The journal's decoder takes any bytes: it gives an entry, says that they are not ours, or why they cannot be. What it
// takes for an entry is encoded and decoded to the same entry. The checksum is put right, lest everything ends there.
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "model/entry.h"

namespace {

void check(std::span<const std::uint8_t> bytes) {
  const auto decoded = firstcome::decode(bytes);
  if (!decoded) {
    MUST(!decoded.error().what.empty(), "a fault says what is wrong");
    return;
  }
  if (!*decoded) return;
  std::vector<std::uint8_t> again;
  firstcome::encode(**decoded, again);
  const auto twice = firstcome::decode(again);
  MUST(twice && *twice && **twice == **decoded, "an entry survives its encoding");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check({data, size});
  std::vector<std::uint8_t> mended(data, data + size);
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(data, size));
  mended.resize(size + sizeof sum);
  std::memcpy(mended.data() + size, &sum, sizeof sum);
  check(mended);
  return 0;
}
