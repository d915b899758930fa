#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gate/gate.h"
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

/// A gate in the hand of the test: it answers when the test says so, or lies, or never.
class HandGate final : public Gate {
 public:
  struct Asked {
    CampaignId campaign;
    User user;
    std::uint32_t places = 0;
    AskNumber number = 0;
  };
  struct Widened {
    CampaignId campaign;
    std::uint64_t generation = 0;
    std::uint32_t places = 0;
    bool operator==(const Widened&) const = default;
  };

  void start(GateAsker&) override {}
  Result<void> ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) override {
    if (away) return fail(FaultKind::unavailable, "away");
    asked.push_back({campaign, user, places, number});
    return {};
  }
  void widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) override {
    widened.push_back({campaign, generation, places});
  }
  void forget(const CampaignId& campaign) override { forgotten.push_back(campaign.str()); }
  void tick() override {}
  Stats stats() const override { return {}; }

  bool away = false;
  std::vector<Asked> asked;  ///< and not answered
  std::vector<Widened> widened;
  std::vector<std::string> forgotten;
};

}  // namespace firstcome
