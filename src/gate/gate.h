#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "gate/gate_stats.h"
#include "model/names.h"

namespace firstcome {

/// What the gate says of a user.
enum class Admission : std::uint8_t {
  in,     ///< let through, and remembered
  again,  ///< was let through before: go on
  full,   ///< as many others as there are places were let through
};
inline constexpr int admission_kinds = 3;

/// The asker's own number of an ask.
using AskNumber = std::uint64_t;

struct Ask {
  User user;
  AskNumber number = 0;
};

struct GateAnswer {
  User user;
  AskNumber number = 0;
  Admission admission = Admission::full;
};

/// Who asks the gate. Called on the loop of both, never from within ask(), widen() or forget().
class GateAsker {
 public:
  virtual ~GateAsker() = default;

  /// `generation` tells the limits of a campaign apart: another one than before means that the limit was raised or made
  /// anew, and that who was told `full` may ask again. 0: the gate knows nothing of the campaign. No answers: this is
  /// what came of a widen().
  virtual void gated(std::string_view campaign, std::uint64_t generation, std::span<const GateAnswer> answers) = 0;

  /// These asks get no answer; the gate may have let their users through or not. They go on without it.
  virtual void gate_failed(std::string_view campaign, std::span<const Ask> asks, const Fault& fault) = 0;
};

/// A filter in front of the journal, so that it gets about N tickets, however many ask. It orders nothing and promises
/// nothing about who wins: it may forget, roll back and let too many through, since the standings count.
///
///   Filters    As many different users are `in` as the first ask of a campaign said that places are free; then others
///              are `full`.
///   Again      Who was let through is `again`, until the gate forgets. As long as there is room, `in` and `again` are
///              right in number, and not always in whose they are.
///   Widened    Of those who widen one generation only the first raises the limit, by the places that it sees free;
///              each is told the generation that holds then.
///   Forgotten  After forget() nothing of the campaign is left, even while the gate has no memory to spare; the next
///              ask begins anew.
///   Answered   An ask that was taken is answered or told as failed, once, later.
///   Ends       An ask is told as failed with timed_out when its time is over, first that to wait in line, then that of
///              the call; an answer that comes later is dropped.
///   Away       While the gate is known to be away, ask fails at once with unavailable; it is used again when it is
///              back.
///   Bounds     At most `gate_asks_max` asks wait; beyond, ask fails with overloaded.
///   Owned      A gate that another installation uses takes no asks, and nothing there is widened or forgotten.
///   Threads    A gate lives on one loop, as its asker does; stats() and trouble() may be called from any thread.
class Gate {
 public:
  virtual ~Gate() = default;

  /// Once, before the first ask. The asker outlives the last turn of the loop.
  virtual void start(GateAsker& asker) = 0;

  /// Does not block: what is asked in one turn of the loop, or while a call is out, goes together. `places` is how many
  /// the desk sees free, at least 1. Fails with overloaded or unavailable: then it was not asked.
  virtual Result<void> ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) = 0;

  /// Tells gated() without answers, or nothing when the gate cannot be reached: widen again later.
  virtual void widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) = 0;

  /// At the seal or the closing; anybody, any number of times. When the gate cannot be reached, time does it (a day).
  virtual void forget(const CampaignId& campaign) = 0;

  /// To be called every 10 to 50 ms: ends what took too long, and looks whether the gate is back.
  virtual void tick() = 0;

  /// What a person must mend: wrong password, certificate, name, version, another installation's gate. Says where, and
  /// what to do. Nothing while it works, and while it is merely away: claims go on without it.
  virtual std::optional<Fault> trouble() const { return {}; }

  using Stats = GateStats;
  virtual Stats stats() const = 0;
};

}  // namespace firstcome
