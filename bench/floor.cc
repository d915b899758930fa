// The floor under the numbers of `./x bench`: what HTTP costs before anybody looks at what was asked.
//   floor refuse ANSWER        each request gets the bytes of the file ANSWER
//   floor win ANSWER FOLDER    the same, once its row is committed to FOLDER/floor.db
// Prints its port, and runs until it is killed.
//
// DESIGN
//   All requests are of one length, which the first one shows, so that nothing is parsed: bytes are counted. `win`
//   takes the user from a fixed place in each request. It commits, as one, all requests that had come since the last
//   commit, then answers them: group commit on one thread, with the rows that journal.db would hold.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sqlite3.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/assert.h"
#include "model/entry.h"

namespace firstcome::bench {
namespace {

constexpr std::size_t pipelined_max = 64;
constexpr std::size_t read_bytes = 64 * 1024;
constexpr int events_max = 512;
constexpr int backlog = 4096;

/// The rows of journal.db by the shortest program that keeps them as safely.
class Rows {
 public:
  explicit Rows(const std::string& path) {
    check(sqlite3_open(path.c_str(), &database_));
    // As the journal has it: -wal is merged every 32 MiB.
    execute(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
        "wal_autocheckpoint=8192; CREATE TABLE entry(position INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, body BLOB "
        "NOT NULL, sum INTEGER NOT NULL) STRICT");
    begin_ = prepare("BEGIN IMMEDIATE");
    insert_ = prepare("INSERT INTO entry(position, stamp, body, sum) VALUES(?, ?, ?, ?)");
    commit_ = prepare("COMMIT");
  }

  void commit(const std::vector<std::string>& users) {
    using std::chrono::system_clock;
    const auto now = std::chrono::floor<Millis>(system_clock::now()).time_since_epoch().count();
    run(begin_);
    for (const auto& user : users) insert(user, now);
    run(commit_);
  }

 private:
  void insert(std::string_view user, std::int64_t stamp) {
    Ticket ticket{.campaign = "lunch", .user = user};
    ++position_;
    std::memcpy(ticket.code.data(), &position_, sizeof position_);
    const std::size_t bytes = encode(ticket, body_);
    sqlite3_bind_int64(insert_, 1, position_);
    sqlite3_bind_int64(insert_, 2, stamp);
    sqlite3_bind_blob(insert_, 3, body_.data(), static_cast<int>(bytes), SQLITE_STATIC);
    sqlite3_bind_int64(insert_, 4, static_cast<std::int64_t>(static_cast<std::uint64_t>(position_) << 32));
    run(insert_);
  }

  void check(int code) {
    MUST(code == SQLITE_OK || code == SQLITE_DONE, database_ ? sqlite3_errmsg(database_) : "SQLite has no memory");
  }
  void execute(const char* sql) { check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr));
    return statement;
  }
  void run(sqlite3_stmt* statement) {
    check(sqlite3_step(statement));
    sqlite3_reset(statement);
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt *begin_ = nullptr, *insert_ = nullptr, *commit_ = nullptr;
  std::int64_t position_ = 0;
  std::array<std::uint8_t, entry_bytes_max> body_{};
};

class Floor {
 public:
  Floor(std::string_view answer, std::unique_ptr<Rows> rows)
      : answer_bytes_(answer.size()), rows_(std::move(rows)), buffer_(read_bytes) {
    for (std::size_t i = 0; i < pipelined_max; ++i) answers_ += answer;
  }

  std::uint16_t listen() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    MUST(::bind(listener_, generic, sizeof address) == 0, "a free port");
    MUST(::listen(listener_, backlog) == 0, "a bound socket listens");
    socklen_t bytes = sizeof address;
    ::getsockname(listener_, generic, &bytes);
    watch(listener_);
    return ntohs(address.sin_port);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, events_max> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), events_max, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        fd == listener_ ? accept() : read(fd);
      }
      if (!users_.empty()) commit();
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      if (pending_bytes_.size() <= static_cast<std::size_t>(fd))
        pending_bytes_.resize(static_cast<std::size_t>(fd) + 1);
      pending_bytes_[static_cast<std::size_t>(fd)] = 0;
      watch(fd);
    }
  }

  void read(int fd) {
    const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0) return;
    if (got == 0) {
      ::close(fd);
      return;
    }
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
    if (request_bytes_ == 0) learn(bytes);
    auto& pending = pending_bytes_[static_cast<std::size_t>(fd)];
    pending += bytes.size();
    const std::size_t requests = pending / request_bytes_;
    pending %= request_bytes_;
    if (!rows_) {
      answer(fd, requests);
    } else if (requests > 0) {
      MUST(bytes.size() == request_bytes_, "a win is asked for one at a time");
      users_.emplace_back(bytes.substr(user_at_, user_bytes_));
      waiting_.push_back(fd);
    }
  }

  void learn(std::string_view first) {
    constexpr std::string_view field = "X-User: ", line_end = "\r\n";
    request_bytes_ = first.find("\r\n\r\n") + 4;
    user_at_ = first.find(field) + field.size();
    user_bytes_ = first.find(line_end, user_at_) - user_at_;
  }

  void answer(int fd, std::size_t requests) {
    MUST(requests <= pipelined_max, "no client of this program sends more at once");
    if (requests > 0) ::send(fd, answers_.data(), requests * answer_bytes_, MSG_NOSIGNAL);
  }

  void commit() {
    rows_->commit(users_);
    for (const int fd : waiting_) answer(fd, 1);
    users_.clear();
    waiting_.clear();
  }

  const std::size_t answer_bytes_;
  const std::unique_ptr<Rows> rows_;
  std::string answers_;
  std::vector<char> buffer_;
  std::size_t request_bytes_ = 0, user_at_ = 0, user_bytes_ = 0;
  std::vector<std::size_t> pending_bytes_;  // by descriptor: of a request that has not come whole
  std::vector<std::string> users_;
  std::vector<int> waiting_;
  const int epoll_ = ::epoll_create1(0);
  int listener_ = -1;
};

std::string contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  MUST(file.good(), "the file of the answer can be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

int run(std::string_view what, const char* answer, const char* folder) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::unique_ptr<Rows> rows;
  if (what == "win") rows = std::make_unique<Rows>(std::string(folder) + "/floor.db");
  Floor floor(contents(answer), std::move(rows));
  fmt::print("{}\n", floor.listen());
  std::fflush(stdout);
  floor.run();
}

}  // namespace
}  // namespace firstcome::bench

int main(int count, char** words) {
  const std::string_view what = count > 1 ? words[1] : "";
  if ((what == "refuse" && count == 3) || (what == "win" && count == 4)) {
    return firstcome::bench::run(what, words[2], count > 3 ? words[3] : "");
  }
  fmt::print(stderr, "usage: floor refuse ANSWER | floor win ANSWER FOLDER\n");
  return 2;
}
