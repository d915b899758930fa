#pragma once

#include "base/result.h"
#include "settings/settings.h"

namespace firstcome {

/// Makes room for connections_max file descriptors, and for what a server opens besides (operators' connections, loops,
/// databases): raises the soft limit as far as it may. Where that is not enough, lowers connections_max with a warning
/// if `may_lower` (nobody asked for that number), else fails with misconfigured.
Result<void> make_room_for_connections(Settings& settings, bool may_lower);

}  // namespace firstcome
