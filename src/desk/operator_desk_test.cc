// An operator's wish is answered from the fold after its own entry was seen, and asking again is safe.
#include "desk/operator_desk.h"

#include <gtest/gtest.h>

#include "desk/hand_ports.h"

namespace firstcome {
namespace {

using Kind = OperatorAnswer::Kind;

class OperatorDeskTest : public testing::Test {
 protected:
  void commit() {
    std::vector<Effect> effects;
    for (auto& [entry, tag] : std::exchange(journal_.waiting, {})) {
      effects.push_back(standings_.apply({++position_, clock_.now(), std::move(entry)}));
    }
    desk_.applied(effects);
  }
  void create(const Opened& opened) {
    desk_.create(opened, [this](const OperatorAnswer& answer) { answers_.push_back(answer); });
  }
  void change(const CampaignPatch& patch, std::string_view id = "lunch") {
    desk_.change(id, patch, [this](const OperatorAnswer& answer) { answers_.push_back(answer); });
  }
  /// Lets the journal commit until the last wish is answered.
  OperatorAnswer answer() {
    for (int i = 0; i < 10 && answers_.empty(); ++i) commit();
    if (answers_.size() != 1) ADD_FAILURE() << answers_.size() << " answers";
    auto one = answers_.front();
    answers_.clear();
    return one;
  }

  HandClock clock_;
  HandJournal journal_;
  Standings standings_;
  Position position_ = 0;
  std::vector<OperatorAnswer> answers_;
  OperatorDesk desk_{9, standings_, journal_, clock_, {.quota_max = 1000, .places_max = 1500, .campaigns_max = 2}};
};

TEST_F(OperatorDeskTest, creates_once_and_knows_the_same_terms_again) {
  create({.campaign = "lunch", .quota = 100});
  EXPECT_TRUE(answers_.empty()) << "not before its entry was seen";
  EXPECT_EQ(answer().kind, Kind::created);
  create({.campaign = "lunch", .quota = 100});
  EXPECT_EQ(answer().kind, Kind::unchanged);
  create({.campaign = "lunch", .quota = 101});
  EXPECT_EQ(answer().kind, Kind::conflict);
  create({.campaign = "lunch", .name = "lunch", .quota = 100});
  EXPECT_EQ(answer().kind, Kind::conflict) << "what was left out stays left out";
}

TEST_F(OperatorDeskTest, names_each_term_that_differs_and_how) {
  create({.campaign = "lunch", .quota = 100, .issue_rate = 20});
  EXPECT_EQ(answer().kind, Kind::created);
  create({.campaign = "lunch", .quota = 101, .opens_at = Time(Millis(0)), .promise = Promise::store});
  EXPECT_EQ(answer().detail,
            "campaign lunch was made with other terms (quota 100, not 101; opens_at left out, not "
            "1970-01-01T00:00:00.000Z; issue_rate 20, not left out; promise left out, not store); an id is used once, "
            "for ever");
}

TEST_F(OperatorDeskTest, two_authors_of_one_id_meet_in_the_journals_order) {
  create({.campaign = "lunch", .quota = 100});
  journal_.waiting.emplace(journal_.waiting.begin(), Opened{.campaign = "lunch", .quota = 7}, AppendTag{});
  EXPECT_EQ(answer().kind, Kind::conflict);
  EXPECT_EQ(standings_.find("lunch")->view().quota, 7U);
}

TEST_F(OperatorDeskTest, refuses_what_can_never_be) {
  const Time now = clock_.now();
  for (const Opened& opened : {Opened{.campaign = "lunch", .quota = 0}, Opened{.campaign = "lunch", .quota = 1001},
                               Opened{.campaign = "lunch", .name = "", .quota = 1},
                               Opened{.campaign = "lunch", .quota = 1, .opens_at = now, .closes_at = now},
                               Opened{.campaign = "lunch", .quota = 1, .closes_at = now},
                               Opened{.campaign = "lunch", .quota = 1, .issue_rate = -1.0}}) {
    create(opened);
    EXPECT_EQ(answer().kind, Kind::invalid);
  }
  EXPECT_TRUE(journal_.waiting.empty());
}

TEST_F(OperatorDeskTest, keeps_its_limits) {
  create({.campaign = "a", .quota = 1000});
  EXPECT_EQ(answer().kind, Kind::created);
  create({.campaign = "b", .quota = 501});
  EXPECT_NE(answer().detail.find("places_max"), std::string::npos);
  create({.campaign = "b", .quota = 500});
  EXPECT_EQ(answer().kind, Kind::created);
  create({.campaign = "c", .quota = 1});
  EXPECT_NE(answer().detail.find("campaigns_max"), std::string::npos);
  change({.quota = 501}, "b");
  EXPECT_NE(answer().detail.find("places_max"), std::string::npos);
}

TEST_F(OperatorDeskTest, keeps_places_max_against_what_is_not_seen_yet) {
  create({.campaign = "a", .quota = 900});
  create({.campaign = "b", .quota = 601});
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].kind, Kind::fault) << "a may come to nothing";
  EXPECT_NE(answers_[0].detail.find("places_max"), std::string::npos);
  EXPECT_EQ(answers_[0].detail.find("again"), std::string::npos) << "what to do is said once, by the hint";
  answers_.clear();
  create({.campaign = "b", .quota = 500});
  commit();
  ASSERT_EQ(answers_.size(), 2U);
  answers_.clear();
  change({.quota = 600}, "b");
  change({.quota = 901}, "a");
  EXPECT_EQ(answer().kind, Kind::fault) << "the first raise takes what is left";
  EXPECT_EQ(answer().kind, Kind::changed);
  EXPECT_EQ(standings_.places(), 1500U);
}

TEST_F(OperatorDeskTest, asking_again_takes_no_room_a_second_time) {
  create({.campaign = "a", .quota = 500});
  EXPECT_EQ(answer().kind, Kind::created);
  create({.campaign = "b", .quota = 1000});
  create({.campaign = "b", .quota = 1000});
  EXPECT_TRUE(answers_.empty()) << "of the two one counts, so both fit campaigns_max and places_max";
  journal_.waiting.clear();
  clock_.advance(limits::in_flight_ms_max_default);
  desk_.tick();
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_EQ(std::exchange(answers_, {})[0].kind, Kind::fault) << "their outcome is unknown";
  create({.campaign = "b", .quota = 900});
  EXPECT_EQ(answer().kind, Kind::created);
  EXPECT_EQ(desk_.waiting(), 0U) << "the earlier ones can come to nothing now";

  change({.quota = 950}, "b");
  journal_.waiting.clear();
  clock_.advance(limits::in_flight_ms_max_default);
  desk_.tick();
  EXPECT_EQ(answer().kind, Kind::fault);
  change({.quota = 600}, "a");
  EXPECT_EQ(answer().kind, Kind::fault) << "the journal may still show that of b";
  change({.quota = 1000}, "b");
  EXPECT_EQ(answer().kind, Kind::changed);
}

TEST_F(OperatorDeskTest, what_the_journal_has_not_shown_for_long_is_lost) {
  create({.campaign = "a", .quota = 1000});
  journal_.waiting.clear();
  clock_.advance(limits::in_flight_ms_max_default);
  desk_.tick();
  EXPECT_EQ(answer().kind, Kind::fault);
  clock_.advance(Millis(59'999));
  desk_.heard();
  EXPECT_EQ(desk_.waiting(), 1U) << "it may be on its way";
  clock_.advance(Millis(1));
  create({.campaign = "b", .quota = 1000});
  EXPECT_EQ(answer().kind, Kind::fault) << "nobody knows what is in the journal by now";
  desk_.heard();
  EXPECT_EQ(desk_.waiting(), 0U);
  create({.campaign = "b", .quota = 1000});
  EXPECT_EQ(answer().kind, Kind::created);
}

TEST_F(OperatorDeskTest, keeps_campaigns_max_against_what_is_not_seen_yet) {
  for (const char* id : {"a", "b", "c"}) create({.campaign = id, .quota = 1});
  EXPECT_NE(answer().detail.find("campaigns_max"), std::string::npos);
  commit();
  EXPECT_EQ(standings_.campaigns().size(), 2U);
}

TEST_F(OperatorDeskTest, room_is_held_until_the_fate_is_known) {
  create({.campaign = "a", .quota = 1000});
  desk_.append_failed(std::vector{std::exchange(journal_.waiting, {})[0].second}, {FaultKind::unavailable, "full"});
  EXPECT_EQ(answer().kind, Kind::fault);
  create({.campaign = "b", .quota = 1000});
  clock_.advance(limits::in_flight_ms_max_default);
  desk_.tick();
  EXPECT_EQ(answer().kind, Kind::fault) << "its outcome is unknown";
  EXPECT_EQ(desk_.waiting(), 1U);
  create({.campaign = "c", .quota = 501});
  EXPECT_EQ(answer().kind, Kind::fault) << "the journal may still show b";
  commit();
  EXPECT_EQ(desk_.waiting(), 0U);
  create({.campaign = "c", .quota = 501});
  EXPECT_EQ(answer().kind, Kind::invalid);
  create({.campaign = "c", .quota = 500});
  EXPECT_EQ(answer().kind, Kind::created);
}

TEST_F(OperatorDeskTest, changes_everything_in_one_wish) {
  create({.campaign = "lunch", .quota = 100});
  (void)answer();
  change({.closes_at = clock_.now()});
  EXPECT_EQ(answer().kind, Kind::invalid) << "a time that is over would end it for ever";
  const Time closes_at = clock_.now() + Millis(60'000);
  change({.quota = 200, .closes_at = closes_at, .paused = true});
  EXPECT_EQ(answer().kind, Kind::changed);
  const auto& view = standings_.find("lunch")->view();
  EXPECT_EQ(view.quota, 200U);
  EXPECT_EQ(view.window.closes_at, closes_at);
  EXPECT_TRUE(view.paused);
  change({.quota = 200, .closes_at = closes_at, .paused = true});
  EXPECT_EQ(answer().kind, Kind::unchanged);
  change({.quota = 199});
  EXPECT_EQ(answer().kind, Kind::conflict) << "places that were promised are not taken back";
}

TEST_F(OperatorDeskTest, nothing_changes_after_the_closing) {
  create({.campaign = "lunch", .quota = 100});
  (void)answer();
  change({.closed = true});
  EXPECT_EQ(answer().kind, Kind::changed);
  change({.closed = true});
  EXPECT_EQ(answer().kind, Kind::unchanged);
  change({.quota = 200});
  EXPECT_EQ(answer().kind, Kind::conflict);
  change({.paused = false}, "nowhere");
  EXPECT_EQ(answer().kind, Kind::no_campaign);
}

TEST_F(OperatorDeskTest, tells_when_somebody_else_was_faster) {
  create({.campaign = "lunch", .quota = 100});
  (void)answer();
  change({.paused = true});
  journal_.waiting.emplace(journal_.waiting.begin(), WindowChanged{"lunch", {}, clock_.now(), 0}, AppendTag{});
  EXPECT_EQ(answer().kind, Kind::conflict);
  EXPECT_FALSE(standings_.find("lunch")->view().paused);
}

TEST_F(OperatorDeskTest, a_lost_or_failed_append_is_a_fault_and_asking_again_is_safe) {
  create({.campaign = "lunch", .quota = 100});
  const auto lost = std::exchange(journal_.waiting, {});
  desk_.append_failed(std::vector{lost[0].second}, {FaultKind::unavailable, "disk is full"});
  EXPECT_EQ(answer().kind, Kind::fault);
  create({.campaign = "lunch", .quota = 100});
  clock_.advance(limits::in_flight_ms_max_default);
  desk_.tick();
  EXPECT_EQ(answer().kind, Kind::fault) << "its outcome is unknown";
  create({.campaign = "lunch", .quota = 100});
  EXPECT_EQ(answer().kind, Kind::created);
}

}  // namespace
}  // namespace firstcome
