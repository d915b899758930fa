#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

struct sqlite3_file;

namespace firstcome::sqlite {

/// A file beside a database, reached through the same VFS, so that a disk made by a test carries it too.
///
///   Threads   one at a time.
class File {
 public:
  /// None when it is not there.
  static Result<std::optional<File>> open_to_read(const std::string& path, const std::string& vfs);
  static Result<File> open_or_make(const std::string& path, const std::string& vfs);

  Result<std::uint64_t> size() const;

  /// Fills `into` from `offset` on; what lies behind the end reads as zeros.
  Result<void> read(std::span<std::uint8_t> into, std::uint64_t offset) const;
  Result<void> write(std::span<const std::uint8_t> bytes, std::uint64_t offset);

  /// The bytes, and that the file exists, are on the disk.
  Result<void> sync();

 private:
  struct Close {
    void operator()(sqlite3_file* file) const;
  };
  static Result<File> open(const std::string& path, const std::string& vfs, int flags);

  std::string path_;
  std::unique_ptr<sqlite3_file, Close> file_;
};

}  // namespace firstcome::sqlite
