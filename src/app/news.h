#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "journal/journal.h"
#include "standings/standings.h"

namespace firstcome {

/// What happened in one commit of the journal. Shared by all who hear of it.
using Effects = std::shared_ptr<const std::vector<Effect>>;

/// Who wants to hear of it; called on the journal's thread, must not block.
struct Hearer {
  std::function<void(Effects)> applied;
  std::function<void(Time)> heard;
  std::function<void(std::vector<AppendTag>, Fault)> append_failed;
};

/// Follows the journal: applies what it shows to the standings, then tells everybody, once per hearer and commit.
///
///   Order     the standings have an effect before anybody hears of it.
///   Threads   shown(), append_failed() and heard() on the journal's thread (start() replays on the caller's).
class News final : public Follower {
 public:
  explicit News(Standings& standings) : standings_(standings) {}

  /// Before the journal starts. The hearer's place is the author of its appends.
  void add(Hearer hearer) { hearers_.push_back(std::move(hearer)); }

  /// The journal's time when it was heard last.
  std::optional<Time> heard_at() const;

  /// From now on hearers are told; before, entries are only applied (the replay of the start).
  void go_live() { live_.store(true, std::memory_order_release); }

  /// Where the standings are, by partition. Any thread.
  std::vector<Mark> marks() const;

  /// Entries that had this effect, of the whole journal. Any thread.
  std::uint64_t count_of(EffectKind kind) const {
    return counts_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
  }

  void shown(std::span<const Shown> entries) override;
  void append_failed(std::span<const AppendTag> appends, const Fault& fault) override;
  void heard(Time journal_now) override;

 private:
  template <class Each>
  void apply(std::span<const Shown> entries, Each each);

  Standings& standings_;
  mutable std::mutex mutex_;  // of the next two
  std::vector<Mark> marks_;
  std::optional<Time> heard_at_;
  std::vector<Hearer> hearers_;
  std::array<std::atomic<std::uint64_t>, effect_kinds> counts_{};
  std::atomic<bool> live_{false};
};

}  // namespace firstcome
