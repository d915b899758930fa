// DESIGN
//   An operation is a list of steps; a step appends one entry and says how the fold will show what came of it. Steps
//   follow one another, since a pause carries the position of the window change before it.
//
//   The limits are kept against what the fold holds and what is appended and not seen yet. Of several entries about one
//   campaign one takes room, since one counts: the first create, the largest raise.
//
//   An entry holds its room until the fold decides it or the journal fails it. An operator is told `fault` after
//   seen_ms_max, but the journal may still show the entry, so its room is not given back then: room given back too
//   early would let the quotas exceed places_max, held too long it refuses for a while what asking again will get. A
//   journal may tell nothing of an append whose outcome it cannot know, and such a one may land late, as a request does
//   that waits in a slow broker. When the journal is heard `lost_after` later, and has not shown it, it is lost.
#include "desk/operator_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace firstcome {
namespace {

using Kind = OperatorAnswer::Kind;

constexpr Millis lost_after{60'000};  // no broker that answers keeps a request for so long

constexpr std::string_view closed_for_ever = "the campaign is closed: nothing about it can be changed any more";

/// The terms that are others than those that were asked for, with both; "" when all are the same.
std::string differences(const Opened& made, const Opened& asked) {
  std::string all;
  const auto compare = [&all](std::string_view name, const auto& is, const auto& wanted, auto&& text) {
    if (is == wanted) return;
    all += fmt::format("{}{} {}, not {}", all.empty() ? "" : "; ", name, text(is), text(wanted));
  };
  const auto or_left_out = [](auto&& text) {
    return [text](const auto& value) { return value ? std::string(text(*value)) : std::string("left out"); };
  };
  const auto promise = [](Promise value) { return value == Promise::store ? "store" : "journal"; };
  const auto number = [](auto value) { return fmt::format("{}", value); };
  compare("name", made.name, asked.name, or_left_out([](const auto& name) { return '"' + name + '"'; }));
  compare("quota", made.quota, asked.quota, number);
  compare("opens_at", made.opens_at, asked.opens_at, or_left_out(to_rfc3339));
  compare("closes_at", made.closes_at, asked.closes_at, or_left_out(to_rfc3339));
  compare("issue_rate", made.issue_rate, asked.issue_rate, or_left_out(number));
  compare("promise", made.promise, asked.promise, or_left_out(promise));
  return all;
}

OperatorAnswer invalid(std::string why) { return {Kind::invalid, nullptr, std::move(why)}; }

OperatorAnswer crowded_out(std::string_view limit) {
  return {Kind::fault, nullptr,
          "changes that the journal has not shown yet may take the last of " + std::string(limit)};
}

}  // namespace

OperatorDesk::OperatorDesk(std::uint32_t author, const Standings& standings, Journal& journal, Clock& clock,
                           OperatorLimits limits)
    : author_(author), standings_(standings), journal_(journal), clock_(clock), limits_(limits) {}

/// A wrong year must not end a campaign for ever.
std::string OperatorDesk::is_over(std::string_view time) const {
  return std::string(time) + " is over already: it is " + to_rfc3339(clock_.now()) + " now";
}

/// What this one and all that are appended and not seen yet will take together.
OperatorDesk::Need OperatorDesk::need_with(const CampaignId& campaign, std::uint32_t quota) const {
  std::map<CampaignId, std::uint32_t> quotas{{campaign, quota}};
  const auto add = [&quotas](const Appended& appended) {
    if (appended.quota == 0) return;
    std::uint32_t& largest = quotas[appended.campaign];
    largest = std::max(largest, appended.quota);
  };
  for (const Operation& operation : operations_) add(operation.present);
  for (const Appended& appended : overdue_) add(appended);
  Need all;
  for (const auto& [id, largest] : quotas) {
    const Campaign* const there = standings_.find(id);
    const std::uint32_t before = there ? there->view().quota : 0;
    if (largest > before) all.places += largest - before;
    if (!there) ++all.campaigns;
  }
  return all;
}

OperatorDesk::Verdict OperatorDesk::refuse_quota(const CampaignId& campaign, std::uint32_t quota) const {
  if (quota == 0) return invalid("quota must be at least 1");
  if (quota > limits_.quota_max) {
    return invalid("quota is above quota_max (" + std::to_string(limits_.quota_max) + "), a setting of this server");
  }
  const Campaign* const there = standings_.find(campaign);
  const std::uint64_t taken = standings_.places();
  if (taken + quota - (there ? there->view().quota : 0) > limits_.places_max) {
    return invalid("all quotas together would exceed places_max (" + std::to_string(limits_.places_max) +
                   "), a setting of this server; taken: " + std::to_string(taken));
  }
  if (taken + need_with(campaign, quota).places > limits_.places_max) return crowded_out("places_max");
  return {};
}

OperatorDesk::Verdict OperatorDesk::refuse(const Opened& opened) const {
  if (!is_campaign_id(opened.campaign)) return invalid("id must be 1 to 63 of a-z, 0-9 and -");
  if (opened.name && (opened.name->empty() || opened.name->size() > limits::campaign_name_bytes_max)) {
    return invalid("name must be 1 to " + std::to_string(limits::campaign_name_bytes_max) + " bytes");
  }
  if (opened.opens_at && opened.closes_at && *opened.opens_at >= *opened.closes_at) {
    return invalid("opens_at must be before closes_at");
  }
  if (opened.closes_at && *opened.closes_at <= clock_.now()) return invalid(is_over("closes_at"));
  if (opened.issue_rate && !(*opened.issue_rate >= 0 && *opened.issue_rate <= 1e7)) {
    return invalid("issue_rate must be from 0 (unlimited) to 10000000 coupons per second");
  }
  const std::size_t there = standings_.campaigns().size();
  if (there >= limits_.campaigns_max) {
    return invalid("there are campaigns_max (" + std::to_string(limits_.campaigns_max) +
                   ") campaigns already, a setting of this server");
  }
  if (auto why = refuse_quota(opened.campaign, opened.quota)) return why;
  if (there + need_with(opened.campaign, opened.quota).campaigns > limits_.campaigns_max) {
    return crowded_out("campaigns_max");
  }
  return {};
}

void OperatorDesk::create(const Opened& opened, Reply reply) {
  const auto compare = [this, opened](Kind if_same) -> Verdict {
    const Campaign* const there = standings_.find(opened.campaign);
    if (!there) return {};
    const auto others = differences(there->opened(), opened);
    if (others.empty()) return OperatorAnswer{if_same, there, {}};
    return OperatorAnswer{Kind::conflict, there,
                          fmt::format("campaign {} was made with other terms ({}); an id is used once, for ever",
                                      opened.campaign.view(), others)};
  };
  if (is_campaign_id(opened.campaign)) {
    if (const auto there = compare(Kind::unchanged)) return reply(*there);
  }
  if (const auto why = refuse(opened)) return reply(*why);
  Operation operation{.campaign = opened.campaign, .reply = std::move(reply)};
  operation.steps.emplace_back([this, opened, compare](Operation& self) {
    return append(self, opened, [compare] { return compare(Kind::created); }, opened.quota);
  });
  begin(std::move(operation));
}

void OperatorDesk::change(std::string_view id, const CampaignPatch& patch, Reply reply) {
  const Campaign* const campaign = standings_.find(id);
  if (!campaign) return reply({Kind::no_campaign, nullptr, "no campaign " + std::string(id)});
  const auto& now = campaign->view();
  const bool only_closes = patch.closed && !patch.quota && !patch.closes_at && !patch.paused;
  if (now.closed) {
    return reply(
        {only_closes ? Kind::unchanged : Kind::conflict, campaign, std::string(only_closes ? "" : closed_for_ever)});
  }
  if (patch.quota) {
    if (*patch.quota < now.quota) {
      return reply({Kind::conflict, campaign,
                    "the quota is " + std::to_string(now.quota) +
                        " and can only be raised: places that were promised are not taken back"});
    }
    if (const auto why = refuse_quota(campaign->id(), *patch.quota)) return reply(*why);
  }
  if (patch.closes_at && now.window.opens_at && *patch.closes_at <= *now.window.opens_at) {
    return reply({Kind::invalid, campaign, "closes_at must be after opens_at"});
  }
  if (patch.closes_at && patch.closes_at != now.window.closes_at && *patch.closes_at <= clock_.now()) {
    return reply({Kind::invalid, campaign, is_over("closes_at") + "; to end the campaign now, say closed"});
  }

  const auto closed_meanwhile = [campaign]() -> Verdict {
    if (!campaign->view().closed) return {};
    return OperatorAnswer{Kind::conflict, campaign, std::string(closed_for_ever)};
  };
  // A window change, pause or resumption counts only on the last one that we have seen: when another one came in
  // between, the fold shows a later position, and the state says whose wish it was.
  const auto switched = [campaign, closed_meanwhile](Position seen, auto is_so) -> std::function<Verdict()> {
    return [campaign, closed_meanwhile, seen, is_so]() -> Verdict {
      if (const auto closed = closed_meanwhile()) return closed;
      if (campaign->view().changed_at == seen) return {};
      if (is_so()) return OperatorAnswer{Kind::changed, campaign, {}};
      return OperatorAnswer{Kind::conflict, campaign, "somebody else changed the campaign at the same time"};
    };
  };
  const CampaignId name = campaign->id();
  Operation operation{.campaign = name, .reply = std::move(reply)};
  if (patch.quota) {
    operation.steps.emplace_back(
        [this, campaign, name, quota = *patch.quota, closed_meanwhile](Operation& self) -> Verdict {
          const auto decided = [campaign, quota, closed_meanwhile]() -> Verdict {
            if (campaign->view().quota >= quota) return OperatorAnswer{Kind::changed, campaign, {}};
            return closed_meanwhile();
          };
          if (campaign->view().quota >= quota) return OperatorAnswer{Kind::unchanged, campaign, {}};
          return append(self, QuotaRaised{name, quota}, decided, quota);
        });
  }
  if (patch.closes_at) {
    operation.steps.emplace_back(
        [this, campaign, name, closes_at = *patch.closes_at, switched](Operation& self) -> Verdict {
          const auto is_so = [campaign, closes_at] { return campaign->view().window.closes_at == closes_at; };
          if (is_so()) return OperatorAnswer{Kind::unchanged, campaign, {}};
          const Position seen = campaign->view().changed_at;
          return append(self, WindowChanged{name, campaign->view().window.opens_at, closes_at, seen},
                        switched(seen, is_so));
        });
  }
  if (patch.paused) {
    operation.steps.emplace_back([this, campaign, name, paused = *patch.paused, switched](Operation& self) -> Verdict {
      const auto is_so = [campaign, paused] { return campaign->view().paused == paused; };
      if (is_so()) return OperatorAnswer{Kind::unchanged, campaign, {}};
      const Position seen = campaign->view().changed_at;
      const Entry entry = paused ? Entry(Paused{name, seen}) : Entry(Resumed{name, seen});
      return append(self, entry, switched(seen, is_so));
    });
  }
  if (patch.closed) {
    operation.steps.emplace_back([this, campaign, name](Operation& self) -> Verdict {
      return append(self, Closed{name, ClosedBy::person}, [campaign]() -> Verdict {
        if (!campaign->view().closed) return {};
        return OperatorAnswer{Kind::changed, campaign, {}};
      });
    });
  }
  begin(std::move(operation));
}

OperatorDesk::Verdict OperatorDesk::append(Operation& operation, Entry entry, std::function<Verdict()> decided,
                                           std::uint32_t quota) {
  const std::uint64_t number = next_number_++;
  if (const auto taken = journal_.append(std::move(entry), {author_, number}); !taken) {
    return OperatorAnswer{Kind::fault, nullptr, "the journal does not take it now"};
  }
  operation.until = clock_.uptime() + limits_.seen_ms_max;
  operation.present = {.number = number, .decided = std::move(decided), .campaign = operation.campaign, .quota = quota};
  return {};
}

void OperatorDesk::begin(Operation operation) {
  if (waiting() >= limits::operations_max) {
    return operation.reply({Kind::fault, nullptr, "too many changes wait for the journal"});
  }
  if (const auto answer = advance(operation)) return operation.reply(*answer);
  operations_.push_back(std::move(operation));
  count();
}

/// Goes as far as the fold allows; the answer at the end.
OperatorDesk::Verdict OperatorDesk::advance(Operation& operation) {
  for (;;) {
    Verdict verdict;
    if (operation.present.decided) {
      verdict = operation.present.decided();
      if (!verdict) return {};
      operation.present = {};
    } else if (!operation.steps.empty()) {
      const auto step = std::move(operation.steps.front());
      operation.steps.pop_front();
      verdict = step(operation);
      if (!verdict) continue;
    } else {
      const Campaign* const campaign = standings_.find(operation.campaign);
      return OperatorAnswer{operation.changed_something ? Kind::changed : Kind::unchanged, campaign, {}};
    }
    const bool goes_on = verdict->kind == Kind::changed || verdict->kind == Kind::unchanged;
    operation.changed_something |= verdict->kind == Kind::changed;
    if (!goes_on) return verdict;
  }
}

/// `ended` gives the answer to an operation that ends.
template <class Ended>
void OperatorDesk::end_where(Ended ended) {
  std::vector<Operation> go_on;
  std::vector<std::pair<Reply, OperatorAnswer>> answers;
  for (Operation& operation : operations_) {
    if (auto answer = ended(operation)) {
      answers.emplace_back(std::move(operation.reply), std::move(*answer));
    } else {
      go_on.push_back(std::move(operation));
    }
  }
  operations_ = std::move(go_on);
  count();
  // When all have been looked at: a reply may begin the next operation.
  for (const auto& [reply, answer] : answers) reply(answer);
}

void OperatorDesk::count() { waiting_.store(operations_.size() + overdue_.size(), std::memory_order_relaxed); }

void OperatorDesk::applied(std::span<const Effect>) {
  if (waiting() == 0) return;
  std::erase_if(overdue_, [](const Appended& appended) { return appended.decided().has_value(); });
  end_where([this](Operation& operation) { return advance(operation); });
}

void OperatorDesk::append_failed(std::span<const AppendTag> appends, const Fault& fault) {
  const auto is_one = [&](const Appended& appended) {
    return std::ranges::find(appends, AppendTag{author_, appended.number}) != appends.end();
  };
  std::erase_if(overdue_, is_one);
  end_where([&](const Operation& operation) -> Verdict {
    if (!is_one(operation.present)) return {};
    return OperatorAnswer{Kind::fault, nullptr, "the journal cannot write now (" + fault.what + ")"};
  });
}

void OperatorDesk::heard() {
  std::erase_if(overdue_, [&](const Appended& appended) { return appended.lost_at <= clock_.uptime(); });
  count();
}

void OperatorDesk::tick() {
  if (operations_.empty()) return;
  end_where([this](Operation& operation) -> Verdict {
    if (operation.until > clock_.uptime()) return {};
    if (operation.present.quota > 0) {
      operation.present.lost_at = clock_.uptime() + lost_after;
      overdue_.push_back(std::move(operation.present));
    }
    return OperatorAnswer{Kind::fault, nullptr, "the journal has not shown the change yet; its outcome is unknown"};
  });
}

}  // namespace firstcome
