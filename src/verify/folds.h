#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/entry.h"
#include "standings/standings.h"
#include "verify/naive.h"

namespace firstcome::verify {

/// One journal, folded by the product's standings and by the naive oracle: what everything else is held against.
class Folds {
 public:
  /// With `only`, entries of other campaigns are left out.
  explicit Folds(std::optional<std::string> only = {}, std::uint32_t campaigns_max = limits::campaigns_limit)
      : only_(std::move(only)), standings_(0, campaigns_max) {}

  /// The next entries, in order, from the first one on.
  void apply(std::span<const Shown> entries);

  const Standings& standings() const { return standings_; }
  const Naive& naive() const { return naive_; }
  bool is_about(std::string_view campaign) const { return !only_ || *only_ == campaign; }

  std::uint64_t entries() const { return entries_; }

  /// The last position of the partition in which this campaign is, of whichever campaign of that partition.
  Position end(std::string_view campaign) const;

 private:
  std::optional<std::string> only_;
  Standings standings_;
  Naive naive_;
  std::uint64_t entries_ = 0;
  std::array<Position, limits::partitions_max> ends_{};  // by partition
};

}  // namespace firstcome::verify
