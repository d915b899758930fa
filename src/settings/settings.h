#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/result.h"

namespace firstcome {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  std::string text() const;
  bool is_loopback() const;
};

/// "127.0.0.1:8080", "[::1]:8080"; port 0 takes a free one.
Result<Address> parse_address(std::string_view text);

/// Where a server of another kind is: SCHEME://[USER@]HOST:PORT[,HOST:PORT...][/PATH].
struct ServerUrl {
  std::string scheme;
  std::string user;
  std::vector<std::string> hosts;  ///< "HOST:PORT", a name or an address, IPv6 in brackets
  std::string path;                ///< without the slash
};

/// Fails with misconfigured, showing `form`: a scheme that is not among `schemes`, no port, a password (which belongs
/// into a file or the environment).
Result<ServerUrl> parse_server_url(std::string_view text, std::span<const std::string_view> schemes,
                                   std::string_view form);

struct Settings;
Result<ServerUrl> parse_journal_url(const Settings& settings);  ///< misconfigured: it is `sqlite`
Result<ServerUrl> parse_store_url(const Settings& settings);
Result<ServerUrl> parse_gate_url(const Settings& settings);

/// Everything that can be set of a server. The registry (all_settings) gives each its name, its help and its bounds.
struct Settings {
  std::string data = "./data";
  std::string role = "all";

  // The three parts that processes may share. The last two of these need the first: only then there is a journal to
  // share.
  std::string journal = "sqlite";            ///< or kafka://HOST:PORT,.../TOPIC
  std::vector<std::string> journal_options;  ///< KEY=VALUE, for librdkafka: security.protocol=ssl, ssl.ca.location=...
  std::string journal_password;
  std::string store = "sqlite";  ///< or mysql://USER@HOST:PORT/DATABASE
  std::string store_password;
  std::string store_tls_ca;   ///< file; then the connection is encrypted, and the server's name is checked
  std::string gate = "none";  ///< or redis://[USER@]HOST:PORT, redis-sentinel://.../MASTER, redis-cluster://...
  std::string gate_password;
  std::string gate_tls_ca;                ///< as store_tls_ca
  std::string gate_prefix = "firstcome";  ///< of its keys: two installations on one Redis differ in it
  Millis gate_bypass_ms_max = limits::gate_bypass_ms_max_default;  ///< no answer from the gate by then: on without it
  std::map<std::string, std::string, std::less<>> secret_files;  ///< admin_token_file, ...: where the secrets came from

  bool is_distributed() const { return journal != "sqlite"; }
  bool serves() const { return role != "issuer"; }  ///< users
  bool issues() const { return role != "api"; }
  Address listen{"127.0.0.1", 8080};
  Address admin_listen{"127.0.0.1", 8081};
  std::string admin_token;
  std::string identity;  ///< "header:X-User"; empty: that default on loopback, else refuse to start
  std::vector<std::string> identity_trusted{"127.0.0.0/8", "::1"};
  std::size_t loops = 0;  ///< 0: one per core
  log::Form log_form = log::Form::text;

  double issue_rate = limits::issue_rate_default;
  double issue_rate_total = limits::issue_rate_total_default;
  std::size_t parked_max = limits::parked_max_default;
  std::uint32_t quota_max = limits::quota_max_default;
  std::uint32_t places_max = limits::places_max_default;
  std::uint32_t campaigns_max = limits::campaigns_max_default;

  Millis wait_ms_max = limits::wait_ms_max_default;
  Millis in_flight_ms_max = limits::in_flight_ms_max_default;
  Millis stale_ms_max = limits::stale_ms_max_default;
  std::size_t in_flight_max = limits::in_flight_max_default;
  std::size_t waiting_claims_max = limits::waiting_claims_max_default;

  std::size_t header_bytes_max = limits::header_bytes_max_default;
  std::size_t body_bytes_max = limits::body_bytes_max_default;
  std::size_t connections_max = limits::connections_max_default;
  Millis header_ms_max = limits::header_ms_max_default;
  Millis idle_ms_max = limits::idle_ms_max_default;
  Millis write_ms_max = limits::write_ms_max_default;
  Millis drain_ms_max = limits::drain_ms_max_default;

  std::size_t loop_count() const;  ///< `loops`, with 0 resolved
};

/// One setting: `name` in a TOML file (wait_ms_max), FIRSTCOME_WAIT_MS_MAX in the environment, --wait-ms-max as a flag.
struct Setting {
  std::string_view name;
  std::string_view value;  ///< what a value looks like, for the help: N, MS, ADDRESS:PORT, ...
  std::string_view help;
  std::function<Result<void>(Settings&, std::string_view)> set;
  std::function<std::string(const Settings&)> show;
  bool secret = false;  ///< shown as "(set)" only; from the environment or a file only

  std::string flag() const;         ///< --wait-ms-max
  std::string environment() const;  ///< FIRSTCOME_WAIT_MS_MAX
};
const std::vector<Setting>& all_settings();

/// Settings, and where each value came from: "default", "firstcome.toml:12:1", "FIRSTCOME_LISTEN", "--listen".
struct LoadedSettings {
  Settings settings;
  std::map<std::string, std::string, std::less<>> origin;
};

/// The first line of a file, without white space at its end. Fails with misconfigured where there is none.
Result<std::string> read_secret(const std::string& file);

/// defaults < file < environment < flags. `flags`: setting name (wait_ms_max) to its text.
/// Fails with misconfigured, naming file, line and column, variable or flag, and the nearest known name.
Result<LoadedSettings> load_settings(const std::optional<std::string>& file,
                                     const std::map<std::string, std::string>& environment,
                                     const std::map<std::string, std::string>& flags);

/// The process's environment.
std::map<std::string, std::string> environment_now();

/// Rules over several settings: an identity where the listener is not on loopback, a token where the admin listener is
/// not.
Result<void> check_settings(const Settings& settings);

}  // namespace firstcome
