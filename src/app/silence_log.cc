#include "app/silence_log.h"

#include "base/log.h"

namespace firstcome {

void SilenceLog::look(const std::optional<std::string>& why) {
  if (why.has_value() == since_.has_value()) return;
  if (why) {
    since_ = clock_.uptime();
    log::warn("out of step with the journal: /readyz is 503, and so are claims but the winners'", {{"reason", *why}});
  } else {
    log::info("in step with the journal again", {{"after_ms", (clock_.uptime() - *since_).count()}});
    since_.reset();
  }
}

}  // namespace firstcome
