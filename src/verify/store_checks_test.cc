// Each rule about the store is seen red: one thing is tampered with, and exactly the checks that it breaks fail, with
// the row named. A store that is only behind is not broken.
#include <gtest/gtest.h>

#include <functional>

#include "verify/scene_test.h"

namespace firstcome::verify {
namespace {

using scene::at;
using Names = std::vector<std::string>;

std::vector<Check> checks_of(const std::vector<Shown>& journal, const StoreRows& rows) {
  Folds folds({}, 16);
  folds.apply(journal);
  auto checks = check_folds(folds);
  for (auto& check : check_store(folds, rows)) checks.push_back(std::move(check));
  return checks;
}

TEST(StoreChecks, a_right_store_is_exact_and_every_row_is_counted) {
  const auto checks = checks_of(scene::journal(), scene::all_rows());
  EXPECT_EQ(scene::broken(checks).checks, Names{}) << scene::broken(checks).failures;
  std::map<std::string, std::uint64_t> checked;
  for (const Check& check : checks) checked[check.name] = check.checked;
  EXPECT_EQ(checked["campaign rows"], 2U);
  EXPECT_EQ(checked["campaign_quota rows"], 3U);
  EXPECT_EQ(checked["coupon rows"], 7U);
  EXPECT_EQ(checked["progress rows"], 2U);
  EXPECT_EQ(checked["progress lies within the journal"], 2U);
  EXPECT_EQ(checked["ranks are dense and at most N"], 7U);
  EXPECT_EQ(checked["one coupon a user"], 7U);
  EXPECT_EQ(checked["one coupon a code"], 7U);
  EXPECT_EQ(checked["store belongs to this journal"], 1U);
  EXPECT_EQ(checked["sealed if and only if N ranks are held"], 2U);
  EXPECT_GT(checked["both folds agree"], 7U);
}

TEST(StoreChecks, an_empty_store_only_owes) {
  Folds folds({}, 16);
  folds.apply(scene::journal());
  const StoreRows rows;
  EXPECT_EQ(scene::broken(check_store(folds, rows)).checks, Names{});
  const auto all = outcomes(folds, &rows, scene::at(1000));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].campaign, "lunch");
  EXPECT_EQ(all[0].quota, 5U);
  EXPECT_EQ(all[0].winners, 5U);
  EXPECT_EQ(all[0].owed, 5U);
  EXPECT_TRUE(all[0].sealed);
  EXPECT_FALSE(all[1].sealed);
  EXPECT_TRUE(all[1].closed);
}

TEST(StoreChecks, a_store_that_is_behind_at_any_point_only_owes) {
  // Every position of lunch at which an issuer may have stopped.
  for (const Position lunch : {2U, 3U, 5U, 7U, 9U, 10U, 11U, 14U}) {
    const auto rows = scene::rows_at(scene::journal(), {{"lunch", lunch}});
    const auto found = scene::broken(checks_of(scene::journal(), rows));
    EXPECT_EQ(found.checks, Names{}) << "at " << lunch << ": " << found.failures;
  }
}

TEST(StoreChecks, a_parked_coupon_is_owed_and_not_lost) {
  auto rows = scene::all_rows();
  rows.parked.push_back({.number = 1, .coupon = scene::coupon(rows, "lunch", 2), .reason = "", .parked_at = at(1)});
  std::erase_if(rows.coupons, [](const CouponRow& row) { return row.campaign.view() == "lunch" && row.rank == 2; });
  EXPECT_EQ(scene::broken(checks_of(scene::journal(), rows)).checks, Names{});
  Folds folds({}, 16);
  folds.apply(scene::journal());
  EXPECT_EQ(outcomes(folds, &rows, at(1000))[0].owed, 1U);
  EXPECT_EQ(outcomes(folds, &rows, at(1000))[0].parked, 1U);
  rows.parked[0].coupon.code = scene::code_of(99);
  const auto found = scene::broken(checks_of(scene::journal(), rows));
  EXPECT_EQ(found.checks, Names{"parked rows"});
  EXPECT_NE(found.failures.find("parked_entry 1, rank 2 of lunch"), std::string::npos) << found.failures;
}

struct Tamper {
  std::string what;
  std::function<void(StoreRows&)> with;
  Names breaks;
  std::string names;  ///< must be in what the checks say
};

CampaignRow& lunch(StoreRows& rows) {
  return *std::ranges::find_if(rows.campaigns, [](const CampaignRow& row) { return row.id.view() == "lunch"; });
}
Progress& progress(StoreRows& rows) {
  return *std::ranges::find_if(rows.progress, [](const Progress& row) { return row.campaign.view() == "lunch"; });
}

std::vector<Tamper> tampers() {
  const Names campaign{"campaign rows"};
  const Names quota{"campaign_quota rows"};
  const Names coupon{"coupon rows"};
  const Names progress_rows{"progress rows"};
  return {
      {"campaign.name", [](auto& r) { lunch(r).name = "Brunch"; }, campaign, "campaign lunch: name is Brunch"},
      {"campaign.opens_at", [](auto& r) { lunch(r).window.opens_at = at(501); }, campaign, "campaign lunch: opens_at"},
      {"campaign.closes_at", [](auto& r) { lunch(r).window.closes_at = {}; }, campaign, "campaign lunch: closes_at"},
      {"campaign.issue_rate", [](auto& r) { lunch(r).issue_rate = {}; }, campaign,
       "campaign lunch: issue_rate is none"},
      {"campaign.promise", [](auto& r) { lunch(r).promise = Promise::store; }, campaign, "campaign lunch: promise"},
      {"campaign.paused", [](auto& r) { lunch(r).paused = false; }, campaign, "campaign lunch: paused is false"},
      {"campaign.closed", [](auto& r) { lunch(r).closed = true; }, campaign, "campaign lunch: closed is true"},
      {"campaign row added", [](auto& r) { r.campaigns.push_back({.id = "supper"}); }, campaign, "campaign supper"},
      {"campaign row twice", [](auto& r) { r.campaigns.push_back(lunch(r)); }, campaign,
       "campaign lunch: there are two"},
      {"campaign row removed",
       [](auto& r) { std::erase_if(r.campaigns, [](auto& c) { return c.id.view() == "lunch"; }); }, campaign,
       "campaign lunch: the row is missing"},

      {"campaign_quota changed", [](auto& r) { r.quotas[1].quota = 6; }, quota, "campaign_quota (lunch, "},
      {"campaign_quota added", [](auto& r) { r.quotas.push_back({"lunch", 9}); }, quota, "campaign_quota (lunch, 9)"},
      {"campaign_quota twice", [](auto& r) { r.quotas.push_back({"lunch", 5}); }, quota, "campaign_quota (lunch, 5)"},
      {"campaign_quota removed", [](auto& r) { std::erase(r.quotas, QuotaRow{"lunch", 3}); }, quota,
       "campaign_quota (lunch, 3): the row is missing"},
      {"campaign_quota of nobody", [](auto& r) { r.quotas.push_back({"supper", 9}); }, quota,
       "campaign_quota (supper, 9): the journal has no such campaign"},

      {"coupon.user", [](auto& r) { scene::coupon(r, "lunch", 2).user = "mallory"; }, coupon,
       "coupon (lunch, 2): user mallory, position 5; by the journal the user is bob"},
      {"coupon.code", [](auto& r) { scene::coupon(r, "lunch", 2).code = scene::code_of(77); }, coupon,
       "coupon (lunch, 2): user bob, position 5; by the journal the code is"},
      {"coupon.position", [](auto& r) { scene::coupon(r, "lunch", 2).position = 6; }, coupon,
       "coupon (lunch, 2): user bob, position 6; by the journal the position is 5"},
      {"coupon.quota", [](auto& r) { scene::coupon(r, "lunch", 2).quota = 5; }, coupon,
       "coupon (lunch, 2): user bob, position 5; the quota is 5, by the journal 3"},
      {"coupon.rank",
       [](auto& r) { scene::coupon(r, "lunch", 5).rank = 6; },
       {"coupon rows", "ranks are dense and at most N"},
       "coupon (lunch, 5): the row is missing; user erin, position 14"},
      {"coupon.campaign",
       [](auto& r) { scene::coupon(r, "lunch", 5).campaign = "supper"; },
       {"coupon rows", "ranks are dense and at most N"},
       "coupon (supper, 5)"},
      {"the last coupon removed",
       [](auto& r) { std::erase_if(r.coupons, [](auto& c) { return c.user.view() == "erin"; }); }, coupon,
       "coupon (lunch, 5): the row is missing; user erin, position 14"},
      {"a coupon removed",
       [](auto& r) { std::erase_if(r.coupons, [](auto& c) { return c.user.view() == "carol"; }); },
       {"coupon rows", "ranks are dense and at most N"},
       "coupon (lunch, 3): the row is missing; user carol, position 7"},
      {"coupon N+1",
       [](auto& r) {
         auto row = scene::coupon(r, "lunch", 5);
         row.rank = 6;
         row.user = "mallory";
         row.code = scene::code_of(88);
         r.coupons.push_back(row);
       },
       {"coupon rows", "ranks are dense and at most N"},
       "coupon (lunch, 6): user mallory"},
      {"two coupons swap users",
       [](auto& r) { std::swap(scene::coupon(r, "lunch", 2).user, scene::coupon(r, "lunch", 3).user); }, coupon,
       "coupon (lunch, 3): user bob"},
      {"a user has two coupons",
       [](auto& r) { scene::coupon(r, "lunch", 2).user = "alice"; },
       {"coupon rows", "one coupon a user"},
       "user alice and user alice"},
      {"a code is used twice",
       [](auto& r) { scene::coupon(r, "lunch", 2).code = scene::coupon(r, "dinner", 1).code; },
       {"coupon rows", "one coupon a code"},
       "coupon (lunch, 2)"},
      {"a coupon is parked as well",
       [](auto& r) { r.parked.push_back({.number = 4, .coupon = scene::coupon(r, "lunch", 2), .reason = ""}); },
       {"one coupon a code", "one coupon a user", "parked rows", "ranks are dense and at most N"},
       "parked_entry 4, rank 2 of lunch"},

      {"progress.rank", [](auto& r) { --progress(r).rank; }, progress_rows,
       "progress of lunch: position 14, rank 4; by the journal rank 5"},
      {"progress.position", [](auto& r) { progress(r).position = 11; }, progress_rows,
       "progress of lunch: position 11"},
      {"progress.position between", [](auto& r) { progress(r).position = 13; }, progress_rows,
       "progress of lunch: position 13, rank 5; no entry of the campaign"},
      {"progress.chain", [](auto& r) { progress(r).chain[31] ^= 1; }, progress_rows,
       "progress of lunch: position 14, rank 5; the chain is another one"},
      {"progress beyond",
       [](auto& r) { progress(r).position = 16; },
       {"progress lies within the journal"},
       "progress of lunch: position 16, rank 5; the journal ends at position 15"},
      {"progress added", [](auto& r) { r.progress.push_back({.campaign = "supper", .rank = 0, .position = 3}); },
       progress_rows, "progress of supper"},
      {"progress twice", [](auto& r) { r.progress.push_back(progress(r)); }, progress_rows, "progress of lunch"},
      {"progress removed",
       [](auto& r) { std::erase_if(r.progress, [](auto& p) { return p.campaign.view() == "lunch"; }); }, progress_rows,
       "progress of lunch: the row is missing; there are 5 coupons, up to rank 5"},

      {"another journal's store",
       [](auto& r) { r.installation = InstallationId{8}; },
       {"store belongs to this journal"},
       "another journal"},
      {"a store without an id", [](auto& r) { r.installation = {}; }, {"store belongs to this journal"}, "no id"},
  };
}

TEST(StoreChecks, whatever_is_tampered_with_is_found_and_named) {
  for (const Tamper& tamper : tampers()) {
    auto rows = scene::all_rows();
    tamper.with(rows);
    const auto found = scene::broken(checks_of(scene::journal(), rows));
    EXPECT_EQ(found.checks, tamper.breaks) << tamper.what << ": " << found.failures;
    EXPECT_NE(found.failures.find(tamper.names), std::string::npos) << tamper.what << ": " << found.failures;
  }
}

TEST(StoreChecks, a_row_of_a_campaign_that_has_no_progress_is_found) {
  auto rows = scene::rows_at(scene::journal(), {{"lunch", 14}});
  auto others = scene::all_rows();
  const auto with_campaign = [&] {
    auto more = rows;
    std::ranges::copy_if(others.campaigns, std::back_inserter(more.campaigns),
                         [](auto& c) { return c.id.view() == "dinner"; });
    return more;
  }();
  auto found = scene::broken(checks_of(scene::journal(), with_campaign));
  EXPECT_EQ(found.checks, Names{"campaign rows"});
  EXPECT_NE(found.failures.find("campaign dinner"), std::string::npos) << found.failures;
  rows.quotas.push_back({"dinner", 3});
  found = scene::broken(checks_of(scene::journal(), rows));
  EXPECT_EQ(found.checks, Names{"campaign_quota rows"});
  EXPECT_NE(found.failures.find("campaign_quota (dinner, 3)"), std::string::npos) << found.failures;
}

// The journal is tampered with, and the store tells.

TEST(StoreChecks, a_dropped_entry_is_found) {
  for (const Position dropped : {3U, 7U, 9U, 14U}) {
    auto journal = scene::journal();
    std::erase_if(journal, [&](const Shown& shown) { return shown.position == dropped; });
    const auto found = scene::broken(checks_of(journal, scene::all_rows()));
    EXPECT_TRUE(std::ranges::find(found.checks, "progress rows") != found.checks.end()) << dropped;
    EXPECT_NE(found.failures.find("progress of lunch"), std::string::npos) << found.failures;
  }
}

TEST(StoreChecks, swapped_entries_are_found) {
  auto journal = scene::journal();
  std::swap(journal[2].entry, journal[4].entry);  // alice and bob
  const auto found = scene::broken(checks_of(journal, scene::all_rows()));
  EXPECT_EQ(found.checks, (Names{"coupon rows", "progress rows"}));
  EXPECT_NE(found.failures.find("coupon (lunch, 1): user alice"), std::string::npos) << found.failures;
}

TEST(StoreChecks, an_entry_that_comes_again_is_no_news) {
  auto journal = scene::journal();
  journal.insert(journal.begin() + 6, journal[2]);  // the same position again
  auto later = journal[2];
  later.position = 99;  // the same ticket again
  journal.push_back(later);
  const auto found = scene::broken(checks_of(journal, scene::all_rows()));
  EXPECT_EQ(found.checks, Names{}) << found.failures;
}

TEST(StoreChecks, only_one_campaign_may_be_looked_at) {
  Folds folds("dinner", 16);
  folds.apply(scene::journal());
  EXPECT_EQ(folds.standings().campaigns().size(), 1U);
  EXPECT_EQ(folds.end("dinner"), 15U);
  const auto rows = scene::rows_at(scene::journal(), {{"dinner", 15}});
  EXPECT_EQ(scene::broken(check_folds(folds)).checks, Names{});
  EXPECT_EQ(scene::broken(check_store(folds, rows)).checks, Names{});
}

TEST(Check, keeps_the_first_failures_and_counts_all) {
  Check check{.name = "some rule"};
  for (int i = 0; i < 25; ++i) check.expect(i < 5, [&] { return std::to_string(i); });
  EXPECT_EQ(check.checked, 25U);
  EXPECT_EQ(check.broken, 20U);
  ASSERT_EQ(check.failures.size(), 10U);
  EXPECT_EQ(check.failures.front(), "5");
}

}  // namespace
}  // namespace firstcome::verify
