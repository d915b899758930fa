#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "gate/gate.h"
#include "gate/redis_node.h"

namespace firstcome {

/// What one RedisGate did.
///
///   Threads   one writes, any may read.
class RedisCounters {
 public:
  void sent(const RedisCall& call);
  void answered(const RedisCall& call);
  void failed(const RedisCall& call);
  void told(Admission admission, std::uint64_t users);

  Gate::Stats read() const;

  std::atomic<bool> is_away{true};
  std::atomic<std::size_t> waiting{0}, links{0};
  std::atomic<std::uint64_t> connects{0}, bypasses{0}, faults{0}, redirects{0};

 private:
  struct Calls {
    std::atomic<std::uint64_t> sent{0}, failed{0}, answered{0};
    std::atomic<std::int64_t> nanoseconds{0};
  };
  using Numbers = Gate::Stats;

  Calls& of(const RedisCall& call);

  std::array<Calls, gate_call_names.size()> by_call_;
  std::atomic<std::uint64_t> asked_{0};
  std::array<std::atomic<std::uint64_t>, admission_kinds> told_{};
  std::array<std::atomic<std::uint64_t>, Numbers::batch_upto.size()> batches_{};
  std::array<std::atomic<std::uint64_t>, Numbers::seconds_upto.size() + 1> admit_seconds_{};
};

}  // namespace firstcome
