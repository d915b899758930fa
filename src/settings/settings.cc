#include "settings/settings.h"

#include <fmt/format.h>

#include <algorithm>
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

Setting text(std::string_view name, std::string_view value, std::string_view help, std::string Settings::* member) {
  return {name, value, help,
          [=](Settings& settings, std::string_view given) -> Result<void> {
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
            if (given != "all") {
              return fail(
                  FaultKind::misconfigured,
                  "role \"" + std::string(given) +
                      "\" needs a journal and a store that processes share; the embedded form runs as role all");
            }
            settings.role = given;
            return {};
          },
          [](const Settings& settings) { return settings.role; }),
      address("listen", "where users ask", &Settings::listen),
      address("admin_listen", "where operators ask; without a token on loopback only", &Settings::admin_listen),
      text("admin_token_file", "FILE", "file with the operators' bearer token", &Settings::admin_token_file),
      text("admin_token", "TOKEN", "the operators' bearer token itself (environment only)", &Settings::admin_token),
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
            for (std::size_t at = 0; at <= given.size();) {
              const auto comma = std::min(given.find(',', at), given.size());
              const auto network = given.substr(at, comma - at);
              if (auto parsed = Network::parse(network); !parsed) return fail(parsed.error());
              networks.emplace_back(network);
              at = comma + 1;
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
  for (auto& setting : all) setting.secret = setting.name == "admin_token";
  return all;
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

Result<void> check_settings(const Settings& settings) {
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
