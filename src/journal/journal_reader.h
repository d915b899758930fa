#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "journal/entry_table.h"
#include "model/entry.h"

namespace firstcome {

/// Reads the journal of a data folder, of a dead or a running server, without changing a byte in it: with all the
/// checks of a start, on a copy (sqlite/snapshot.h). Shows every entry from the first on, in batches, and returns where
/// the journal ended when the copy was made.
///
///   Fails   corrupt, with the position and what to do; entries before that position have been shown.
///           misconfigured: no journal there. unavailable: no room for the copy.
Result<JournalEnd> read_journal(const std::string& folder, const std::function<void(std::span<const Shown>)>& show);

}  // namespace firstcome
