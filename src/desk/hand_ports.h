#pragma once

#include <utility>
#include <vector>

#include "base/clock.h"
#include "journal/journal.h"

namespace firstcome {

/// A clock in the hand of a test.
class HandClock final : public Clock {
 public:
  Time now() override { return Time(Millis(1'700'000'000'000)) + since_; }
  Uptime uptime() override { return since_; }
  void advance(Millis by) { since_ += by; }

 private:
  Millis since_{1000};
};

/// A journal in the hand of the test: shows what it was given when the test says so.
class HandJournal final : public Journal {
 public:
  Result<void> start(Follower&) override { return {}; }
  Result<void> append(Entry entry, AppendTag tag) override {
    if (full) return fail(FaultKind::overloaded, "full");
    waiting.emplace_back(std::move(entry), tag);
    return {};
  }
  void stop() override {}
  Stats stats() const override { return {}; }

  bool full = false;
  std::vector<std::pair<Entry, AppendTag>> waiting;
};

}  // namespace firstcome
