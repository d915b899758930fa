// Proves, on real MariaDB servers, how the MySQL store starts: tables are made once and safely, what cannot work is
// refused in one line that says what to do and holds no password, and settings that can lose a commit are told of.
#include "store/mysql_schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "fake_mysql.h"
#include "mariadb.h"
#include "store/mysql_session.h"
#include "store/mysql_store.h"
#include "store/mysql_store_reader.h"
#include "store_rows.h"

namespace firstcome {
namespace {

Result<void> opened(const mysql::Server& server) {
  auto store = MysqlStore::open(server);
  if (!store) return fail(store.error());
  return {};
}

Result<void> migrated(const mysql::Server& server) {
  auto done = mysql::migrate(server);
  if (!done) return fail(done.error());
  return {};
}

/// It is refused with that kind and these words, in one line.
void expect_refused(const Result<void>& outcome, FaultKind kind, std::initializer_list<std::string_view> told) {
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, kind) << outcome.error().what;
  for (const auto words : told) {
    EXPECT_NE(outcome.error().what.find(words), std::string::npos) << words << " is not in: " << outcome.error().what;
  }
  EXPECT_EQ(outcome.error().what.find('\n'), std::string::npos) << outcome.error().what;
}

class MysqlSchema : public testing::Test {
 protected:
  void SetUp() override {
    const auto shared = shared_mariadb();
    ASSERT_TRUE(shared) << start_them;
    database_.emplace(*shared);
  }
  const mysql::Server& server() const { return database_->server(); }

  std::string tables() {
    return value_by_hand(server(),
                         "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables "
                         "WHERE table_schema = DATABASE()");
  }

  std::optional<TestDatabase> database_;
};

constexpr std::string_view all_tables =
    "campaign,campaign_quota,coupon,firstcome_schema,installation,issuer,parked_entry,progress";

TEST_F(MysqlSchema, AStoreWithoutTablesIsRefusedWithTheCommandThatMakesThem) {
  expect_refused(opened(server()), FaultKind::misconfigured,
                 {"has schema 0 of 1: run firstcome store migrate --store " + server().url() + " (with the --config"});
  EXPECT_EQ(tables(), "") << "and nothing is made on the way";
  EXPECT_FALSE(MysqlStoreReader::open(server()));
  const auto first = mysql::migrate(server());
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(first->from, 0U);
  EXPECT_EQ(first->to, 1U);
  EXPECT_EQ(first->did.size(), 1U);
  EXPECT_EQ(tables(), all_tables);
  EXPECT_TRUE(opened(server()));
  const auto again = mysql::migrate(server());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->from, 1U);
  EXPECT_TRUE(again->did.empty());
}

TEST_F(MysqlSchema, ManyMigrationsAtOnceMakeTheTablesOnce) {
  std::vector<std::future<Result<mysql::Migrated>>> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(std::async(std::launch::async, [this] { return mysql::migrate(server()); }));
  }
  std::size_t did = 0;
  for (auto& one : all) {
    const auto done = one.get();
    ASSERT_TRUE(done) << done.error().what;
    did += done->did.size();
  }
  EXPECT_EQ(did, 1U);
  EXPECT_EQ(tables(), all_tables);
}

TEST_F(MysqlSchema, AMigrationThatWasInterruptedGoesOn) {
  ASSERT_TRUE(mysql::migrate(server()));
  ASSERT_TRUE(by_hand(server(), "DROP TABLE installation, issuer, parked_entry"));
  ASSERT_TRUE(by_hand(server(), "DELETE FROM firstcome_schema"));
  expect_refused(opened(server()), FaultKind::misconfigured, {"has schema 0 of 1"});
  const auto done = mysql::migrate(server());
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(tables(), all_tables);
  EXPECT_TRUE(opened(server()));
}

TEST_F(MysqlSchema, NewerTablesAndThoseOfSomebodyElseAreRefused) {
  ASSERT_TRUE(by_hand(server(), "CREATE TABLE coupon(id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT)"));
  const auto others = mysql::migrate(server());
  ASSERT_FALSE(others);
  EXPECT_EQ(others.error().kind, FaultKind::misconfigured);
  EXPECT_NE(others.error().what.find("somebody else"), std::string::npos) << others.error().what;
  EXPECT_EQ(tables(), "coupon") << "and nothing was made beside them";
  ASSERT_TRUE(by_hand(server(), "DROP TABLE coupon"));
  ASSERT_TRUE(mysql::migrate(server()));
  ASSERT_TRUE(by_hand(server(), "INSERT INTO firstcome_schema VALUES(2, UTC_TIMESTAMP())"));
  expect_refused(opened(server()), FaultKind::misconfigured,
                 {"has schema 2, this firstcome knows 1", "upgrade this node"});
  const auto newer = mysql::migrate(server());
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().kind, FaultKind::misconfigured);
  EXPECT_FALSE(MysqlStoreReader::open(server()));
}

TEST_F(MysqlSchema, WhatIsWrongIsSaidInOneLine) {
  auto nowhere = server();
  nowhere.port = 1;
  expect_refused(opened(nowhere), FaultKind::unavailable, {"mysql://root@127.0.0.1:1/", "is the server up", "--store"});
  auto no_host = server();
  no_host.host = "no-such-host.invalid";
  expect_refused(opened(no_host), FaultKind::unavailable, {"mysql://root@no-such-host.invalid:", "--store"});
  auto unknown = server();
  unknown.database = "firstcome_test_none";
  expect_refused(opened(unknown), FaultKind::misconfigured, {"firstcome_test_none", "CREATE DATABASE"});
  auto plain = server();
  plain.tls_ca = "/no/such/file";
  expect_refused(opened(plain), FaultKind::misconfigured, {"/no/such/file", "--store-tls-ca"});
}

TEST(MysqlVersions, AServerThatDoesNotKeepTheRulesIsRefused) {
  for (const auto& [version, needed] : {std::pair("5.5.5-10.3.39-MariaDB", "MariaDB 10.4"),
                                        std::pair("5.7.44", "MySQL 8.0.16"), std::pair("8.0.15", "MySQL 8.0.16")}) {
    const FakeMysql old(version);
    const mysql::Server server{.host = "127.0.0.1", .port = old.port(), .user = "shop", .database = "coupons"};
    expect_refused(opened(server), FaultKind::misconfigured, {server.url(), needed});
    expect_refused(migrated(server), FaultKind::misconfigured, {server.url(), needed});
  }
}

TEST(MysqlVersions, AServerThatAsksForThePasswordItselfDoesNotGetIt) {
  std::string heard;
  {
    FakeMysql liar("5.5.5-10.11.6-MariaDB", true);
    const mysql::Server server{
        .host = "127.0.0.1", .port = liar.port(), .user = "shop", .password = "geheim", .database = "coupons"};
    expect_refused(opened(server), FaultKind::misconfigured, {server.url(), "authenticate"});
    heard = liar.heard();
  }
  EXPECT_NE(heard.find("shop"), std::string::npos) << "it was asked";
  EXPECT_EQ(heard.find("geheim"), std::string::npos);
}

TEST_F(MysqlSchema, TheUrlOfAStoreHasNoPassword) {
  auto server = mysql::Server::at("[::1]:3307");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->host, "::1");
  EXPECT_EQ(server->port, 3307);
  server->user = "shop";
  server->password = "geheim";
  server->database = "coupons";
  EXPECT_EQ(server->url(), "mysql://shop@[::1]:3307/coupons");
  for (const auto* const wrong : {"", "db", "db:", ":3306", "db:0", "db:70000", "db:3306x"}) {
    EXPECT_FALSE(mysql::Server::at(wrong)) << wrong;
  }
}

/// A server with a binary log, and a certificate for the name localhost by an authority of its own.
class MysqlOfItsOwn : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (std::filesystem::temp_directory_path() / "firstcome-tls-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    const auto made = fmt::format(
        R"sh(cd {} && exec >log 2>&1 && for who in authority stranger; do
          openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$who -keyout $who.key -out $who.pem || exit; done
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key \
          -out server.csr && openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
          -days 2 -copy_extensions copy -out server.pem)sh",
        folder_);
    ASSERT_EQ(std::system(made.c_str()), 0) << "openssl makes certificates: see " << folder_ << "/log";
    server_ = new OwnMariadb({"--log-bin=" + folder_ + "/binlog", "--ssl-cert=" + folder_ + "/server.pem",
                              "--ssl-key=" + folder_ + "/server.key"});
    database_ = new TestDatabase(server_->root());
    const auto migrated = mysql::migrate(database_->server());
    ASSERT_TRUE(migrated) << migrated.error().what;
  }
  static void TearDownTestSuite() {
    delete database_;
    delete server_;
    std::filesystem::remove_all(folder_);
  }

  static mysql::Server shop() {
    auto server = server_->shop();
    server.database = database_->server().database;
    return server;
  }
  static mysql::Server shop_by_tls() {
    auto server = shop();
    server.host = "localhost";
    server.tls_ca = folder_ + "/authority.pem";
    return server;
  }

  static inline std::string folder_;
  static inline OwnMariadb* server_ = nullptr;
  static inline TestDatabase* database_ = nullptr;
};

TEST_F(MysqlOfItsOwn, AWrongPasswordIsRefusedAndNotRepeated) {
  auto wrong = shop();
  wrong.password = "falsch-und-geheim";
  expect_refused(opened(wrong), FaultKind::misconfigured, {"shop", "--store-password-file"});
  EXPECT_EQ(opened(wrong).error().what.find("falsch"), std::string::npos) << opened(wrong).error().what;
  wrong.password.clear();
  expect_refused(opened(wrong), FaultKind::misconfigured, {"not given"});
  const auto migrated = mysql::migrate(shop());
  EXPECT_TRUE(migrated) << "there is nothing to make";
}

TEST_F(MysqlOfItsOwn, AUserWhoMayNotMakeTablesIsToldWhatIsMissing) {
  const TestDatabase empty(server_->root());
  auto server = shop();
  server.database = empty.server().database;
  const auto denied = mysql::migrate(server);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, FaultKind::misconfigured) << denied.error().what;
  EXPECT_NE(denied.error().what.find("CREATE"), std::string::npos) << denied.error().what;
}

TEST_F(MysqlOfItsOwn, WhatTheServerDoesNotLetTheUserDoIsSaidWithItsMend) {
  const auto by_root = [](std::string_view sql) {
    const auto done = by_hand(server_->root(), sql);
    EXPECT_TRUE(done) << sql << ": " << done.error().what;
  };
  auto guest = shop();
  guest.user = "guest";
  by_root(fmt::format("CREATE USER guest IDENTIFIED BY '{}'", guest.password));
  expect_refused(opened(guest), FaultKind::misconfigured, {"mysql://guest@", "GRANT", guest.database});
  by_root(fmt::format("GRANT SELECT ON {}.* TO guest", guest.database));
  by_root("ALTER USER guest WITH MAX_USER_CONNECTIONS 1");
  {
    auto reads = MysqlStore::open(guest);
    ASSERT_TRUE(reads) << reads.error().what;
    const auto denied = (*reads)->beat("a");
    ASSERT_FALSE(denied);
    EXPECT_EQ(denied.error().kind, FaultKind::unavailable) << "it is mended while we run";
    EXPECT_NE(denied.error().what.find("GRANT the user SELECT, INSERT, UPDATE and DELETE"), std::string::npos)
        << denied.error().what;
    expect_refused(opened(guest), FaultKind::unavailable, {"mysql://guest@", "raise", "limit"});
    by_root("ALTER USER guest WITH MAX_USER_CONNECTIONS 0");
  }
  by_root("ALTER USER guest ACCOUNT LOCK");
  expect_refused(opened(guest), FaultKind::misconfigured, {"mysql://guest@", "ACCOUNT UNLOCK"});
  by_root("ALTER USER guest ACCOUNT UNLOCK PASSWORD EXPIRE");
  expect_refused(opened(guest), FaultKind::misconfigured, {"mysql://guest@", "ALTER USER", "--store-password-file"});
  by_root("DROP USER guest");
}

TEST_F(MysqlOfItsOwn, AServerThatTakesNoWritesIsNamedWithWhatToDo) {
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL read_only = 1"));
  auto store = MysqlStore::open(shop());
  ASSERT_TRUE(store) << "it may become the primary yet: " << store.error().what;
  const auto adopted = (*store)->adopt(InstallationId{7});
  const auto held = (*store)->beat("a");
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL read_only = 0"));
  for (const auto& what : {adopted.error().what, held.error().what}) {
    EXPECT_NE(what.find(shop().url()), std::string::npos) << what;
    EXPECT_NE(what.find("name the primary in --store"), std::string::npos) << what;
  }
  EXPECT_TRUE((*store)->beat("a").value_or(false));
}

TEST_F(MysqlOfItsOwn, APasswordThatChangesWhileWeRunIsNoEnd) {
  auto store = MysqlStore::open(shop());
  ASSERT_TRUE(store) << store.error().what;
  ASSERT_TRUE(by_hand(server_->root(), "SET PASSWORD FOR shop = PASSWORD('another')"));
  server_->kill();
  server_->start();
  EXPECT_FALSE((*store)->beat("a")) << "the connection is lost";
  const auto refused = (*store)->beat("a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, FaultKind::unavailable) << refused.error().what;
  EXPECT_NE(refused.error().what.find("password"), std::string::npos) << refused.error().what;
  EXPECT_EQ(refused.error().what.find(OwnMariadb::shop_password), std::string::npos) << refused.error().what;
  ASSERT_TRUE(
      by_hand(server_->root(), fmt::format("SET PASSWORD FOR shop = PASSWORD('{}')", OwnMariadb::shop_password)));
  const auto held = (*store)->beat("a");
  EXPECT_TRUE(held) << held.error().what;
}

TEST_F(MysqlOfItsOwn, TlsIsUsedAndTheCertificateIsChecked) {
  const auto right = opened(shop_by_tls());
  ASSERT_TRUE(right) << right.error().what;
  auto connection = mysql::Connection::open(shop_by_tls());
  ASSERT_TRUE(connection);
  auto rows = connection->query("SHOW STATUS LIKE 'Ssl_cipher'");
  ASSERT_TRUE(rows && rows->next().value_or(false));
  EXPECT_FALSE(rows->text(1).empty()) << "not encrypted";

  auto stranger = shop_by_tls();
  stranger.tls_ca = folder_ + "/stranger.pem";
  expect_refused(opened(stranger), FaultKind::misconfigured, {"stranger.pem", "certificate"});
  auto other_name = shop_by_tls();
  other_name.host = "127.0.0.1";
  expect_refused(opened(other_name), FaultKind::misconfigured, {"127.0.0.1", "name"});
  const auto shared = shared_mariadb();
  ASSERT_TRUE(shared) << start_them;
  auto plain = *shared;
  plain.tls_ca = folder_ + "/authority.pem";
  expect_refused(opened(plain), FaultKind::misconfigured, {"TLS"});
}

TEST_F(MysqlOfItsOwn, ATlsConnectionThatBreaksEndsNoProcess) {
  auto store = MysqlStore::open(shop_by_tls());
  ASSERT_TRUE(store) << store.error().what;
  for (int round = 0; round < 3; ++round) {
    server_->kill();
    EXPECT_FALSE((*store)->write(first_batch(3)));
    EXPECT_FALSE((*store)->beat("a"));
    server_->start();
    const auto held = (*store)->beat("a");
    EXPECT_TRUE(held) << held.error().what;
  }
}

TEST_F(MysqlOfItsOwn, SettingsThatCanLoseACommitAreTold) {
  auto connection = mysql::Connection::open(shop());
  ASSERT_TRUE(connection);
  const auto risks = [&] { return mysql::durability_risks(*connection).value(); };
  ASSERT_EQ(risks().size(), 1U) << "MariaDB's defaults beside a binary log";
  EXPECT_NE(risks()[0].find("set sync_binlog = 1"), std::string::npos) << risks()[0];
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL innodb_flush_log_at_trx_commit = 2"));
  ASSERT_EQ(risks().size(), 2U);
  EXPECT_NE(risks()[0].find("set innodb_flush_log_at_trx_commit = 1"), std::string::npos) << risks()[0];
  testing::internal::CaptureStderr();
  EXPECT_TRUE(opened(shop()));
  const auto lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2) << lines;
  EXPECT_NE(lines.find("set sync_binlog = 1"), std::string::npos) << lines;
  EXPECT_EQ(lines.find(OwnMariadb::shop_password), std::string::npos) << lines;
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL innodb_flush_log_at_trx_commit = 1"));
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL sync_binlog = 1"));
  EXPECT_TRUE(risks().empty());
  const OwnMariadb torn({"--skip-innodb-doublewrite", "--innodb-flush-method=nosync"});
  auto other = mysql::Connection::open(torn.root());
  ASSERT_TRUE(other);
  const auto told = mysql::durability_risks(*other).value();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_NE(told[0].find("set innodb_doublewrite = ON"), std::string::npos) << told[0];
  EXPECT_NE(told[1].find("set innodb_flush_method = O_DIRECT"), std::string::npos) << told[1];
}

TEST_F(MysqlOfItsOwn, TheRulesDoNotLeanOnTheServersMode) {
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL sql_mode = ''"));
  auto store = MysqlStore::open(shop());
  ASSERT_TRUE(store) << store.error().what;
  auto session = mysql::open_session(shop(), std::chrono::seconds(3));
  ASSERT_TRUE(session) << session.error().what;
  const auto too_long =
      session->run(fmt::format("INSERT INTO parked_entry VALUES(NULL, 'lunch', 1, 1, REPEAT('u', 65), '{}', 1, '', 0)",
                               to_text(coupon(1).code)));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().trouble, mysql::Trouble::refused) << too_long.error().what;
  const auto no_number = session->run("INSERT INTO progress VALUES('lunch', 'x', 1, REPEAT('x', 32))");
  ASSERT_FALSE(no_number);
  EXPECT_EQ(no_number.error().trouble, mysql::Trouble::refused) << no_number.error().what;
  const auto negative = session->run("INSERT INTO progress VALUES('lunch', -1, 1, REPEAT('x', 32))");
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().trouble, mysql::Trouble::refused) << negative.error().what;
  ASSERT_TRUE(by_hand(server_->root(), "SET GLOBAL sql_mode = DEFAULT"));
}

}  // namespace
}  // namespace firstcome
