#pragma once

#include <cmath>
#include <cstdint>

namespace firstcome::rush {

/// Randomness that a seed reproduces (splitmix64). Nothing secret: when users arrive, how long a retry waits.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
  }

  /// In [0, 1).
  double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  /// In [0, end); the bias of the modulo is below end / 2^64.
  std::uint64_t below(std::uint64_t end) { return next() % end; }

  /// Exponentially distributed with mean 1: the gaps of a Poisson stream.
  double gap() { return -std::log1p(-fraction()); }

 private:
  std::uint64_t state_;
};

}  // namespace firstcome::rush
