#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "desk/desk.h"
#include "sim/gate_memory.h"
#include "sim/world.h"
#include "standings/standings.h"

namespace firstcome::sim {

/// What can happen next in a tiny world; `subject` is a user, an api or a message in the network.
struct Step {
  enum class Kind : std::uint8_t {
    ask,        ///< the user `subject` asks at `api`
    deliver,    ///< a message arrives
    show,       ///< an api is shown the next entry of the journal
    tick,       ///< an api's claims run out of time, while nothing is under way
    long_tick,  ///< a second passes, in which nothing is under way, and the journal's news comes to all
    // Faults.
    late,        ///< an api's claims and asks run out of time, while something is under way
    very_late,   ///< ... and its tickets
    crash,       ///< an api dies with what it sends, and starts again
    crash_sent,  ///< an api dies when its tickets are under way
    forget,      ///< the gate loses its memory
    roll_back,   ///< the gate is what it was before its last change
    lose,        ///< a message
    twice,       ///< a ticket arrives, and will arrive once more
    hang_up,     ///< a user does not wait for the answer
    leave,       ///< a user does not wait and never asks again; one of them at most
  };
  Kind kind = Kind::ask;
  std::uint8_t subject = 0;
  std::uint8_t api = 0;
};

constexpr bool is_fault(Step::Kind kind) { return kind >= Step::Kind::late; }

struct TinySize {
  int faults = 2;
  std::size_t tickets_max = 2;  ///< in the network at once; then nobody asks
  std::size_t unseen_max = 2;   ///< entries that an api has not been shown; then no ticket arrives
};

/// Two places, three users, two apis with the real desks and standings, a gate and a journal; no chance in it: each
/// step is one of steps(), and the state after it depends on nothing else.
///
///   Bounds   Two users ask at an api of their own, the third at both, each at one api at a time. TinySize bounds what
///            is under way. While something is, time passes only as a fault, and nobody hears that the journal lives.
///   Not in   The issuer, raises, pauses, windows and closings, a gate that is split or gone for good, entries that
///            are shown to nobody, stale desks and clocks. The seeds have these (plan.h).
class TinyWorld {
 public:
  explicit TinyWorld(const TinySize& size);
  ~TinyWorld();
  TinyWorld(const TinyWorld&) = delete;
  TinyWorld& operator=(const TinyWorld&) = delete;

  /// What can happen; what a fair scheduler takes comes first: messages, news, users who ask, time. Nothing: everybody
  /// is answered, and no fault is left.
  std::vector<Step> steps() const;

  void take(const Step& step);
  std::string describe(const Step& step) const;

  /// Two worlds with the same one have the same future, as far as their faults are the same. Numbers, codes and
  /// positions are told apart only by what they are compared with; a world and its mirror, with apis and their users
  /// changed round, are one.
  std::uint64_t state() const;

  int faults() const { return faults_; }
  bool is_done() const;
  const std::optional<Broken>& broken() const { return broken_; }

 private:
  struct Api;
  struct Message;
  struct Person;

  std::uint8_t api_count() const { return static_cast<std::uint8_t>(apis_.size()); }
  std::uint8_t user_count() const;
  void write(Entry entry);
  void start(std::uint8_t api);
  void end(std::uint8_t api, bool tickets_are_sent);
  void ask(std::uint8_t user, std::uint8_t api);
  void delivered(std::uint8_t api, ClaimNumber claim, const Answer& answer);
  void answered(std::uint8_t user, const Answer& answer);
  void hang_up(std::uint8_t user, bool for_good);
  void deliver(const Message& message);
  void add_faults(std::vector<Step>& steps) const;
  Admission admit(const User& user, std::uint32_t places);
  std::uint64_t widen(std::uint64_t generation, std::uint32_t places);
  void change_gate(GateMemory next);
  std::size_t tickets_under_way() const;
  bool is_quiet() const;
  bool can_arrive(const Message& message) const;
  std::pair<std::uint64_t, std::uint64_t> key_of(const Message& message, bool in_mirror) const;
  std::vector<std::size_t> messages_in_order(bool in_mirror = false) const;
  std::vector<std::uint64_t> generations() const;
  std::uint64_t state(bool in_mirror) const;
  void broke(const char* check, std::string what);

  const TinySize size_;
  Standings truth_;
  std::vector<Shown> log_;
  GateMemory gate_, gate_before_;
  std::uint64_t gate_clock_ = 1000;
  std::vector<Message> network_;
  std::vector<Person> people_;
  std::vector<std::unique_ptr<Api>> apis_;
  std::uint8_t last_code_ = 0;
  int faults_ = 0;
  std::optional<Broken> broken_;
};

}  // namespace firstcome::sim
