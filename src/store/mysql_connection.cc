#include "store/mysql_connection.h"

#include <fmt/format.h>
#include <mysql.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <mutex>

#include "base/assert.h"

namespace firstcome::mysql {
namespace {

Trouble trouble_of(unsigned code) {
  switch (code) {
    case 1020:  // the row has changed since the transaction's snapshot (innodb_snapshot_isolation)
    case lock_wait_timeout:
    case 1213:  // deadlock
      return Trouble::contended;
    case 1062:
    case 1586:
      return Trouble::duplicate;
    case 1264:  // out of range
    case 1292:  // wrong value
    case 1366:  // wrong value for this column
    case 1406:  // too long
    case 1452:  // foreign key
    case 3819:  // check, MySQL
    case 4025:  // check, MariaDB
      return Trouble::refused;
    case 1290:  // --read-only, and other options that forbid a statement
    case 1792:  // the transaction is read only
    case 1836:  // the server is read only
      return Trouble::read_only;
    case 1146:
      return Trouble::no_table;
    case 1044:
    case 1045:
    case 1142:
    case 1143:
    case 1227:
    case 1370:
    case 1698:
    case 1820:  // the password has expired
      return Trouble::denied;
    case 1053:  // shuts down
    case 1152:
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 1927:  // killed, or idle for longer than its time-out
    case 3169:
    case 4031:
      return Trouble::lost;
    default:
      break;
  }
  // The library's own: whatever it is, the two sides do not understand each other any more.
  const bool is_client = (code >= 2000 && code < 3000) || code >= 5000;
  return is_client ? Trouble::lost : Trouble::other;
}

std::string printable(std::string_view text) {
  std::string ascii(text);
  std::ranges::replace_if(ascii, [](char c) { return c < ' ' || c > '~'; }, '?');
  return ascii;
}

Error error_of(st_mysql* connection) {
  const unsigned code = mysql_errno(connection);
  return {trouble_of(code), code, fmt::format("{} ({})", printable(mysql_error(connection)), code)};
}

/// Ways to authenticate that show a server no more than it knows. Those of MySQL 8 may give it the password, encrypted
/// with whatever key it names: only to a server whose certificate was looked at.
const char* challenges(const Server& server) {
  return server.tls_ca.empty() ? "mysql_native_password,client_ed25519"
                               : "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password";
}

/// What a person can do about an error of a server that answers.
std::string_view remedy(Trouble trouble) {
  switch (trouble) {
    case Trouble::read_only:
      return "; end that there (read_only), or name the primary in --store";
    case Trouble::denied:
      return "; GRANT the user SELECT, INSERT, UPDATE and DELETE on the database";
    case Trouble::no_table:
      return "; run firstcome store migrate";
    default:
      return "";
  }
}

/// Why there is no connection, in one line that says what to do.
Fault refusal(const Server& server, const Error& error) {
  const auto misconfigured = [&](std::string_view do_this) {
    return Fault{FaultKind::misconfigured, fmt::format("{}: {}; {}", server.url(), error.what, do_this)};
  };
  switch (error.code) {
    case 1045:
    case 1698:
      return misconfigured(fmt::format(
          "the password is {}: set --store-password-file or FIRSTCOME_STORE_PASSWORD, and look at the server's user",
          server.password.empty() ? "not given" : "wrong, or the user is"));
    case 1044:
      return misconfigured(fmt::format("GRANT the user access to {}, or name another one", server.database));
    case 1049:
      return misconfigured(fmt::format("CREATE DATABASE {} there, or name another one", server.database));
    case 1130:
      return misconfigured("the server's user must be allowed to come from this host");
    case 1820:
    case 1862:
      return misconfigured("ALTER USER there with a new password, and set --store-password-file to it");
    case 3118:
    case 4151:
      return misconfigured("ALTER USER there with ACCOUNT UNLOCK, or name another user in --store");
    case 1251:
    case 1524:
    case 2049:
    case 2058:
    case 2059:
    case 2061:
      return misconfigured("the user's way to authenticate is none that this client knows");
    case 5010:  // whose words hold what is left of a name
      return {FaultKind::misconfigured,
              fmt::format("{}: the server asks for a way to authenticate that would show it the password: let the user "
                          "have one of {}{}",
                          server.url(), challenges(server), server.tls_ca.empty() ? ", or set --store-tls-ca" : "")};
    case 3159:
      return misconfigured("the server wants TLS: set --store-tls-ca");
    case 1040:
    case 1203:
    case 1226:
      return {FaultKind::unavailable,
              fmt::format("{}: {}; an issuer needs one connection, verify another one: raise the "
                          "server's or the user's limit",
                          server.url(), error.what)};
    default:
      break;
  }
  // 2026 is everything that can go wrong with TLS: only a broken connection is worth another try.
  const auto says = [&](std::string_view word) { return error.what.find(word) != std::string::npos; };
  const bool broken = says("eof") || says("EOF") || says("reset") || says("Broken pipe") || says("SYSCALL");
  if (error.code == 2026 && !broken) {
    return misconfigured(fmt::format(
        "{} must hold the authority of the server's certificate, which must be one for the name {}, and in force",
        server.tls_ca, server.host));
  }
  return {FaultKind::unavailable,
          fmt::format("{}: {}; is the server up there, and does --store name it rightly?", server.url(), error.what)};
}

template <class Value>
void set(st_mysql* connection, mysql_option option, Value value) {
  MUST(mysql_options(connection, option, &value) == 0, "an option that the library knows");
}

template <class Number>
Number number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  MUST(error == std::errc() && end == text.data() + text.size(), "the column is of another type than our table's");
  return value;
}

}  // namespace

Result<Server> Server::at(std::string_view host_and_port) {
  const auto colon = host_and_port.rfind(':');
  std::uint16_t port = 0;
  const auto digits = colon == std::string_view::npos ? std::string_view() : host_and_port.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (colon == 0 || digits.empty() || error != std::errc() || end != digits.data() + digits.size() || port == 0) {
    return fail(FaultKind::misconfigured, fmt::format("\"{}\" is not HOST:PORT", host_and_port));
  }
  auto host = host_and_port.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return Server{.host = std::string(host), .port = port, .user = {}};
}

std::string Server::url() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return fmt::format("mysql://{}{}:{}/{}", user.empty() ? "" : user + "@", is_v6 ? "[" + host + "]" : host, port,
                     database);
}

Fault Error::fault(std::string_view doing) const {
  return {FaultKind::unavailable, fmt::format("{}: {}{}", doing, what, remedy(trouble))};
}

void Rows::Free::operator()(st_mysql_res* result) const { mysql_free_result(result); }
void Connection::Close::operator()(st_mysql* connection) const { mysql_close(connection); }

Result<Connection> Connection::open(const Server& server) {
  if (!server.tls_ca.empty() && ::access(server.tls_ca.c_str(), R_OK) != 0) {
    return fail(FaultKind::misconfigured,
                fmt::format("{}: the certificates of --store-tls-ca cannot be read", server.tls_ca));
  }
  static std::once_flag library;
  std::call_once(library, [] { MUST(mysql_library_init(0, nullptr, nullptr) == 0, "libmariadb starts"); });
  Connection connection(mysql_init(nullptr));
  st_mysql* const raw = connection.connection_.get();
  MUST(raw != nullptr, "there is memory");
  set(raw, MYSQL_OPT_CONNECT_TIMEOUT, static_cast<unsigned>(server.connect_max.count()));
  set(raw, MYSQL_OPT_READ_TIMEOUT, static_cast<unsigned>(server.answer_max.count()));
  set(raw, MYSQL_OPT_WRITE_TIMEOUT, static_cast<unsigned>(server.answer_max.count()));
  set(raw, MYSQL_OPT_PROTOCOL, static_cast<unsigned>(MYSQL_PROTOCOL_TCP));  // "localhost" too
  set(raw, MYSQL_OPT_RECONNECT, my_bool{0});  // in the middle of a transaction nobody would know
  set(raw, MYSQL_OPT_LOCAL_INFILE, 0U);       // no server reads our files
  MUST(mysql_options(raw, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0, "libmariadb knows utf8mb4");
  // Without it any server may ask for the password itself, and gets it, in clear.
  MUST(mysql_optionsv(raw, MARIADB_OPT_RESTRICTED_AUTH, challenges(server)) == 0, "libmariadb knows its plugins");
  if (!server.tls_ca.empty()) {
    MUST(mysql_options(raw, MYSQL_OPT_SSL_CA, server.tls_ca.c_str()) == 0, "libmariadb knows TLS");
    set(raw, MYSQL_OPT_SSL_ENFORCE, my_bool{1});
    set(raw, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, my_bool{1});
  }
  // Without CLIENT_FOUND_ROWS an update that finds its row, and nothing to change in it, would be a lost fence.
  if (mysql_real_connect(raw, server.host.c_str(), server.user.c_str(), server.password.c_str(),
                         server.database.empty() ? nullptr : server.database.c_str(), server.port, nullptr,
                         CLIENT_FOUND_ROWS) == nullptr ||
      mysql_query(raw, "DO 1") != 0) {  // whose password has expired may come in, and do nothing
    return fail(refusal(server, error_of(raw)));
  }
  return connection;
}

Error Connection::error() const { return error_of(connection_.get()); }

std::expected<void, Error> Connection::send(std::string_view sql) {
  if (deadline_ != Uptime::max() && SystemClock().uptime() >= deadline_) {
    return std::unexpected(Error{Trouble::late, 0, "the store is too slow"});
  }
  if (mysql_real_query(connection_.get(), sql.data(), sql.size()) != 0) return std::unexpected(error());
  return {};
}

std::expected<std::uint64_t, Error> Connection::run(std::string_view sql) {
  if (auto sent = send(sql); !sent) return std::unexpected(sent.error());
  // One that gives rows, as GET_LOCK does in some versions' DO.
  mysql_free_result(mysql_store_result(connection_.get()));
  if (mysql_errno(connection_.get()) != 0) return std::unexpected(error());
  return mysql_affected_rows(connection_.get());
}

std::expected<Rows, Error> Connection::query(std::string_view sql) {
  if (auto sent = send(sql); !sent) return std::unexpected(sent.error());
  auto* const result = mysql_store_result(connection_.get());
  if (result == nullptr) return std::unexpected(error());
  return Rows(connection_.get(), result);
}

std::expected<Rows, Error> Connection::stream(std::string_view sql) {
  if (auto sent = send(sql); !sent) return std::unexpected(sent.error());
  auto* const result = mysql_use_result(connection_.get());
  if (result == nullptr) return std::unexpected(error());
  return Rows(connection_.get(), result);
}

bool Connection::is_alive() { return mysql_ping(connection_.get()) == 0; }
bool Connection::is_mariadb() const { return mariadb_connection(connection_.get()) != 0; }
std::string Connection::version() const { return printable(mysql_get_server_info(connection_.get())); }
std::uint32_t Connection::version_number() const {
  return static_cast<std::uint32_t>(mysql_get_server_version(connection_.get()));
}

std::expected<bool, Error> Rows::next() {
  row_ = mysql_fetch_row(result_.get());
  if (row_ != nullptr) {
    sizes_ = mysql_fetch_lengths(result_.get());
    return true;
  }
  if (mysql_errno(connection_) != 0) return std::unexpected(error_of(connection_));
  return false;
}

std::int64_t Rows::integer(int column) const { return number_of<std::int64_t>(text(column)); }
double Rows::real(int column) const { return number_of<double>(text(column)); }
std::string_view Rows::text(int column) const { return {row_[column], is_null(column) ? 0 : sizes_[column]}; }
std::span<const std::uint8_t> Rows::blob(int column) const {
  const auto bytes = text(column);
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}
bool Rows::is_null(int column) const { return row_[column] == nullptr; }

std::string literal(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  text.reserve(2 * bytes.size() + 3);
  text += "X'";
  for (const auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  text += '\'';
  return text;
}

std::string literal(std::string_view bytes) {
  return literal(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

}  // namespace firstcome::mysql
