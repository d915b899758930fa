#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/entry.h"
#include "standings/append_only.h"
#include "standings/winner.h"
#include "standings/winner_table.h"

namespace firstcome {

struct Effect;
enum class EffectKind : std::uint8_t;

/// Half-open: a stamp counts if opens_at <= stamp < closes_at.
struct Window {
  std::optional<Time> opens_at;
  std::optional<Time> closes_at;
  bool operator==(const Window&) const = default;
  bool is_before(Time time) const { return opens_at && time < *opens_at; }
  bool is_after(Time time) const { return closes_at && time >= *closes_at; }
};

/// An entry, other than a ticket, that had an effect on the campaign: what the issuer writes besides coupons.
struct Change {
  Position position = 0;
  Time stamp;
  Chain chain{};            ///< of the campaign, up to and with this entry
  std::uint32_t quota = 0;  ///< in force after it
  Window window;            ///< in force after it
  bool paused = false;      ///< after it
  bool closed = false;      ///< after it
};

/// How a user stands, in the order of precedence.
enum class Place : std::uint8_t {
  winner,
  sealed,  ///< N ranks are held by others
  closed,
  paused,
  not_yet_open,
  past_close,  ///< its time is over by the asker's clock, but nobody has closed it yet
  free,        ///< nothing speaks against a ticket
};

/// What the standings say of one user at one moment.
struct Look {
  Place place = Place::free;
  const Winner* winner = nullptr;  ///< for Place::winner; lives as long as the standings
  std::uint32_t rank = 0;          ///< for Place::winner
  std::uint32_t quota = 0;         ///< the quota that `place` is about
  bool issued = true;              ///< false: promise = "store", and the store has not committed what this would state
};

/// The standings of one campaign.
///
///   Invariant   ranks 1..size of winners() are held by different users, in the order of their positions, and
///               size <= quota.
///   Threads     one thread applies (Standings); any thread reads, without a lock.
///   Memory      about 100 bytes a winner; nothing for anybody else.
class Campaign {
 public:
  Campaign(const Opened& opened, std::uint64_t seed);

  const CampaignId& id() const { return opened_.campaign; }
  const Opened& opened() const { return opened_; }
  std::string_view name() const { return opened_.name ? std::string_view(*opened_.name) : opened_.campaign.view(); }
  bool promises_store() const { return opened_.promise == Promise::store; }

  /// By the precedence of answers: winner, sealed, closed, paused, window. `now` is the asker's clock.
  Look look(std::string_view user, Time now) const;

  /// What is in force. `sealed` and `closed` of a view were true when it was loaded and stay true for its quota.
  struct View {
    std::uint32_t quota = 0;
    bool sealed = false;
    bool closed = false;
    bool paused = false;
    Window window;
    Position changed_at = 0;  ///< of the last {window_changed, paused, resumed} that counted
    const WinnerTable* table = nullptr;
  };
  const View& view() const { return *view_.load(std::memory_order_acquire); }

  /// How far the store is, as `issued` entries told (promise = "store" only).
  std::uint32_t issued() const { return issued_.load(std::memory_order_acquire); }

  /// Of the coupons up to issued(), the ranks of those that the store holds parked, rising.
  std::span<const std::uint32_t> parked() const {
    const auto* parked = parked_.load(std::memory_order_acquire);
    return parked ? std::span(*parked) : std::span<const std::uint32_t>();
  }

  const AppendOnly<Winner>& winners() const { return winners_; }

  /// Opened, raises, window changes, pauses, resumptions, the closing; at least one.
  const AppendOnly<Change>& changes() const { return changes_; }

  /// scheduled, open, paused, sealed, closed: the campaign's state as GET shows it.
  std::string_view state(Time now) const;

 private:
  friend class Standings;

  bool is_parked(std::uint32_t rank) const;
  void publish(View view);
  void add_change(Position position, Time stamp, const Chain& chain);
  const char* keep(std::string_view user);

  /// What the ticket's effect will be; won: win() makes it so and says whether it was the N-th.
  Effect judge(const Ticket& ticket, Time stamp) const;
  bool win(const Ticket& ticket, Position position, Time stamp);

  /// Any entry but opened and ticket. none when it does not count.
  EffectKind change(const Shown& shown);
  bool apply(const QuotaRaised& entry);
  bool apply(const WindowChanged& entry, Position position);
  bool apply(const Paused& entry, Position position);
  bool apply(const Resumed& entry, Position position);
  bool apply(const Closed& entry, Time stamp);
  bool apply(const Issued& entry);

  const Opened opened_;
  const std::uint64_t seed_;

  // Read side: everything hangs on one pointer. Views and tables that were replaced live on, since a reader may hold
  // them; they are few (one per operator's entry, and tables double).
  std::atomic<const View*> view_{nullptr};
  std::atomic<std::uint32_t> issued_{0};
  std::atomic<const std::vector<std::uint32_t>*> parked_{nullptr};  // ranks, rising
  AppendOnly<Winner> winners_;
  AppendOnly<Change> changes_;

  // Write side.
  std::deque<View> views_;
  std::deque<std::vector<std::uint32_t>> parked_lists_;
  std::vector<std::unique_ptr<WinnerTable>> tables_;
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_left_ = 0;
  char* arena_next_ = nullptr;
  Chain chain_{};
#ifdef FIRSTCOME_MUTANTS
  mutable std::set<std::string> refused_for_ever_;
#endif
};

}  // namespace firstcome
