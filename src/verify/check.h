#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::verify {

/// One rule, how often it was put to the test, and where it did not hold.
struct Check {
  std::string name;
  std::uint64_t checked = 0;
  std::uint64_t broken = 0;
  std::vector<std::string> failures;  ///< the first ten, each with its row, user and position

  bool ok() const { return broken == 0; }

  /// `say` makes the sentence for a failure; it is called for those that are kept only.
  template <class Say>
  void expect(bool holds, Say&& say) {
    ++checked;
    if (!holds) fail(std::forward<Say>(say));
  }
  template <class Say>
  void fail(Say&& say) {
    constexpr std::uint64_t failures_kept = 10;
    if (++broken <= failures_kept) failures.push_back(std::forward<Say>(say)());
  }
};

}  // namespace firstcome::verify
