#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gate/gate.h"
#include "gate/redis_codec.h"
#include "gate/redis_link.h"

namespace firstcome {

/// A command and what it is about, from when it is made until it is answered.
struct RedisCall {
  enum class Kind : std::uint8_t { asking, load, own, admit, widen, forget };
  Kind kind = Kind::asking;
  CampaignId campaign;           ///< of the last three
  std::vector<Ask> asks;         ///< of admit
  std::uint32_t places = 0;      ///< of admit and widen
  std::uint64_t generation = 0;  ///< of widen
  Uptime until{};                ///< without an answer by then the link is closed
  std::uint8_t hops = 0;         ///< servers that sent it on
  bool is_asking = false;        ///< the last of them by ASK
  bool was_missing = false;      ///< the library was not there
  std::chrono::steady_clock::time_point sent_at{};
};

class RedisNode;

/// What the calls are, and what becomes of them. Called on the node's loop, never from within wake().
class RedisNodeOwner {
 public:
  virtual ~RedisNodeOwner() = default;

  /// The next one to send; `until` is set. Nothing: there is none now.
  virtual std::optional<RedisCall> next_call(RedisNode& node) = 0;
  virtual void write_call(const RedisCall& call, std::string& out) = 0;
  virtual void replied(RedisNode& node, RedisCall call, const RedisValue& reply) = 0;
  virtual void failed(RedisNode& node, RedisCall call, const Fault& fault) = 0;

  /// It was greeted.
  virtual void linked(RedisNode& node) = 0;

  /// From now on it takes no asks.
  virtual void went_away(RedisNode& node, const Fault& fault) = 0;

  /// It is not the primary, or cannot be reached: another one may be.
  virtual void is_doubtful(RedisNode& node) = 0;
};

struct RedisNodeOptions {
  boost::asio::io_context& io;
  std::shared_ptr<RedisTls> tls;
  Clock& clock;
  std::uint64_t seed = 0;  ///< of the pauses' jitter
  std::string host;
  std::string user;
  std::string password;
  bool must_be_primary = false;  ///< a sentinel said so: ask it itself
  bool is_quiet = false;         ///< its lines in the log are another loop's
};

/// One Redis server as one loop sees it: a link, the calls that are out, and whether it is any good at present.
///
///   Order     calls are answered in the order in which they were sent.
///   Away      after a fault it takes no asks for a pause, which grows from `pause_least` to `pause_most` and has
///   jitter.
///             Then one call is let through, alone; its answer ends the pauses.
///   Bounds    at most `calls_max` calls are out.
class RedisNode final : private RedisLinkOwner {
 public:
  static constexpr std::size_t calls_max = 8;  // of 64 users: 512 in a round trip of 1 ms are half a million a second
  static constexpr Millis pause_least{50}, pause_most{2000};
  static constexpr Millis open_ms_max{1000};  // connection, TLS and greeting

  RedisNode(RedisNodeOptions options, RedisNodeOwner& owner);
  ~RedisNode() override;

  const std::string& host() const { return options_.host; }
  bool takes_asks() const { return state_ == State::ready || (state_ == State::proving && out_.empty()); }
  bool is_away() const { return state_ == State::away; }
  bool is_there() const { return state_ == State::ready || state_ == State::proving; }
  bool is_linked() const { return is_linked_; }  ///< greeted, and good for commands that need no memory

  /// What a person must mend here; nothing while it answers, or is merely away.
  const std::optional<Fault>& trouble() const { return trouble_; }

  /// There is something to send.
  void wake() { link_.wake(); }

  /// It has answered as it should.
  void proved();

  /// It refuses: no asks for a pause. The link stays.
  void stand_back(const Fault& fault);

  /// The link is of no use: closed, and every call that is out fails.
  void lose(const Fault& fault);

  void tick();

 private:
  enum class State : std::uint8_t { away, opening, proving, ready };
  enum class Greeting : std::uint8_t { auth, hello, memory };  // AUTH, ROLE or PING, INFO

  void link_opened() override;
  void link_read(std::string_view bytes) override;
  void link_free(std::string& out) override;
  void link_lost(const Fault& fault) override { lose(fault); }

  void greeted(const RedisValue& reply);
  void look_at_memory(const RedisValue& info);
  void go_away(const Fault& fault);
  Fault in_greeting(const Fault& fault) const;

  const RedisNodeOptions options_;
  RedisNodeOwner& owner_;
  RedisLink link_;
  RedisReader reader_;
  State state_ = State::away;
  bool is_linked_ = false;
  std::uint64_t life_ = 0;          // of the link: another one each time it is opened or closed
  std::string greeting_;            // to be sent first
  std::deque<Greeting> greetings_;  // of it, what was not answered
  std::deque<RedisCall> out_;       // what was sent and not answered
  Uptime open_until_{};
  Uptime away_until_{};  // long ago: a new one opens its link at the first tick
  Millis pause_ = pause_least;
  std::minstd_rand jitter_;
  std::string told_;    // the last reason in the log; empty: it is fine
  std::string evicts_;  // the policy that the log told last
  std::optional<Fault> trouble_;
};

}  // namespace firstcome
