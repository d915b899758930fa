#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/entry.h"
#include "standings/campaign.h"

namespace firstcome {

/// What an entry did to the standings.
enum class EffectKind : std::uint8_t {
  none,  ///< nothing: a repeat, a stale or a late one
  installed,
  opened,
  won,            ///< the user holds `rank` now
  known,          ///< the user had won before
  surplus,        ///< no place left
  out_of_window,  ///< the stamp lies outside the window
  after_closed,
  quota_raised,
  window_changed,
  paused,
  resumed,
  closed,
  issued,
  no_campaign,  ///< about a campaign that was never opened
};
inline constexpr int effect_kinds = 15;
std::string_view to_string(EffectKind kind);

struct Effect {
  EffectKind kind = EffectKind::none;
  const Campaign* campaign = nullptr;  ///< none for installed and no_campaign; lives as long as the standings
  User user;                           ///< of a ticket
  std::uint32_t rank = 0;              ///< won, known
  bool sealed = false;                 ///< the standings hold N ranks, since this entry
  Position position = 0;
  Time stamp;
};

/// Where a fold stands in one partition: two that stand at the same position have the same chains.
struct Mark {
  Position position = 0;  ///< applied last
  Chain chains{};         ///< of all campaigns of the partition together, by exclusive or
  bool operator==(const Mark&) const = default;
};

/// Of the chains, what fits a metric: a double holds 48 bits exactly.
std::uint64_t chain_number(const Chain& chains);

/// The pure fold over the entries: the first N different users whose tickets count hold ranks 1..N.
///
///   Invariant   a function of the entries alone: no clock, no randomness (`seed` only places users in a table), no
///               unordered iteration. Two folds over the same entries agree in every winner and every chain.
///   Chain       chain' = SHA-256(chain | position, 8 bytes LE | stamp in ms, 8 bytes LE | encoded entry), over every
///               entry of a campaign that had an effect; it begins with 32 zero bytes.
///   Threads     one thread applies; any thread reads campaigns.
///   Bounds      `campaigns_max` campaigns; opening more is a bug. The setting of that name is kept where campaigns are
///               created and is never above this, so that lowering it does not make a journal unreadable.
class Standings {
 public:
  explicit Standings(std::uint64_t seed = 0, std::uint32_t campaigns_max = limits::campaigns_limit);

  /// Positions must grow in their partition: a position that was applied before has no effect. Nor has an entry that
  /// stands in another partition than its campaign's, or before the installation.
  Effect apply(const Shown& shown);

  /// Applies a batch and gives each effect to `each`; a third faster than one by one, since what the entries ahead will
  /// touch is fetched meanwhile.
  template <class Each>
  void apply(std::span<const Shown> batch, Each&& each) {
    constexpr std::size_t ahead = 8;  // eight entries take 2 µs: time enough for memory, and they fit the first cache
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (i + ahead < batch.size()) prefetch(batch[i + ahead]);
      each(apply(batch[i]));
    }
  }

  /// None when no such campaign was opened.
  const Campaign* find(std::string_view campaign) const;

  /// In the order in which they were opened.
  const AppendOnly<std::unique_ptr<Campaign>>& campaigns() const { return campaigns_; }

  /// The position applied last, of a partition, and of that of a campaign. For any thread.
  Position position(std::uint32_t partition = 0) const { return positions_[partition].load(std::memory_order_acquire); }
  Position position_of(const Campaign& campaign) const;

  /// For the applying thread.
  Mark mark(std::uint32_t partition) const { return {position(partition), chains_[partition]}; }

  std::optional<Installation> installation() const;

  /// Places of all quotas together: what memory and a restart must bear.
  std::uint64_t places() const { return places_.load(std::memory_order_relaxed); }

 private:
  void prefetch(const Shown& shown) const;
  Campaign* find_to_change(std::string_view campaign);
  Effect open(const Opened& opened, const Shown& shown);
  Effect change(const Shown& shown, Campaign& campaign);
  void extend_chain(Campaign& campaign, const Shown& shown);

  const std::uint64_t seed_;
  std::array<std::atomic<Position>, limits::partitions_max> positions_{};
  std::array<Chain, limits::partitions_max> chains_{};  // see Mark
  std::atomic<std::uint64_t> places_{0};
  std::atomic<bool> installed_{false};
  Installation installation_;
  AppendOnly<std::unique_ptr<Campaign>> campaigns_;
  std::vector<std::atomic<Campaign*>> index_;  // open addressing, insert-only
};

}  // namespace firstcome
