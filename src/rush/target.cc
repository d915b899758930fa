#include "rush/target.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/names.h"
#include "rush/users.h"

namespace firstcome::rush {
namespace {

constexpr Millis ask_wait_max{5'000};

std::unexpected<Fault> wrong(std::string what) { return fail(FaultKind::misconfigured, std::move(what)); }

bool is_header_name(std::string_view text) {
  const auto fits = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-';
  };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, fits);
}

bool is_between(double value, double least, double most) {
  return std::isfinite(value) && value >= least && value <= most;
}

/// Each connection is an open file; the limit that we are given is often only a default that may be raised.
Result<void> make_room_for(std::uint32_t connections) {
  const rlim_t wanted = rlim_t{connections} + 64;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return {};
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (limit.rlim_cur < wanted || setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return wrong(std::to_string(connections) + " connections need " + std::to_string(wanted) +
                 " open files, and this process may have " + std::to_string(limit.rlim_max) +
                 ": raise it (ulimit -n) or lower --connections");
  return {};
}

}  // namespace

Result<void> check(const Options& options) {
  if (!is_campaign_id(options.campaign))
    return wrong("\"" + options.campaign + "\" is no campaign id: [a-z0-9-], 1 to 63");
  if (options.urls.empty() || options.urls.size() > 64) return wrong("--url: 1 to 64 servers can be rushed at once");
  if (options.users < 1 || options.users > users_max) return wrong("--users: 1 to " + std::to_string(users_max));
  if (options.user_first > UINT32_MAX - options.users) return wrong("--user-first: user numbers end at 4294967295");
  const Users users{options.user_prefix, options.user_first, options.users};
  if (!is_user(users.name(options.users - 1)))
    return wrong("--user-prefix: \"" + users.name(options.users - 1) +
                 "\" is no user: 1 to 64 bytes of printable ASCII without space");
  if (!is_between(options.repeat, 0, 1)) return wrong("--repeat: a fraction from 0 to 1");
  if (!is_between(options.rate, 0, 10e6)) return wrong("--rate: claims per second, up to 10000000; 0 for all at once");
  if (!is_between(options.ramp_seconds, 0, 86'400)) return wrong("--ramp-seconds: seconds, up to 86400");
  if (options.arrival != Arrival::step && options.rate == 0)
    return wrong("--arrival " + std::string(to_string(options.arrival)) + " needs a --rate");
  if (!is_between(options.seconds_max, 0.001, 604'800)) return wrong("--seconds-max: up to a week");
  if (options.connections < 1 || options.connections > connections_max)
    return wrong("--connections: 1 to " + std::to_string(connections_max));
  if (options.attempts_max < 1 || options.attempts_max > UINT16_MAX) return wrong("--attempts-max: 1 to 65535");
  if (!is_header_name(options.identity_header))
    return wrong("--header: \"" + options.identity_header + "\" is no header name");
  if (options.answer_ms_max < Millis(1) || options.progress_every < Millis(1))
    return wrong("a time of 0 ms cannot be kept");
  return make_room_for(options.connections);
}

Result<Target> Target::find(const Options& options) {
  Target target;
  target.campaign_ = options.campaign;
  for (const auto& text : options.urls) {
    auto url = client::Url::parse(text);
    if (!url) return fail(std::move(url.error()));
    auto addresses = client::resolve(*url);
    if (!addresses) return fail(std::move(addresses.error()));
    const auto far = std::ranges::find_if_not(*addresses, &client::Address::is_loopback);
    if (far != addresses->end() && !options.host_is_mine)
      return wrong(
          url->authority() + " (" + far->text() +
          ") is not this machine, and a rush floods what it is aimed at: add --host-is-mine if the host is yours");
    target.heads_.push_back("POST " + url->with("/v1/campaigns/" + options.campaign + "/claims").target +
                            " HTTP/1.1\r\nHost: " + url->authority() + "\r\n" + options.identity_header + ": ");
    target.urls_.push_back(std::move(*url));
    target.addresses_.push_back(std::move(*addresses));
  }
  return target;
}

Result<std::optional<std::uint32_t>> Target::ask_quota() {
  std::optional<std::uint32_t> largest;
  std::optional<Fault> fault;
  std::size_t answers = 0;
  for (const auto& url : urls_) {
    const auto asked = url.with("/v1/campaigns/" + campaign_);
    const auto response = client_.request("GET", asked.text(), {}, {}, ask_wait_max);
    if (!response) {
      fault = response.error();
      continue;
    }
    ++answers;
    if (response->status == 404)
      return wrong("there is no campaign " + campaign_ + " at " + url.text() +
                   ": make it with `firstcome campaign create " + campaign_ + " --quota N`");
    const auto json = nlohmann::json::parse(response->body, nullptr, false);
    if (response->status != 200 || !json.is_object()) continue;
    const auto quota = json.value("quota", nlohmann::json());
    if (quota.is_number_unsigned() && quota.get<std::uint64_t>() <= UINT32_MAX)
      largest = std::max(largest.value_or(0), quota.get<std::uint32_t>());
  }
  if (answers == 0 && fault) return fail(std::move(*fault));
  return largest;
}

}  // namespace firstcome::rush
