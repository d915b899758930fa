#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace firstcome {

/// When the next rows may go to the store.
///
///   Rate     over any second at most `rate` rows (rounded up, at least one), and no batch sooner after another one
///            than the rate needs for that one. 0 is unlimited.
///   Bounds   remembers the batches of the last second.
class Pace {
 public:
  /// A tenth of a second's rows, so that a batch never exceeds what a second may bring.
  static std::size_t batch_rows(double rate);

  /// The first moment at which a batch of up to `rows` may go.
  Uptime due(std::size_t rows, double rate) const;

  /// `rows` have gone, no later than now.
  void spend(std::size_t rows, double rate, Uptime now);

  /// Nobody knows how many have gone in the last second: as if it were all that may.
  void hold_back(double rate, Uptime now);

 private:
  Uptime next_{};
  std::vector<std::pair<Uptime, std::size_t>> spent_;  // of the last second, by time
};

}  // namespace firstcome
