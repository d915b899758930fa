#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gate/redis_codec.h"
#include "gate/redis_link.h"
#include "gate/redis_map.h"

namespace firstcome {

struct RedisScoutOptions {
  boost::asio::io_context& io;
  std::shared_ptr<RedisTls> tls;
  Clock& clock;
  RedisServers servers;
  std::string password;
  bool is_quiet = false;  ///< its lines in the log are another loop's
};

/// Finds out which server has which slots: asks the sentinels for the master, or the servers of a cluster for the map,
/// one after another until one knows, each on a link of its own.
///
///   Bounds    one link at a time; a server that does not answer within `answer_ms_max` is passed over. Rounds follow
///   each
///             other after `pause_least`, later up to `pause_most`.
class RedisScout final : private RedisLinkOwner {
 public:
  static constexpr Millis answer_ms_max{500}, pause_least{50}, pause_most{2000};

  using Found = std::function<void(RedisMap)>;
  RedisScout(RedisScoutOptions options, Found found);
  ~RedisScout() override;

  /// The map may be out of date. Found is called when one was found, from within tick() or a later turn of the loop.
  void look();

  /// Servers of a cluster that were learned of, to be asked besides those that the operator named.
  void learn(std::vector<std::string> hosts) { learned_ = std::move(hosts); }

  /// It is as it should be: the next look() need not wait.
  void calm() { pause_ = pause_least; }

  void tick();

  /// What a person must mend, when in the last round none answered as it should; nothing while they are merely away.
  const std::optional<Fault>& trouble() const { return trouble_; }

 private:
  void link_opened() override;
  void link_read(std::string_view bytes) override;
  void link_free(std::string& out) override { out += std::exchange(question_, {}); }
  void link_lost(const Fault& fault) override { pass_over(fault); }

  void begin_round();
  void ask_next();
  void pass_over(const Fault& fault);
  void end_round();
  Result<RedisMap> read(const RedisValue& reply) const;

  const RedisScoutOptions options_;
  const Found found_;
  RedisLink link_;
  RedisReader reader_;
  bool is_wanted_ = false;
  bool is_asking_ = false;
  std::vector<std::string> learned_;
  std::vector<std::string> hosts_;  // of this round, the next one last
  std::string host_;                // that is being asked
  std::string question_;            // to be sent
  std::size_t replies_ = 0;         // still to come
  std::optional<Fault> refused_;    // by AUTH
  Uptime answer_until_{};
  Uptime next_round_{};
  Millis pause_ = pause_least;
  std::size_t rounds_ = 0;
  std::map<std::string, std::string> why_;  // what the servers of this round said
  bool is_wrong_ = false;                   // one of them needs a person
  std::string told_;                        // the last of it in the log
  std::optional<Fault> trouble_;
};

}  // namespace firstcome
