#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <memory_resource>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "desk/answer.h"
#include "gate/gate.h"
#include "journal/journal.h"
#include "standings/standings.h"

namespace firstcome {

/// The caller's own number of a claim that waits.
using ClaimNumber = std::uint64_t;

struct DeskLimits {
  Millis wait_ms_max = limits::wait_ms_max_default;
  Millis in_flight_ms_max = limits::in_flight_ms_max_default;
  Millis stale_ms_max = limits::stale_ms_max_default;
  Millis gate_bypass_ms_max = limits::gate_bypass_ms_max_default;
  Millis skew_ms_max{2000};                                             ///< between this clock and the journal's stamps
  std::size_t in_flight_max = limits::in_flight_max_default;            ///< per campaign, of this desk
  std::size_t waiting_claims_max = limits::waiting_claims_max_default;  ///< of this desk
};

/// Answers one claim at a time: from the standings if they know, else by a ticket in the journal, behind the gate.
///
///   Final      won, sold_out and closed are said only from the standings, which hold only what the journal holds
///              durably; never because of what the gate said.
///   Joined     a user's claims that wait together are answered together, whatever ticket it was that counted.
///   Ends       every claim is answered: by an effect on its user, the seal, the closing, or `pending` after
///              wait_ms_max.
///   Bounds     at most in_flight_max tickets per campaign are in the journal's hands, at most waiting_claims_max
///   claims
///              wait; beyond the first a claim waits for its turn, beyond the second it is told `pending` at once.
///   Gate       it may forget, lie, answer twice, late or never: without an answer within gate_bypass_ms_max the ticket
///              is sent. Where it says `full` and no rank is taken for a second, its limit is raised (widen).
///   Threads    lives on one loop. Knows no socket and no thread: messages and time in, messages out.
///
/// A wait cannot miss its end: the standings are changed before applied() is sent to this loop, and a claim looks at
/// them and registers its wait in one call on this loop.
class Desk final : public GateAsker {
 public:
  /// Called for each claim that claim() left waiting, once; from within the other methods.
  using Deliver = std::function<void(ClaimNumber, const Answer&)>;

  /// `gate`: none is fine, where one process has all the claims.
  Desk(std::uint32_t author, const Standings& standings, Journal& journal, Gate* gate, Clock& clock, Random& random,
       DeskLimits limits, Deliver deliver);
  ~Desk() override;
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  /// The answer, or nothing: then Deliver will be called with `number`. Both names must be valid (model/names.h).
  std::optional<Answer> claim(std::string_view campaign, std::string_view user, ClaimNumber number);

  /// What the standings know, without claiming; pending stands for "unknown".
  Answer status(std::string_view campaign, std::string_view user);

  /// The client of a waiting claim left. Its ticket stays where it is.
  void leave(ClaimNumber number);

  /// Effects, in the order in which they were applied; the standings have them already.
  void applied(std::span<const Effect> effects);

  /// Appends of this desk that the journal will never show.
  void append_failed(std::span<const AppendTag> appends, const Fault& fault);

  /// The journal lives (Follower::heard). Raises the gate's limit where nothing else would fill the campaign.
  void heard(Time journal_now);

  /// What the gate said.
  void gated(std::string_view campaign, std::uint64_t generation, std::span<const GateAnswer> answers) override;
  void gate_failed(std::string_view campaign, std::span<const Ask> asks, const Fault& fault) override;

  /// To be called every 10 to 50 ms: ends waits whose time is over.
  void tick();

  /// Asks the journal to close campaigns whose time is over. Every second, on one desk.
  void close_due();

  /// From now on new claims get a fault (503): the process is going down. What waits is still answered.
  void refuse_claims() { refusing_ = true; }

  /// Has the journal been heard lately, and does its clock agree with ours? Any thread.
  bool is_fresh() const;

  /// A sentence for /readyz; nothing while it is fresh. Any thread.
  std::optional<std::string> why_not_fresh() const;

  std::size_t waiting() const { return claims_.size(); }

  /// For the scrape, from any thread.
  struct Counters {
    std::atomic<std::uint64_t> answers[answer_kinds]{};
    std::atomic<std::uint64_t> waiting{0};
    std::atomic<std::uint64_t> in_flight{0};
    std::atomic<std::uint64_t> queued{0};  ///< tickets that wait for room in the journal's hands
    std::atomic<std::uint64_t> joined{0};
    std::atomic<std::uint64_t> sent_again{0};  ///< tickets of waits that outlived in_flight_ms_max or a raise
    std::atomic<std::uint64_t> overflowed{0};  ///< told pending at once since too many wait
    std::atomic<std::uint64_t> failed_appends{
        0};  ///< tickets whose claims got a fault: one that is tried again is none
    std::atomic<std::uint64_t> gate_answers[admission_kinds]{};
    std::atomic<std::uint64_t> gate_bypasses{0};  ///< claims that went on without an answer of the gate
    std::atomic<std::uint64_t> widenings{0};      ///< asked for, of the gate
  };
  const Counters& counters() const { return counters_; }

 private:
  friend class DeskView;  // sim/: tells whether two desks are in the same state

  struct Wait;
  using Line = std::pmr::list<std::pair<const User, Wait>*>;  // of waits that are there: who ends leaves it
  struct Wait {
    std::vector<ClaimNumber> claims;
    Code code{};               // of the last ticket sent
    std::uint64_t flight = 0;  // its number in flights_; 0: not in flight
    bool queued = false;
    bool was_sent = false;
    AskNumber ask = 0;          // at the gate; 0: not
    std::uint64_t full_at = 0;  // the gate's generation that said `full`; 0: none did
    Uptime full_since{};
    Line::iterator turn;  // in the room's `queue` if it is queued, in its `full` if it was told so: never in both

    /// Neither with the gate, nor with the journal, nor on the way to either.
    bool is_idle() const { return flight == 0 && !queued && ask == 0 && full_at == 0; }
  };
  struct UserHash {
    std::size_t operator()(const User& user) const { return std::hash<std::string_view>()(user.view()); }
  };
  // By name, not by address: the order in which rooms are served must not depend on where the standings lie in memory.
  struct CampaignHash {
    std::size_t operator()(const Campaign* campaign) const {
      return campaign ? std::hash<std::string_view>()(campaign->id().view()) : 0;  // none: an effect on no campaign
    }
  };
  using Waits = std::pmr::unordered_map<User, Wait, UserHash>;
  struct Room {  // what waits for one campaign
    const Campaign* campaign = nullptr;
    Waits waits;
    Line queue;  // waits that are queued, in the order in which they were
    Line full;   // waits to which the gate said `full`, in the order in which it did
    std::size_t in_flight = 0;
  };
  struct Asked {
    Uptime until{};
    const Campaign* campaign = nullptr;
    User user;
    AskNumber number = 0;
  };
  struct Filter {                  // of a campaign, when the gate has said `full` there
    std::uint64_t generation = 0;  // the gate's, as it said last
    bool is_full = false;          // under that generation
    std::uint32_t ranks = 0;       // held when somebody looked last
    Uptime quiet_since{};          // since when they are the same
  };
  struct Flight {
    const Campaign* campaign = nullptr;
    User user;
    Uptime until{};
    bool landed = false;
  };
  struct Claim {
    const Campaign* campaign = nullptr;
    User user;
  };

  std::optional<Answer> from_standings(const Campaign& campaign, const Look& look);
  Answer answer(AnswerKind kind, const Campaign* campaign);
  Answer counted(Answer answer);
  std::optional<Answer> wait(const Campaign& campaign, const User& user, ClaimNumber number, Place place);
  void ask_to_close(const Campaign& campaign);
  Millis retry_after(Millis least);
  Millis silence() const;

  // The life of a wait (desk_waits.cc).
  bool send(Room& room, const User& user, Wait& wait);
  void send_queued(Room& room);
  void settle(Room& room, const User& user, EffectKind effect);
  void settle_all(Room& room, EffectKind effect);
  void finish(Room& room, Waits::iterator found, Answer answer);
  void land(Room& room, Wait& wait);
  void end_claims();
  void end_flights();
  void drop_if_idle(Room& room, const User& user);
  void erase(Room& room, Waits::iterator found);
  void queue(Room& room, Waits::value_type& one);
  void leave_queue(Room& room, Wait& wait);
  void leave_full(Room& room, Wait& wait);

  // At the gate (desk_gate.cc).
  bool ask(Room& room, const User& user, Wait& wait);
  void ask_again(Room& room);
  void go_past(const Campaign* campaign, const User& user, AskNumber number);
  void turn_away(Room& room, Waits::iterator found, std::uint64_t generation);
  void note(const Campaign& campaign, std::uint64_t generation, bool is_full);
  void end_asks();
  void widen_full();
  void forget(const Campaign& campaign);

  Room* find_room(const Campaign* campaign);
  void drop_if_empty(const Campaign* campaign);
  void flush();

  const std::uint32_t author_;
  const Standings& standings_;
  Journal& journal_;
  Gate* const gate_;
  Clock& clock_;
  Random& random_;
  const DeskLimits limits_;
  const Deliver deliver_;

  bool refusing_ = false;
  // Written on the desk's loop, read by /readyz too: another loop tells of this one even while this one hangs.
  static constexpr Uptime never{Uptime::min() / 2};
  std::atomic<Uptime> heard_at_{never};
  std::atomic<Millis> skew_{Millis(0)};
  std::minstd_rand jitter_;
  // Waits and claims come and go by the hundred, which the system's allocator does not like; the pool is bounded as
  // they are.
  std::pmr::unsynchronized_pool_resource pool_;
  std::unordered_map<const Campaign*, std::unique_ptr<Room>, CampaignHash> rooms_;
  std::unordered_map<const Campaign*, Uptime> closing_asked_;
  std::pmr::unordered_map<ClaimNumber, Claim> claims_{&pool_};
  std::deque<std::pair<Uptime, ClaimNumber>> claim_ends_;  // rising, since every claim waits equally long
  std::deque<Flight> flights_;                             // rising in `until`; the first has number flights_begin_
  std::uint64_t flights_begin_ = 1;
  std::deque<Asked> asks_;  // rising in `until`
  AskNumber last_ask_ = 0;
  std::unordered_map<const Campaign*, Filter, CampaignHash> filters_;  // until the seal or the closing
  std::vector<std::pair<ClaimNumber, Answer>>
      outbox_;  // delivered at the end of a call: a delivery may bring the next claim
  Counters counters_;
};

}  // namespace firstcome
