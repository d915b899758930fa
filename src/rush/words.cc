#include "rush/words.h"

#include <fmt/format.h>

namespace firstcome::rush {

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string spoken_us(std::int64_t us) {
  const auto three_digits = [](double value, const char* unit) {
    return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, unit);
  };
  if (us < 1'000) return fmt::format("{} µs", us);
  if (us < 999'500) return three_digits(static_cast<double>(us) / 1e3, "ms");
  return three_digits(static_cast<double>(us) / 1e6, "s");
}

std::string spoken(const Counts& counts) {
  std::string text;
  for (const auto told : all_told) {
    if (of(counts, told) == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", to_string(told), grouped(of(counts, told)));
  }
  return text.empty() ? "nothing" : text;
}

std::string spoken(Ending ending) {
  switch (ending) {
    case Ending::all_answered:
      return "nobody asks any more";
    case Ending::time_over:
      return "the time was over (--seconds-max)";
    case Ending::stopped:
      return "it was stopped";
    case Ending::unreachable:
      return "no server could be reached any more";
  }
  return "unknown";
}

}  // namespace firstcome::rush
