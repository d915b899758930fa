// Preloaded into one process, whose clock is then CLOCK_AHEAD_S seconds ahead. Only what the process asks for itself:
// waits until a time of day keep the clock of the system, since who sets a clock sets it for both.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static const long ahead_s = [] {
    const char* text = std::getenv("CLOCK_AHEAD_S");
    return text ? std::atol(text) : 0;
  }();
  const auto failed = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  if (failed == 0 && clock == CLOCK_REALTIME) now->tv_sec += ahead_s;
  return failed;
}
