#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace firstcome {

using Millis = std::chrono::milliseconds;

/// Wall-clock time, UTC, in milliseconds: stamps and windows. May jump; never used to measure a wait.
using Time = std::chrono::sys_time<Millis>;

/// Time since some start, in milliseconds; never goes back: deadlines and waits.
using Uptime = Millis;

/// Where time comes from. The simulator owns one, so nothing else may ask the system for the time.
///
///   Threads   any.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() = 0;
  virtual Uptime uptime() = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() override;
  Uptime uptime() override;
};

/// RFC 3339 in UTC with milliseconds: 2026-11-24T09:00:00.000Z.
std::string to_rfc3339(Time time);

/// RFC 3339 with any offset ("2026-11-24T18:00:00+09:00"). Fails with misconfigured and a sentence that shows the form.
Result<Time> parse_rfc3339(std::string_view text);

}  // namespace firstcome
