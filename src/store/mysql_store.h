#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "store/mysql_connection.h"
#include "store/store.h"

namespace firstcome {

/// The store in a database of a MySQL or MariaDB server. Its tables are in store/mysql_schema.cc; `firstcome store
/// migrate` makes them. Tested on MariaDB 10.11; written for MySQL from 8.0.16 on too, and not tried there.
///
///   Durable      as far as the server's settings go: open() asks for them, and warns of each that can lose a commit.
///   Reconnects   a call that loses its connection fails: unavailable where nothing can have been written, timed_out
///                where it may have been. The next call connects again.
///   Repeats      what a deadlock or a wait for a lock undid is tried again, a few times, before it is unavailable.
///   Bounds       no call takes more than 10 s: none begins a statement after 4 s, and none waits longer than 5 s for
///                an answer. Finding the host's address is the system's, and not counted.
///   Fails        open(): misconfigured where a person must change something, in one line that says what. Later the
///                same is unavailable: it may be mended while we run.
class MysqlStore final : public Store {
 public:
  enum class Call : std::uint8_t { transaction, read, beat };
  static constexpr int call_kinds = 3;
  static constexpr std::string_view to_string(Call call) {
    constexpr std::array<std::string_view, call_kinds> names{"transaction", "read", "beat"};
    return names[static_cast<std::size_t>(call)];
  }

  /// For the scrape, from any thread.
  struct Stats {
    struct Calls {
      std::atomic<std::uint64_t> count{0};   ///< those that failed too
      std::atomic<std::uint64_t> faults{0};  ///< how many of them failed
      std::atomic<double> seconds{0};        ///< all of them together, with their repeats and connecting
    };
    std::array<Calls, call_kinds> of;        ///< by Call
    std::atomic<std::uint64_t> connects{0};  ///< with the first
    std::atomic<std::uint64_t> lost{0};      ///< connections
    std::atomic<std::uint64_t> repeats{0};   ///< of what was undone by one of these two
    std::atomic<std::uint64_t> deadlocks{0};
    std::atomic<std::uint64_t> lock_waits{0};  ///< that were given up
  };

  static Result<std::unique_ptr<MysqlStore>> open(mysql::Server server);

  Result<std::optional<InstallationId>> installation() override;
  Result<void> adopt(const InstallationId& id) override;
  Result<std::vector<Progress>> progress() override;
  Result<WriteOutcome> write(const IssueBatch& batch) override;
  Result<std::vector<ParkedEntry>> parked() override;
  Result<WriteOutcome> retry(std::int64_t number, Time now) override;
  Result<bool> beat(const std::string& holder) override;
  Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) override;

  const Stats& stats() const { return stats_; }

 private:
  template <class Value>
  using Tried = std::expected<Value, mysql::Error>;
  enum class Phase : std::uint8_t {
    asking,  ///< a lost connection has changed nothing
    saying,  ///< a lost connection may have
  };

  explicit MysqlStore(mysql::Server server) : server_(std::move(server)) {}

  Result<void> connect();
  template <class Value, class Body>
  Result<Value> call(Call kind, std::string_view doing, Body body);
  template <class Value, class Body>
  Result<Value> try_until_late(std::string_view doing, Body& body);
  template <class Body>
  Result<WriteOutcome> in_transaction(std::string_view doing, Body body);
  template <class Body>
  Tried<WriteOutcome> transaction(Body body);
  template <class Row>
  Result<std::vector<Row>> read_all(std::string_view doing, std::string_view sql,
                                    Result<Row> (*read)(const mysql::Rows&, std::string_view));
  bool rest(int attempt, const mysql::Error& undone_by);

  Tried<WriteOutcome> write_batch(const IssueBatch& batch);
  Tried<bool> holds_place();
  Tried<bool> pass_fence(const IssueBatch& batch);
  Tried<void> write_terms(const IssueBatch& batch);
  Tried<WriteOutcome> write_coupons(std::span<const CouponRow> coupons);
  Tried<WriteOutcome> write_refused(const CouponRow& coupon, const mysql::Error& error);
  Tried<bool> holds_already(const CouponRow& coupon);
  Tried<void> park(const ParkedEntry& parked);

  const mysql::Server server_;
  SystemClock clock_;
  SystemRandom random_;
  std::string holder_;  // to whom beat() gave the place; empty: to nobody yet
  std::optional<mysql::Connection> connection_;
  Uptime used_{};                // when the server was heard last
  Uptime deadline_{};            // of the present call
  Phase phase_ = Phase::asking;  // of the present call
  Stats stats_;
};

}  // namespace firstcome
