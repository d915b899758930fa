#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace firstcome {

/// Where randomness comes from. The simulator owns one, so that a seed reproduces a run.
///
///   Threads   any, for SystemRandom.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;

  std::uint64_t next() {
    std::array<std::uint8_t, 8> bytes{};
    fill(bytes);
    std::uint64_t value = 0;
    for (auto byte : bytes) value = value << 8 | byte;
    return value;
  }
};

/// The system's cryptographic generator (OpenSSL's, seeded by the kernel): coupon codes must not be guessable.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

}  // namespace firstcome
