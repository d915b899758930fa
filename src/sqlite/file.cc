#include "sqlite/file.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstdlib>

#include "base/assert.h"

namespace firstcome::sqlite {
namespace {

Result<sqlite3_vfs*> find_vfs(const std::string& name) {
  sqlite3_initialize();
  sqlite3_vfs* vfs = sqlite3_vfs_find(name.empty() ? nullptr : name.c_str());
  if (vfs == nullptr) return fail(FaultKind::misconfigured, fmt::format("there is no SQLite VFS '{}'", name));
  return vfs;
}

std::unexpected<Fault> fault_of(int code, const char* doing, const std::string& path) {
  const auto kind = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY ? FaultKind::misconfigured
                                                                                         : FaultKind::unavailable;
  return fail(kind, fmt::format("{} {}: {} (SQLite {})", doing, path, sqlite3_errstr(code), code));
}

}  // namespace

void File::Close::operator()(sqlite3_file* file) const {
  if (file->pMethods != nullptr) file->pMethods->xClose(file);
  std::free(file);
}

Result<File> File::open(const std::string& path, const std::string& vfs_name, int flags) {
  auto vfs = find_vfs(vfs_name);
  if (!vfs) return fail(vfs.error());
  File opened;
  opened.path_ = path;
  auto* raw = static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>((*vfs)->szOsFile)));
  MUST(raw != nullptr, "no memory for a file");
  opened.file_.reset(raw);
  // A super-journal is SQLite's kind of file that belongs to no one database: no locks, and its folder is synced with
  // it.
  const int code = (*vfs)->xOpen(*vfs, opened.path_.c_str(), raw, flags | SQLITE_OPEN_SUPER_JOURNAL, nullptr);
  if (code != SQLITE_OK) return fault_of(code, "open", path);
  return opened;
}

Result<std::optional<File>> File::open_to_read(const std::string& path, const std::string& vfs_name) {
  auto vfs = find_vfs(vfs_name);
  if (!vfs) return fail(vfs.error());
  int there = 0;
  const int code = (*vfs)->xAccess(*vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &there);
  if (code != SQLITE_OK) return fault_of(code, "look for", path);
  // SQLite takes an empty file for one that is not there; so do we, since opening it shows the same.
  if (there == 0) return std::nullopt;
  auto opened = open(path, vfs_name, SQLITE_OPEN_READONLY);
  if (!opened) return fail(opened.error());
  return std::optional<File>(std::move(*opened));
}

Result<File> File::open_or_make(const std::string& path, const std::string& vfs) {
  return open(path, vfs, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

Result<std::uint64_t> File::size() const {
  sqlite3_int64 bytes = 0;
  const int code = file_->pMethods->xFileSize(file_.get(), &bytes);
  if (code != SQLITE_OK) return fault_of(code, "measure", path_);
  return static_cast<std::uint64_t>(bytes);
}

Result<void> File::read(std::span<std::uint8_t> into, std::uint64_t offset) const {
  const int code = file_->pMethods->xRead(file_.get(), into.data(), static_cast<int>(into.size()),
                                          static_cast<sqlite3_int64>(offset));
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return fault_of(code, "read", path_);
  return {};
}

Result<void> File::write(std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  const int code = file_->pMethods->xWrite(file_.get(), bytes.data(), static_cast<int>(bytes.size()),
                                           static_cast<sqlite3_int64>(offset));
  if (code != SQLITE_OK) return fault_of(code, "write", path_);
  return {};
}

Result<void> File::sync() {
  const int code = file_->pMethods->xSync(file_.get(), SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) return fault_of(code, "sync", path_);
  return {};
}

}  // namespace firstcome::sqlite
