// store_bench HOST:PORT [COUPONS [ROUNDS]]: how fast the issuer writes coupons into a MySQL or MariaDB server, and what
// a coupon costs us and the server. As root without a password, in a database that is made and dropped again.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "issuer/issuer.h"
#include "standings/standings.h"
#include "store/mysql_schema.h"
#include "store/mysql_store.h"

namespace firstcome {
namespace {

double seconds(clockid_t clock) {
  timespec spent{};
  clock_gettime(clock, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

template <class Value>
Value must(Result<Value> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().what);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<Value>) return std::move(*result);
}

class NoJournal final : public Journal {
 public:
  Result<void> start(Follower& /*follower*/) override { return {}; }
  Result<void> append(Entry /*entry*/, AppendTag /*tag*/) override { return {}; }
  void stop() override {}
  Stats stats() const override { return {}; }
};

/// A database of its own on the server, by statements as in a shell.
class Database {
 public:
  explicit Database(mysql::Server root) : server_(std::move(root)), shell_(must(mysql::Connection::open(server_))) {
    server_.database = fmt::format("firstcome_bench_{}", ::getpid());
    run("DROP DATABASE IF EXISTS " + server_.database);
    run("CREATE DATABASE " + server_.database);
    must(mysql::migrate(server_));
  }
  ~Database() { run("DROP DATABASE " + server_.database); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const mysql::Server& server() const { return server_; }

  std::string value(std::string_view sql) {
    auto rows = shell_.query(sql);
    if (!rows || !rows->next().value_or(false)) return {};
    return std::string(rows->text(0));
  }

  /// Seconds of CPU that the server has used; 0 where it is on another machine.
  double cpu() {
    std::ifstream pid_file(value("SELECT @@GLOBAL.pid_file"));
    std::string pid;
    std::getline(pid_file, pid);
    std::ifstream stat("/proc/" + pid + "/stat");
    std::string text;
    std::getline(stat, text);
    const auto name_end = text.rfind(')');
    if (pid.empty() || name_end == std::string::npos) return 0;
    double user = 0, system = 0;
    std::sscanf(text.c_str() + name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lf %lf", &user, &system);
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  void run(const std::string& sql) {
    auto ran = shell_.run(sql);
    MUST(ran, ran.error().what);
  }

  mysql::Server server_;
  mysql::Connection shell_;
};

void win(Standings& standings, std::uint32_t coupons) {
  SystemRandom random;
  Position position = 0;
  const Time now = SystemClock().now();
  standings.apply({++position, now, Installation{.id = {1}}});
  standings.apply({++position, now, Opened{.campaign = "bench", .name = {}, .quota = coupons, .issue_rate = 0}});
  for (std::uint32_t rank = 1; rank <= coupons; ++rank) {
    Ticket ticket{.campaign = "bench", .user = fmt::format("user-{}", rank * 2'654'435'761U), .code = {}};
    for (auto& byte : ticket.code) byte = static_cast<std::uint8_t>(random.next());
    standings.apply({++position, now, ticket});
  }
}

void round(const mysql::Server& root, std::uint32_t coupons) {
  Database database(root);
  Standings standings;
  win(standings, coupons);
  NoJournal journal;
  SystemClock clock;
  const auto store = must(MysqlStore::open(database.server()));
  Issuer issuer(standings, *store, journal, clock, {.holder = "bench", .issue_rate = 0, .issue_rate_total = 0});
  must(issuer.check());
  const double began = seconds(CLOCK_MONOTONIC), ours = seconds(CLOCK_PROCESS_CPUTIME_ID), servers = database.cpu();
  while (issuer.counters().written < coupons) {
    issuer.step();
    MUST(issuer.counters().faults == 0, "the store takes what it gets");
  }
  const double took = seconds(CLOCK_MONOTONIC) - began;
  const auto cpu_of = [&](double since, double now) { return (now - since) / coupons * 1e6; };
  fmt::print("{:>9} coupons {:>8.3f} s {:>8.0f} coupons/s, CPU a coupon: ours {:.2f} us, the server's {:.2f} us\n",
             coupons, took, coupons / took, cpu_of(ours, seconds(CLOCK_PROCESS_CPUTIME_ID)),
             cpu_of(servers, database.cpu()));
  MUST(database.value(fmt::format("SELECT COUNT(*) FROM {}.coupon", database.server().database)) ==
           std::to_string(coupons),
       "each coupon is a row");
}

}  // namespace
}  // namespace firstcome

int main(int count, char** words) {
  if (count < 2) {
    fmt::print(stderr, "store_bench HOST:PORT [COUPONS [ROUNDS]]\n");
    return 2;
  }
  auto root = firstcome::mysql::Server::at(words[1]);
  if (!root) {
    fmt::print(stderr, "{}\n", root.error().what);
    return 2;
  }
  root->user = "root";
  const auto coupons = static_cast<std::uint32_t>(count > 2 ? std::atoi(words[2]) : 200'000);
  const int rounds = count > 3 ? std::atoi(words[3]) : 3;
  for (int round = 0; round < rounds; ++round) firstcome::round(*root, coupons);
}
