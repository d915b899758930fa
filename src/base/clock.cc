#include "base/clock.h"

#include <date/date.h>

#include <sstream>

namespace firstcome {

Time SystemClock::now() { return std::chrono::floor<Millis>(std::chrono::system_clock::now()); }

Uptime SystemClock::uptime() { return std::chrono::floor<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }

std::string to_rfc3339(Time time) { return date::format("%FT%TZ", time); }

Result<Time> parse_rfc3339(std::string_view text) {
  // %Ez wants an offset in digits; "Z" is RFC 3339's name for +00:00. %T takes fractions of a second.
  std::string form(text);
  if (!form.empty() && (form.back() == 'Z' || form.back() == 'z')) form.replace(form.size() - 1, 1, "+00:00");
  std::istringstream in(form);
  std::chrono::sys_time<std::chrono::nanoseconds> time;  // finer than ours, so that any number of digits is read
  in >> date::parse("%FT%T%Ez", time);
  const bool whole = !in.fail() && (in.peek(), in.eof());
  if (!whole || form.size() < 25 || form[form.size() - 3] != ':')
    return fail(
        FaultKind::misconfigured,
        "\"" + std::string(text) + "\" is no time: write it as 2026-11-24T09:00:00Z or 2026-11-24T18:00:00+09:00");
  return std::chrono::floor<Millis>(time);
}

}  // namespace firstcome
