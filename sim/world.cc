#include "sim/world.h"

#include <algorithm>

namespace firstcome::sim {

World* World::current = nullptr;

void World::at(Micros when, Call call) {
  std::uint32_t place = 0;
  if (free_calls_.empty()) {
    place = static_cast<std::uint32_t>(calls_.size());
    calls_.push_back(std::move(call));
  } else {
    place = free_calls_.back();
    free_calls_.pop_back();
    calls_[place] = std::move(call);
  }
  due_.push_back({std::max(when, now_), order_++, place});
  std::push_heap(due_.begin(), due_.end());
}

void World::run_until(Micros end) {
  ++depth_;
  while (!due_.empty() && due_.front().when <= end) {
    std::pop_heap(due_.begin(), due_.end());
    const Due next = due_.back();
    due_.pop_back();
    now_ = next.when;
    const Call call = std::exchange(calls_[next.call], nullptr);
    free_calls_.push_back(next.call);
    ++steps_;
    call();
  }
  now_ = std::max(now_, end);
  --depth_;
}

}  // namespace firstcome::sim
