#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "verify/checks.h"

/// A small journal with everything in it, and the store that a right issuer would have made of it. The rows come from
/// the naive oracle and from nothing that the checks use.
namespace firstcome::verify::scene {

constexpr Time at(std::int64_t ms) { return Time(Millis(ms)); }

inline Code code_of(std::uint8_t number) { return {number, 0xc0}; }

/// Positions are the places in this list, from 1 on; stamps are a second apart.
inline std::vector<Shown> journal() {
  std::vector<Shown> all;
  std::uint8_t code = 0;
  const auto add = [&](Entry entry) {
    const Position position = all.size() + 1;
    all.push_back(
        {.position = position, .stamp = at(1000 * static_cast<std::int64_t>(position)), .entry = std::move(entry)});
  };
  const auto ticket = [&](const char* campaign, const char* user) {
    add(Ticket{.campaign = campaign, .user = user, .code = code_of(++code)});
  };
  add(Installation{.id = {7}, .partitions = 1});
  add(Opened{.campaign = "lunch",
             .name = "Lunch",
             .quota = 3,
             .opens_at = at(500),
             .closes_at = at(99'000),
             .issue_rate = 2.5,
             .promise = {}});
  ticket("lunch", "alice");  // 3: rank 1
  add(Opened{.campaign = "dinner",
             .name = {},
             .quota = 3,
             .opens_at = {},
             .closes_at = {},
             .issue_rate = {},
             .promise = Promise::store});
  ticket("lunch", "bob");     // 5: rank 2
  ticket("dinner", "alice");  // 6: rank 1
  ticket("lunch", "carol");   // 7: rank 3, sealed
  ticket("lunch", "dave");    // 8: surplus
  add(QuotaRaised{.campaign = "lunch", .quota = 5});
  ticket("lunch", "dave");  // 10: rank 4
  add(Paused{.campaign = "lunch", .seen = 0});
  ticket("dinner", "bob");  // 12: rank 2
  add(Issued{.campaign = "dinner", .rank = 1, .parked = {}});
  ticket("lunch", "erin");  // 14: rank 5, sealed again
  add(Closed{.campaign = "dinner", .by = ClosedBy::person});
  return all;
}

/// What the tables hold when progress has reached these positions.
inline StoreRows rows_at(const std::vector<Shown>& journal, const std::map<std::string, Position>& upto) {
  StoreRows rows;
  rows.installation = std::get<Installation>(journal.front().entry).id;
  for (const auto& [id, end] : upto) {
    Naive naive;
    const Opened* opened = nullptr;
    Progress progress{.campaign = id};
    std::vector<std::uint32_t> quotas;
    for (const Shown& shown : journal) {
      if (shown.position > end) break;
      naive.apply(shown);
      if (campaign_of(shown.entry) != id) continue;
      if (!opened) opened = std::get_if<Opened>(&shown.entry);
      const NaiveCampaign& c = *naive.find(id);
      if (quotas.empty() || quotas.back() != c.terms.quota) quotas.push_back(c.terms.quota);
      if (c.winners.size() > progress.rank) {
        const NaiveWinner& winner = c.winners.back();
        rows.coupons.push_back({.campaign = id,
                                .rank = ++progress.rank,
                                .quota = quotas.back(),
                                .user = winner.user,
                                .code = winner.code,
                                .position = winner.position,
                                .issued_at = at(123)});
      }
    }
    const NaiveCampaign& c = *naive.find(id);
    progress.position = end;
    progress.chain = c.chain;
    rows.progress.push_back(progress);
    for (const auto quota : quotas) rows.quotas.push_back({.campaign = id, .quota = quota});
    rows.campaigns.push_back({.id = id,
                              .name = opened->name.value_or(id),
                              .window = {.opens_at = c.terms.opens_at, .closes_at = c.terms.closes_at},
                              .issue_rate = opened->issue_rate,
                              .promise = opened->promise.value_or(Promise::journal),
                              .paused = c.terms.paused,
                              .closed = c.terms.closed});
  }
  return rows;
}

inline StoreRows all_rows() { return rows_at(journal(), {{"lunch", 14}, {"dinner", 15}}); }

/// The names of the checks that failed, and all that they say.
struct Broken {
  std::vector<std::string> checks;
  std::string failures;
};

inline Broken broken(const std::vector<Check>& checks) {
  Broken all;
  for (const Check& check : checks) {
    if (check.ok()) continue;
    all.checks.push_back(check.name);
    for (const auto& failure : check.failures) all.failures += failure + "\n";
  }
  std::ranges::sort(all.checks);
  return all;
}

inline CouponRow& coupon(StoreRows& rows, std::string_view campaign, std::uint32_t rank) {
  return *std::ranges::find_if(
      rows.coupons, [&](const CouponRow& row) { return row.campaign.view() == campaign && row.rank == rank; });
}

}  // namespace firstcome::verify::scene
