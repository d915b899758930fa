#include "journal/told_ends.h"

#include <algorithm>

namespace firstcome {

void ToldEnds::learn(const kafka::Offsets& ends) {
  for (const auto& [partition, end] : ends) {
    if (end > lost_[partition]) told_[partition] = std::max(told_[partition], end);
  }
}

std::optional<ToldEnds::Behind> ToldEnds::look(const kafka::Offsets& ends) {
  for (const auto& [partition, end] : ends) {
    const std::int64_t before = told_[partition];
    if (end < before) return Behind{partition, end, before, ++times_in_a_row_};
  }
  times_in_a_row_ = 0;
  learn(ends);
  return {};
}

void ToldEnds::give_up(const Behind& behind) {
  lost_[behind.partition] = behind.before;
  told_[behind.partition] = behind.end;
  times_in_a_row_ = 0;
}

}  // namespace firstcome
