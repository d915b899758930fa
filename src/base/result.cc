#include "base/result.h"

namespace firstcome {

std::string_view to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::unavailable:
      return "unavailable";
    case FaultKind::timed_out:
      return "timed_out";
    case FaultKind::overloaded:
      return "overloaded";
    case FaultKind::corrupt:
      return "corrupt";
    case FaultKind::misconfigured:
      return "misconfigured";
  }
  return "unknown";
}

}  // namespace firstcome
