#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace firstcome {

/// Tells the log, once each, when this process falls out of step with the journal (then claims get 503), and when it is
/// in step again.
class SilenceLog {
 public:
  explicit SilenceLog(Clock& clock) : clock_(clock) {}

  /// `why` it is out of step, as /readyz says it, if it is.
  void look(const std::optional<std::string>& why);

 private:
  Clock& clock_;
  std::optional<Uptime> since_;
};

}  // namespace firstcome
