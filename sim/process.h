#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "desk/desk.h"
#include "issuer/issuer.h"
#include "sim/life.h"
#include "sim/sim_gate.h"
#include "sim/sim_journal.h"
#include "sim/sim_store.h"

namespace firstcome::sim {

/// An answer as it leaves the desk: copied out of the standings, as a rendered body is.
struct Told {
  AnswerKind kind = AnswerKind::fault;
  std::uint32_t rank = 0;
  Code code{};
  Time claimed_at;
  std::uint32_t quota = 0;
  Micros retry_after = 0;
};

/// Who asked on a connection; told once: an answer, or nothing when the connection was cut.
using Reply = std::function<void(const Told*)>;

/// One running process of the product: standings, desks, issuer (as its role says), with the simulated ports under
/// them. Dies at any step; what it does after that reaches nobody.
class Process final : private Follower {
 public:
  Process(World& world, const Plan& plan, Log& log, Tables& tables, Filter& filter, std::uint32_t node,
          const Micros& clock_error, std::function<void()> on_crash);

  /// Reads the journal and begins to answer. Fails when this node must not run.
  Result<void> start();

  bool is_alive() const { return life_.is_alive(); }
  const Life& life() const { return life_; }
  std::size_t desks() const { return loops_.size(); }

  void claim(std::size_t desk, std::string_view campaign, const User& user, Reply reply);
  /// The client hangs up. False: nobody waited there under that number.
  bool leave(std::size_t desk, ClaimNumber number);
  Told status(std::size_t desk, std::string_view campaign, const User& user);

  /// The number that the next claim() on that desk will have.
  ClaimNumber next_claim(std::size_t desk) const { return loops_[desk].next_number; }

  /// An operator's entry goes through some node.
  void append(Entry entry) { (void)journal_->append(std::move(entry), {operator_author, 0}); }
  const Standings& standings() const { return standings_; }
  std::uint32_t node() const { return node_; }
  void retry(std::int64_t number);

  /// SIGTERM: no new claims.
  void drain();
  void crash();

  static constexpr std::uint32_t operator_author = 1000;

 private:
  struct Asked {
    CampaignId campaign;
    User user;
    Micros since = 0;
    Reply reply;
  };
  struct Loop {
    std::unique_ptr<SimGate> gate;  // none: this world has none
    std::unique_ptr<Desk> desk;
    std::map<ClaimNumber, Asked> waiting;
    ClaimNumber next_number = 1;
    Micros posts_until = 0;  // a post arrives after the one before it
    Micros heard_at = 0;     // the last news of the journal
    bool is_skewed = false;  // by then
  };

  void shown(std::span<const Shown> entries) override;
  void append_failed(std::span<const AppendTag> appends, const Fault& fault) override;
  void heard(Time journal_now) override;

  void post(Loop& loop, World::Call call);
  void answered(Loop& loop, ClaimNumber number, const Answer& answer);
  void check_waits(Loop& loop, std::span<const Effect> effects);
  void check_store_promise(const Answer& answer);
  void check_freshness(const Loop& loop, std::string_view campaign, const Answer* answer);
  void tick(std::size_t desk);
  void close_due();
  void issue(std::uint64_t due_number);
  void issue_at(Micros when);
  void stop_for(const Fault& fault);
  void count(const Desk::Counters& counters);
  static Told copy(const Answer& answer);

  World& world_;
  const DeskLimits limits_;
  const Log& log_;
  Tables& tables_;
  const std::uint32_t node_;
  const std::function<void()> on_crash_;
  Life life_;
  SimClock clock_;
  Dice codes_;
  Standings standings_;
  const std::unique_ptr<SimJournal> journal_;
  SimStore store_;
  std::vector<Loop> loops_;
  std::unique_ptr<Issuer> issuer_;  // none: this process is an api only
  Position fold_from_ = 0;          // under the mutant fold_from_progress
  bool issuing_ = false;            // its step is on the stack
  std::uint64_t issue_number_ = 0;  // the last step that was asked for; older ones are off
  Micros issue_due_ = 0;
};

}  // namespace firstcome::sim
