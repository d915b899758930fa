// A desk uses its gate as long as it answers, and keeps every promise whatever the gate says, or does not say.
#include <gtest/gtest.h>

#include <algorithm>

#include "desk/desk.h"
#include "desk/scene_test.h"

namespace firstcome {
namespace {

class DeskGateTest : public DeskScene {
 protected:
  void make(DeskLimits limits = {}) { DeskScene::make(limits, &gate_); }

  /// The gate says the same of everybody who waits there.
  void say(Admission admission, std::uint64_t generation = 1) {
    std::vector<GateAnswer> answers;
    for (const auto& one : std::exchange(gate_.asked, {})) answers.push_back({one.user, one.number, admission});
    desk_->gated("lunch", generation, answers);
  }
  void pass(Millis time) {
    for (Millis gone{0}; gone < time; gone += Millis(50)) {
      clock_.advance(Millis(50));
      desk_->tick();
      if (gone.count() % 250 == 0) desk_->heard(clock_.now());
    }
  }
  std::vector<std::string> tickets() {
    std::vector<std::string> users;
    for (const auto& [entry, tag] : journal_.waiting) users.push_back(std::get<Ticket>(entry).user.str());
    return users;
  }
  /// One place: alice is in, and has not won yet, and bob asks.
  void alice_in_and_bob(std::optional<Promise> promise = {}) {
    make();
    open(1, {.campaign = "lunch", .name = {}, .promise = promise});
    EXPECT_FALSE(claim("alice", 1));
    say(Admission::in);
    EXPECT_FALSE(claim("bob", 2));
  }
  void expect_bob_asks() {
    ASSERT_EQ(gate_.asked.size(), 1U);
    EXPECT_EQ(gate_.asked[0].user, "bob");
  }
  const Desk::Counters& counters() { return desk_->counters(); }

  HandGate gate_;
};

using Users = std::vector<std::string>;

TEST_F(DeskGateTest, sends_the_ticket_of_who_is_in_or_again) {
  make();
  open(3);
  EXPECT_FALSE(claim("alice", 1));
  ASSERT_EQ(gate_.asked.size(), 1U);
  EXPECT_EQ(gate_.asked[0].campaign, "lunch");
  EXPECT_EQ(gate_.asked[0].user, "alice");
  EXPECT_EQ(gate_.asked[0].places, 3U);
  EXPECT_TRUE(journal_.waiting.empty()) << "the gate has not answered";
  EXPECT_EQ(desk_->waiting(), 1U);
  say(Admission::in);
  EXPECT_EQ(tickets(), Users{"alice"});
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_EQ(gate_.asked[0].places, 2U) << "as many as are free now";
  say(Admission::again);
  EXPECT_EQ(tickets(), Users{"bob"}) << "his first ticket may be lost";
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(counters().gate_answers[static_cast<int>(Admission::in)], 1U);
  EXPECT_EQ(counters().gate_answers[static_cast<int>(Admission::again)], 1U);
}

TEST_F(DeskGateTest, who_is_told_full_waits_for_the_seal_and_is_sold_out_by_it_only) {
  make();
  open(1);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::in);
  EXPECT_FALSE(claim("bob", 2));
  say(Admission::full);
  EXPECT_TRUE(told_.empty()) << "the gate promises nothing";
  EXPECT_EQ(tickets(), Users{"alice"});
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
  EXPECT_EQ(told(2), AnswerKind::sold_out);
  EXPECT_EQ(counters().gate_answers[static_cast<int>(Admission::full)], 1U);
}

TEST_F(DeskGateTest, who_is_told_full_is_answered_by_an_effect_the_closing_or_time) {
  make();
  open(3);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_FALSE(claim("carol", 3));
  say(Admission::full);
  show(Ticket{"lunch", "alice", {7}});  // another node's
  EXPECT_EQ(told(1), AnswerKind::won);
  desk_->leave(2);
  EXPECT_FALSE(told_.contains(2));
  show(Paused{"lunch", 0});
  EXPECT_EQ(told(3), AnswerKind::paused);
  show(Resumed{"lunch", position_});
  EXPECT_FALSE(claim("dave", 4));
  say(Admission::full);
  clock_.advance(limits::wait_ms_max_default);
  desk_->tick();
  EXPECT_EQ(told(4), AnswerKind::pending);
  EXPECT_EQ(desk_->waiting(), 0U);
  desk_->heard(clock_.now());
  EXPECT_FALSE(claim("dave", 5));
  say(Admission::full);
  show(Closed{"lunch", ClosedBy::person});
  EXPECT_EQ(told(5), AnswerKind::closed);
  EXPECT_TRUE(journal_.waiting.empty());
}

TEST_F(DeskGateTest, a_fault_of_the_gate_is_not_the_users) {
  make();
  open(5);
  gate_.away = true;
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_EQ(tickets(), Users{"alice"}) << "known to be away: at once";
  gate_.away = false;
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_FALSE(claim("carol", 3));
  std::vector<Ask> asks;
  for (const auto& one : std::exchange(gate_.asked, {})) asks.push_back({one.user, one.number});
  desk_->gate_failed("lunch", asks, {FaultKind::timed_out, "no answer"});
  EXPECT_EQ(tickets(), (Users{"alice", "bob", "carol"}));
  EXPECT_EQ(counters().gate_bypasses, 3U);
  desk_->gate_failed("lunch", asks, {FaultKind::timed_out, "no answer"});
  EXPECT_EQ(journal_.waiting.size(), 3U) << "told twice";
  commit();
  EXPECT_EQ(told_.size(), 3U);
}

TEST_F(DeskGateTest, without_the_gate_the_tickets_are_within_in_flight_max) {
  make({.in_flight_max = 2});
  open(10);
  gate_.away = true;
  for (ClaimNumber n = 1; n <= 5; ++n) EXPECT_FALSE(claim("u" + std::to_string(n), n));
  EXPECT_EQ(journal_.waiting.size(), 2U);
  commit();
  commit();
  commit();
  EXPECT_EQ(told_.size(), 5U);
}

TEST_F(DeskGateTest, who_was_told_full_and_always_asks_before_the_last_claim_has_ended_asks_the_gate_again) {
  make();
  open(3);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full);
  gate_.away = true;  // it says nothing more of her
  for (ClaimNumber number = 2; number <= 6; ++number) {
    pass(limits::wait_ms_max_default / 2);
    EXPECT_FALSE(claim("alice", number));
  }
  EXPECT_EQ(tickets(), Users{"alice"});
}

TEST_F(DeskGateTest, who_was_told_full_and_waits_for_the_store_asks_after_a_raise) {
  alice_in_and_bob(Promise::store);
  say(Admission::full);
  commit();
  EXPECT_TRUE(gate_.asked.empty());
  show(QuotaRaised{"lunch", 2});
  expect_bob_asks();
}

TEST_F(DeskGateTest, who_is_told_full_after_the_seal_asks_after_a_raise) {
  alice_in_and_bob(Promise::store);
  commit();
  say(Admission::full);
  show(QuotaRaised{"lunch", 2});
  expect_bob_asks();
}

TEST_F(DeskGateTest, who_was_told_full_asks_though_the_raise_is_known_before_the_seal_is_told) {
  alice_in_and_bob();
  say(Admission::full);
  const std::vector<Effect> effects{apply(journal_.waiting.front().first), apply(QuotaRaised{"lunch", 2})};
  ASSERT_TRUE(effects[0].sealed);
  desk_->applied(effects);
  EXPECT_EQ(told(1), AnswerKind::won);
  expect_bob_asks();
}

TEST_F(DeskGateTest, a_gate_that_never_answers_is_passed_after_gate_bypass_ms_max) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  clock_.advance(limits::gate_bypass_ms_max_default - Millis(1));
  desk_->tick();
  EXPECT_TRUE(journal_.waiting.empty());
  clock_.advance(Millis(1));
  desk_->tick();
  EXPECT_EQ(tickets(), Users{"alice"});
  EXPECT_EQ(counters().gate_bypasses, 1U);
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
}

TEST_F(DeskGateTest, an_answer_that_comes_late_or_twice_changes_nothing) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  const auto asked = gate_.asked;
  clock_.advance(limits::gate_bypass_ms_max_default);
  desk_->tick();
  EXPECT_EQ(tickets(), Users{"alice"});
  for (const auto admission : {Admission::full, Admission::in, Admission::again}) {
    say(admission);
    gate_.asked = asked;
  }
  EXPECT_EQ(tickets(), Users{"alice"}) << "one ticket is enough";
  commit();
  EXPECT_EQ(told(1), AnswerKind::won);
  gate_.asked.clear();
  EXPECT_FALSE(claim("bob", 2));
  const auto bob = gate_.asked;
  say(Admission::in);
  gate_.asked = bob;
  say(Admission::full);
  gate_.asked = bob;
  say(Admission::in);
  EXPECT_EQ(tickets(), Users{"bob"});
}

TEST_F(DeskGateTest, an_answer_after_the_wait_has_ended_is_nobodys) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  desk_->leave(1);
  say(Admission::in);
  EXPECT_TRUE(journal_.waiting.empty());
  EXPECT_FALSE(claim("alice", 2));
  const auto old = gate_.asked;
  desk_->leave(2);
  EXPECT_FALSE(claim("alice", 3));
  ASSERT_EQ(gate_.asked.size(), 2U) << "she asks again";
  gate_.asked = old;
  say(Admission::full);  // about the one that has ended
  EXPECT_TRUE(journal_.waiting.empty());
  clock_.advance(limits::gate_bypass_ms_max_default);
  desk_->tick();
  commit();
  EXPECT_EQ(told(3), AnswerKind::won) << "the old answer did not hold her back";
}

TEST_F(DeskGateTest, a_gate_that_lets_everybody_through_sells_no_more) {
  make();
  open(2);
  for (ClaimNumber n = 1; n <= 9; ++n) EXPECT_FALSE(claim("u" + std::to_string(n), n));
  say(Admission::in);
  commit();
  EXPECT_EQ(std::ranges::count_if(told_, [](const auto& one) { return one.second.kind == AnswerKind::won; }), 2);
  EXPECT_EQ(std::ranges::count_if(told_, [](const auto& one) { return one.second.kind == AnswerKind::sold_out; }), 7);
}

TEST_F(DeskGateTest, a_gate_that_has_lost_its_memory_lets_a_winner_through_and_he_stays_the_same) {
  make();
  open(2);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::in);
  const auto ticket = journal_.waiting;
  commit();
  EXPECT_FALSE(claim("bob", 2));
  say(Admission::in, 77);
  show(ticket[0].first);  // alice, by another node whose gate did not know her
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
  EXPECT_EQ(told_.at(2).rank, 2U);
  EXPECT_EQ(claim("alice", 3)->rank, 1U);
}

TEST_F(DeskGateTest, claims_of_one_user_ask_once) {
  make();
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("alice", 2));
  EXPECT_EQ(gate_.asked.size(), 1U);
  say(Admission::full);
  EXPECT_FALSE(claim("alice", 3));
  EXPECT_TRUE(gate_.asked.empty()) << "she joins her own wait";
  EXPECT_EQ(counters().joined, 2U);
}

TEST_F(DeskGateTest, who_waits_at_the_gate_counts_among_the_waiting) {
  make({.waiting_claims_max = 2});
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  EXPECT_EQ(claim("carol", 3)->kind, AnswerKind::pending);
  EXPECT_EQ(gate_.asked.size(), 2U);
}

TEST_F(DeskGateTest, who_can_be_refused_from_memory_costs_the_gate_nothing) {
  make();
  open(1, {.opens_at = clock_.now() + Millis(1000)});
  EXPECT_EQ(claim("alice", 1)->kind, AnswerKind::not_open);
  clock_.advance(Millis(1000));
  desk_->heard(clock_.now());
  show(Ticket{"lunch", "alice", {7}});
  EXPECT_EQ(claim("alice", 2)->kind, AnswerKind::won);
  EXPECT_EQ(claim("bob", 3)->kind, AnswerKind::sold_out);
  EXPECT_TRUE(gate_.asked.empty());
}

TEST_F(DeskGateTest, forgets_at_the_seal_and_at_the_closing_whoever_waits) {
  make();
  open(1);
  show(Ticket{"lunch", "alice", {7}});
  EXPECT_EQ(gate_.forgotten, Users{"lunch"});
  show(QuotaRaised{"lunch", 2});
  EXPECT_EQ(gate_.forgotten.size(), 1U);
  show(Closed{"lunch", ClosedBy::person});
  EXPECT_EQ(gate_.forgotten.size(), 2U);
}

TEST_F(DeskGateTest, widens_when_the_gate_is_full_and_no_rank_comes_for_a_second) {
  make({.wait_ms_max = Millis(4000)});
  open(10);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::in, 5);
  commit();
  EXPECT_FALSE(claim("bob", 2));
  say(Admission::full, 5);
  pass(Millis(950));
  EXPECT_TRUE(gate_.widened.empty());
  pass(Millis(350));
  ASSERT_EQ(gate_.widened.size(), 1U);
  EXPECT_EQ(gate_.widened[0], (HandGate::Widened{"lunch", 5, 9}));
  EXPECT_EQ(counters().widenings, 1U);
  EXPECT_TRUE(journal_.waiting.empty()) << "not before the gate has another generation";
  desk_->gated("lunch", 6, {});
  ASSERT_EQ(gate_.asked.size(), 1U) << "bob asks again";
  EXPECT_EQ(gate_.asked[0].user, "bob");
  say(Admission::in, 6);
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
}

TEST_F(DeskGateTest, another_ones_widening_is_as_good) {
  make();
  open(10);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full, 5);
  EXPECT_FALSE(claim("bob", 2));
  say(Admission::in, 6);
  ASSERT_EQ(gate_.asked.size(), 1U);
  EXPECT_EQ(gate_.asked[0].user, "alice");
  say(Admission::again, 6);
  EXPECT_EQ(tickets(), (Users{"bob", "alice"}));
  EXPECT_TRUE(gate_.widened.empty());
}

TEST_F(DeskGateTest, does_not_widen_while_ranks_come) {
  make({.wait_ms_max = Millis(4000)});
  open(10);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full);
  for (int i = 0; i < 6; ++i) {
    pass(Millis(500));
    show(Ticket{"lunch", "other" + std::to_string(i), {static_cast<std::uint8_t>(i)}});
  }
  EXPECT_TRUE(gate_.widened.empty());
  pass(Millis(1600));
  EXPECT_EQ(gate_.widened.size(), 1U);
}

TEST_F(DeskGateTest, does_not_widen_what_takes_no_claims) {
  make({.wait_ms_max = Millis(4000)});
  open(2);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full);
  show(Paused{"lunch", 0});
  pass(Millis(3000));
  EXPECT_TRUE(gate_.widened.empty()) << "paused";
  show(Resumed{"lunch", position_});
  show(Ticket{"lunch", "bob", {1}});
  show(Ticket{"lunch", "carol", {2}});
  pass(Millis(3000));
  EXPECT_TRUE(gate_.widened.empty()) << "sealed";
}

TEST_F(DeskGateTest, does_not_widen_when_it_cannot_know_the_journals_end) {
  make({.wait_ms_max = Millis(20'000)});
  open(2);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full);
  for (int i = 0; i < 100; ++i) {  // nothing is heard
    clock_.advance(Millis(50));
    desk_->tick();
  }
  EXPECT_TRUE(gate_.widened.empty());
  desk_->heard(clock_.now() - Millis(5000));
  EXPECT_TRUE(gate_.widened.empty()) << "old news";
  desk_->heard(clock_.now());
  EXPECT_EQ(gate_.widened.size(), 1U);
}

TEST_F(DeskGateTest, a_gate_that_says_full_for_ever_is_widened_every_second) {
  make({.wait_ms_max = Millis(20'000)});
  open(2);
  std::uint64_t generation = 1;
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full, generation);
  for (int i = 0; i < 5; ++i) {
    pass(Millis(1500));
    desk_->gated("lunch", ++generation, {});
    say(Admission::full, generation);
  }
  ASSERT_EQ(gate_.widened.size(), 5U);
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(gate_.widened[i].generation, i + 1);
}

TEST_F(DeskGateTest, a_widening_that_gets_lost_is_said_again) {
  make({.wait_ms_max = Millis(20'000)});
  open(2);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full);
  pass(Millis(3200));
  EXPECT_GE(gate_.widened.size(), 2U);
  EXPECT_LE(gate_.widened.size(), 3U);
}

TEST_F(DeskGateTest, widens_for_who_comes_again_though_nobody_waits_for_a_second) {
  make({.wait_ms_max = Millis(100)});
  open(2);
  for (ClaimNumber n = 1; gate_.widened.empty() && n <= 20; ++n) {
    if (!claim("alice", n)) say(Admission::full);
    pass(Millis(150));
    EXPECT_EQ(told(n), AnswerKind::pending);
  }
  EXPECT_EQ(gate_.widened.size(), 1U);
}

TEST_F(DeskGateTest, a_gate_that_knows_nothing_of_the_campaign_is_asked_anew) {
  make({.wait_ms_max = Millis(4000)});
  open(5);
  EXPECT_FALSE(claim("alice", 1));
  say(Admission::full, 5);
  pass(Millis(1500));
  EXPECT_EQ(gate_.widened.size(), 1U);
  desk_->gated("lunch", 0, {});  // it has lost its memory
  ASSERT_EQ(gate_.asked.size(), 1U);
  say(Admission::in, 9);
  EXPECT_EQ(tickets(), Users{"alice"});
}

TEST_F(DeskGateTest, many_who_were_told_full_ask_again_in_batches_as_long_as_there_is_room) {
  make({.wait_ms_max = Millis(4000)});
  open(500);
  for (ClaimNumber n = 1; n <= 200; ++n) EXPECT_FALSE(claim("u" + std::to_string(n), n));
  say(Admission::full, 5);
  desk_->gated("lunch", 6, {});
  EXPECT_EQ(gate_.asked.size(), limits::gate_batch_max);
  EXPECT_EQ(gate_.asked[0].user, "u1") << "in the order in which they were told";
  say(Admission::in, 6);
  EXPECT_EQ(gate_.asked.size(), limits::gate_batch_max);
  EXPECT_EQ(gate_.asked[0].user, "u65");
  say(Admission::full, 6);
  EXPECT_TRUE(gate_.asked.empty()) << "it is full again";
  EXPECT_EQ(journal_.waiting.size(), limits::gate_batch_max);
  gate_.away = true;
  desk_->gated("lunch", 7, {});
  EXPECT_EQ(journal_.waiting.size(), 2 * limits::gate_batch_max) << "a gate that went away holds nobody back";
}

TEST_F(DeskGateTest, after_a_raise_surplus_users_pass_the_gate_again) {
  make();
  open(1);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_FALSE(claim("bob", 2));
  say(Admission::in);
  std::vector<Effect> effects;
  for (auto& [entry, tag] : std::exchange(journal_.waiting, {})) effects.push_back(apply(std::move(entry)));
  effects.push_back(apply(QuotaRaised{"lunch", 2}));
  desk_->applied(effects);
  ASSERT_EQ(gate_.asked.size(), 1U);
  EXPECT_EQ(gate_.asked[0].user, "bob");
  EXPECT_EQ(gate_.asked[0].places, 1U);
  say(Admission::in);
  commit();
  EXPECT_EQ(told(2), AnswerKind::won);
}

TEST_F(DeskGateTest, what_a_gate_says_of_another_campaign_or_of_none_is_harmless) {
  make();
  open(1);
  EXPECT_FALSE(claim("alice", 1));
  desk_->gated("nowhere", 3, std::vector<GateAnswer>{{"alice", 1, Admission::full}});
  desk_->gate_failed("nowhere", std::vector<Ask>{{"alice", 1}}, {FaultKind::unavailable, ""});
  desk_->gated("lunch", 3, std::vector<GateAnswer>{{"alice", 0, Admission::full}, {"zoe", 1, Admission::in}});
  say(Admission::in, 3);
  EXPECT_EQ(tickets(), Users{"alice"});
}

TEST_F(DeskGateTest, a_claim_that_waits_no_longer_than_the_gate_may_take_leaves_a_ticket) {
  make({.wait_ms_max = Millis(50), .gate_bypass_ms_max = Millis(200)});
  open(2);
  EXPECT_FALSE(claim("alice", 1));
  EXPECT_TRUE(journal_.waiting.empty());
  clock_.advance(Millis(50));
  desk_->tick();
  EXPECT_EQ(told(1), AnswerKind::pending);
  ASSERT_EQ(journal_.waiting.size(), 1U) << "a gate that never answers must not keep it back";
  commit();
  EXPECT_EQ(claim("alice", 2)->kind, AnswerKind::won);
}

}  // namespace
}  // namespace firstcome
