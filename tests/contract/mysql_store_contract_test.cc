// Runs the store's contract on the MySQL adapter and real MariaDB servers: each clause on a database of its own. What a
// kill -9 cannot show is declared, and shown.
#include <fmt/format.h>

#include "mariadb.h"
#include "store/mysql_schema.h"
#include "store/mysql_store.h"
#include "store_contract.h"
#include "wire.h"

namespace firstcome {
namespace {

/// How the host is less than the contract's words.
struct Deviations {
  /// Power off takes what the kernel has not written yet; a test has no power switch, and without a disk of its own no
  /// way to forget writes. A kill -9 takes what the server has not handed to the kernel. So a server that writes its
  /// log at each commit, but does not sync it, passes; the adapter asks for that setting at its start instead.
  static constexpr bool crash_keeps_what_the_kernel_holds = true;
  /// No room needs a file system of its own, which needs root. A server that takes no writes stands for it: what a
  /// monitor makes of a server whose disk is nearly full. A really full disk comes with the fault matrix.
  static constexpr bool full_is_read_only = true;
};

/// The store of one clause, in a database of its own.
class MysqlHost final : public StoreHost {
 public:
  /// `own`: a server that may be killed; none: the shared one.
  MysqlHost(const mysql::Server& root, OwnMariadb* own) : own_(own), database_(root) {
    const auto migrated = mysql::migrate(database_.server());
    MUST(migrated, migrated.error().what);
    if (own_) wire_.emplace(own_->port());
  }

  Result<std::unique_ptr<Store>> open() override {
    auto server = own_ ? own_->shop() : database_.server();
    server.database = database_.server().database;
    if (wire_) server.port = wire_->port();
    auto opened = MysqlStore::open(server);
    if (!opened) return fail(opened.error());
    return std::unique_ptr<Store>(std::move(*opened));
  }

  void crash() override {
    MUST(own_, "only clauses with a server of their own crash");
    wire_->mend();
    own_->kill();
    own_->start();
  }

  /// An even packet arrives, and its answer is lost with the server; an odd one does not arrive.
  void crash_after(std::uint64_t operations) override {
    MUST(own_, "only clauses with a server of their own crash");
    wire_->cut_at([left = operations](std::string_view) mutable { return --left == 0; },
                  operations % 2 == 0 ? Wire::Cut::after : Wire::Cut::before, [this] { own_->kill(); });
  }

  void fill(bool full) override {
    MUST(own_, "only clauses with a server of their own fill it");
    const auto done = by_hand(own_->root(), fmt::format("SET GLOBAL read_only = {}", full ? 1 : 0));
    MUST(done, done.error().what);
  }

  Result<void> insert_by_hand(const CouponRow& row) override {
    const auto done = by_hand(database_.server(),
                              fmt::format("INSERT INTO coupon VALUES('{}', {}, {}, '{}', '{}', {}, {})",
                                          row.campaign.view(), row.rank, row.quota, row.user.view(), to_text(row.code),
                                          row.position, row.issued_at.time_since_epoch().count()));
    if (!done) return fail(done.error());
    return {};
  }

  void forget_holder() override {
    const auto done = by_hand(database_.server(), "DELETE FROM issuer");
    MUST(done, done.error().what);
  }

  /// The server's clock goes as it likes: what is made older is the beat.
  void advance(Millis time) override {
    const auto done = by_hand(database_.server(), fmt::format("UPDATE issuer SET beat = beat - INTERVAL {} MICROSECOND",
                                                              1000 * time.count()));
    MUST(done, done.error().what);
  }

 private:
  OwnMariadb* own_;
  TestDatabase database_;
  std::optional<Wire> wire_;
};

bool needs_own_server(const std::string& label) {
  return label == "Durable" || label == "Unknown" || label == "adopt" || label == "Refused";
}

/// One for all clauses that kill it: made in 4 s, started again in one.
OwnMariadb& own_server() {
  static OwnMariadb one;
  return one;
}

class MysqlStoreContract : public testing::TestWithParam<Clause<StoreHost>> {};

TEST_P(MysqlStoreContract, HoldsOnMariadb) {
  const auto shared = shared_mariadb();
  ASSERT_TRUE(shared) << start_them;
  OwnMariadb* const killed = needs_own_server(GetParam().label) ? &own_server() : nullptr;
  MysqlHost host(killed ? killed->root() : *shared, killed);
  EXPECT_TRUE(GetParam().holds(host)) << GetParam().sentence;
}

INSTANTIATE_TEST_SUITE_P(, MysqlStoreContract, testing::ValuesIn(store_contract()),
                         [](const auto& info) { return info.param.label; });

/// The clause Durable on a server of these options.
testing::AssertionResult durable_on(std::vector<std::string> options) {
  OwnMariadb server(std::move(options));
  MysqlHost host(server.root(), &server);
  for (const auto& clause : store_contract()) {
    if (clause.label == "Durable") return clause.holds(host);
  }
  return testing::AssertionFailure() << "there is no clause Durable";
}

TEST(MysqlStoreDeviations, AKillTakesWhatTheServerKeptForItself) {
  EXPECT_FALSE(durable_on({"--innodb-flush-log-at-trx-commit=0"})) << "the crash of this host takes nothing at all";
}

TEST(MysqlStoreDeviations, AKillLeavesWhatTheKernelHolds) {
  const auto held = durable_on({"--innodb-flush-log-at-trx-commit=2"});
  EXPECT_EQ(static_cast<bool>(held), Deviations::crash_keeps_what_the_kernel_holds) << held.message();
}

TEST(MysqlStoreDeviations, AFullStoreIsAReadOnlyOne) {
  MysqlHost host(own_server().root(), &own_server());
  host.fill(true);
  auto store = host.open();
  ASSERT_TRUE(store) << store.error().what;
  const auto held = (*store)->beat("a");
  host.fill(false);
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().what.find("read-only") != std::string::npos, Deviations::full_is_read_only)
      << held.error().what;
}

}  // namespace
}  // namespace firstcome
