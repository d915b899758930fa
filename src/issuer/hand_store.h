#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "journal/journal.h"
#include "store/store.h"

/// What an issuer works with, in the hand of a test: for tests only.
namespace firstcome::hand {

class HandClock final : public Clock {
 public:
  Time now() override { return Time(Millis(1'700'000'000'000)) + since_; }
  Uptime uptime() override { return since_; }
  void move_to(Uptime to) { since_ = std::max(since_, to); }

 private:
  Millis since_{1000};
};

class HandJournal final : public Journal {
 public:
  Result<void> start(Follower&) override { return {}; }
  Result<void> append(Entry entry, AppendTag) override {
    appended.push_back(std::move(entry));
    return {};
  }
  void stop() override {}
  Stats stats() const override { return {}; }
  std::vector<Entry> appended;
};

/// The tables in memory, with faults and poison at the test's wish.
class HandStore final : public Store {
 public:
  explicit HandStore(HandClock& clock) : clock_(clock) {}

  Result<std::optional<InstallationId>> installation() override {
    take_time();
    return id;
  }
  Result<void> adopt(const InstallationId& journal) override {
    id = journal;
    return {};
  }
  Result<std::vector<Progress>> progress() override {
    take_time();
    land_late();
    ++reads;
    if (on_read) on_read();
    if (take_one(fail_reads)) return fail(FaultKind::unavailable, "no store");
    std::vector<Progress> rows;
    for (const auto& [campaign, row] : progress_of) rows.push_back(row);
    return rows;
  }
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    if (on_write) on_write();
    take_time();
    land_late();
    if (late_ && late_->batch.next.campaign == batch.next.campaign) {
      return fail(FaultKind::unavailable, "waited for a lock in vain");
    }
    if (late_by > Millis(0)) {
      late_ = {batch, clock_.uptime() + std::exchange(late_by, Millis(0))};
      return fail(FaultKind::timed_out, "no answer");
    }
    if (take_one(fail_writes)) return fail(FaultKind::unavailable, "no store");
    const auto found = progress_of.find(batch.next.campaign.str());
    const auto seen = found == progress_of.end() ? std::nullopt : std::optional(found->second);
    if (seen != batch.seen) return FenceLost{};
    sent.push_back({batch.coupons.size(), clock_.uptime(), beats});
    for (const CouponRow& row : batch.coupons) {
      if (poison.contains(row.user.str())) return RowRefused{"value too long"};
    }
    put(batch, clock_.uptime());
    for (ParkedEntry entry : batch.parked) {
      entry.number = ++last_number;
      parked_now.push_back(entry);
    }
    for (const auto quota : batch.quotas) quotas.push_back(quota);
    if (batch.campaign) terms = batch.campaign;
    if (take_one(unknown_writes)) return fail(FaultKind::timed_out, "no answer");
    return Committed{};
  }
  Result<std::vector<ParkedEntry>> parked() override {
    take_time();
    return parked_now;
  }
  Result<WriteOutcome> retry(std::int64_t number, Time) override {
    const auto entry = std::ranges::find(parked_now, number, &ParkedEntry::number);
    if (entry == parked_now.end()) return fail(FaultKind::misconfigured, "not parked");
    if (poison.contains(entry->coupon.user.str())) return RowRefused{"value too long"};
    coupons_of[entry->coupon.campaign.str()].push_back({entry->coupon, clock_.uptime()});
    parked_now.erase(entry);
    if (take_one(unknown_writes)) return fail(FaultKind::timed_out, "no answer");
    return Committed{};
  }
  Result<bool> beat(const std::string& holder) override {
    ++beats;
    take_time();
    if (take_one(fail_beats)) return fail(FaultKind::unavailable, "no store");
    land_late();
    if (late_) return fail(FaultKind::unavailable, "waited for a lock in vain");
    if (!at_work) at_work = holder;
    return *at_work == holder;
  }
  Result<std::vector<CouponRow>> coupons(std::string_view, std::uint32_t, std::size_t) override { return {}; }

  struct Row {
    CouponRow coupon;
    Uptime at;
  };
  struct Sent {
    std::size_t rows;
    Uptime at;
    int beats;  // before it
  };
  std::optional<InstallationId> id;
  std::map<std::string, Progress> progress_of;
  std::map<std::string, std::vector<Row>> coupons_of;
  std::vector<Sent> sent;  // batches, also those that were refused
  std::vector<ParkedEntry> parked_now;
  std::vector<std::uint32_t> quotas;
  std::optional<CampaignRow> terms;
  std::set<std::string> poison;
  std::function<void()> on_write;
  std::function<void()> on_read;  ///< of the progress
  std::optional<std::string> at_work;
  int fail_writes = 0, unknown_writes = 0, fail_reads = 0, fail_beats = 0, reads = 0, beats = 0;
  std::int64_t last_number = 0;
  Millis each_takes{0};  ///< any call
  Millis late_by{0};     ///< after that the next write lands, though nobody says so

 private:
  struct Late {
    IssueBatch batch;
    Uptime at;
  };

  void put(const IssueBatch& batch, Uptime at) {
    progress_of[batch.next.campaign.str()] = batch.next;
    for (const CouponRow& row : batch.coupons) coupons_of[row.campaign.str()].push_back({row, at});
  }
  void take_time() { clock_.move_to(clock_.uptime() + each_takes); }
  void land_late() {
    if (!late_ || clock_.uptime() < late_->at) return;
    put(late_->batch, late_->at);
    late_.reset();
  }

  /// One fewer of the faults that the test asked for.
  static bool take_one(int& left) {
    if (left == 0) return false;
    --left;
    return true;
  }

  HandClock& clock_;
  std::optional<Late> late_;
};

}  // namespace firstcome::hand
