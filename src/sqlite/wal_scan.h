#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace firstcome::sqlite {

/// Where a `-wal` file was found damaged.
struct WalDamage {
  std::uint64_t frame = 0;  ///< from 1; 0: its header
  std::uint64_t offset = 0;
  std::string what;
  bool operator==(const WalDamage&) const = default;
};

/// Looks through DATABASE-wal before SQLite opens DATABASE, since SQLite takes every bad frame for the torn end of the
/// last write, and drops all commits behind it without a word.
///
///   Damage     - Two or more commits that continue each other behind a bad frame: the first of them had been synced
///                before the second was written, and the bad frame with it.
///              - A bad header before commits that the database does not hold.
///              - Commits, but no database.
///   No damage  One torn commit at the end: nobody was told of it. One flipped byte in the last commit looks the same;
///              journal/witness.h finds that.
///   Fails      when the files cannot be read.
Result<std::optional<WalDamage>> scan_wal(const std::string& database_path, const std::string& vfs);

}  // namespace firstcome::sqlite
