#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firstcome {

/// What a call of the gate's server is about. upkeep: what the gate needs for itself.
enum class GateCall : std::uint8_t { admit, widen, forget, upkeep };
inline constexpr std::array<std::string_view, 4> gate_call_names{"admit", "widen", "forget", "upkeep"};

/// For metrics. Gates of several loops are added up.
struct GateStats {
  static constexpr std::array<std::size_t, 7> batch_upto{1, 2, 4, 8, 16, 32, 64};
  static constexpr std::array<double, 8> seconds_upto{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05};

  struct Calls {
    std::uint64_t sent = 0;
    std::uint64_t failed = 0;    ///< refused, or without an answer
    std::uint64_t answered = 0;  ///< refusals too
    double seconds = 0;          ///< from sending to the answer, sum of those that were answered
  };

  bool is_away = true;                        ///< of several: all
  std::size_t waiting = 0;                    ///< asks
  std::size_t links = 0;                      ///< to its servers, greeted
  std::uint64_t connects = 0;                 ///< links that were made
  std::uint64_t calls = 0;                    ///< batches sent
  std::uint64_t asked = 0;                    ///< users in them
  std::uint64_t in = 0, again = 0, full = 0;  ///< what they were told
  std::uint64_t bypasses = 0;   ///< asks that were not taken, or told as failed: their claims go on without the gate
  std::uint64_t faults = 0;     ///< times that a server of the gate went away or refused
  std::uint64_t redirects = 0;  ///< calls that another server of a cluster had to answer
  std::array<Calls, gate_call_names.size()> by_call{};
  std::array<std::uint64_t, batch_upto.size()> batches{};              ///< by users; not cumulative
  std::array<std::uint64_t, seconds_upto.size() + 1> admit_seconds{};  ///< calls; the last: longer than all of these

  GateStats& operator+=(const GateStats& other) {
    is_away = is_away && other.is_away;
    waiting += other.waiting;
    links += other.links;
    connects += other.connects;
    calls += other.calls;
    asked += other.asked;
    in += other.in;
    again += other.again;
    full += other.full;
    bypasses += other.bypasses;
    faults += other.faults;
    redirects += other.redirects;
    for (std::size_t i = 0; i < by_call.size(); ++i) {
      by_call[i].sent += other.by_call[i].sent;
      by_call[i].failed += other.by_call[i].failed;
      by_call[i].answered += other.by_call[i].answered;
      by_call[i].seconds += other.by_call[i].seconds;
    }
    for (std::size_t i = 0; i < batches.size(); ++i) batches[i] += other.batches[i];
    for (std::size_t i = 0; i < admit_seconds.size(); ++i) admit_seconds[i] += other.admit_seconds[i];
    return *this;
  }
};

}  // namespace firstcome
