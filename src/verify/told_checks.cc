// Whether what clients were told came true, and whether the order of arrival was kept.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_map>

#include "verify/checks.h"

namespace firstcome::verify {
namespace {

/// Attempts come campaign by campaign as a rule.
class CampaignFinder {
 public:
  explicit CampaignFinder(const Naive& naive) : naive_(naive) {}
  const NaiveCampaign* operator()(const std::string& id) {
    if (!known_ || id != last_) {
      campaign_ = naive_.find(id);
      last_ = id;
      known_ = true;
    }
    return campaign_;
  }

 private:
  const Naive& naive_;
  const NaiveCampaign* campaign_ = nullptr;
  std::string last_;
  bool known_ = false;
};

/// 0: none.
std::uint32_t rank_of(const NaiveCampaign* campaign, const std::string& user) {
  if (!campaign) return 0;
  const auto found = campaign->rank_of.find(user);
  return found == campaign->rank_of.end() ? 0 : found->second;
}

std::string name_of(const Attempt& attempt) {
  return fmt::format("campaign {}, user {}, call at {} us: told {}", attempt.campaign, attempt.user, attempt.call_us,
                     attempt.answer);
}

/// Every won is in the fold's end, with that rank and code.
void expect_held(Check& check, const NaiveCampaign* campaign, const Attempt& told) {
  const std::uint32_t rank = rank_of(campaign, told.user);
  const NaiveWinner* const winner = rank == 0 ? nullptr : &campaign->winners[rank - 1];
  check.expect(winner && rank == told.rank && to_text(winner->code) == told.code, [&] {
    const auto what = fmt::format("{} with rank {} and code {}; by the journal ", name_of(told), told.rank, told.code);
    if (!winner) return what + "the user holds no rank";
    return fmt::format("{}it is rank {} and code {}, position {}", what, rank, to_text(winner->code), winner->position);
  });
}

/// sold_out(q): q ranks are held, none of them by this user, and q was a quota. A larger rank is fine: it came by a
/// raise.
void expect_sold_out(Check& check, const NaiveCampaign* campaign, const Attempt& told) {
  const std::uint32_t rank = rank_of(campaign, told.user);
  const bool was_quota = campaign && std::ranges::any_of(campaign->changes, [&](const NaiveChange& change) {
                           return change.terms.quota == told.quota;
                         });
  const bool full = campaign && campaign->winners.size() >= told.quota;
  check.expect(was_quota && full && (rank == 0 || rank > told.quota), [&] {
    const auto what = fmt::format("{} of {}; by the journal ", name_of(told), told.quota);
    if (!was_quota) return what + "that never was the quota";
    if (!full) return fmt::format("{}only {} ranks are held", what, campaign->winners.size());
    return fmt::format("{}the user holds rank {}, position {}", what, rank, campaign->winners[rank - 1].position);
  });
}

/// closed: it is closed, and this user holds no rank: after a closing nobody wins, and a winner is told won before
/// closed.
void expect_closed(Check& check, const NaiveCampaign* campaign, const Attempt& told) {
  const std::uint32_t rank = rank_of(campaign, told.user);
  const bool closed = campaign && campaign->terms.closed;
  check.expect(closed && rank == 0, [&] {
    if (!closed) return name_of(told) + "; by the journal the campaign is not closed";
    return fmt::format("{}; by the journal the user holds rank {}, position {}", name_of(told), rank,
                       campaign->winners[rank - 1].position);
  });
}

/// What each user was told first; whatever comes later must be the same.
class FirstWon {
 public:
  void expect_same(Check& check, const Attempt& told) {
    const auto [first, is_new] = first_.emplace(Key{told.campaign, told.user}, &told);
    const Attempt& before = *first->second;
    check.expect(is_new || (before.rank == told.rank && before.code == told.code), [&] {
      return fmt::format("{} with rank {} and code {}, and at the call at {} us with rank {} and code {}",
                         name_of(told), told.rank, told.code, before.call_us, before.rank, before.code);
    });
  }

 private:
  struct Key {
    std::string_view campaign;
    std::string_view user;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      const std::hash<std::string_view> hash;
      return hash(key.user) ^ (hash(key.campaign) << 1);
    }
  };
  std::unordered_map<Key, const Attempt*, Hash> first_;
};

// --- The order of arrival ---

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::min();

/// Without effect: the ticket, if there was one, cannot have won, so the attempt is no call. 409 is not among them: who
/// was told sold_out at the seal may have a ticket in flight, and a raise that came in between lets it win.
bool is_without_effect(const Attempt& attempt) {
  return attempt.status >= 400 && attempt.status < 500 && attempt.status != 409;
}

/// 201 brings a win, 200 repeats it: whoever is told 200 at his first call asked before this history begins.
bool is_repeat(const Attempt& attempt) { return attempt.answer == "won" && attempt.status == 200; }

struct CampaignOrder {
  const NaiveCampaign* campaign = nullptr;
  std::vector<std::int64_t> calls;    // by rank - 1
  std::vector<bool> asked_before;     // by rank - 1: that call was not the first one
  std::vector<std::int64_t> returns;  // by rank - 1
  std::vector<const Attempt*> sold_out;
};

void take_in(CampaignOrder& order, const Attempt& attempt) {
  if (attempt.answer == "sold_out" && attempt.return_us) order.sold_out.push_back(&attempt);
  const std::uint32_t rank = rank_of(order.campaign, attempt.user);
  if (rank == 0) return;
  std::int64_t& call = order.calls[rank - 1];
  std::int64_t& returned = order.returns[rank - 1];
  if (!is_without_effect(attempt) && attempt.call_us <= call) {
    const bool repeat = is_repeat(attempt);
    order.asked_before[rank - 1] = repeat && (attempt.call_us < call || order.asked_before[rank - 1]);
    call = attempt.call_us;
  }
  if (attempt.answer == "won" && attempt.return_us) returned = std::min(returned, *attempt.return_us);
}

void expect_order(Check& check, const std::string& id, const CampaignOrder& order, std::int64_t skew) {
  // last_call[k]: the rank, up to k + 1, whose user called last; its call if he called at all.
  const auto& winners = order.campaign->winners;
  std::vector<std::uint32_t> last_call(winners.size());
  const auto call_of = [&](std::uint32_t at) {
    return order.calls[at] == never || order.asked_before[at] ? nobody : order.calls[at];
  };
  for (std::uint32_t k = 0; k < winners.size(); ++k) {
    last_call[k] = k > 0 && call_of(last_call[k - 1]) >= call_of(k) ? last_call[k - 1] : k;
    if (order.returns[k] == never) continue;
    const std::uint32_t late = last_call[k];
    check.expect(call_of(late) == nobody || call_of(late) - skew <= order.returns[k], [&] {
      return fmt::format(
          "campaign {}: rank {} (user {}, position {}) had its won at {} us, before rank {} (user {}, position {}) "
          "first "
          "asked, at {} us",
          id, k + 1, winners[k].user.view(), winners[k].position, order.returns[k], late + 1, winners[late].user.view(),
          winners[late].position, call_of(late));
    });
  }
  for (const Attempt* told : order.sold_out) {
    const auto held = std::min<std::size_t>(told->quota, winners.size());
    const std::uint32_t late = held == 0 ? 0 : last_call[held - 1];
    check.expect(held == 0 || call_of(late) == nobody || call_of(late) - skew <= *told->return_us, [&] {
      return fmt::format("{} of {} at {} us, before rank {} (user {}, position {}) first asked, at {} us",
                         name_of(*told), told->quota, *told->return_us, late + 1, winners[late].user.view(),
                         winners[late].position, call_of(late));
    });
  }
}

}  // namespace

std::vector<Check> check_told(const Folds& folds, std::span<const Attempt> attempts, std::chrono::microseconds skew) {
  Check held{.name = "every won is held"};
  Check same{.name = "a user's won stays the same"};
  Check refused{.name = "sold_out and closed came true"};
  CampaignFinder find(folds.naive());
  FirstWon first;
  for (const Attempt& attempt : attempts) {
    if (!folds.is_about(attempt.campaign)) continue;
    const NaiveCampaign* const campaign = find(attempt.campaign);
    if (attempt.answer == "won") {
      expect_held(held, campaign, attempt);
      first.expect_same(same, attempt);
    } else if (attempt.answer == "sold_out") {
      expect_sold_out(refused, campaign, attempt);
    } else if (attempt.answer == "closed") {
      expect_closed(refused, campaign, attempt);
    }
  }
  return {held, same, refused, check_order(folds.naive(), attempts, skew)};
}

std::vector<std::string> told_beyond_store(const Folds& folds, const StoreRows& rows,
                                           std::span<const Attempt> attempts) {
  std::map<std::string_view, std::uint32_t> told;
  for (const Attempt& attempt : attempts) {
    if (attempt.answer == "won" || attempt.answer == "sold_out") {
      auto& most = told[attempt.campaign];
      most = std::max(most, attempt.answer == "won" ? attempt.rank : attempt.quota);
    }
  }
  std::vector<std::string> beyond;
  for (const auto& [id, rank] : told) {
    const Campaign* const campaign = folds.standings().find(id);
    if (!campaign || !campaign->promises_store()) continue;
    const auto row = std::ranges::find(rows.progress, id, [](const Progress& one) { return one.campaign.view(); });
    const std::uint32_t written = row == rows.progress.end() ? 0 : row->rank;
    if (written >= rank) continue;
    beyond.push_back(fmt::format(
        "whether campaign {} kept promise = store: clients were told of rank {}, and the store is at rank {}; was it "
        "set back? Then verify again when nothing is owed. If it was not, they were told too early",
        id, rank, written));
  }
  return beyond;
}

Check check_order(const Naive& naive, std::span<const Attempt> attempts, std::chrono::microseconds skew) {
  Check check{.name = "order of arrival"};
  CampaignFinder find(naive);
  std::unordered_map<const NaiveCampaign*, CampaignOrder> orders;
  for (const Attempt& attempt : attempts) {
    const NaiveCampaign* const campaign = find(attempt.campaign);
    if (!campaign) continue;
    CampaignOrder& order = orders[campaign];
    if (!order.campaign) {
      order.campaign = campaign;
      order.calls.resize(campaign->winners.size(), never);
      order.asked_before.resize(campaign->winners.size(), false);
      order.returns.resize(campaign->winners.size(), never);
    }
    take_in(order, attempt);
  }
  // In the order of the oracle's campaigns, so that the same histories give the same report.
  for (const auto& [id, campaign] : naive.campaigns) {
    const auto order = orders.find(&campaign);
    if (order != orders.end()) expect_order(check, id, order->second, skew.count());
  }
  return check;
}

}  // namespace firstcome::verify
