#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

struct st_mysql;
struct st_mysql_res;

namespace firstcome::mysql {

/// Where a database is, and who asks for it.
struct Server {
  std::string host;
  std::uint16_t port = 3306;
  std::string user;
  std::string password = {};
  std::string database = {};
  std::string tls_ca = {};  ///< file; then the connection is encrypted, and the server's name is checked

  std::chrono::seconds connect_max{3};
  std::chrono::seconds answer_max{5};  ///< to one statement

  /// "HOST:PORT", IPv6 in brackets. Fails with misconfigured.
  static Result<Server> at(std::string_view host_and_port);

  /// mysql://USER@HOST:PORT/DATABASE: how it is called in logs and faults. Never the password.
  std::string url() const;
};

/// What the server's error numbers mean to us.
enum class Trouble : std::uint8_t {
  lost,       ///< the connection is gone; what was under way may have been done
  late,       ///< the call's time is over: the statement was not sent
  contended,  ///< a deadlock, or a lock that was not had in time: the whole transaction again
  duplicate,  ///< a key that is there already
  refused,    ///< too long, a wrong value, a check, a foreign key: this row, never
  read_only,  ///< the server takes no writes (any more)
  no_table,
  denied,  ///< the user may not
  other,
};

/// The server's number of a lock that was not had in time; the others of `contended` are deadlocks, or as good as one.
inline constexpr unsigned lock_wait_timeout = 1205;

struct Error {
  Trouble trouble = Trouble::other;
  unsigned code = 0;
  std::string what;  ///< in the server's own words, printable ASCII

  /// unavailable: an operator may mend anything of this while we run.
  Fault fault(std::string_view doing) const;
};

/// What a query gave, row by row. Must end before its connection's next statement when it is streamed.
class Rows {
 public:
  Rows(Rows&&) noexcept = default;
  Rows& operator=(Rows&&) noexcept = default;

  /// True: there is a row, whose columns can be read until the next call.
  std::expected<bool, Error> next();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  std::span<const std::uint8_t> blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Connection;
  struct Free {
    void operator()(st_mysql_res* result) const;
  };
  Rows(st_mysql* connection, st_mysql_res* result) : connection_(connection), result_(result) {}

  st_mysql* connection_;
  std::unique_ptr<st_mysql_res, Free> result_;
  char** row_ = nullptr;
  const unsigned long* sizes_ = nullptr;
};

/// One connection to a MySQL or MariaDB server, blocking, in the text protocol.
///
///   Bounds    open() takes `connect_max` for each address of the host and each answer of the handshake; a statement
///             `answer_max` at most, or it is lost.
///   Fails     open(): misconfigured where a person must change something (password, database, certificate),
///             unavailable where the server cannot be reached.
///   Secret    the password leaves this process only as the answer to a challenge, or encrypted.
///   Threads   one at a time.
class Connection {
 public:
  static Result<Connection> open(const Server& server);

  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) noexcept = default;

  /// Gives the number of rows that were inserted, deleted or found for an update, changed by it or not.
  std::expected<std::uint64_t, Error> run(std::string_view sql);

  /// With all its rows in memory.
  std::expected<Rows, Error> query(std::string_view sql);

  /// With its rows as they come.
  std::expected<Rows, Error> stream(std::string_view sql);

  /// From this uptime of the system's clock on, statements are `late`.
  void set_deadline(Uptime deadline) { deadline_ = deadline; }

  /// Does the server answer?
  bool is_alive();

  bool is_mariadb() const;
  std::string version() const;           ///< as the server says it: "10.11.6-MariaDB-0+deb12u1"
  std::uint32_t version_number() const;  ///< 101106

 private:
  struct Close {
    void operator()(st_mysql* connection) const;
  };
  explicit Connection(st_mysql* connection) : connection_(connection) {}
  std::expected<void, Error> send(std::string_view sql);
  Error error() const;

  std::unique_ptr<st_mysql, Close> connection_;
  Uptime deadline_ = Uptime::max();
};

/// X'616263', for bytes of any kind.
std::string literal(std::span<const std::uint8_t> bytes);
std::string literal(std::string_view bytes);

}  // namespace firstcome::mysql
