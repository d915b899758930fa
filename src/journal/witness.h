#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/entry.h"
#include "sqlite/file.h"

namespace firstcome {

/// Where a journal ends: its last entry, and the sum over all entries up to it.
struct JournalEnd {
  Position position = 0;
  std::uint64_t sum = 0;
  bool operator==(const JournalEnd&) const = default;
};

/// A small file beside the journal that says how far it had been shown. A flipped byte in the last commit of -wal looks
/// like a torn commit that nobody was told of; the witness knows that somebody was.
///
///   Invariant  never says more than was durable when it was written: it is written after the commit, before the
///   entries
///              are shown, and not synced. So it is exact after a killed process, and at most older after a power cut.
///   Torn       two slots in turn, each with a checksum: a bad one is passed over.
class Witness {
 public:
  static constexpr const char* file_name = "journal.head";

  /// Makes the file if it is not there.
  static Result<Witness> open(const std::string& path, const std::string& vfs);

  /// Without opening it to write. None: not there, or nothing in it.
  static Result<std::optional<JournalEnd>> look(const std::string& path, const std::string& vfs);

  /// What it said when it was opened.
  const std::optional<JournalEnd>& seen() const { return seen_; }

  Result<void> write(const JournalEnd& end);
  Result<void> sync() { return file_.sync(); }

 private:
  explicit Witness(sqlite::File file) : file_(std::move(file)) {}

  sqlite::File file_;
  std::optional<JournalEnd> seen_;
  bool second_slot_ = false;  // the next to be written
};

}  // namespace firstcome
