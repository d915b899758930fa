#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "model/entry.h"

namespace firstcome {

/// Who appended: told back when an append fails.
struct AppendTag {
  std::uint32_t author = 0;  ///< which desk, or another author that the composition root numbered
  std::uint64_t number = 0;  ///< the author's own
  bool operator==(const AppendTag&) const = default;
};

/// What reads a journal to its end and stays there. Called on the journal's own thread, never twice at once.
class Follower {
 public:
  virtual ~Follower() = default;

  /// The next entries, in order. When this returns, the journal may forget them.
  virtual void shown(std::span<const Shown> entries) = 0;

  /// These appends will never be shown: they are not in the journal. A claim behind one is answered 503, ask again.
  virtual void append_failed(std::span<const AppendTag> appends, const Fault& fault) = 0;

  /// The journal lives, and everything that was in it at `journal_now` (its clock) has been shown. At least every 500
  /// ms while the journal can be reached.
  virtual void heard(Time journal_now) = 0;
};

/// The one place where the order of arrival becomes fact.
///
///   Order      Positions grow strictly and never change. What was shown once is shown for ever, in the same order.
///   Whole      A follower is shown every entry from the first one, each once.
///   Durable    An entry is shown only when a power cut cannot take it back.
///   Stamped    An entry carries the journal's time of its append.
///   Told       An append is shown, or told as failed; when its outcome cannot be known, it may be neither.
///   Threads    Any thread may append; a follower is called on the journal's own thread.
///   Bounds     At most `append_entries_max` appends wait; beyond, append fails with overloaded.
///   Fails      A corrupt journal is refused at the start, with the position and what to do; nothing is skipped.
class Journal {
 public:
  virtual ~Journal() = default;

  /// Shows all entries there are and tells that it lives, on the calling thread; then starts the journal's own thread.
  /// Once.
  virtual Result<void> start(Follower& follower) = 0;

  /// Does not block. Fails with overloaded (full) or unavailable (stopped): then it is not in the journal.
  virtual Result<void> append(Entry entry, AppendTag tag) = 0;

  /// Refuses appends, ends those that wait, and joins the thread. Idempotent.
  virtual void stop() = 0;

  /// What a person must mend before the journal is heard, or takes anything, again; it says where and how. Any thread.
  virtual std::optional<Fault> trouble() const { return {}; }

  /// What came of the last look at it, where it did not answer: why it may be silent. Any thread.
  virtual std::optional<Fault> why_silent() const { return {}; }

  /// For metrics; any thread.
  struct Stats {
    std::size_t waiting = 0;
    std::size_t waiting_max = 0;
    std::uint64_t commits = 0;
    std::uint64_t entries = 0;
    std::uint64_t faults = 0;
    double commit_seconds = 0;  ///< sum
    std::uint64_t batch_entries_last = 0;
    std::uint64_t skipped = 0;  ///< messages that are no entries of ours
  };
  virtual Stats stats() const = 0;
};

}  // namespace firstcome
