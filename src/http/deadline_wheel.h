#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"

namespace firstcome::http {

/// All deadlines of a loop under one coarse timer: a ring of buckets, one per step, each a list of ids.
///
/// A deadline that only moves away need not be told: the owner looks at its own when the old one comes, and schedules
/// again. So a connection that is served all the time touches the wheel once in `idle_ms`, not once a request.
///
///   Bounds    ids are slots of a table: dense from 0. A deadline beyond the ring is told at the ring's end.
///   Threads   one.
class DeadlineWheel {
 public:
  DeadlineWheel(Millis step, std::size_t buckets) : step_(step), heads_(buckets, none) {}

  /// Moves `id` to the bucket of `at`, and returns when it will be told: never before the next step.
  Uptime schedule(std::uint32_t id, Uptime at) {
    if (id >= nodes_.size()) nodes_.resize(id + 1);
    remove(id);
    const auto last = turned_ + static_cast<std::int64_t>(heads_.size()) - 1;
    const std::int64_t turn = std::clamp((at + step_ - Millis{1}) / step_, turned_ + 1, last);
    link(id, static_cast<std::uint32_t>(static_cast<std::size_t>(turn) % heads_.size()));
    return turn * step_;
  }

  void remove(std::uint32_t id) {
    if (id >= nodes_.size() || nodes_[id].bucket == none) return;
    Node& node = nodes_[id];
    (node.previous == none ? heads_[node.bucket] : nodes_[node.previous].next) = node.next;
    if (node.next != none) nodes_[node.next].previous = node.previous;
    node = {};
  }

  /// Calls `due(id)` for every id whose time has come; it may schedule and remove any.
  template <class Due>
  void advance(Uptime now, Due due) {
    const std::int64_t until = now / step_;
    // After a pause longer than the ring every bucket is due, and once is enough.
    turned_ = std::max(turned_, until - static_cast<std::int64_t>(heads_.size()));
    while (turned_ < until) {
      const std::size_t bucket = static_cast<std::size_t>(++turned_) % heads_.size();
      while (heads_[bucket] != none) {
        const std::uint32_t id = heads_[bucket];
        remove(id);
        due(id);
      }
    }
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  struct Node {
    std::uint32_t next = none;
    std::uint32_t previous = none;
    std::uint32_t bucket = none;
  };

  void link(std::uint32_t id, std::uint32_t bucket) {
    const std::uint32_t head = heads_[bucket];
    nodes_[id] = {.next = head, .previous = none, .bucket = bucket};
    if (head != none) nodes_[head].previous = id;
    heads_[bucket] = id;
  }

  Millis step_;
  std::int64_t turned_ = 0;  ///< the last step that was told
  std::vector<std::uint32_t> heads_;
  std::vector<Node> nodes_;
};

}  // namespace firstcome::http
