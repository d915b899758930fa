#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "gate/gate.h"
#include "gate/redis_counters.h"
#include "gate/redis_error.h"
#include "gate/redis_map.h"
#include "gate/redis_node.h"
#include "gate/redis_scout.h"
#include "model/entry.h"

namespace firstcome {

struct RedisGateOptions {
  boost::asio::io_context& io;  ///< of the loop (http::Loop::io())
  Clock& clock;
  Random& random;
  RedisServers servers;
  std::string password;
  std::string tls_ca;  ///< file; then TLS, and the name is checked
  std::string prefix = "firstcome";
  InstallationId installation{};  ///< the journal's: two that share a prefix are told apart
  bool is_quiet = false;          ///< another loop's gate writes the same lines to the log
  Millis bypass_ms_max = limits::gate_bypass_ms_max_default;
  std::size_t asks_max = limits::gate_asks_max;
};

/// A gate in Redis or Valkey (7.0 or newer), one server, a master that sentinels know, or a Redis Cluster.
///
///   Secrets   neither the password nor what a server says of it is in a log line or a fault.
///   Owned     PREFIX:installation says whose the prefix is. It is looked at before the first ask, on each new link to
///             its server, and every `look_every`; a key that was lost is set again.
class RedisGate final : public Gate, private RedisNodeOwner {
 public:
  static constexpr Millis look_every{60'000}, look_again{2000};

  /// Connects later. Fails with misconfigured: no certificates, or a prefix that would move the keys to another slot.
  static Result<std::unique_ptr<RedisGate>> open(RedisGateOptions options);
  ~RedisGate() override;

  void start(GateAsker& asker) override;
  Result<void> ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) override;
  void widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) override;
  void forget(const CampaignId& campaign) override;
  void tick() override;
  std::optional<Fault> trouble() const override;
  Stats stats() const override { return counters_.read(); }

 private:
  struct Waiting {
    Ask ask;
    Uptime until{};
  };
  struct Place;
  struct Line {  // what of one campaign waits to be sent
    CampaignId campaign;
    std::uint32_t places = 0;
    std::deque<Waiting> asks;
    std::uint64_t widen_generation = 0;  // 0: none
    std::uint32_t widen_places = 0;
    bool is_forgotten = false;
    Place* place = nullptr;
  };
  struct Place {  // a server and what waits for it
    std::unique_ptr<RedisNode> node;
    std::deque<Line*> lines;      // in turns
    std::deque<RedisCall> again;  // sent before, to be sent again: now
    std::deque<RedisCall> later;  // ... at the next tick
    bool is_missing_library = false;
    bool is_loading = false;
  };
  enum class Owner : std::uint8_t { unknown, we, another };
  struct Hash {
    std::size_t operator()(const CampaignId& id) const { return std::hash<std::string_view>()(id.view()); }
  };
  struct Failed {
    CampaignId campaign;
    std::vector<Ask> asks;
  };

  RedisGate(RedisGateOptions options, std::shared_ptr<RedisTls> tls);

  // Sending.
  Place* place_of(std::uint16_t slot);
  Place* place_to_ask(const CampaignId& campaign);
  Place& place_at(const std::string& host);
  Line& line_of(const CampaignId& campaign, Place& place);
  std::optional<RedisCall> take(Line& line);
  void drop_if_empty(Line& line);
  std::optional<RedisCall> next_call(RedisNode& node) override;
  void write_call(const RedisCall& call, std::string& out) override;
  void use(RedisMap map);

  // What becomes of a call (redis_gate_replies.cc).
  void replied(RedisNode& node, RedisCall call, const RedisValue& reply) override;
  void failed(RedisNode& node, RedisCall call, const Fault& fault) override;
  void linked(RedisNode& node) override;
  void went_away(RedisNode& node, const Fault& fault) override;
  void is_doubtful(RedisNode& node) override;
  void refused(RedisNode& node, RedisCall call, const RedisError& error);
  void redirect(RedisNode& node, RedisCall call, const RedisError& error);
  void admitted(RedisNode& node, const RedisCall& call, const RedisValue& reply);
  void drop(Place& place, const Fault& fault);
  void tell_failed(const CampaignId& campaign, std::span<const Ask> asks, const Fault& fault);
  void end_late();
  void count_waiting();

  // Whose it is, and what a person must mend (redis_gate_upkeep.cc).
  bool must_look(const RedisNode& node) const;
  void looked(RedisNode& node, const RedisValue& reply);
  void look_after();
  void tell_trouble();
  void look_into_hole();

  const RedisGateOptions options_;
  const std::shared_ptr<RedisTls> tls_;
  GateAsker* asker_ = nullptr;
  RedisMap map_;
  std::map<std::string, Place, std::less<>> places_;  // by HOST:PORT
  std::unordered_map<CampaignId, Line, Hash> lines_;
  std::unique_ptr<RedisScout> scout_;
  std::size_t waiting_ = 0;

  const std::string owner_key_;
  const std::uint16_t owner_slot_;
  const std::string installation_;
  Owner owner_ = Owner::unknown;
  Uptime look_at_{};  // long ago
  Uptime hole_look_at_{};
  bool is_looking_ = false;
  std::optional<Fault> foreign_;  // where it is another one's

  RedisCounters counters_;
  mutable std::mutex trouble_mutex_;
  std::optional<Fault> trouble_;
};

}  // namespace firstcome
