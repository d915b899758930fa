#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "journal/journal.h"
#include "standings/standings.h"

namespace firstcome {

/// What an operator wants changed; what is left out stays.
struct CampaignPatch {
  std::optional<std::uint32_t> quota;
  std::optional<Time> closes_at;
  std::optional<bool> paused;
  bool closed = false;
};

struct OperatorAnswer {
  enum class Kind : std::uint8_t {
    created,
    unchanged,  ///< it was so before
    changed,
    conflict,  ///< the campaign is there with other terms, is closed, or somebody else changed it meanwhile
    invalid,   ///< a value that can never be
    no_campaign,
    fault,  ///< the journal did not take it, or its outcome is unknown: ask again, it is safe
  };
  Kind kind = Kind::fault;
  const Campaign* campaign = nullptr;
  std::string detail;  ///< a sentence for the operator, where it went wrong
};

struct OperatorLimits {
  std::uint32_t quota_max = limits::quota_max_default;
  std::uint32_t places_max = limits::places_max_default;
  std::uint32_t campaigns_max = limits::campaigns_max_default;
  Millis seen_ms_max = limits::in_flight_ms_max_default;  ///< an entry that was not seen by then: fault
};

/// Makes and changes campaigns: appends the entry and answers from the fold after it was seen.
///
///   Safe       asking again after a fault does no harm: the same terms are `unchanged`.
///   Bounds     at most `operations_max` wait. Quotas and campaigns by OperatorLimits, those counted too that are asked
///              for and not seen yet: what only these leave no room for is a fault, since they may come to nothing.
///              What is asked again takes no room a second time.
///   Threads    lives on one loop; messages and time in, messages out.
class OperatorDesk {
 public:
  using Reply = std::function<void(const OperatorAnswer&)>;

  OperatorDesk(std::uint32_t author, const Standings& standings, Journal& journal, Clock& clock, OperatorLimits limits);

  /// `reply` is called once, from here or from a later applied(), append_failed() or tick().
  void create(const Opened& opened, Reply reply);
  void change(std::string_view campaign, const CampaignPatch& patch, Reply reply);

  /// The standings have these effects already.
  void applied(std::span<const Effect> effects);
  void append_failed(std::span<const AppendTag> appends, const Fault& fault);
  void heard();
  void tick();

  /// For the scrape, from any thread.
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  /// Nothing: not decided yet.
  using Verdict = std::optional<OperatorAnswer>;
  /// What entries will take of the limits.
  struct Need {
    std::uint64_t places = 0;
    std::size_t campaigns = 0;
  };
  struct Appended {
    std::uint64_t number = 0;
    std::function<Verdict()> decided;  // has the entry been seen, and what came of it; none: nothing is appended
    CampaignId campaign;
    std::uint32_t quota = 0;  // that the campaign will have; 0: the entry changes none
    Uptime lost_at{};         // of an overdue one: a journal that is heard then and has not shown it never will
  };
  struct Operation {
    CampaignId campaign;
    std::deque<std::function<Verdict(Operation&)>> steps;  // each appends its entry, or says why not
    Appended present;
    Uptime until{};
    bool changed_something = false;
    Reply reply;
  };

  Verdict refuse(const Opened& opened) const;
  Verdict refuse_quota(const CampaignId& campaign, std::uint32_t quota) const;
  std::string is_over(std::string_view time) const;
  Need need_with(const CampaignId& campaign, std::uint32_t quota) const;
  Verdict append(Operation& operation, Entry entry, std::function<Verdict()> decided, std::uint32_t quota = 0);
  void begin(Operation operation);
  Verdict advance(Operation& operation);
  template <class Ended>
  void end_where(Ended ended);
  void count();

  const std::uint32_t author_;
  const Standings& standings_;
  Journal& journal_;
  Clock& clock_;
  const OperatorLimits limits_;
  std::uint64_t next_number_ = 1;
  std::vector<Operation> operations_;
  std::vector<Appended> overdue_;  // that take room: nobody waits for them any more, the journal may still show them
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace firstcome
