#include "mariadb.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/assert.h"

namespace firstcome {
namespace {

std::uint16_t free_port() {
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  MUST(bind(taken, reinterpret_cast<sockaddr*>(&here), size) == 0, "a port is free");
  getsockname(taken, reinterpret_cast<sockaddr*>(&here), &size);
  close(taken);
  return ntohs(here.sin_port);
}

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
  const auto words = command();
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  process_ = fork();
  MUST(process_ >= 0, "a process can be made");
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
    const int nothing = open("/dev/null", O_RDWR);
    for (const int stream : {0, 1, 2}) dup2(nothing, stream);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  constexpr int tries_max = 600;  // 30 s
  for (int tries = 0; !mysql::Connection::open(root()); ++tries) {
    MUST(tries < tries_max && ::kill(process_, 0) == 0 && waitpid(process_, nullptr, WNOHANG) == 0,
         "mariadbd starts; its last words are in " + folder_ + "/log");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void OwnMariadb::kill() {
  const std::lock_guard lock(mutex_);
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

mysql::Server OwnMariadb::root() const { return {.host = "127.0.0.1", .port = port_, .user = "root"}; }
mysql::Server OwnMariadb::shop() const {
  return {.host = "127.0.0.1", .port = port_, .user = "shop", .password = shop_password};
}

}  // namespace firstcome
