#pragma once

#include <string_view>

namespace firstcome {

/// Where the torture test has the process killed: FIRSTCOME_FAILPOINT=name:count in the environment raises SIGKILL when
/// the point of that name is reached for the count-th time. Costs one look at a constant when it is not set.
///
///   Threads   any.
bool failpoint_is_set();
void reach_failpoint(std::string_view name);

/// The same, for a point where something else is broken than the process: true when it is reached for the count-th
/// time.
bool failpoint_strikes(std::string_view name);

inline void failpoint(std::string_view name) {
  static const bool set = failpoint_is_set();
  if (set) reach_failpoint(name);
}

}  // namespace firstcome
