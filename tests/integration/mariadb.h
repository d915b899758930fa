#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "own_process.h"
#include "store/mysql_connection.h"

namespace firstcome {

/// The MariaDB of `./x servers up`, as root without a password, as TEST_MARIADB names it. None: it is not there; say
/// `start_them`.
std::optional<mysql::Server> shared_mariadb();
inline constexpr const char* start_them =
    "no MariaDB at TEST_MARIADB (tools/x/servers.sh says where): start them: ./x servers up";

/// Runs one statement as an operator does in a shell: a connection of its own, without any set-up of ours.
Result<std::uint64_t> by_hand(const mysql::Server& server, std::string_view sql);

/// What a shell shows of one value; empty when there is none.
std::string value_by_hand(const mysql::Server& server, std::string_view sql);

/// A database with a name of its own, as long as this lives.
class TestDatabase {
 public:
  explicit TestDatabase(mysql::Server root);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const mysql::Server& server() const { return server_; }  ///< as root, in the database

 private:
  mysql::Server server_;
};

/// A MariaDB server of this process alone, in a temporary folder, on a free port, whose end is kill -9. It knows root,
/// without a password, and `shop`, who may read and write the rows of every database, and no more.
class OwnMariadb {
 public:
  static constexpr const char* shop_password = "geheim-of-shop";

  /// `options` of mariadbd, besides those that make it small.
  explicit OwnMariadb(std::vector<std::string> options = {});
  ~OwnMariadb();
  OwnMariadb(const OwnMariadb&) = delete;
  OwnMariadb& operator=(const OwnMariadb&) = delete;

  /// SIGKILL, and its end. Any thread.
  void kill() { process_.kill(); }

  /// Until it answers.
  void start();

  mysql::Server root() const;
  mysql::Server shop() const;
  std::uint16_t port() const { return port_; }

 private:
  std::vector<std::string> command() const;

  std::string folder_;
  std::vector<std::string> options_;
  std::uint16_t port_ = 0;
  OwnProcess process_;
};

}  // namespace firstcome
