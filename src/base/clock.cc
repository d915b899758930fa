#include "base/clock.h"

#include <date/date.h>
#include <fmt/format.h>

#include <sstream>

namespace firstcome {

Time SystemClock::now() { return std::chrono::floor<Millis>(std::chrono::system_clock::now()); }

Uptime SystemClock::uptime() { return std::chrono::floor<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }

// Without a stream: every winner is told a time, and date::format takes ten times as long.
std::string to_rfc3339(Time time) {
  const auto midnight = std::chrono::floor<date::days>(time);
  const date::year_month_day day(midnight);
  const date::hh_mm_ss<Millis> clock(time - midnight);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<Time> parse_rfc3339(std::string_view text) {
  // %Ez wants an offset in digits; "Z" is RFC 3339's name for +00:00. %T takes fractions of a second.
  std::string form(text);
  if (!form.empty() && (form.back() == 'Z' || form.back() == 'z')) form.replace(form.size() - 1, 1, "+00:00");
  // Nanoseconds since 1970 overflow in 2262.
  const bool in_range =
      form.size() > 4 && form[4] == '-' && form.compare(0, 4, "1970") >= 0 && form.compare(0, 4, "2200") < 0;
  std::istringstream in(in_range ? form : std::string());
  std::chrono::sys_time<std::chrono::nanoseconds> time;  // finer than ours, so that any number of digits is read
  in >> date::parse("%FT%T%Ez", time);
  const bool whole = !in.fail() && (in.peek(), in.eof());
  if (!whole || form.size() < 25 || form[form.size() - 3] != ':')
    return fail(FaultKind::misconfigured,
                "\"" + std::string(text) +
                    "\" is no time from 1970 to 2199: write it as 2026-11-24T09:00:00Z or 2026-11-24T18:00:00+09:00");
  return std::chrono::floor<Millis>(time);
}

}  // namespace firstcome
