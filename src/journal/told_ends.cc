#include "journal/told_ends.h"

#include <algorithm>

namespace firstcome {

void ToldEnds::learn(const kafka::Offsets& ends) {
  for (const auto& [partition, end] : ends) told_[partition] = std::max(told_[partition], end);
}

std::optional<ToldEnds::Behind> ToldEnds::look(const kafka::Offsets& ends) {
  for (const auto& [partition, end] : ends) {
    if (const std::int64_t before = told_[partition]; end < before) return Behind{partition, end, before};
  }
  learn(ends);
  return {};
}

}  // namespace firstcome
