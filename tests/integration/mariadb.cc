#include "mariadb.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/assert.h"

namespace firstcome {
namespace {

std::string user_name() {
  const auto* const entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(getuid());
}

}  // namespace

std::optional<mysql::Server> shared_mariadb() {
  const char* const address = std::getenv("TEST_MARIADB");
  if (address == nullptr) return {};
  auto server = mysql::Server::at(address);
  if (!server) return {};
  server->user = "root";
  if (!mysql::Connection::open(*server)) return {};
  return *server;
}

Result<std::uint64_t> by_hand(const mysql::Server& server, std::string_view sql) {
  auto shell = mysql::Connection::open(server);
  if (!shell) return fail(shell.error());
  auto ran = shell->run(sql);
  if (!ran) return fail(ran.error().fault("by hand"));
  return *ran;
}

std::string value_by_hand(const mysql::Server& server, std::string_view sql) {
  auto shell = mysql::Connection::open(server);
  MUST(shell, "the server answers");
  auto rows = shell->query(sql);
  if (!rows || !rows->next().value_or(false)) return {};
  return std::string(rows->text(0));
}

TestDatabase::TestDatabase(mysql::Server root) : server_(std::move(root)) {
  static std::atomic<int> number{0};
  const auto name = fmt::format("firstcome_test_{}_{}", getpid(), ++number);
  const auto made = by_hand(server_, "CREATE DATABASE " + name);
  MUST(made, made.error().what);
  server_.database = name;
}

TestDatabase::~TestDatabase() {
  auto root = server_;
  root.database.clear();
  const auto dropped = by_hand(root, "DROP DATABASE " + server_.database);
  if (!dropped) fmt::print(stderr, "{}\n", dropped.error().what);
}

OwnMariadb::OwnMariadb(std::vector<std::string> options) : options_(std::move(options)), port_(free_port()) {
  std::string name = (std::filesystem::temp_directory_path() / "firstcome-mariadb-XXXXXX").string();
  MUST(mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
  folder_ = name;
  const auto made =
      std::system(fmt::format("mariadb-install-db --no-defaults --datadir={0}/data --user={1} --skip-test-db "
                              "--auth-root-authentication-method=normal --innodb-log-file-size=16M >{0}/log 2>&1",
                              folder_, user_name())
                      .c_str());
  MUST(made == 0, "mariadb-install-db works: it comes with ./x servers up; its last words are in " + folder_ + "/log");
  start();
  for (const auto* const sql :
       {"CREATE USER shop IDENTIFIED BY 'geheim-of-shop'", "GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO shop"}) {
    const auto done = by_hand(root(), sql);
    MUST(done, done.error().what);
  }
}

OwnMariadb::~OwnMariadb() {
  kill();
  std::filesystem::remove_all(folder_);
}

std::vector<std::string> OwnMariadb::command() const {
  std::vector<std::string> words{"mariadbd",
                                 "--no-defaults",
                                 "--user=" + user_name(),
                                 "--datadir=" + folder_ + "/data",
                                 "--socket=" + folder_ + "/socket",
                                 "--pid-file=" + folder_ + "/pid",
                                 fmt::format("--port={}", port_),
                                 "--bind-address=127.0.0.1",
                                 "--skip-name-resolve",
                                 "--innodb-buffer-pool-size=32M",
                                 "--innodb-log-file-size=16M",
                                 "--log-error=" + folder_ + "/log"};
  words.insert(words.end(), options_.begin(), options_.end());
  return words;
}

void OwnMariadb::start() {
  process_.start(command(), folder_ + "/log");
  constexpr int tries_max = 600;  // 30 s
  for (int tries = 0; !mysql::Connection::open(root()); ++tries) {
    MUST(tries < tries_max && process_.is_alive(), "mariadbd starts; its last words are in " + folder_ + "/log");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

mysql::Server OwnMariadb::root() const { return {.host = "127.0.0.1", .port = port_, .user = "root"}; }
mysql::Server OwnMariadb::shop() const {
  return {.host = "127.0.0.1", .port = port_, .user = "shop", .password = shop_password};
}

}  // namespace firstcome
