#pragma once

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
///   Bounds     at most `operations_max` wait; quotas and campaigns by OperatorLimits.
///   Threads    lives on one loop; messages and time in, messages out.
class OperatorDesk {
 public:
  static constexpr std::size_t operations_max = 1000;
  using Reply = std::function<void(const OperatorAnswer&)>;

  OperatorDesk(std::uint32_t author, const Standings& standings, Journal& journal, Clock& clock, OperatorLimits limits);

  /// `reply` is called once, from here or from a later applied(), append_failed() or tick().
  void create(const Opened& opened, Reply reply);
  void change(std::string_view campaign, const CampaignPatch& patch, Reply reply);

  /// The standings have these effects already.
  void applied(std::span<const Effect> effects);
  void append_failed(std::span<const AppendTag> appends, const Fault& fault);
  void tick();

 private:
  /// Nothing: not decided yet.
  using Verdict = std::optional<OperatorAnswer>;
  struct Operation {
    std::uint64_t number = 0;
    CampaignId campaign;
    std::deque<std::function<Verdict(Operation&)>> steps;  // each appends its entry and sets `decided`, or says why not
    std::function<Verdict()> decided;  // has the entry of the present step been seen, and what came of it
    Uptime until{};
    bool changed_something = false;
    Reply reply;
  };

  std::optional<std::string> refuse(const Opened& opened) const;
  std::optional<std::string> refuse_quota(std::uint32_t quota, std::uint32_t before) const;
  Verdict append(Operation& operation, Entry entry, std::function<Verdict()> decided);
  void begin(Operation operation);
  bool advance(Operation& operation);
  template <class Ended>
  void end_where(Ended ended);

  const std::uint32_t author_;
  const Standings& standings_;
  Journal& journal_;
  Clock& clock_;
  const OperatorLimits limits_;
  std::uint64_t next_number_ = 1;
  std::vector<Operation> operations_;
};

}  // namespace firstcome
