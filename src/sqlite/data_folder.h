#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace firstcome::sqlite {

/// The folder of `--data`, held by one process.
///
///   Invariant   while one lives, no other process holds the same folder; the system frees it with the process, however
///               that ends.
///   Fails       with misconfigured and what to do: no parent, no folder, not writable, held (by which pid, since
///   when).
class DataFolder {
 public:
  /// Makes the folder if only it is missing.
  static Result<DataFolder> hold(const std::string& path, Clock& clock);

  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

  const std::string& path() const { return path_; }

 private:
  DataFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;  // the open file `lock`; its text is for people
};

}  // namespace firstcome::sqlite
