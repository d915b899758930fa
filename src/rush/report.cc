#include "rush/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/noun.h"
#include "rush/words.h"

namespace firstcome::rush {
namespace {

using Json = nlohmann::ordered_json;

std::string times(std::string_view name, const Histogram& histogram) {
  if (histogram.count() == 0) return fmt::format("  {:<10} none\n", name);
  return fmt::format("  {:<10} p50 {:>8}   p99 {:>8}   p999 {:>8}   max {:>8}\n", name,
                     spoken_us(histogram.quantile(0.5)), spoken_us(histogram.quantile(0.99)),
                     spoken_us(histogram.quantile(0.999)), spoken_us(histogram.max()));
}

/// A bar for each octave, from the first that is not empty to the last.
std::string drawn(const Histogram& histogram) {
  constexpr std::uint64_t width = 50;
  struct Octave {
    std::int64_t to;
    std::uint64_t count;
  };
  std::vector<Octave> octaves;
  std::uint64_t largest = 1;
  for (std::int64_t from = 0, to = 64; from <= histogram.max() && from < Histogram::value_max; from = to, to *= 2) {
    const auto count = histogram.between(from, to);
    if (count == 0 && octaves.empty()) continue;
    octaves.push_back({to, count});
    largest = std::max(largest, count);
  }
  std::string text;
  for (const auto& octave : octaves) {
    const auto length = (octave.count * width + largest - 1) / largest;  // what is not zero is seen
    text += fmt::format("  < {:>7} {:>12}{}", spoken_us(octave.to), grouped(octave.count), length > 0 ? "  " : "");
    for (std::uint64_t i = 0; i < length; ++i) text += "▇";
    text += '\n';
  }
  return text;
}

Json in_json(const Counts& counts) {
  Json json = Json::object();
  for (const auto told : all_told) json[std::string(to_string(told))] = of(counts, told);
  return json;
}

Json in_json(const Histogram& histogram) {
  return {{"count", histogram.count()},        {"min", histogram.min()},         {"mean", histogram.mean()},
          {"p50", histogram.quantile(0.5)},    {"p90", histogram.quantile(0.9)}, {"p99", histogram.quantile(0.99)},
          {"p999", histogram.quantile(0.999)}, {"max", histogram.max()}};
}

std::string_view name_of(Ending ending) {
  constexpr std::array<std::string_view, 4> names{"all_answered", "time_over", "stopped", "unreachable"};
  return names[static_cast<std::size_t>(ending)];
}

/// "1 user", "1,234 users"
std::string counted(std::uint64_t number, std::string one) {
  return grouped(number) + " " + noun(number, std::move(one));
}

}  // namespace

std::string render_text(const Report& report) {
  std::string text =
      fmt::format("rush on {}: {}, {}, {} s; {}\n", report.campaign, counted(report.users, "user"),
                  counted(report.repeats, "repeat"), fmt::format("{:.2f}", report.seconds), spoken(report.ending));
  text += fmt::format("  users      {}\n", spoken(report.users_told));
  if (report.users_without_final > 0 || report.users_never_asked > 0)
    text += fmt::format("             {} without a final answer, {} never asked\n", grouped(report.users_without_final),
                        grouped(report.users_never_asked));
  text += fmt::format("  attempts   {}: {}\n", grouped(report.attempts), spoken(report.attempts_told));
  text += fmt::format("             {}/s, {} {}, {} ({} too slow)\n",
                      grouped(static_cast<std::uint64_t>(report.attempts_per_second())), grouped(report.retries),
                      noun(report.retries, "retry", "retries"), counted(of(report.attempts_told, Told::cut), "cut"),
                      grouped(report.overdue));
  text += fmt::format("  network    {}, opened {}, refused {}; the rush used {:.2f} s of CPU\n",
                      counted(report.connections, "connection"), grouped(report.connections_opened),
                      grouped(report.connections_refused), report.cpu_seconds);
  text += times("latency", report.latency) + times("queued", report.queued) + times("service", report.service) +
          times("to final", report.waited);
  if (report.connections_were_the_limit()) {
    text += fmt::format(
        "             users waited longer for one of the rush's {} connections than for the server: "
        "--connections N\n",
        grouped(report.connections));
  }
  text += "  latency of an attempt, from the time it was meant for to its answer or its cut:\n" + drawn(report.latency);
  if (report.malformed > 0)
    text += fmt::format("  {} that must not be; the first: {}\n", counted(report.malformed, "answer"),
                        report.malformed_sample.empty() ? "no HTTP of ours" : report.malformed_sample);
  const auto quota = report.quota ? fmt::format("quota {}, ", grouped(*report.quota)) : std::string();
  if (report.kept()) {
    text += fmt::format("  promises   kept, as far as clients can see: {}{}, largest rank {}\n", quota,
                        counted(report.winners, "winner"), grouped(report.rank_max));
  } else {
    text += fmt::format("  promises   BROKEN {}: {}{}, largest rank {}\n", counted(report.broken, "time"), quota,
                        counted(report.winners, "winner"), grouped(report.rank_max));
    for (const auto& sentence : report.sentences) text += "             " + sentence + "\n";
  }
  return text;
}

std::string render_json(const Report& report) {
  Json json{{"campaign", report.campaign},
            {"urls", report.urls},
            {"ending", name_of(report.ending)},
            {"users", report.users},
            {"users_told", in_json(report.users_told)},
            {"users_without_final", report.users_without_final},
            {"users_never_asked", report.users_never_asked},
            {"attempts", report.attempts},
            {"attempts_told", in_json(report.attempts_told)},
            {"first_attempts", report.first_attempts},
            {"repeats", report.repeats},
            {"retries", report.retries},
            {"overdue", report.overdue},
            {"malformed", report.malformed},
            {"connections", report.connections},
            {"connections_opened", report.connections_opened},
            {"connections_refused", report.connections_refused},
            {"seconds", report.seconds},
            {"cpu_seconds", report.cpu_seconds},
            {"attempts_per_second", report.attempts_per_second()},
            {"latency_us", in_json(report.latency)},
            {"queued_us", in_json(report.queued)},
            {"connections_were_the_limit", report.connections_were_the_limit()},
            {"service_us", in_json(report.service)},
            {"until_final_us", in_json(report.waited)},
            {"quota", report.quota ? Json(*report.quota) : Json()},
            {"winners", report.winners},
            {"rank_max", report.rank_max},
            {"kept", report.kept()},
            {"broken", report.broken},
            {"broken_sentences", report.sentences}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace firstcome::rush
