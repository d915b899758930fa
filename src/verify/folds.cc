#include "verify/folds.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "verify/checks.h"

namespace firstcome::verify {
namespace {

NaiveTerms terms_of(const Change& change) {
  return {.quota = change.quota,
          .opens_at = change.window.opens_at,
          .closes_at = change.window.closes_at,
          .paused = change.paused,
          .closed = change.closed};
}

bool same(const Winner& ours, const NaiveWinner& naive) {
  return ours.user() == naive.user.view() && ours.code == naive.code && ours.position == naive.position &&
         ours.stamp == naive.stamp && ours.chain == naive.chain;
}

bool same(const Change& ours, const NaiveChange& naive) {
  return ours.position == naive.position && ours.chain == naive.chain && terms_of(ours) == naive.terms;
}

/// What is in force in the end, as a reader of the standings sees it.
bool same_end(const Campaign& ours, const NaiveCampaign& naive) {
  const auto& view = ours.view();
  const NaiveTerms terms{.quota = view.quota,
                         .opens_at = view.window.opens_at,
                         .closes_at = view.window.closes_at,
                         .paused = view.paused,
                         .closed = view.closed};
  return terms == naive.terms && view.changed_at == naive.changed_at && ours.issued() == naive.issued &&
         std::ranges::equal(ours.parked(), naive.parked);
}

void compare(Check& check, const Campaign& ours, const NaiveCampaign& naive) {
  const auto id = ours.id().view();
  const auto winners = ours.winners().size();
  check.expect(winners == naive.winners.size(), [&] {
    return fmt::format("campaign {}: the standings have {} winners, the naive fold {}", id, winners,
                       naive.winners.size());
  });
  for (std::uint32_t i = 0; i < winners && i < naive.winners.size(); ++i) {
    check.expect(same(ours.winners()[i], naive.winners[i]), [&] {
      return fmt::format(
          "campaign {}, rank {}: user {} at position {} by the standings, user {} at position {} by the naive fold{}",
          id, i + 1, ours.winners()[i].user(), ours.winners()[i].position, naive.winners[i].user.view(),
          naive.winners[i].position, ours.winners()[i].chain == naive.winners[i].chain ? "" : "; the chains differ");
    });
  }
  const auto changes = ours.changes().size();
  check.expect(changes == naive.changes.size(), [&] {
    return fmt::format("campaign {}: the standings have {} changes, the naive fold {}", id, changes,
                       naive.changes.size());
  });
  for (std::uint32_t i = 0; i < changes && i < naive.changes.size(); ++i) {
    check.expect(same(ours.changes()[i], naive.changes[i]), [&] {
      return fmt::format("campaign {}: the folds differ in the terms or the chain after position {}", id,
                         ours.changes()[i].position);
    });
  }
  check.expect(same_end(ours, naive), [&] { return fmt::format("campaign {}: the folds differ in the end", id); });
}

}  // namespace

void Folds::hold_against(std::vector<ClaimedMark> claimed) {
  MUST(!only_, "a fold of one campaign has other chains");
  for (auto& one : claimed) claimed_.emplace(std::pair(one.partition, one.position), std::move(one));
}

/// Those who say that they stand where the fold is now.
void Folds::compare_claimed(std::uint32_t partition) {
  const Mark mark = standings_.mark(partition);
  const auto [from, to] = claimed_.equal_range({partition, mark.position});
  for (auto found = from; found != to; ++found) {
    const ClaimedMark& said = found->second;
    const bool same = said.chains ? *said.chains == mark.chains : said.number == chain_number(mark.chains);
    claimed_check_.expect(same, [&] {
      return fmt::format("{} has other standings than the journal at position {} of partition {}", said.who,
                         mark.position, partition);
    });
  }
  claimed_.erase(from, to);
}

Check Folds::check_claimed() const {
  Check check = claimed_check_;
  for (const auto& [where, said] : claimed_) {
    check.expect(false, [&] {
      return fmt::format("{} stands at position {} of partition {}, where the journal has no entry", said.who,
                         said.position, said.partition);
    });
  }
  return check;
}

void Folds::apply(std::span<const Shown> entries) {
  if (entries.empty()) return;
  entries_ += entries.size();
  for (const Shown& shown : entries) ends_.at(shown.partition) = shown.position;
  if (!claimed_.empty()) {
    for (const Shown& shown : entries) {
      standings_.apply(shown);
      naive_.apply(shown);
      compare_claimed(shown.partition);
    }
    return;
  }
  if (!only_) {
    standings_.apply(entries, [](const Effect&) {});
    for (const Shown& shown : entries) naive_.apply(shown);
    return;
  }
  for (const Shown& shown : entries) {
    const auto campaign = campaign_of(shown.entry);
    if (!campaign.empty() && !is_about(campaign)) continue;
    standings_.apply(shown);
    naive_.apply(shown);
  }
}

Position Folds::end(std::string_view campaign) const {
  return ends_.at(partition_of(campaign, std::max(naive_.partitions, 1U)));
}

std::vector<Check> check_folds(const Folds& folds) {
  Check agree{.name = "both folds agree"};
  Check sealed{.name = "sealed if and only if N ranks are held"};
  const auto& campaigns = folds.standings().campaigns();
  agree.expect(campaigns.size() == folds.naive().campaigns.size(), [&] {
    return fmt::format("the standings have {} campaigns, the naive fold {}", campaigns.size(),
                       folds.naive().campaigns.size());
  });
  for (std::uint32_t i = 0; i < campaigns.size(); ++i) {
    const Campaign& ours = *campaigns[i];
    const NaiveCampaign* const naive = folds.naive().find(ours.id());
    if (!naive) {
      agree.fail([&] { return fmt::format("campaign {} is unknown to the naive fold", ours.id().view()); });
      continue;
    }
    compare(agree, ours, *naive);
    const auto held = naive->winners.size();
    sealed.expect(held <= naive->terms.quota && ours.view().sealed == (held == naive->terms.quota), [&] {
      return fmt::format("campaign {}: {} of {} ranks are held, and the standings are {}sealed", ours.id().view(), held,
                         naive->terms.quota, ours.view().sealed ? "" : "not ");
    });
  }
  return {agree, sealed};
}

}  // namespace firstcome::verify
