#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"

namespace firstcome::sim {

/// All chance of a run: one seed, one sequence (xoshiro256**, filled by splitmix64), the same on every machine.
class Dice final : public Random {
 public:
  explicit Dice(std::uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t roll() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// 0 .. n-1; n > 0.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((roll() >> 32) * n >> 32); }

  /// least .. most, both included.
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(roll() % static_cast<std::uint64_t>(most - least + 1));
  }

  /// True `thousandths` times out of 1000.
  bool chance(std::uint32_t thousandths) { return below(1000) < thousandths; }

  template <class List>
  const auto& pick(const List& list) {
    return list[below(static_cast<std::uint32_t>(std::size(list)))];
  }

  void fill(std::span<std::uint8_t> bytes) override {
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      std::uint64_t word = roll();
      for (std::size_t k = i; k < bytes.size() && k < i + 8; ++k, word >>= 8) {
        bytes[k] = static_cast<std::uint8_t>(word);
      }
    }
  }

 private:
  static std::uint64_t rotate(std::uint64_t word, int by) { return word << by | word >> (64 - by); }
  std::uint64_t state_[4];
};

}  // namespace firstcome::sim
