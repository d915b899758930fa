#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/entry.h"
#include "standings/standings.h"
#include "verify/check.h"
#include "verify/naive.h"

namespace firstcome::verify {

/// What a running process says of its standings in one partition: (position, chains), whole or as a metric shows them.
struct ClaimedMark {
  std::string who;
  std::uint32_t partition = 0;
  Position position = 0;
  std::optional<Chain> chains;
  std::uint64_t number = 0;  ///< chain_number(), where there is no more
};

/// One journal, folded by the product's standings and by the naive oracle: what everything else is held against.
class Folds {
 public:
  /// With `only`, entries of other campaigns are left out.
  explicit Folds(std::optional<std::string> only = {}, std::uint32_t campaigns_max = limits::campaigns_limit)
      : only_(std::move(only)), standings_(0, campaigns_max) {}

  /// To be held against the fold when it comes by. Before the first entry; not with `only`, whose fold is another.
  void hold_against(std::vector<ClaimedMark> claimed);

  /// The next entries, in order, from the first one on.
  void apply(std::span<const Shown> entries);

  const Standings& standings() const { return standings_; }
  const Naive& naive() const { return naive_; }
  bool is_about(std::string_view campaign) const { return !only_ || *only_ == campaign; }

  std::uint64_t entries() const { return entries_; }

  /// Every process stands where the journal leads. Those that the fold has not reached are ahead of the journal.
  Check check_claimed() const;

  /// The last position of the partition in which this campaign is, of whichever campaign of that partition.
  Position end(std::string_view campaign) const;

 private:
  void compare_claimed(std::uint32_t partition);

  std::optional<std::string> only_;
  Standings standings_;
  Naive naive_;
  std::uint64_t entries_ = 0;
  std::array<Position, limits::partitions_max> ends_{};                     // by partition
  std::multimap<std::pair<std::uint32_t, Position>, ClaimedMark> claimed_;  // that the fold has not come by
  Check claimed_check_{.name = "processes stand where the journal leads"};
};

}  // namespace firstcome::verify
