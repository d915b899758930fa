#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "http/malformed.h"

namespace firstcome::http {

/// A number that one loop counts and the scrape reads.
///
///   Threads   one writes, any may read. No locked instruction: a load and a store of the writer's own.
class Counter {
 public:
  void add(std::uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void drop(std::uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - by, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What one loop did. /metrics sums over the loops.
struct alignas(64) Counters {
  Counter connections_open;  ///< now
  Counter connections_accepted;
  Counter connections_refused;  ///< beyond the limit, closed at once
  Counter accepts_failed;       ///< too few file descriptors or epoll watches, or no memory
  Counter requests;             ///< well-formed ones
  Counter unnamed;              ///< of those, told 401: no trusted proxy said who asks
  Counter exchanges_waiting;    ///< now
  Counter clients_left;         ///< by themselves, while their exchange waited
  Counter idle_closed;
  Counter unread_closed;  ///< clients that did not read their answers
  Counter drain_cut;      ///< connections that were cut at the end of the drain
  Counter bytes_in;
  Counter bytes_out;
  std::array<Counter, malformed_kinds> malformed;
};

}  // namespace firstcome::http
