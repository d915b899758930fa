// How many entries per CPU second the standings fold, chain included, and what they keep of a winner.
//   fold_bench [WINNERS [LOSERS]]
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "standings/standings.h"

namespace firstcome {
namespace {

double cpu_seconds() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

/// What the process has in memory. malloc's own free lists are given back first, so that only what is kept counts.
std::size_t resident_bytes() {
  malloc_trim(0);
  std::size_t pages = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * 4096;
}

Shown ticket(Position position, std::uint32_t user) {
  Code code{};
  for (int i = 0; i < 4; ++i) code[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(user >> (8 * i));
  return {.position = position,
          .stamp = Time(Millis(1'700'000'000'000 + static_cast<std::int64_t>(position / 100))),
          .entry = Ticket{.campaign = "lunch", .user = "u" + std::to_string(user), .code = code}};
}

constexpr Position first_ticket = 2;

/// CPU seconds for the tickets of the users from..end. They are made in pieces outside the clock: making them is the
/// journal's work, and it has its own bench.
double fold(Standings& standings, std::uint32_t from, std::uint32_t end) {
  constexpr std::uint32_t piece = 4096;  // the journal's largest batch
  double spent = 0;
  std::vector<Shown> entries;
  while (from < end) {
    entries.clear();
    for (; from < end && entries.size() < piece; ++from) entries.push_back(ticket(first_ticket + from, from));
    const double start = cpu_seconds();
    standings.apply(entries, [](const Effect&) {});
    spent += cpu_seconds() - start;
  }
  return spent;
}

void print(std::string_view what, std::uint32_t entries, double spent, std::size_t kept) {
  fmt::print("{:<8} {:>9} entries  {:>6.2f} M per CPU second  {:>4.0f} ns each  {:>5.1f} bytes kept of each user\n",
             what, entries, entries / spent / 1e6, spent / entries * 1e9, static_cast<double>(kept) / entries);
}

void run(std::uint32_t winners, std::uint32_t losers) {
  Standings standings;
  standings.apply({.position = 1, .stamp = {}, .entry = Opened{.campaign = "lunch", .name = {}, .quota = winners}});
  const std::size_t at_start = resident_bytes();
  const double spent_won = fold(standings, 0, winners);
  const std::size_t at_seal = resident_bytes();
  MUST(standings.find("lunch")->view().sealed, "every ticket of the first ones counts");
  const double spent_surplus = fold(standings, winners, winners + losers);
  const std::size_t at_end = resident_bytes();
  print("won", winners, spent_won, at_seal - at_start);
  print("surplus", losers, spent_surplus, std::max(at_end, at_seal) - at_seal);
}

}  // namespace
}  // namespace firstcome

int main(int count, char** words) {
  const auto number = [&](int at, std::uint32_t otherwise) {
    return count > at ? static_cast<std::uint32_t>(std::strtoul(words[at], nullptr, 10)) : otherwise;
  };
  firstcome::run(number(1, 1'000'000), number(2, 1'000'000));
}
