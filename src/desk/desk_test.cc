// A desk answers every claim, from the standings or through the journal, whatever becomes of the ticket.
#include "desk/desk.h"

#include <gtest/gtest.h>

#include <set>

#include "desk/scene_test.h"

namespace firstcome {
namespace {

class DeskTest : public DeskScene {};

TEST_F(DeskTest, gives_the_place_to_the_first_and_sold_out_to_the_next) {
  make();
  open(1);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_TRUE(told_.empty()) << "nothing is said before the journal holds it";
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ(told_.at(1).winner->user(), "alice");
  EXPECT_EQ(told(2), AnswerKind::sold_out);
  EXPECT_EQ(told_.at(2).quota, 1U);
  EXPECT_EQ(claim("alice", 3)->kind, AnswerKind::won);
  EXPECT_EQ(claim("carol", 4)->kind, AnswerKind::sold_out);
  EXPECT_TRUE(journal_.waiting.empty()) << "who is refused costs no entry";
}

TEST_F(DeskTest, joins_the_claims_of_one_user) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("alice", 2));
  EXPECT_EQ(journal_.waiting.size(), 1U);
  commit();
  EXPECT_EQ(told_.at(1).winner, told_.at(2).winner);
  EXPECT_EQ(desk_->counters().joined, 1U);
}

TEST_F(DeskTest, is_woken_by_another_nodes_ticket_of_the_same_user) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  show(Ticket{"lunch", "alice", {7}});
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ(told_.at(1).winner->code, Code{7}) << "the record's code, not that of the ticket in hand";
  commit();
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(DeskTest, says_pending_after_wait_ms_max_and_joins_the_next_claim) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  clock_.advance(limits::wait_ms_max_default);
  desk_->heard(clock_.now());
  desk_->tick();
  EXPECT_EQ(told(1), AnswerKind::pending);
  EXPECT_GE(told_.at(1).retry_after, Millis(1000));
  EXPECT_FALSE(claim("alice", 2));
  EXPECT_EQ(journal_.waiting.size(), 1U) << "the ticket is still in flight";
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
}

TEST_F(DeskTest, sends_another_ticket_when_the_first_has_no_fate) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  journal_.waiting.clear();  // lost without a word
  clock_.advance(limits::in_flight_ms_max_default - Millis(100));
  desk_->heard(clock_.now());
  desk_->tick();
  EXPECT_EQ(told(1), AnswerKind::pending);
  EXPECT_FALSE(claim("alice", 2));
  EXPECT_TRUE(journal_.waiting.empty());
  clock_.advance(Millis(100));
  desk_->tick();
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(desk_->counters().sent_again, 1U);
}

TEST_F(DeskTest, answers_a_failed_append_with_a_fault) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  desk_->append_failed(std::vector{journal_.waiting.at(0).second}, {FaultKind::unavailable, "disk is full"});
  EXPECT_EQ(told(1), AnswerKind::fault);
  journal_.waiting.clear();
  journal_.full = true;
  EXPECT_EQ(claim("alice", 2)->kind, AnswerKind::fault);
  EXPECT_EQ(desk_->counters().failed_appends, 2U);
  journal_.full = false;
  EXPECT_FALSE(claim("alice", 3));
  commit();
  EXPECT_EQ(told(3), AnswerKind::won);
}

TEST_F(DeskTest, keeps_at_most_in_flight_max_tickets_in_the_journals_hands) {
  make({.in_flight_max = 2});
  open(10);
  for (ClaimNumber n = 1; n <= 5; ++n) EXPECT_FALSE(claim("u" + std::to_string(n), n));
  EXPECT_EQ(journal_.waiting.size(), 2U);
  commit();
  EXPECT_EQ(journal_.waiting.size(), 2U);
  commit();
  commit();
  EXPECT_EQ(told_.size(), 5U);
  for (ClaimNumber n = 1; n <= 5; ++n) EXPECT_EQ(told_.at(n).rank, n) << "in the order in which they asked";
}

TEST_F(DeskTest, a_wait_that_ends_leaves_the_queue) {
  make({.in_flight_max = 1});
  open(1000);
  EXPECT_FALSE(claim("alice", 1));
  const auto& queued = desk_->counters().queued;
  for (ClaimNumber n = 2; n < 1000; ++n) {  // the journal is away, and users come and go
    EXPECT_FALSE(claim("u" + std::to_string(n), n));
    EXPECT_EQ(queued, 1U);
    desk_->leave(n);
    EXPECT_EQ(queued, 0U);
  }
  EXPECT_FALSE(claim("bob", 1000));
  clock_.advance(limits::wait_ms_max_default);
  desk_->heard(clock_.now());
  desk_->tick();
  EXPECT_EQ(told(1000), AnswerKind::pending);
  EXPECT_EQ(queued, 0U);
}

TEST_F(DeskTest, who_leaves_the_queue_and_comes_again_stands_at_its_end) {
  make({.in_flight_max = 1});
  open(10);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_FALSE(claim("carol", 3));
  desk_->leave(2);
  EXPECT_FALSE(claim("bob", 4));
  EXPECT_EQ(desk_->counters().queued, 2U);
  for (int i = 0; i < 3; ++i) commit();
  EXPECT_EQ(told_.at(3).rank, 2U);
  EXPECT_EQ(told_.at(4).rank, 3U);
  EXPECT_EQ(desk_->counters().queued, 0U);
}

TEST_F(DeskTest, a_ticket_that_is_tried_again_has_not_failed) {
  make({.in_flight_max = 1});
  open(10);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  journal_.full = true;
  commit();
  for (int i = 0; i < 50; ++i) desk_->tick();
  journal_.full = false;
  desk_->tick();
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(desk_->counters().failed_appends, 0U);
}

TEST_F(DeskTest, says_pending_at_once_when_too_many_wait) {
  make({.waiting_claims_max = 1});
  open(10);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_EQ(claim("bob", 2)->kind, AnswerKind::pending);
  EXPECT_EQ(desk_->counters().overflowed, 1U);
}

TEST_F(DeskTest, ends_queued_claims_at_the_seal) {
  make({.in_flight_max = 1});
  open(1);
  for (ClaimNumber n = 1; n <= 3; ++n) EXPECT_FALSE(claim("u" + std::to_string(n), n));
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ(told(2), AnswerKind::sold_out);
  EXPECT_EQ(told(3), AnswerKind::sold_out);
  EXPECT_TRUE(journal_.waiting.empty());
}

TEST_F(DeskTest, takes_surplus_users_again_after_a_raise) {
  make();
  open(1);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  // In one batch: alice wins, bob is surplus, and the quota rises before anybody is told.
  std::vector<Effect> effects;
  for (auto& [entry, tag] : std::exchange(journal_.waiting, {})) effects.push_back(apply(std::move(entry)));
  effects.push_back(apply(QuotaRaised{"lunch", 2}));
  desk_->applied(effects);
  EXPECT_EQ(told(1), AnswerKind::won);
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(told_.at(2).rank, 2U);
}

TEST_F(DeskTest, knows_windows_pauses_and_the_closing) {
  make();
  open(5, {.opens_at = clock_.now() + Millis(10'000), .closes_at = clock_.now() + Millis(20'000)});
  const auto early = claim("alice", 1);
  EXPECT_EQ(early->kind, AnswerKind::not_open);
  EXPECT_EQ(early->retry_after, Millis(10'000));
  clock_.advance(Millis(10'000));
  desk_->heard(clock_.now());
  show(Paused{"lunch", 0});
  EXPECT_EQ(claim("alice", 2)->kind, AnswerKind::paused);
  show(Resumed{"lunch", position_});
  EXPECT_FALSE(claim("alice", 3));
  commit();
  EXPECT_EQ(told(3), AnswerKind::won);
  clock_.advance(Millis(10'000));
  desk_->heard(clock_.now());
  EXPECT_FALSE(claim("bob", 4)) << "its time is over, but that is not decided before the journal says so";
  ASSERT_EQ(journal_.waiting.size(), 1U);
  EXPECT_EQ(std::get<Closed>(journal_.waiting[0].first).by, ClosedBy::due);
  commit();
  EXPECT_EQ(told(4), AnswerKind::closed);
  EXPECT_EQ(claim("alice", 5)->kind, AnswerKind::won) << "the winner goes before everything";
}

TEST_F(DeskTest, closes_campaigns_that_nobody_asks_about) {
  make();
  open(5, {.closes_at = clock_.now() + Millis(1000)});
  desk_->close_due();
  EXPECT_TRUE(journal_.waiting.empty());
  clock_.advance(Millis(1000));
  desk_->close_due();
  desk_->close_due();
  EXPECT_EQ(journal_.waiting.size(), 1U) << "once a second";
  commit();
  EXPECT_EQ(standings_.find("lunch")->state(clock_.now()), "closed");
}

TEST_F(DeskTest, tells_only_what_is_won_when_stale) {
  make();
  open(1);
  EXPECT_FALSE(claim("alice", 1));
  commit();
  clock_.advance(limits::stale_ms_max_default + Millis(1));
  EXPECT_FALSE(desk_->is_fresh());
  EXPECT_EQ(desk_->why_not_fresh(), "nothing was heard from the journal for 5001 ms");
  EXPECT_EQ(claim("alice", 2)->kind, AnswerKind::won);
  EXPECT_EQ(claim("bob", 3)->kind, AnswerKind::fault);
  EXPECT_EQ(desk_->claim("nowhere", "bob", 4)->kind, AnswerKind::fault);
  desk_->heard(clock_.now());
  EXPECT_EQ(desk_->why_not_fresh(), std::nullopt);
  EXPECT_EQ(claim("bob", 5)->kind, AnswerKind::sold_out);
  EXPECT_EQ(desk_->claim("nowhere", "bob", 6)->kind, AnswerKind::no_campaign);
  desk_->heard(clock_.now() + Millis(2001));
  EXPECT_EQ(claim("bob", 7)->kind, AnswerKind::fault) << "its clock is off the journal's";
  EXPECT_EQ(desk_->why_not_fresh(),
            "this machine's clock and the journal's time are 2001 ms apart: a clock is wrong, or the news is late");
}

TEST_F(DeskTest, is_not_fresh_because_it_catches_up) {
  make();
  clock_.advance(limits::stale_ms_max_default + Millis(1));
  open(1);
  EXPECT_FALSE(desk_->is_fresh()) << "these may be entries of long ago";
  EXPECT_EQ(desk_->claim("nowhere", "bob", 1)->kind, AnswerKind::fault);
  desk_->heard(clock_.now());
  EXPECT_EQ(desk_->claim("nowhere", "bob", 2)->kind, AnswerKind::no_campaign);
}

TEST_F(DeskTest, with_promise_store_waits_for_the_store) {
  make();
  open(1, {.promise = Promise::store});
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  commit();
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(desk_->status("lunch", "alice").kind, AnswerKind::pending);
  show(Issued{"lunch", 1, {}});
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ(told(2), AnswerKind::sold_out);
}

TEST_F(DeskTest, with_promise_store_a_raise_wakes_who_waits_for_the_store) {
  make();
  open(1, {.promise = Promise::store});
  EXPECT_FALSE(claim("alice", 1));
  commit();
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_TRUE(journal_.waiting.empty()) << "every place is taken, and the store does not have it yet";
  show(QuotaRaised{"lunch", 2});
  EXPECT_EQ(journal_.waiting.size(), 1U) << "a place for bob";
  commit();
  show(Issued{"lunch", 2, {}});
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(told_.at(2).rank, 2U);
}

TEST_F(DeskTest, with_promise_store_a_seal_ends_the_queue_of_tickets) {
  DeskLimits limits;
  limits.in_flight_max = 1;
  make(limits);
  open(1, {.promise = Promise::store});
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_FALSE(claim("carol", 3));
  EXPECT_EQ(desk_->counters().queued, 2U);
  commit();
  EXPECT_TRUE(journal_.waiting.empty()) << "every place is taken: none of these would count";
  EXPECT_EQ(desk_->counters().queued, 0U);
  show(QuotaRaised{"lunch", 2});
  EXPECT_EQ(journal_.waiting.size(), 1U) << "a place for one of them";
  commit();
  show(Issued{"lunch", 2, {}});
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ((std::multiset{told(2), told(3)}), (std::multiset{AnswerKind::won, AnswerKind::sold_out}));
}

TEST_F(DeskTest, a_claim_that_joins_sends_the_ticket_that_the_first_did_not) {
  make();
  open(1, {.promise = Promise::store});
  EXPECT_FALSE(claim("alice", 1));
  commit();
  EXPECT_FALSE(claim("bob", 2));
  const Effect raised = apply(QuotaRaised{"lunch", 2});  // in the standings, and not yet told to the desk
  EXPECT_FALSE(claim("bob", 3));
  EXPECT_EQ(journal_.waiting.size(), 1U);
  desk_->applied(std::vector{raised});
  EXPECT_EQ(journal_.waiting.size(), 1U) << "one ticket is enough";
  commit();
  show(Issued{"lunch", 2, {}});
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(told(3), AnswerKind::won);
}

TEST_F(DeskTest, forgets_a_client_that_left) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  desk_->leave(1);
  EXPECT_EQ(desk_->waiting(), 0U);
  commit();
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(claim("alice", 2)->kind, AnswerKind::won) << "the ticket counted all the same";
}

TEST_F(DeskTest, refuses_new_claims_when_going_down_and_answers_those_that_wait) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  desk_->refuse_claims();
  EXPECT_EQ(claim("bob", 2)->kind, AnswerKind::fault);
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
}

}  // namespace
}  // namespace firstcome
