#include "rush/rush.h"

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "cli/api.h"
#include "rush/progress.h"
#include "rush/report.h"

namespace firstcome::cli {
namespace {

std::atomic<bool> interrupted{false};

Result<rush::Options> options_of(const Words& words) {
  rush::Options options;
  options.campaign = words.get_or("CAMPAIGN", "");
  if (!words.all("--url").empty())
    options.urls = words.all("--url");
  else if (const char* const url = std::getenv("FIRSTCOME_URL"))
    options.urls = {url};
  options.host_is_mine = words.has("--host-is-mine");
  options.user_prefix = words.get_or("--user-prefix", options.user_prefix);
  options.identity_header = words.get_or("--header", options.identity_header);
  options.history_path = words.get_or("--history", "");
  std::error_code none;
  if (std::filesystem::is_regular_file(options.history_path, none) &&
      std::filesystem::file_size(options.history_path, none) > 0) {
    return fail(FaultKind::misconfigured, "--history " + options.history_path +
                                              " holds a history already, which verify needs: name another file");
  }
  options.persist = words.has("--persist");
  const std::string arrival = words.get_or("--arrival", words.has("--rate") ? "poisson" : "step");
  if (arrival == "step")
    options.arrival = rush::Arrival::step;
  else if (arrival == "ramp")
    options.arrival = rush::Arrival::ramp;
  else if (arrival == "poisson")
    options.arrival = rush::Arrival::poisson;
  else
    return fail(FaultKind::misconfigured, "--arrival is step, ramp or poisson");

  const auto users = words.count("--users", options.users, 1, rush::users_max);
  const auto first = words.count("--user-first", options.user_first, 1);
  const auto connections = words.count("--connections", options.connections, 1, rush::connections_max);
  const auto attempts = words.count("--attempts-max", options.attempts_max, 1, 65535);
  const auto seed = words.count("--seed", options.seed);
  const auto answer_ms = words.count("--answer-ms-max", static_cast<std::uint64_t>(options.answer_ms_max.count()), 1);
  const auto retry_ms =
      words.count("--retry-after-ms-max", static_cast<std::uint64_t>(options.retry_after_ms_max.count()), 0);
  for (const auto* const one : {&users, &first, &connections, &attempts, &seed, &answer_ms, &retry_ms}) {
    if (!*one) return fail(one->error());
  }
  const auto rate = words.number("--rate", options.rate, 0.001, 1e7);
  const auto repeat = words.number("--repeat", options.repeat, 0, 1);
  const auto ramp = words.number("--ramp-seconds", options.ramp_seconds, 0.001, 86400);
  const auto seconds = words.number("--seconds-max", options.seconds_max, 0.001, 86400);
  for (const auto* const one : {&rate, &repeat, &ramp, &seconds}) {
    if (!*one) return fail(one->error());
  }
  options.users = static_cast<std::uint32_t>(*users);
  options.user_first = static_cast<std::uint32_t>(*first);
  options.connections = static_cast<std::uint32_t>(*connections);
  options.attempts_max = static_cast<std::uint32_t>(*attempts);
  options.seed = *seed;
  options.answer_ms_max = Millis(static_cast<Millis::rep>(*answer_ms));
  options.retry_after_ms_max = Millis(static_cast<Millis::rep>(*retry_ms));
  if (words.has("--rate")) options.rate = *rate;
  options.repeat = *repeat;
  options.ramp_seconds = *ramp;
  options.seconds_max = *seconds;
  return options;
}

int run_rush(const Words& words) {
  auto options = options_of(words);
  if (!options) return complain(options.error());
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  options->stop = &interrupted;
  const auto report = rush::run(*options, rush::show_progress(stderr));
  if (!report) return complain(report.error());
  std::printf("%s",
              words.has("--json") ? (rush::render_json(*report) + "\n").c_str() : rush::render_text(*report).c_str());
  if (!report->kept()) return exit_broken;
  if (report->ending == rush::Ending::unreachable) return exit_unreachable;
  return report->users_without_final > 0 ? exit_failed : exit_fine;
}

}  // namespace

std::vector<Command> rush_commands() {
  return {{"rush",
           "an open-loop rush of distinct users who ask until they have a final answer; exit 4 when a promise is seen "
           "broken",
           {{"CAMPAIGN", "", "the campaign's id", true},
            {"--users", "N", "distinct users (10000)"},
            {"--rate", "R", "claims per second that arrive; left out: all at once"},
            {"--arrival", "step|ramp|poisson", "how they arrive (step; with --rate poisson)"},
            {"--ramp-seconds", "S", "a ramp reaches its rate after so long (10)"},
            {"--repeat", "F", "this fraction of the users asks twice, on another connection (0)"},
            {"--connections", "C", "kept-alive connections (64)"},
            {"--history", "FILE", "write down every attempt of every user, for verify"},
            {"--user-prefix", "TEXT", "users are TEXT1, TEXT2, ... (u)"},
            {"--user-first", "N", "the first user's number (1)"},
            {"--header", "NAME", "the field that carries the user's name (X-User)"},
            {"--seconds-max", "S", "end it then (600)"},
            {"--attempts-max", "N", "a user gives up after so many attempts (50)"},
            {"--answer-ms-max", "MS", "an answer that takes longer is cut, and asked for again (10000)"},
            {"--retry-after-ms-max", "MS", "a longer Retry-After is cut down to this (30000)"},
            {"--persist", "", "keep asking while the server is down"},
            {"--seed", "N", "of arrivals, repeats and jitter (1)"},
            {"--url", "URL", "the server; several spread the connections (FIRSTCOME_URL, http://127.0.0.1:8080)", false,
             true},
            {"--host-is-mine", "", "rush a host that is not loopback: only your own"},
            {"--json", "", "print JSON"}},
           run_rush}};
}

}  // namespace firstcome::cli
