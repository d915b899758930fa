#include "rush/crowd.h"

#include "base/assert.h"

namespace firstcome::rush {

Crowd::Crowd(const std::vector<std::uint32_t>& order, Schedule schedule) : schedule_(schedule) {
  askings_.reserve(order.size());
  for (const auto user : order) askings_.push_back({.user = user});
}

void Crowd::start(std::int64_t start_us) {
  start_us_ = start_us;
  next_arrival_us_ = start_us_ + schedule_.next_us();
}

std::optional<Crowd::Due> Crowd::earliest() const {
  const bool arrivals = next_arrival_ < size();
  const Due arrival{next_arrival_us_, next_arrival_};
  if (retries_.empty()) return arrivals ? std::optional(arrival) : std::nullopt;
  return arrivals && retries_.top() > arrival ? arrival : retries_.top();
}

void Crowd::sent(const Due& due) {
  Asking& asking = askings_[due.asking];
  if (asking.attempts == 0) ++asked_;
  if (asking.attempts < UINT16_MAX) ++asking.attempts;
  remove(due);
}

void Crowd::pass_over(const Due& due) {
  remove(due);
  passed_over_.push_back(due);
}

void Crowd::take_back() {
  for (const Due& due : passed_over_) retries_.push(due);
  passed_over_.clear();
}

void Crowd::remove(const Due& due) {
  if (due.asking == next_arrival_) {
    askings_[due.asking].first_us = due.intended_us;
    if (++next_arrival_ < size()) next_arrival_us_ = start_us_ + schedule_.next_us();
    return;
  }
  MUST(!retries_.empty() && retries_.top().asking == due.asking, "the earliest goes first");
  retries_.pop();
}

void Crowd::again(std::uint32_t asking, std::int64_t due_us) {
  MUST(asking < next_arrival_ && !askings_[asking].ended, "only who has asked can ask again");
  retries_.push({due_us, asking});
}

}  // namespace firstcome::rush
