#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "issuer/pace.h"
#include "journal/journal.h"
#include "standings/standings.h"
#include "store/store.h"

namespace firstcome {

struct IssuerSettings {
  std::string holder = "embedded";                 ///< who we are to the store; another holder is a spare
  std::uint32_t author = 0;                        ///< of our `issued` entries
  double issue_rate = limits::issue_rate_default;  ///< of campaigns that name none; rows per second, 0: unlimited
  double issue_rate_total = limits::issue_rate_total_default;  ///< of the store, 0: unlimited
  std::size_t parked_max = limits::parked_max_default;
  bool is_alone = true;  ///< nobody else writes into this store: what it has, and we have not read, nobody will show us
};

/// Writes what the standings owe into the store, in rank order, at a rate that the store can bear.
///
///   Invariant  Every coupon of the standings becomes one row, or is parked with its reason; none is skipped.
///   Order      A campaign's progress goes through its entries (changes and winners) by position; campaigns take turns.
///   Fenced     A batch is written only onto the progress that this issuer has read: a zombie changes nothing.
///   Rate       Over any second at most issue_rate rows of a campaign, and issue_rate_total rows in all (rounded up),
///              reach the store. An operator's retry of a parked coupon counts, but does not wait.
///   Fails      A fault of the store is tried again with growing pauses, for ever. Only the store's closed list of row
///              errors parks a row; more than parked_max of them stop the campaign, with an alarm. A store of another
///              journal, or one that is ahead of this journal, stops the issuer; who is not alone waits until it has
///              read what the journal has.
///   Threads    one at a time, but heard(), counters() and trouble() on any; knows no thread and keeps no queue: what
///              is owed stands in the standings.
class Issuer {
 public:
  Issuer(const Standings& standings, Store& store, Journal& journal, Clock& clock, IssuerSettings settings);

  /// Is this store that of this journal, and not ahead of it? Adopts a new one. misconfigured or corrupt: do not start.
  Result<void> check();

  /// The journal was read up to an end that it had a moment ago.
  void heard() { heard_.fetch_add(1); }

  /// Does what is due, at most one transaction, and says when it wants to be called again; sooner does no harm.
  Uptime step();

  /// Parked coupons, and another try for one of them.
  Result<std::vector<ParkedEntry>> parked() { return store_.parked(); }
  Result<WriteOutcome> retry(std::int64_t number);

  /// For the scrape, from any thread.
  struct Counters {
    std::atomic<bool> at_work{false};          ///< else a spare, or without its store
    std::atomic<bool> stopped{false};          ///< this needs a person: the store is not ours, or damaged
    std::atomic<std::uint64_t> take_overs{0};  ///< how often it came to work, the first time too
    std::atomic<std::int64_t> beat_ms{-1};     ///< uptime at which the store last took a beat, a spare's too; -1: never
    std::atomic<std::uint64_t> written{0};     ///< coupons
    std::atomic<std::uint64_t> transactions{0};
    std::atomic<std::uint64_t> rank{0};          ///< that the store has reached, of all campaigns together
    std::atomic<std::uint64_t> owed{0};          ///< coupons that the standings know and the store does not
    std::atomic<std::int64_t> owed_since_ms{0};  ///< stamp of the oldest of them, 0: none
    std::atomic<std::uint64_t> parked{0};
    std::atomic<std::uint64_t> stopped_campaigns{0};
    std::atomic<std::uint64_t> faults{0};
    std::atomic<std::uint64_t> fences_lost{0};
    std::atomic<double> commit_seconds{0};  ///< sum
  };
  const Counters& counters() const { return counters_; }

  /// Why the store takes nothing from us: since its last fault, and for ever where counters().stopped.
  std::optional<Fault> trouble() const;

 private:
  /// How far a campaign's coupons are.
  struct Course {
    const Campaign* campaign = nullptr;
    std::optional<Progress> progress;  // none: the store has no row of it
    std::optional<Progress> known;     // the last that was read, or written, before a reading that has not ended
    std::uint32_t changes = 0;         // covered by progress
    std::size_t rows_max = 0;          // halved while a row of the batch is refused
    Pace pace;
    std::vector<std::uint32_t> parked_ranks;  // rising
    std::uint32_t issued_told = 0;            // the last `issued` entry that was appended
    std::size_t issued_parked_told = 0;
    Uptime issued_again{};
    bool stopped = false;  // too many parked
    bool has_work() const;
    void keep(Course& before);
  };

  struct Batch {
    IssueBatch batch;
    std::uint32_t changes = 0;  // covered after it
  };

  Result<void> read_store();
  Result<void> follow_progress(Course& course, const Progress& progress, std::uint64_t heard);
  std::unexpected<Fault> ahead(const Progress& row, std::uint64_t heard, std::string what);
  void hold_back(Course& course);
  void find_new_campaigns();
  Course* next_course(Uptime now, Uptime& next);
  Batch next_batch(const Course& course) const;
  void issue(Course& course);
  void write(Course& course, const Batch& made);
  void committed(Course& course, const Batch& made);
  static std::size_t rows_of(const Batch& made);
  void spend(Course& course, std::size_t rows);
  void refused(Course& course, const Batch& made, const std::string& reason);
  void tell_issued(Course& course, Uptime now);
  void failed(const Fault& fault, std::string_view doing);
  void went_well();
  void end_pause();
  void tell(std::optional<Fault> trouble);
  void measure(Uptime now);
  double rate_of(const Campaign& campaign) const;
  std::size_t rows_max_of(const Course& course) const;

  const Standings& standings_;
  Store& store_;
  Journal& journal_;
  Clock& clock_;
  const IssuerSettings settings_;

  bool in_step_with_store_ = false;
  bool at_work_ = false;
  bool came_to_work_ = false;  // and has not read the store since
  bool write_failed_ = false;  // and the store has taken none since
  std::optional<Uptime> beat_due_;
  Uptime read_due_{};    // the store's progress, even if nothing speaks for it
  Uptime not_before_{};  // after a fault
  Millis pause_{0};      // grows with faults in a row
  Uptime measure_due_{};
  Pace pace_of_store_;
  std::atomic<std::uint64_t> heard_{0};
  struct Ahead {
    Progress row;
    std::uint64_t heard = 0;  // heard_ when it was first seen
  };
  std::optional<Ahead> ahead_since_;  // of what we have read, the store
  std::deque<Course> courses_;        // in the order of the standings
  std::size_t turn_ = 0;
  Counters counters_;
  mutable std::mutex trouble_mutex_;
  std::optional<Fault> trouble_;
};

}  // namespace firstcome
