// DESIGN
//   An operation is a list of steps; a step appends one entry and says how the fold will show what came of it. Steps
//   follow one another, since a pause carries the position of the window change before it.
#include "desk/operator_desk.h"

#include <algorithm>
#include <cmath>

namespace firstcome {
namespace {

using Kind = OperatorAnswer::Kind;

constexpr std::string_view closed_for_ever = "the campaign is closed: nothing about it can be changed any more";

bool same_terms(const Opened& a, const Opened& b) {
  return a.name == b.name && a.quota == b.quota && a.opens_at == b.opens_at && a.closes_at == b.closes_at &&
         a.issue_rate == b.issue_rate && a.promise == b.promise;
}

}  // namespace

OperatorDesk::OperatorDesk(std::uint32_t author, const Standings& standings, Journal& journal, Clock& clock,
                           OperatorLimits limits)
    : author_(author), standings_(standings), journal_(journal), clock_(clock), limits_(limits) {}

std::optional<std::string> OperatorDesk::refuse_quota(std::uint32_t quota, std::uint32_t before) const {
  if (quota == 0) return "quota must be at least 1";
  if (quota > limits_.quota_max) {
    return "quota is above quota_max (" + std::to_string(limits_.quota_max) + "), a setting of this server";
  }
  if (standings_.places() + quota - before > limits_.places_max) {
    return "all quotas together would exceed places_max (" + std::to_string(limits_.places_max) +
           "), a setting of this server; taken: " + std::to_string(standings_.places());
  }
  return {};
}

std::optional<std::string> OperatorDesk::refuse(const Opened& opened) const {
  if (!is_campaign_id(opened.campaign)) return "id must be 1 to 63 of a-z, 0-9 and -";
  if (opened.name && (opened.name->empty() || opened.name->size() > limits::campaign_name_bytes_max)) {
    return "name must be 1 to " + std::to_string(limits::campaign_name_bytes_max) + " bytes";
  }
  if (opened.opens_at && opened.closes_at && *opened.opens_at >= *opened.closes_at) {
    return "opens_at must be before closes_at";
  }
  if (opened.issue_rate && !(*opened.issue_rate >= 0 && *opened.issue_rate <= 1e7)) {
    return "issue_rate must be from 0 (unlimited) to 10000000 coupons per second";
  }
  if (standings_.campaigns().size() >= limits_.campaigns_max) {
    return "there are campaigns_max (" + std::to_string(limits_.campaigns_max) +
           ") campaigns already, a setting of this server";
  }
  return refuse_quota(opened.quota, 0);
}

void OperatorDesk::create(const Opened& opened, Reply reply) {
  const auto compare = [this, opened](Kind if_same) -> Verdict {
    const Campaign* const there = standings_.find(opened.campaign);
    if (!there) return {};
    if (same_terms(there->opened(), opened)) return OperatorAnswer{if_same, there, {}};
    return OperatorAnswer{
        Kind::conflict, there,
        "campaign " + opened.campaign.str() + " exists with other terms; an id is used once, for ever"};
  };
  if (is_campaign_id(opened.campaign)) {
    if (const auto there = compare(Kind::unchanged)) return reply(*there);
  }
  if (const auto why = refuse(opened)) return reply({Kind::invalid, nullptr, *why});
  Operation operation{.campaign = opened.campaign, .reply = std::move(reply)};
  operation.steps.emplace_back([this, opened, compare](Operation& self) {
    return append(self, opened, [compare] { return compare(Kind::created); });
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
    if (const auto why = refuse_quota(*patch.quota, now.quota)) return reply({Kind::invalid, campaign, *why});
  }
  if (patch.closes_at && now.window.opens_at && *patch.closes_at <= *now.window.opens_at) {
    return reply({Kind::invalid, campaign, "closes_at must be after opens_at"});
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
      return OperatorAnswer{Kind::conflict, campaign,
                            "somebody else changed the campaign at the same time: look at it and ask again"};
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
          if (campaign->view().quota == quota) return OperatorAnswer{Kind::unchanged, campaign, {}};
          return append(self, QuotaRaised{name, quota}, decided);
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

OperatorDesk::Verdict OperatorDesk::append(Operation& operation, Entry entry, std::function<Verdict()> decided) {
  operation.number = next_number_++;
  if (const auto taken = journal_.append(std::move(entry), {author_, operation.number}); !taken) {
    return OperatorAnswer{Kind::fault, nullptr, "the journal does not take it now: ask again, it is safe"};
  }
  operation.until = clock_.uptime() + limits_.seen_ms_max;
  operation.decided = std::move(decided);
  return {};
}

void OperatorDesk::begin(Operation operation) {
  if (operations_.size() >= operations_max) {
    return operation.reply({Kind::fault, nullptr, "too many changes wait for the journal: ask again, it is safe"});
  }
  if (!advance(operation)) operations_.push_back(std::move(operation));
}

/// Goes as far as the fold allows; true: it was answered.
bool OperatorDesk::advance(Operation& operation) {
  for (;;) {
    Verdict verdict;
    if (operation.decided) {
      verdict = operation.decided();
      if (!verdict) return false;
      operation.decided = nullptr;
    } else if (!operation.steps.empty()) {
      const auto step = std::move(operation.steps.front());
      operation.steps.pop_front();
      verdict = step(operation);
      if (!verdict) continue;
    } else {
      const Campaign* const campaign = standings_.find(operation.campaign);
      operation.reply({operation.changed_something ? Kind::changed : Kind::unchanged, campaign, {}});
      return true;
    }
    const bool goes_on = verdict->kind == Kind::changed || verdict->kind == Kind::unchanged;
    operation.changed_something |= verdict->kind == Kind::changed;
    if (!goes_on) {
      operation.reply(*verdict);
      return true;
    }
  }
}

template <class Ended>
void OperatorDesk::end_where(Ended ended) {
  // Taken out first: a reply may begin the next operation.
  auto operations = std::exchange(operations_, {});
  for (auto& operation : operations) {
    if (!ended(operation)) operations_.push_back(std::move(operation));
  }
}

void OperatorDesk::applied(std::span<const Effect>) {
  if (operations_.empty()) return;
  end_where([this](Operation& operation) { return advance(operation); });
}

void OperatorDesk::append_failed(std::span<const AppendTag> appends, const Fault& fault) {
  end_where([&](Operation& operation) {
    const bool is_one = std::ranges::find(appends, AppendTag{author_, operation.number}) != appends.end();
    if (is_one)
      operation.reply(
          {Kind::fault, nullptr, "the journal cannot write now (" + fault.what + "): ask again, it is safe"});
    return is_one;
  });
}

void OperatorDesk::tick() {
  if (operations_.empty()) return;
  end_where([this](Operation& operation) {
    const bool is_over = operation.until <= clock_.uptime();
    if (is_over) {
      operation.reply({Kind::fault, nullptr,
                       "the journal has not shown the change yet; its outcome is unknown: ask again, it is safe"});
    }
    return is_over;
  });
}

}  // namespace firstcome
