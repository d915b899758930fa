#include "base/failpoint.h"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace firstcome {
namespace {

struct Failpoint {
  std::string name;
  std::int64_t count = 0;
};

const Failpoint& chosen() {
  static const Failpoint made = [] {
    const char* text = std::getenv("FIRSTCOME_FAILPOINT");
    if (text == nullptr) return Failpoint{};
    const std::string_view words(text);
    const auto colon = words.rfind(':');
    if (colon == std::string_view::npos) return Failpoint{std::string(words), 1};
    return Failpoint{std::string(words.substr(0, colon)), std::atoll(text + colon + 1)};
  }();
  return made;
}

}  // namespace

bool failpoint_is_set() { return !chosen().name.empty(); }

bool failpoint_strikes(std::string_view name) {
  static std::atomic<std::int64_t> reached{0};
  return failpoint_is_set() && name == chosen().name && ++reached == chosen().count;
}

void reach_failpoint(std::string_view name) {
  if (failpoint_strikes(name)) std::raise(SIGKILL);
}

}  // namespace firstcome
