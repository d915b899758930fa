#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>

#include "sim/run.h"

namespace firstcome::sim {

/// What many runs came to. Lives in memory that a worker process shares with its parent, so that a worker that a bug
/// aborts leaves behind which seed it was at.
struct Tally {
  struct Failure {
    std::uint64_t seed;
    char check[96];
    char what[320];
  };
  static constexpr std::size_t steps_bucket = 16, steps_buckets = 4096, failures_kept = 8;

  std::uint64_t seeds;
  std::uint64_t broken;
  std::uint64_t seed_now;  ///< being run; 0: none
  Counts counts;
  std::array<std::uint64_t, steps_buckets> steps;  ///< how many runs had that many steps
  std::array<std::uint64_t, 256> restarts;
  std::array<std::uint64_t, 256> users;
  std::uint64_t steps_least, restarts_least, users_least;
  std::array<Failure, failures_kept> failures;

  void begin();
  void add(std::uint64_t seed, const Outcome& outcome);
  void add(const Tally& other);
  void fail(std::uint64_t seed, std::string_view check, std::string_view what);
  std::uint64_t median_steps() const;
};

/// The n-th smallest of a histogram, n being half of all.
template <class Histogram>
std::uint64_t median(const Histogram& histogram) {
  std::uint64_t all = 0, seen = 0;
  for (const auto count : histogram) all += count;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    seen += histogram[i];
    if (2 * seen >= all) return i;
  }
  return 0;
}

/// Does `work` in a process of its own and waits for nobody: call join().
class Worker {
 public:
  Worker();
  Worker(Worker&& other) noexcept;
  Worker& operator=(Worker&&) = delete;
  ~Worker();

  void start(const std::function<void(Tally&)>& work);

  /// Waits; a worker that died counts as a failure of the seed that it was at.
  void join();
  const Tally& tally() const { return *tally_; }

 private:
  Tally* tally_;
  pid_t pid_ = 0;
};

}  // namespace firstcome::sim
