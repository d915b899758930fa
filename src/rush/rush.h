#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "rush/arrival.h"
#include "rush/histogram.h"
#include "rush/told.h"

/// An open-loop rush on a real server: distinct users, some of them twice, who ask until they have a final answer.
namespace firstcome::rush {

/// The defaults are what `firstcome rush CAMPAIGN` does.
struct Options {
  std::string campaign;
  std::vector<std::string> urls{"http://127.0.0.1:8080"};  ///< several apis share the connections evenly
  bool host_is_mine = false;                               ///< without it only loopback is rushed

  // Who comes, and when.
  std::uint32_t users = 10'000;
  std::string user_prefix = "u";  ///< users are u1, u2, ...
  std::uint32_t user_first = 1;   ///< so that two rushes can be different people
  double repeat = 0;              ///< this fraction of the users asks a second time, on another connection
  Arrival arrival = Arrival::step;
  double rate = 0;  ///< claims per second that arrive; 0 means all at once
  double ramp_seconds = 10;
  std::uint64_t seed = 1;  ///< of arrivals, repeats and jitter

  // How they ask.
  std::string identity_header = "X-User";
  std::uint32_t connections = 64;
  Millis answer_ms_max{10'000};       ///< no whole answer by then: cut, and asked again
  Millis retry_after_ms_max{30'000};  ///< a longer Retry-After is cut down to this
  std::uint32_t attempts_max = 50;    ///< of one user at one screen; then without a final answer
  Millis unreachable_ms_max{10'000};  ///< no connection for so long ends the rush
  Millis behind_ms_max{5'000};        ///< at the end a server may be so far behind a raise that another one has shown
  double seconds_max = 600;
  /// Users keep asking until they have a final answer or seconds_max is over, whatever the server does: attempts_max
  /// and unreachable_ms_max do not count, and a server that is not there yet is waited for.
  bool persist = false;

  // What is written down.
  std::string history_path;  ///< every attempt of every user; empty for none
  bool ask_campaign = true;  ///< its quota, before and after; off for servers that have no campaigns
  Millis progress_every{200};
  const std::atomic<bool>* stop = nullptr;  ///< true ends the rush early, with its report
};

inline constexpr std::uint32_t users_max = 20'000'000;  // 60 bytes each
inline constexpr std::uint32_t connections_max = 20'000;

/// By Told.
using Counts = std::array<std::uint64_t, tolds>;
inline std::uint64_t& of(Counts& counts, Told told) { return counts[static_cast<std::size_t>(told)]; }
inline std::uint64_t of(const Counts& counts, Told told) { return counts[static_cast<std::size_t>(told)]; }

/// While it runs.
struct Progress {
  double seconds = 0;
  std::uint32_t arrivals = 0;  ///< in all: users and their repeats
  std::uint32_t arrived = 0;
  std::uint32_t ended = 0;  ///< have a final answer, or have given up
  std::uint32_t in_flight = 0;
  std::uint32_t connections = 0;
  Counts attempts{};
  std::uint64_t broken = 0;
  bool over = false;  ///< the last call
};
using OnProgress = std::function<void(const Progress&)>;

/// Why a rush ended.
enum class Ending : std::uint8_t { all_answered, time_over, stopped, unreachable };

struct Report {
  std::string campaign;
  std::vector<std::string> urls;
  Ending ending = Ending::all_answered;

  std::uint32_t users = 0;
  Counts users_told{};  ///< the final answer of each user, or else the last one; `cut` if there was none
  std::uint32_t users_without_final = 0;
  std::uint32_t users_never_asked = 0;  ///< the rush ended before their time

  std::uint64_t attempts = 0;
  Counts attempts_told{};
  std::uint64_t first_attempts = 0;  ///< users and repeats that have asked
  std::uint64_t repeats = 0;         ///< of these, second screens of the same user
  std::uint64_t retries = 0;

  std::uint32_t connections = 0;  ///< wanted
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t overdue = 0;    ///< attempts cut by us after answer_ms_max
  std::uint64_t malformed = 0;  ///< answers that are not as docs/api.md says
  std::string malformed_sample;

  double seconds = 0;      ///< from the start to the last answer
  double cpu_seconds = 0;  ///< of this process: near `seconds` means that the rush itself was the limit
  Histogram latency;       ///< µs of an attempt, from its intended time to its answer, or until it was cut
  Histogram queued;        ///< µs of an attempt, from its intended time until one of our connections was free for it
  Histogram service;       ///< µs of an attempt, from its first byte out to its last byte in, or until it was cut
  Histogram waited;        ///< µs until a final answer, from the intended time of the first attempt

  std::optional<std::uint32_t> quota;  ///< as the server told last
  std::uint32_t winners = 0;
  std::uint32_t rank_max = 0;
  std::uint64_t broken = 0;            ///< promises
  std::vector<std::string> sentences;  ///< of the first broken ones

  double attempts_per_second() const { return seconds > 0 ? static_cast<double>(attempts) / seconds : 0; }
  bool kept() const { return broken == 0; }
  /// Users waited for a connection of the rush longer than for the server, and long enough for a person to notice; and
  /// the server kept the others waiting: one that answers at once is not relieved by more connections.
  bool connections_were_the_limit() const {
    return queued.mean() > service.mean() && queued.quantile(0.99) >= 1'000'000 && service.mean() >= 50'000;
  }
};

/// Runs on the calling thread until everybody has a final answer, the time is over or it is stopped.
///
///   Fails   misconfigured: an option, a campaign that is not there, a target that is not loopback.
///           unavailable: nothing listens there (not with `persist`), or the history cannot be written.
Result<Report> run(const Options& options, const OnProgress& on_progress = {});

}  // namespace firstcome::rush
