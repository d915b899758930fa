#include "settings/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <thread>

#include "base/nearest.h"
#include "identity/identity.h"

namespace firstcome {
namespace {

using namespace std::string_literals;

template <class Number>
Result<Number> number(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
    return fail(FaultKind::misconfigured, fmt::format("\"{}\" is not a number from {} to {}", text, least, most));
  }
  return value;
}

/// A number in `member`, from `least` to `most`.
template <class Number>
Setting counted(std::string_view name, std::string_view help, Number Settings::* member, Number least, Number most) {
  return {name, "N", help,
          [=](Settings& settings, std::string_view text) -> Result<void> {
            const auto value = number<Number>(text, least, most);
            if (!value) return fail(value.error());
            settings.*member = *value;
            return {};
          },
          [=](const Settings& settings) { return fmt::format("{}", settings.*member); }};
}

Setting timed(std::string_view name, std::string_view help, Millis Settings::* member, Millis::rep least,
              Millis::rep most) {
  return {name, "MS", help,
          [=](Settings& settings, std::string_view text) -> Result<void> {
            const auto value = number<Millis::rep>(text, least, most);
            if (!value) return fail(value.error());
            settings.*member = Millis(*value);
            return {};
          },
          [=](const Settings& settings) { return fmt::format("{}", (settings.*member).count()); }};
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const auto end = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

Setting text(std::string_view name, std::string_view value, std::string_view help, std::string Settings::* member) {
  return {name, value, help,
          [=](Settings& settings, std::string_view given) -> Result<void> {
            settings.*member = given;
            return {};
          },
          [=](const Settings& settings) { return settings.*member; }};
}

/// A secret comes from the environment, or from a file that the setting NAME_file names: neither is seen by `ps`.
Setting secret(std::string_view name, std::string_view help, std::string Settings::* member) {
  Setting setting = text(name, "TEXT", help, member);
  setting.secret = true;
  return setting;
}

Setting secret_file(std::string_view name, std::string_view help, std::string Settings::* member) {
  return {name, "FILE", help,
          [=](Settings& settings, std::string_view given) -> Result<void> {
            auto secret = read_secret(std::string(given));
            if (!secret) return fail(secret.error());
            settings.*member = std::move(*secret);
            settings.secret_files[std::string(name)] = given;
            return {};
          },
          [=](const Settings& settings) {
            const auto found = settings.secret_files.find(name);
            return found == settings.secret_files.end() ? std::string() : found->second;
          }};
}

/// Options of a library that hold a secret.
bool is_secret(std::string_view key) {
  constexpr std::array<std::string_view, 4> ends{"password", "secret", ".pem", "oauthbearer.config"};
  return std::ranges::any_of(ends, [&](std::string_view end) { return key.ends_with(end); });
}

/// KEY=VALUE,... Errors do not repeat what may be a piece of a secret.
Setting listed(std::string_view name, std::string_view value, std::string_view help,
               std::vector<std::string> Settings::* member) {
  return {name, value, help,
          [=](Settings& settings, std::string_view given) -> Result<void> {
            std::vector<std::string> list;
            for (const auto part : split(given, ',')) {
              const auto equals = part.find('=');
              if (equals == 0 || equals == std::string_view::npos) {
                return fail(FaultKind::misconfigured, fmt::format("write {}; a value holds no comma", value));
              }
              if (const auto key = part.substr(0, equals); is_secret(key)) {
                return fail(FaultKind::misconfigured,
                            fmt::format("{} is a secret, and would be shown: a password of SASL goes into "
                                        "journal_password_file, a key into a file without a password that only this "
                                        "user may read (ssl.key.location)",
                                        key));
              }
              list.emplace_back(part);
            }
            settings.*member = std::move(list);
            return {};
          },
          [=](const Settings& settings) { return fmt::format("{}", fmt::join(settings.*member, ",")); }};
}

constexpr std::array<std::string_view, 1> kafka_schemes{"kafka"};
constexpr std::array<std::string_view, 1> mysql_schemes{"mysql"};
constexpr std::array<std::string_view, 3> redis_schemes{"redis", "redis-sentinel", "redis-cluster"};

/// `none` (what is there without it), or the URL of a server.
Setting server_url(std::string_view name, std::string_view none, std::string_view form, std::string_view help,
                   std::string Settings::* member, std::span<const std::string_view> schemes) {
  return {name, form, help,
          [=](Settings& settings, std::string_view given) -> Result<void> {
            if (given != none) {
              if (auto parsed = parse_server_url(given, schemes, form); !parsed) return fail(parsed.error());
            }
            settings.*member = given;
            return {};
          },
          [=](const Settings& settings) { return settings.*member; }};
}

Setting address(std::string_view name, std::string_view help, Address Settings::* member) {
  return {name, "ADDRESS:PORT", help,
          [=](Settings& settings, std::string_view given) -> Result<void> {
            auto parsed = parse_address(given);
            if (!parsed) return fail(parsed.error());
            settings.*member = *parsed;
            return {};
          },
          [=](const Settings& settings) { return (settings.*member).text(); }};
}

Setting one_of(std::string_view name, std::string_view value, std::string_view help,
               std::function<Result<void>(Settings&, std::string_view)> set,
               std::function<std::string(const Settings&)> show) {
  return {name, value, help, std::move(set), std::move(show)};
}

std::vector<Setting> make_settings() {
  constexpr std::uint32_t quota_limit = 50'000'000;  // 5 GB of winners
  constexpr std::size_t million = 1'000'000;
  constexpr Millis::rep hour = 3'600'000;
  std::vector<Setting> all{
      text("data", "DIR", "folder of journal.db and store.db; made when it is not there", &Settings::data),
      one_of(
          "role", "all|api|issuer", "what this process does; the embedded form does all of it",
          [](Settings& settings, std::string_view given) -> Result<void> {
            if (given != "all" && given != "api" && given != "issuer") {
              return fail(FaultKind::misconfigured, "role is all, api or issuer, not \"" + std::string(given) + "\"");
            }
            settings.role = given;
            return {};
          },
          [](const Settings& settings) { return settings.role; }),
      server_url("journal", "sqlite", "kafka://HOST:PORT,.../TOPIC", "where the order of arrival is kept",
                 &Settings::journal, kafka_schemes),
      listed("journal_options", "KEY=VALUE,...", "of librdkafka, for TLS and SASL: security.protocol=ssl,...",
             &Settings::journal_options),
      secret_file("journal_password_file", "file with the password of SASL", &Settings::journal_password),
      secret("journal_password", "the password of SASL itself (environment only)", &Settings::journal_password),
      server_url("store", "sqlite", "mysql://USER@HOST:PORT/DATABASE", "where the coupons are written",
                 &Settings::store, mysql_schemes),
      secret_file("store_password_file", "file with the password of the store's user", &Settings::store_password),
      secret("store_password", "the password of the store's user itself (environment only)", &Settings::store_password),
      text("store_tls_ca", "FILE", "certificates of the store's authority; then TLS, and the name is checked",
           &Settings::store_tls_ca),
      server_url("gate", "none", "redis://[USER@]HOST:PORT", "a filter before the journal, for many processes",
                 &Settings::gate, redis_schemes),
      secret_file("gate_password_file", "file with the password of the gate's user", &Settings::gate_password),
      secret("gate_password", "the password of the gate's user itself (environment only)", &Settings::gate_password),
      text("gate_tls_ca", "FILE", "certificates of the gate's authority; then TLS, and the name is checked",
           &Settings::gate_tls_ca),
      text("gate_prefix", "TEXT", "of the gate's keys: two installations on one Redis differ in it",
           &Settings::gate_prefix),
      timed("gate_bypass_ms_max", "without an answer from the gate by then, claims go on without it",
            &Settings::gate_bypass_ms_max, 1, 10'000),
      address("listen", "where users ask; an issuer, which they do not ask, has none", &Settings::listen),
      address("admin_listen", "where operators ask; without a token on loopback only", &Settings::admin_listen),
      secret_file("admin_token_file", "file with the operators' bearer token", &Settings::admin_token),
      secret("admin_token", "the operators' bearer token itself (environment only)", &Settings::admin_token),
      one_of(
          "identity", "header:NAME", "where the user's name comes from; default header:X-User, on loopback only",
          [](Settings& settings, std::string_view given) -> Result<void> {
            constexpr std::string_view prefix = "header:";
            if (!given.starts_with(prefix) || given.size() == prefix.size() ||
                given.find_first_of(" \t\":\r\n", prefix.size()) != std::string_view::npos) {
              return fail(FaultKind::misconfigured,
                          "\"" + std::string(given) + "\" is no identity: write header:X-User");
            }
            settings.identity = given;
            return {};
          },
          [](const Settings& settings) { return settings.identity; }),
      one_of(
          "identity_trusted", "NETWORK,...", "who may set that header: addresses and networks of your proxies",
          [](Settings& settings, std::string_view given) -> Result<void> {
            std::vector<std::string> networks;
            for (const auto network : split(given, ',')) {
              if (auto parsed = Network::parse(network); !parsed) return fail(parsed.error());
              networks.emplace_back(network);
            }
            settings.identity_trusted = std::move(networks);
            return {};
          },
          [](const Settings& settings) { return fmt::format("{}", fmt::join(settings.identity_trusted, ",")); }),
      counted<std::size_t>("loops", "threads that serve HTTP; 0: one per core", &Settings::loops, 0, 256),
      one_of(
          "log", "text|json", "form of the log on stderr",
          [](Settings& settings, std::string_view given) -> Result<void> {
            if (given != "text" && given != "json") return fail(FaultKind::misconfigured, "log is text or json");
            settings.log_form = given == "json" ? log::Form::json : log::Form::text;
            return {};
          },
          [](const Settings& settings) { return settings.log_form == log::Form::json ? "json"s : "text"s; }),
      counted<double>("issue_rate", "coupons per second into the store, of a campaign that names no rate; 0: unlimited",
                      &Settings::issue_rate, 0, 1e7),
      counted<double>("issue_rate_total", "coupons per second into the store, of all campaigns; 0: unlimited",
                      &Settings::issue_rate_total, 0, 1e7),
      counted<std::size_t>("parked_max", "a campaign with more parked coupons stops issuing", &Settings::parked_max, 0,
                           50),
      counted<std::uint32_t>("quota_max", "largest quota of a campaign", &Settings::quota_max, 1, quota_limit),
      counted<std::uint32_t>("places_max", "all quotas together: about 100 bytes of memory each", &Settings::places_max,
                             1, 4 * quota_limit),
      counted<std::uint32_t>("campaigns_max", "number of campaigns, closed ones too", &Settings::campaigns_max, 1,
                             limits::campaigns_limit),
      timed("wait_ms_max", "a claim waits this long, then it is told to ask again", &Settings::wait_ms_max, 1, 60'000),
      timed("in_flight_ms_max", "a ticket without a fate is forgotten after this", &Settings::in_flight_ms_max, 2,
            600'000),
      timed("stale_ms_max", "without news from the journal for longer, claims get 503", &Settings::stale_ms_max, 1000,
            600'000),
      counted<std::size_t>("in_flight_max", "tickets in the journal's hands, per campaign", &Settings::in_flight_max, 1,
                           limits::append_entries_max),
      counted<std::size_t>("waiting_claims_max", "claims that wait; beyond: pending at once",
                           &Settings::waiting_claims_max, 1, million),
      counted<std::size_t>("header_bytes_max", "request line and header; beyond: 431", &Settings::header_bytes_max,
                           limits::target_bytes_max + 1, million),
      counted<std::size_t>("body_bytes_max", "request body; beyond: 413", &Settings::body_bytes_max, 1024,
                           16 * million),
      counted<std::size_t>("connections_max", "open connections; beyond: closed at once", &Settings::connections_max, 1,
                           million),
      timed("header_ms_max", "a request must have come in whole by then: 408", &Settings::header_ms_max, 100, hour),
      timed("idle_ms_max", "a connection without a request is closed", &Settings::idle_ms_max, 100, hour),
      timed("write_ms_max", "a client that does not read is cut", &Settings::write_ms_max, 100, hour),
      timed("drain_ms_max", "after SIGTERM: what is in flight may take this long", &Settings::drain_ms_max, 0, hour),
  };
  return all;
}

/// Processes can share a campaign only by a journal and a store that all reach; an api needs no store.
Result<void> check_topology(const Settings& settings) {
  const bool has_store = settings.store != "sqlite";
  const auto needs = [](std::string_view what, std::string_view needed) {
    return fail(FaultKind::misconfigured, fmt::format("{} needs {}", what, needed));
  };
  constexpr std::string_view shared_journal = "a journal that processes share: --journal kafka://HOST:PORT,.../TOPIC";
  if (!settings.is_distributed()) {
    if (settings.role != "all") return needs("role " + settings.role, shared_journal);
    if (settings.gate != "none") return needs("a gate", shared_journal);
    if (has_store) return needs("the store " + settings.store, shared_journal);
    return {};
  }
  if (settings.issues() && !has_store) {
    return needs("role " + settings.role + " with that journal",
                 "a store that processes share: --store mysql://USER@HOST:PORT/DATABASE");
  }
  return {};
}

}  // namespace

const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> all = make_settings();
  return all;
}

std::string Setting::flag() const {
  std::string flag = "--" + std::string(name);
  for (char& c : flag) c = c == '_' ? '-' : c;
  return flag;
}

std::string Setting::environment() const {
  std::string variable = "FIRSTCOME_" + std::string(name);
  for (char& c : variable) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

std::size_t Settings::loop_count() const {
  return loops > 0 ? loops : std::max(1U, std::thread::hardware_concurrency());
}

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

bool Address::is_loopback() const { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<Address> parse_address(std::string_view text) {
  const auto no = [&] {
    return fail(FaultKind::misconfigured,
                "\"" + std::string(text) + "\" is no address: write 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return no();
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return no();
  }
  const auto port = number<std::uint16_t>(text.substr(colon + 1), 0, 65535);
  if (!port || (host != "localhost" && !Network::parse(host)) || host.find('/') != std::string_view::npos) return no();
  return Address{std::string(host), *port};
}

Result<ServerUrl> parse_server_url(std::string_view text, std::span<const std::string_view> schemes,
                                   std::string_view form) {
  // The text is not repeated: there may be a password in it.
  const auto no = [&](std::string_view what) {
    return fail(FaultKind::misconfigured, fmt::format("{}: write {}", what, form));
  };
  ServerUrl url;
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return no("this is no URL");
  url.scheme = text.substr(0, colon);
  if (std::ranges::find(schemes, url.scheme) == schemes.end()) return no("\"" + url.scheme + "\" is not known here");
  auto rest = text.substr(colon + 3);
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    url.path = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
    // Perhaps what follows a slash in a password.
    if (url.path.find_first_of("@?") != std::string::npos) return no("a URL's path has no @ and no ?");
  }
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    url.user = rest.substr(0, at);
    rest = rest.substr(at + 1);
    if (url.user.find(':') != std::string::npos) {
      return no("a password does not belong into a URL, but into a file or the environment");
    }
  }
  for (const auto host : split(rest, ',')) {
    const auto port = host.rfind(':');
    if (port == std::string_view::npos || port == 0 || !number<std::uint16_t>(host.substr(port + 1), 1, 65535)) {
      return no(fmt::format("\"{}\" has no port", host));
    }
    url.hosts.emplace_back(host);
  }
  return url;
}

Result<ServerUrl> parse_journal_url(const Settings& settings) {
  return parse_server_url(settings.journal, kafka_schemes, "--journal kafka://HOST:PORT,.../TOPIC");
}
Result<ServerUrl> parse_store_url(const Settings& settings) {
  return parse_server_url(settings.store, mysql_schemes, "--store mysql://USER@HOST:PORT/DATABASE");
}
Result<ServerUrl> parse_gate_url(const Settings& settings) {
  return parse_server_url(settings.gate, redis_schemes, "redis://[USER@]HOST:PORT");
}

Result<void> check_settings(const Settings& settings) {
  if (auto fits = check_topology(settings); !fits) return fits;
  if (settings.identity.empty() && !settings.listen.is_loopback()) {
    return fail(FaultKind::misconfigured,
                "on " + settings.listen.text() +
                    " anybody could claim to be anybody: say where the user's name comes from "
                    "(--identity header:X-User, set by your proxy, and --identity-trusted ITS-ADDRESS)");
  }
  if (settings.admin_token.empty() && !settings.admin_listen.is_loopback()) {
    return fail(FaultKind::misconfigured, "the admin listener on " + settings.admin_listen.text() +
                                              " needs a token: --admin-token-file FILE, or FIRSTCOME_ADMIN_TOKEN");
  }
  if (settings.in_flight_ms_max <= settings.wait_ms_max) {
    return fail(FaultKind::misconfigured,
                "in_flight_ms_max must be larger than wait_ms_max: a claim that waits must find "
                "its ticket remembered");
  }
  return {};
}

}  // namespace firstcome
