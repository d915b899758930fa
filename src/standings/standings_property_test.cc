// Whatever comes, in whatever order, the standings say what the naive oracle says: winners, terms and chains.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "standings/standings.h"
#include "verify/naive.h"

namespace firstcome {
namespace {

using verify::Naive;
using verify::NaiveCampaign;

// Before RapidCheck reads it: enough cases that each rule is met from each state. RC_PARAMS from outside wins.
const int more_cases = setenv("RC_PARAMS", "max_success=3000 max_size=120", 0);

/// One thing that may come, in small numbers, so that shrinking stays readable. What they mean depends on what came
/// before; see entry_of().
struct Step {
  int kind = 0;
  int campaign = 0;
  int user = 0;
  int a = 0;
  int b = 0;
  int stamp = 0;
  int position = 0;
};

std::ostream& operator<<(std::ostream& out, const Step& s) {
  return out << "{" << s.kind << ' ' << s.campaign << ' ' << s.user << ' ' << s.a << ' ' << s.b << ' ' << s.stamp << ' '
             << s.position << "}";
}

rc::Gen<Step> step() {
  // RapidCheck narrows ranges while a case is small; here a small case is a short one.
  const auto number = [](int below) { return rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, below)); };
  // Tickets are half of everything; the rest in equal parts.
  const auto kind =
      rc::gen::weightedOneOf<int>({{9, rc::gen::just(0)}, {9, rc::gen::map(number(8), [](int n) { return n + 1; })}});
  return rc::gen::build<Step>(rc::gen::set(&Step::kind, kind), rc::gen::set(&Step::campaign, number(2)),
                              rc::gen::set(&Step::user, number(8)), rc::gen::set(&Step::a, number(6)),
                              rc::gen::set(&Step::b, number(6)), rc::gen::set(&Step::stamp, number(4)),
                              rc::gen::set(&Step::position, number(12)));
}

constexpr Time at(std::int64_t ms) { return Time(Millis(ms)); }

std::optional<Time> maybe_time(int n, Time now) {
  if (n == 0) return {};
  return now + Millis(n - 3);  // around now, so that edges are met
}

Entry entry_of(const Step& s, const Naive& before, Time now) {
  const CampaignId id = s.campaign == 0 ? "lunch" : "dinner";
  const NaiveCampaign* c = before.find(id);
  const Position fresh = c ? c->changed_at : 0;
  const auto last = before.positions.find(0);
  const Position seen = s.a < 4                                      ? fresh
                        : s.a == 4 && last != before.positions.end() ? last->second
                                                                     : 0;  // the last two are mostly stale
  switch (s.kind) {
    case 0:
      return Ticket{.campaign = id,
                    .user = "u" + std::to_string(s.user),
                    .code = {static_cast<std::uint8_t>(s.a), static_cast<std::uint8_t>(s.b)}};
    case 1:
      return Opened{.campaign = id,
                    .name = {},
                    .quota = static_cast<std::uint32_t>(s.a),
                    .opens_at = maybe_time(s.b, now),
                    .closes_at = maybe_time(s.user == 0 ? 0 : s.user + 4, now),
                    .issue_rate = {},
                    .promise = s.stamp == 0 ? std::optional(Promise::store) : std::nullopt};
    case 2:
      return QuotaRaised{.campaign = id, .quota = static_cast<std::uint32_t>(s.a + s.b)};
    case 3:
      return WindowChanged{
          .campaign = id, .opens_at = maybe_time(s.b, now), .closes_at = maybe_time(s.user, now), .seen = seen};
    case 4:
      return Paused{.campaign = id, .seen = seen};
    case 5:
      return Resumed{.campaign = id, .seen = seen};
    case 6:
      return Closed{.campaign = id, .by = s.a == 0 ? ClosedBy::person : ClosedBy::due};
    case 7: {
      const int winners = c ? static_cast<int>(c->winners.size()) : 0;
      Issued issued{.campaign = id, .rank = static_cast<std::uint32_t>(std::max(0, winners + 1 - s.a)), .parked = {}};
      for (std::uint32_t rank = 1; rank <= issued.rank; ++rank) {
        if ((s.b >> (rank % 3) & 1) != 0) issued.parked.push_back(rank);
      }
      return issued;
    }
    default:
      return Installation{.id = {static_cast<std::uint8_t>(s.a)}, .partitions = 1};
  }
}

/// Stamps jitter backwards, positions have gaps, and some entries are ones of before again.
std::vector<Shown> journal_of(const std::vector<Step>& steps) {
  std::vector<Shown> journal;
  Naive before;
  Time now = at(100);
  Position position = 0;
  for (Step s : steps) {
    if (journal.empty()) s = {.kind = 1, .a = s.a, .b = s.b, .stamp = s.stamp};  // most cases need a campaign
    if (s.position >= 10 && !journal.empty()) {
      journal.push_back(journal[static_cast<std::size_t>(s.user * 7 + s.a) % journal.size()]);
    } else {
      now += Millis(s.stamp == 3 ? -1 : s.stamp);
      position += 1 + static_cast<Position>(s.position >= 8 ? s.position : 0);
      journal.push_back({.position = position, .stamp = now, .entry = entry_of(s, before, now)});
    }
    before.apply(journal.back());
  }
  return journal;
}

void expect_same_terms(const verify::NaiveTerms& naive, const Change& change) {
  RC_ASSERT(change.quota == naive.quota);
  RC_ASSERT(change.window.opens_at == naive.opens_at);
  RC_ASSERT(change.window.closes_at == naive.closes_at);
  RC_ASSERT(change.paused == naive.paused);
  RC_ASSERT(change.closed == naive.closed);
}

void expect_same(const NaiveCampaign& naive, const Campaign& campaign) {
  const auto& view = campaign.view();
  RC_ASSERT(campaign.changes().size() == naive.changes.size());
  for (std::uint32_t i = 0; i < naive.changes.size(); ++i) {
    RC_ASSERT(campaign.changes()[i].position == naive.changes[i].position);
    RC_ASSERT(campaign.changes()[i].chain == naive.changes[i].chain);
    expect_same_terms(naive.changes[i].terms, campaign.changes()[i]);
  }
  RC_ASSERT(view.quota == naive.terms.quota);
  RC_ASSERT(view.changed_at == naive.changed_at);
  RC_ASSERT(view.sealed == (naive.winners.size() == naive.terms.quota));
  RC_ASSERT(campaign.issued() == naive.issued);
  RC_ASSERT(campaign.winners().size() == naive.winners.size());
  for (std::uint32_t i = 0; i < naive.winners.size(); ++i) {
    const Winner& winner = campaign.winners()[i];
    RC_ASSERT(winner.user() == naive.winners[i].user.view());
    RC_ASSERT(winner.code == naive.winners[i].code);
    RC_ASSERT(winner.position == naive.winners[i].position);
    RC_ASSERT(winner.stamp == naive.winners[i].stamp);
    RC_ASSERT(winner.chain == naive.winners[i].chain);
  }
}

/// What look() must say, from the oracle alone.
Place place_of(const NaiveCampaign& naive, const std::string& user, Time now) {
  if (naive.rank_of.contains(user)) return Place::winner;
  if (naive.winners.size() >= naive.terms.quota) return Place::sealed;
  if (naive.terms.closed) return Place::closed;
  if (naive.terms.paused) return Place::paused;
  if (naive.terms.opens_at && now < *naive.terms.opens_at) return Place::not_yet_open;
  if (naive.terms.closes_at && now >= *naive.terms.closes_at) return Place::past_close;
  return Place::free;
}

void expect_same_looks(const NaiveCampaign& naive, const Campaign& campaign, Time now) {
  for (int i = 0; i < 8; ++i) {
    const std::string user = "u" + std::to_string(i);
    const Look look = campaign.look(user, now);
    RC_ASSERT(look.place == place_of(naive, user, now));
    RC_ASSERT(look.quota == naive.terms.quota);
    bool issued = true;
    if (campaign.promises_store() && look.place == Place::winner) {
      RC_ASSERT(look.rank == naive.rank_of.at(user));
      issued = look.rank <= naive.issued && std::ranges::find(naive.parked, look.rank) == naive.parked.end();
    } else if (campaign.promises_store() && look.place == Place::sealed) {
      issued = naive.issued >= naive.terms.quota && naive.parked.empty();
    }
    RC_ASSERT(look.issued == issued);
  }
}

RC_GTEST_PROP(StandingsProperty, equal_the_naive_oracle_after_every_entry, ()) {
  const auto journal = journal_of(*rc::gen::container<std::vector<Step>>(step()));
  Standings standings(7, 4);
  Naive naive;
  for (const Shown& shown : journal) {
    standings.apply(shown);
    naive.apply(shown);
    RC_ASSERT(standings.position() == naive.positions[0]);
    RC_ASSERT(standings.campaigns().size() == naive.campaigns.size());
    for (const auto& [id, campaign] : naive.campaigns) {
      const Campaign* const ours = standings.find(id);
      RC_ASSERT(ours != nullptr);
      expect_same(campaign, *ours);
      expect_same_looks(campaign, *ours, shown.stamp);
    }
  }
  // How often the cases were worth their name is in the output.
  for (const auto& [id, campaign] : naive.campaigns) {
    if (!campaign.winners.empty()) RC_TAG("somebody won");
    if (campaign.changes.size() > 2) RC_TAG("several changes");
  }
}

RC_GTEST_PROP(StandingsProperty, a_batch_has_the_effects_of_its_entries_one_by_one, ()) {
  const auto journal = journal_of(*rc::gen::container<std::vector<Step>>(step()));
  Standings one_by_one(0, 4);
  Standings at_once(0, 4);
  std::vector<EffectKind> effects;
  at_once.apply(journal, [&](const Effect& effect) { effects.push_back(effect.kind); });
  RC_ASSERT(effects.size() == journal.size());
  for (std::size_t i = 0; i < journal.size(); ++i) RC_ASSERT(one_by_one.apply(journal[i]).kind == effects[i]);
  RC_ASSERT(one_by_one.position() == at_once.position());
}

RC_GTEST_PROP(StandingsProperty, the_first_n_different_users_hold_the_ranks_whatever_is_repeated, ()) {
  const auto users = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 30));
  const auto quota = static_cast<std::uint32_t>(*rc::gen::inRange(1, 20));
  Standings standings(0, 4);
  Position position = 1;
  standings.apply(
      {.position = position, .stamp = at(0), .entry = Opened{.campaign = "lunch", .name = {}, .quota = quota}});
  std::vector<int> first;
  for (const int user : users) {
    standings.apply({.position = ++position,
                     .stamp = at(0),
                     .entry = Ticket{.campaign = "lunch", .user = std::to_string(user), .code = {}}});
    if (std::ranges::find(first, user) == first.end() && first.size() < quota) first.push_back(user);
  }
  const auto& winners = standings.find("lunch")->winners();
  RC_ASSERT(winners.size() == first.size());
  for (std::uint32_t i = 0; i < first.size(); ++i) RC_ASSERT(winners[i].user() == std::to_string(first[i]));
}

}  // namespace
}  // namespace firstcome
