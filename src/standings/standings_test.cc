// The rules of the fold, one by one: who wins, what counts, and what a reader is told.
#include "standings/standings.h"

#include <gtest/gtest.h>

namespace firstcome {
namespace {

constexpr Time at(std::int64_t ms) { return Time(Millis(ms)); }

/// A journal in memory: each entry gets the next position and the stamp that was set last.
class StandingsTest : public testing::Test {
 protected:
  Effect add(Entry entry) {
    last = {.position = ++position, .stamp = now, .entry = std::move(entry)};
    return standings.apply(last);
  }
  Effect open(std::uint32_t quota, std::optional<Time> opens_at = {}, std::optional<Time> closes_at = {},
              std::optional<Promise> promise = {}) {
    return add(Opened{.campaign = "lunch",
                      .name = {},
                      .quota = quota,
                      .opens_at = opens_at,
                      .closes_at = closes_at,
                      .issue_rate = {},
                      .promise = promise});
  }
  Effect claim(const char* user) { return add(Ticket{.campaign = "lunch", .user = user, .code = {++code}}); }
  Effect move(std::optional<Time> opens_at, std::optional<Time> closes_at, Position seen) {
    return add(WindowChanged{.campaign = "lunch", .opens_at = opens_at, .closes_at = closes_at, .seen = seen});
  }
  Effect close(ClosedBy by) { return add(Closed{.campaign = "lunch", .by = by}); }
  const Campaign& lunch() { return *standings.find("lunch"); }
  Look look(const char* user) { return lunch().look(user, now); }

  Standings standings;
  Position position = 0;
  Time now = at(1000);
  std::uint8_t code = 0;
  Shown last;
};

TEST_F(StandingsTest, ranks_go_to_the_first_n_different_users_in_order) {
  EXPECT_EQ(open(2).kind, EffectKind::opened);
  const Effect first = claim("alice");
  EXPECT_EQ(first.kind, EffectKind::won);
  EXPECT_EQ(first.rank, 1U);
  EXPECT_FALSE(first.sealed);
  EXPECT_EQ(claim("alice").kind, EffectKind::known);
  const Effect second = claim("Alice");  // users are bytes
  EXPECT_EQ(second.kind, EffectKind::won);
  EXPECT_EQ(second.rank, 2U);
  EXPECT_TRUE(second.sealed);
  EXPECT_EQ(claim("bob").kind, EffectKind::surplus);
  EXPECT_EQ(claim("alice").rank, 1U);
  ASSERT_EQ(lunch().winners().size(), 2U);
  EXPECT_EQ(lunch().winners()[0].user(), "alice");
  EXPECT_EQ(lunch().winners()[0].code, Code{1});
  EXPECT_EQ(lunch().winners()[0].stamp, now);
  EXPECT_EQ(lunch().winners()[0].position, 2U);
  EXPECT_TRUE(lunch().view().sealed);
}

TEST_F(StandingsTest, a_surplus_user_may_win_after_a_raise) {
  open(1);
  claim("alice");
  EXPECT_EQ(claim("bob").kind, EffectKind::surplus);
  EXPECT_EQ(look("bob").place, Place::sealed);
  EXPECT_EQ(look("bob").quota, 1U);
  EXPECT_EQ(add(QuotaRaised{.campaign = "lunch", .quota = 2}).kind, EffectKind::quota_raised);
  EXPECT_EQ(look("bob").place, Place::free) << "the ticket of before stays forgotten";
  EXPECT_EQ(claim("bob").rank, 2U);
  EXPECT_EQ(look("carol").quota, 2U);
  EXPECT_EQ(standings.places(), 2U);
}

TEST_F(StandingsTest, a_raise_counts_only_upwards_and_before_the_closing) {
  open(3);
  EXPECT_EQ(add(QuotaRaised{.campaign = "lunch", .quota = 3}).kind, EffectKind::none);
  EXPECT_EQ(add(QuotaRaised{.campaign = "lunch", .quota = 2}).kind, EffectKind::none);
  close(ClosedBy::person);
  EXPECT_EQ(add(QuotaRaised{.campaign = "lunch", .quota = 9}).kind, EffectKind::none);
  EXPECT_EQ(lunch().view().quota, 3U);
}

TEST_F(StandingsTest, many_raises_lose_nobody) {
  open(1);
  std::uint32_t quota = 1;
  for (int i = 0; i < 2000; ++i) {
    const auto user = "u" + std::to_string(i);
    ASSERT_EQ(claim(user.c_str()).kind, EffectKind::won);
    if (lunch().view().sealed) add(QuotaRaised{.campaign = "lunch", .quota = quota += 1 + quota / 8});
  }
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(look(("u" + std::to_string(i)).c_str()).rank, static_cast<unsigned>(i + 1));
}

TEST_F(StandingsTest, the_window_is_half_open_and_leaves_no_trace) {
  open(5, at(1000), at(2000));
  now = at(999);
  EXPECT_EQ(claim("alice").kind, EffectKind::out_of_window);
  EXPECT_EQ(look("alice").place, Place::not_yet_open);
  now = at(1000);
  EXPECT_EQ(look("alice").place, Place::free);
  EXPECT_EQ(claim("alice").kind, EffectKind::won) << "who came too early may come again";
  now = at(1999);
  EXPECT_EQ(claim("bob").kind, EffectKind::won);
  now = at(2000);
  EXPECT_EQ(claim("carol").kind, EffectKind::out_of_window);
  EXPECT_EQ(look("carol").place, Place::past_close);
  EXPECT_EQ(move({}, at(3000), 0).kind, EffectKind::window_changed);
  EXPECT_EQ(claim("carol").kind, EffectKind::won);
}

TEST_F(StandingsTest, a_due_closing_counts_only_from_closes_at_on) {
  open(5, {}, at(2000));
  now = at(1999);
  EXPECT_EQ(close(ClosedBy::due).kind, EffectKind::none) << "too early";
  move({}, at(3000), 0);
  now = at(2000);
  EXPECT_EQ(close(ClosedBy::due).kind, EffectKind::none) << "the window in force is another one";
  now = at(3000);
  EXPECT_EQ(close(ClosedBy::due).kind, EffectKind::closed);
  EXPECT_EQ(close(ClosedBy::due).kind, EffectKind::none) << "twice is harmless";
  EXPECT_EQ(close(ClosedBy::person).kind, EffectKind::none);
  EXPECT_EQ(look("alice").place, Place::closed);
}

TEST_F(StandingsTest, a_due_closing_without_closes_at_never_counts) {
  open(5);
  EXPECT_EQ(close(ClosedBy::due).kind, EffectKind::none);
}

TEST_F(StandingsTest, after_a_persons_closing_nothing_counts_but_issued) {
  open(5, {}, {}, Promise::store);
  claim("alice");
  EXPECT_EQ(close(ClosedBy::person).kind, EffectKind::closed);
  EXPECT_EQ(claim("bob").kind, EffectKind::after_closed);
  EXPECT_EQ(claim("alice").kind, EffectKind::known);
  EXPECT_EQ(move({}, at(9), 0).kind, EffectKind::none);
  EXPECT_EQ(add(Paused{.campaign = "lunch", .seen = 0}).kind, EffectKind::none);
  EXPECT_EQ(add(Issued{.campaign = "lunch", .rank = 1, .parked = {}}).kind, EffectKind::issued);
  EXPECT_EQ(look("alice").place, Place::winner);
  EXPECT_EQ(look("bob").place, Place::closed);
}

TEST_F(StandingsTest, a_change_counts_only_if_its_author_had_seen_the_last_one) {
  open(5);
  EXPECT_EQ(add(Paused{.campaign = "lunch", .seen = 0}).kind, EffectKind::paused);
  const Position paused = position;
  EXPECT_EQ(look("alice").place, Place::paused);
  EXPECT_EQ(add(Paused{.campaign = "lunch", .seen = 0}).kind, EffectKind::none) << "resent";
  EXPECT_EQ(add(Resumed{.campaign = "lunch", .seen = paused}).kind, EffectKind::resumed);
  const Position resumed = position;
  EXPECT_EQ(add(Paused{.campaign = "lunch", .seen = 0}).kind, EffectKind::none) << "resent once more";
  EXPECT_EQ(add(Paused{.campaign = "lunch", .seen = paused}).kind, EffectKind::none) << "stale";
  EXPECT_EQ(look("alice").place, Place::free);
  EXPECT_EQ(move({}, at(9999), paused).kind, EffectKind::none) << "stale";
  EXPECT_EQ(move({}, at(9999), resumed).kind, EffectKind::window_changed);
  EXPECT_EQ(add(Paused{.campaign = "lunch", .seen = resumed}).kind, EffectKind::none) << "the window moved since";
}

TEST_F(StandingsTest, the_fold_does_not_look_at_paused) {
  open(5);
  add(Paused{.campaign = "lunch", .seen = 0});
  EXPECT_EQ(claim("alice").kind, EffectKind::won);
}

TEST_F(StandingsTest, a_campaign_id_is_used_once_for_ever) {
  open(1);
  claim("alice");
  EXPECT_EQ(open(9).kind, EffectKind::none);
  close(ClosedBy::person);
  EXPECT_EQ(open(9).kind, EffectKind::none);
  EXPECT_EQ(lunch().view().quota, 1U);
  EXPECT_EQ(standings.campaigns().size(), 1U);
  EXPECT_EQ(add(Ticket{.campaign = "dinner", .user = "alice", .code = {}}).kind, EffectKind::no_campaign);
  EXPECT_EQ(standings.find("dinner"), nullptr);
}

TEST_F(StandingsTest, the_first_installation_counts) {
  EXPECT_FALSE(standings.installation());
  EXPECT_EQ(add(Installation{.id = {1}, .partitions = 1}).kind, EffectKind::installed);
  EXPECT_EQ(add(Installation{.id = {2}, .partitions = 1}).kind, EffectKind::none);
  EXPECT_EQ(standings.installation()->id, InstallationId{1});
}

TEST_F(StandingsTest, an_applied_position_has_no_effect_again) {
  open(2);
  claim("alice");
  const Shown ticket = last;
  const Chain chain = lunch().winners()[0].chain;
  EXPECT_EQ(standings.apply(ticket).kind, EffectKind::none);
  Shown other = ticket;
  std::get<Ticket>(other.entry).user = "bob";
  EXPECT_EQ(standings.apply(other).kind, EffectKind::none);
  EXPECT_EQ(lunch().winners().size(), 1U);
  EXPECT_EQ(lunch().winners()[0].chain, chain);
  EXPECT_EQ(standings.position(), ticket.position);
}

TEST_F(StandingsTest, with_promise_store_an_answer_waits_for_issued) {
  open(2, {}, {}, Promise::store);
  claim("alice");
  EXPECT_FALSE(look("alice").issued);
  claim("bob");
  EXPECT_FALSE(look("carol").issued) << "sold_out too";
  EXPECT_EQ(add(Issued{.campaign = "lunch", .rank = 3, .parked = {}}).kind, EffectKind::none) << "nobody holds rank 3";
  EXPECT_EQ(add(Issued{.campaign = "lunch", .rank = 2, .parked = {1}}).kind, EffectKind::issued);
  EXPECT_FALSE(look("alice").issued) << "parked";
  EXPECT_TRUE(look("bob").issued);
  EXPECT_FALSE(look("carol").issued);
  EXPECT_EQ(add(Issued{.campaign = "lunch", .rank = 1, .parked = {}}).kind, EffectKind::none) << "late";
  EXPECT_EQ(add(Issued{.campaign = "lunch", .rank = 2, .parked = {1}}).kind, EffectKind::none) << "no news";
  EXPECT_EQ(add(Issued{.campaign = "lunch", .rank = 2, .parked = {}}).kind, EffectKind::issued) << "un-parked";
  EXPECT_TRUE(look("alice").issued);
  EXPECT_TRUE(look("carol").issued);
}

TEST_F(StandingsTest, the_precedence_is_winner_sealed_closed_paused_window) {
  open(1, at(5000), {});
  EXPECT_EQ(look("alice").place, Place::not_yet_open);
  add(Paused{.campaign = "lunch", .seen = 0});
  EXPECT_EQ(look("alice").place, Place::paused);
  EXPECT_EQ(lunch().state(now), "paused");
  now = at(5000);
  claim("alice");
  close(ClosedBy::person);
  EXPECT_EQ(look("bob").place, Place::sealed);
  EXPECT_EQ(look("alice").place, Place::winner);
  EXPECT_EQ(lunch().state(now), "sealed");
}

TEST_F(StandingsTest, two_folds_agree_in_every_chain_and_any_difference_shows) {
  const auto chain_of = [](std::uint64_t seed, const char* user, std::int64_t stamp, Position position) {
    Standings fold(seed);
    fold.apply({.position = 1, .stamp = at(1), .entry = Opened{.campaign = "lunch", .name = {}, .quota = 1}});
    fold.apply(
        {.position = position, .stamp = at(stamp), .entry = Ticket{.campaign = "lunch", .user = user, .code = {1}}});
    return fold.find("lunch")->winners()[0].chain;
  };
  const Chain chain = chain_of(1, "alice", 5, 2);
  EXPECT_EQ(chain_of(2, "alice", 5, 2), chain) << "the seed only places users in a table";
  EXPECT_NE(chain_of(1, "alicf", 5, 2), chain);
  EXPECT_NE(chain_of(1, "alice", 6, 2), chain);
  EXPECT_NE(chain_of(1, "alice", 5, 3), chain);
}

TEST_F(StandingsTest, changes_tell_the_terms_after_each_and_leave_out_what_had_no_effect) {
  open(1, at(10), at(2000));
  add(Paused{.campaign = "lunch", .seen = 0});
  add(Paused{.campaign = "lunch", .seen = 0});
  claim("alice");
  add(QuotaRaised{.campaign = "lunch", .quota = 4});
  add(Issued{.campaign = "lunch", .rank = 1, .parked = {}});
  close(ClosedBy::person);
  const auto& changes = lunch().changes();
  ASSERT_EQ(changes.size(), 4U);
  EXPECT_EQ(changes[0].position, 1U);
  EXPECT_EQ(changes[0].window, (Window{.opens_at = at(10), .closes_at = at(2000)}));
  EXPECT_TRUE(changes[1].paused);
  EXPECT_EQ(changes[2].quota, 4U);
  EXPECT_EQ(changes[2].position, 5U);
  EXPECT_TRUE(changes[3].closed);
  EXPECT_EQ(changes[3].stamp, now);
}

}  // namespace
}  // namespace firstcome
