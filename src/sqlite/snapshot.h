#pragma once

#include <string>

#include "base/result.h"

namespace firstcome::sqlite {

/// A copy of a database, whole as of one moment, of a dead or a running server's folder, in which no byte is changed: a
/// plain SQLite reader would move a dead server's -wal into the database and delete it.
///
///   Why it is right   Between two resets of -wal, the server only appends to it, and a page of the database is written
///                     only from a frame that is in -wal already. So the database is copied first, then -wal: whatever
///                     was written to the database meanwhile, torn or not, is covered by the frames in the copy of
///                     -wal, and the state is that of the copy's last whole commit. A reset changes the salts in the
///                     header of -wal: if they are not the same before and after, the copy is thrown away and made
///                     again.
///   Lifetime          the copy is removed with the object.
///   Fails             misconfigured: no such database. unavailable: no room in the temporary folder (TMPDIR names
///                     another one), or the server resets its -wal faster than we can copy.
class Snapshot {
 public:
  static Result<Snapshot> take(const std::string& database_path);

  Snapshot(Snapshot&& other) noexcept;
  Snapshot& operator=(Snapshot&&) = delete;
  ~Snapshot();

  /// Of the copied database; its -wal is beside it.
  const std::string& path() const { return path_; }

 private:
  explicit Snapshot(std::string folder) : folder_(std::move(folder)), path_(folder_ + "/copy.db") {}

  std::string folder_;
  std::string path_;
};

}  // namespace firstcome::sqlite
