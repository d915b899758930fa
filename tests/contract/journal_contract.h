#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "clause.h"
#include "journal/journal.h"

namespace firstcome {

/// An adapter of the journal, with what the contract must do to it.
class JournalHost {
 public:
  virtual ~JournalHost() = default;

  /// The same journal each time: the one before has been stopped, or is dead.
  virtual Result<std::unique_ptr<Journal>> open(std::size_t append_entries_max) = 0;

  /// Power off and on: what was not durable is gone, and so is whatever was open.
  virtual void crash() = 0;

  /// How often that is done for one clause.
  virtual std::uint64_t crashes() const { return 10; }

  /// No room, or room again.
  virtual void fill(bool full) = 0;

  /// Changes a byte of the entry that holds `text`, of a journal that is stopped.
  virtual void damage(std::string_view text) = 0;

  /// The clock that stamps.
  virtual Time now() = 0;

  /// How long something may take before it counts as never; shorter where it is known to be never.
  virtual Millis wait_max() const { return std::chrono::seconds(10); }
};

/// The clauses of journal/journal.h.
std::vector<Clause<JournalHost>> journal_contract();

}  // namespace firstcome
