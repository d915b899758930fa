#include "memory_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace firstcome::fault {
namespace {

constexpr std::uint64_t sector_bytes = 512;

}  // namespace

/// SQLite's side: C functions that find the disk and the file.
struct MemoryVfs {
  struct OpenFile {
    sqlite3_file base;
    MemoryDisk* disk;
    std::shared_ptr<MemoryDisk::Inode> inode;
    std::string path;
    std::uint64_t life;
    bool remove_at_close;
  };

  static MemoryDisk& disk(sqlite3_vfs* vfs) { return *static_cast<MemoryDisk*>(vfs->pAppData); }
  static OpenFile& self(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }

  /// With the disk's lock: is this file still alive?
  static bool lives(const OpenFile& file) { return file.disk->alive_ && file.life == file.disk->lives_; }

  static int close(sqlite3_file* file) {
    auto& open = self(file);
    {
      const std::lock_guard lock(open.disk->mutex_);
      if (open.remove_at_close) open.disk->remove(open.path, false);
      auto& locks = open.inode->locks;
      locks.levels.erase(file);
      locks.shared.erase(file);
      locks.mapped.erase(file);
      std::ranges::replace(locks.exclusive, static_cast<const void*>(file), static_cast<const void*>(nullptr));
    }
    open.~OpenFile();
    file->pMethods = nullptr;
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    if (!lives(open)) return SQLITE_IOERR_READ;
    const auto& bytes = open.inode->now;
    const auto from = std::min<std::uint64_t>(static_cast<std::uint64_t>(offset), bytes.size());
    const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), bytes.size() - from);
    std::memset(into, 0, static_cast<std::size_t>(size));
    if (count > 0) std::memcpy(into, bytes.data() + from, count);
    return count == static_cast<std::uint64_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    if (!lives(open)) return SQLITE_IOERR_WRITE;
    return open.disk->write(*open.inode, {static_cast<const std::uint8_t*>(from), static_cast<std::size_t>(size)},
                            static_cast<std::uint64_t>(offset));
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    if (!lives(open)) return SQLITE_IOERR_TRUNCATE;
    return open.disk->cut(*open.inode, static_cast<std::uint64_t>(size));
  }
  static int sync(sqlite3_file* file, int /*flags*/) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    if (!lives(open)) return SQLITE_IOERR_FSYNC;
    return open.disk->sync(open.path, open.inode);
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    if (!lives(open)) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(open.inode->now.size());
    return SQLITE_OK;
  }

  static int lock(sqlite3_file* file, int level) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    auto& levels = open.inode->locks.levels;
    int others = SQLITE_LOCK_NONE;
    for (const auto& [holder, held] : levels) {
      if (holder != file) others = std::max(others, held);
    }
    auto& own = levels[file];
    if (own >= level) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
      if (others < SQLITE_LOCK_RESERVED) own = SQLITE_LOCK_PENDING;
      return SQLITE_BUSY;
    }
    own = level;
    return SQLITE_OK;
  }
  static int unlock(sqlite3_file* file, int level) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    auto& own = open.inode->locks.levels[file];
    own = std::min(own, level);
    return SQLITE_OK;
  }
  static int check_reserved_lock(sqlite3_file* file, int* reserved) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    *reserved = 0;
    for (const auto& [holder, held] : open.inode->locks.levels) {
      if (held >= SQLITE_LOCK_RESERVED) *reserved = 1;
    }
    return SQLITE_OK;
  }
  static int file_control(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file* /*file*/) { return sector_bytes; }
  static int device_characteristics(sqlite3_file* /*file*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** into) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    auto& shared = open.inode->shared;
    *into = nullptr;
    if (!lives(open)) return SQLITE_IOERR_SHMMAP;
    while (extend != 0 && shared.size() <= static_cast<std::size_t>(region)) {
      shared.push_back(std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(size)));
    }
    open.inode->locks.mapped.insert(file);
    if (shared.size() > static_cast<std::size_t>(region)) *into = shared[static_cast<std::size_t>(region)].get();
    return SQLITE_OK;
  }
  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    auto& locks = open.inode->locks;
    const bool is_shared = (flags & SQLITE_SHM_SHARED) != 0;
    const auto slots = [first, count](auto visit) {
      for (int slot = first; slot < first + count; ++slot) visit(static_cast<std::size_t>(slot));
    };
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
      slots([&](std::size_t slot) {
        locks.shared[file][slot] = false;
        if (locks.exclusive[slot] == file) locks.exclusive[slot] = nullptr;
      });
      return SQLITE_OK;
    }
    bool is_free = true;
    slots([&](std::size_t slot) {
      if (locks.exclusive[slot] != nullptr && locks.exclusive[slot] != file) is_free = false;
      for (const auto& [holder, held] : locks.shared) {
        if (!is_shared && holder != file && held[slot]) is_free = false;
      }
    });
    if (!is_free) return SQLITE_BUSY;
    slots([&](std::size_t slot) {
      if (is_shared) {
        locks.shared[file][slot] = true;
      } else {
        locks.exclusive[slot] = file;
      }
    });
    return SQLITE_OK;
  }
  static void shm_barrier(sqlite3_file* /*file*/) {}
  static int shm_unmap(sqlite3_file* file, int remove) {
    auto& open = self(file);
    const std::lock_guard lock(open.disk->mutex_);
    open.inode->locks.mapped.erase(file);
    if (remove != 0 && open.inode->locks.mapped.empty()) open.inode->shared.clear();
    return SQLITE_OK;
  }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out) {
    static const sqlite3_io_methods methods = {2,
                                               close,
                                               read,
                                               write,
                                               truncate,
                                               sync,
                                               file_size,
                                               lock,
                                               unlock,
                                               check_reserved_lock,
                                               file_control,
                                               sector_size,
                                               device_characteristics,
                                               shm_map,
                                               shm_lock,
                                               shm_barrier,
                                               shm_unmap,
                                               nullptr,
                                               nullptr};
    file->pMethods = nullptr;
    auto& on = disk(vfs);
    const std::lock_guard guard(on.mutex_);
    std::shared_ptr<MemoryDisk::Inode> inode;
    const std::string name = path != nullptr ? path : "temporary-" + std::to_string(on.random_());
    const int code = on.open(name, flags, inode);
    if (code != SQLITE_OK) return code;
    new (file) OpenFile{{&methods}, &on, inode, name, on.lives_, (flags & SQLITE_OPEN_DELETEONCLOSE) != 0};
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    auto& on = disk(vfs);
    const std::lock_guard guard(on.mutex_);
    return on.remove(path, sync_folder != 0);
  }
  static int access(sqlite3_vfs* vfs, const char* path, int flags, int* result) {
    auto& on = disk(vfs);
    const std::lock_guard guard(on.mutex_);
    if (!on.alive_) return SQLITE_IOERR_ACCESS;
    const auto found = on.names_.find(path);
    *result = found != on.names_.end() && (flags != SQLITE_ACCESS_EXISTS || !found->second->now.empty()) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs* /*vfs*/, const char* path, int size, char* into) {
    sqlite3_snprintf(size, into, "%s", path);
    return SQLITE_OK;
  }
  static sqlite3_vfs* system() { return sqlite3_vfs_find("unix"); }
  static int randomness(sqlite3_vfs* /*vfs*/, int size, char* into) {
    return system()->xRandomness(system(), size, into);
  }
  static int sleep(sqlite3_vfs* /*vfs*/, int microseconds) { return system()->xSleep(system(), microseconds); }
  static int time(sqlite3_vfs* /*vfs*/, double* now) { return system()->xCurrentTime(system(), now); }
  static int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*into*/) { return 0; }
};

MemoryDisk::MemoryDisk(std::string name, std::uint64_t seed)
    : name_(std::move(name)), random_(seed), vfs_(std::make_unique<sqlite3_vfs>()) {
  sqlite3_initialize();
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(MemoryVfs::OpenFile);
  vfs_->mxPathname = 512;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = MemoryVfs::open;
  vfs_->xDelete = MemoryVfs::remove;
  vfs_->xAccess = MemoryVfs::access;
  vfs_->xFullPathname = MemoryVfs::full_path;
  vfs_->xRandomness = MemoryVfs::randomness;
  vfs_->xSleep = MemoryVfs::sleep;
  vfs_->xCurrentTime = MemoryVfs::time;
  vfs_->xGetLastError = MemoryVfs::last_error;
  MUST(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK, "a VFS can be registered");
}

MemoryDisk::~MemoryDisk() { sqlite3_vfs_unregister(vfs_.get()); }

std::uint64_t MemoryDisk::choose(std::uint64_t count) { return random_() % count; }

void MemoryDisk::apply(const Change& change, std::vector<std::uint8_t>& bytes) {
  if (change.is_cut) {
    bytes.resize(change.offset);
    return;
  }
  const auto end = change.offset + change.bytes.size();
  if (bytes.size() < end) bytes.resize(end);
  std::ranges::copy(change.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

/// Each sector of the write reaches the disk or not; the one where the power went may be half of each.
void MemoryDisk::tear(const Change& change, std::vector<std::uint8_t>& bytes) {
  const auto end = change.offset + change.bytes.size();
  for (auto from = change.offset; from < end;) {
    const auto to = std::min(end, (from / sector_bytes + 1) * sector_bytes);
    auto count = to - from;
    const auto fate = choose(8);
    if (fate == 0) count = choose(count + 1);
    if (fate < 5) {
      const auto first = change.bytes.begin() + static_cast<std::ptrdiff_t>(from - change.offset);
      apply({from, {first, first + static_cast<std::ptrdiff_t>(count)}, false}, bytes);
    }
    from = to;
  }
}

void MemoryDisk::survive(Inode& inode) {
  for (const auto& change : inode.pending) {
    switch (choose(3)) {
      case 0:
        ++counts_.writes_lost;
        break;
      case 1:
        ++counts_.writes_kept;
        apply(change, inode.durable);
        break;
      default:
        if (change.is_cut) break;
        ++counts_.writes_torn;
        tear(change, inode.durable);
    }
  }
  inode.pending.clear();
  inode.now = inode.durable;
}

void MemoryDisk::die(End how) {
  alive_ = false;
  end_after_ = 0;
  end_ = how;
  ++(how == End::power ? counts_.cuts : counts_.kills);
}

bool MemoryDisk::begin_operation() {
  if (!alive_) return false;
  ++counts_.operations;
  if (end_after_ == 0) return true;
  --end_after_;
  if (end_after_ > 0) return true;
  die(end_);
  return false;
}

int MemoryDisk::open(const std::string& path, int flags, std::shared_ptr<Inode>& inode) {
  if (!alive_) return SQLITE_CANTOPEN;
  const auto found = names_.find(path);
  if (found != names_.end()) {
    inode = found->second;
    return SQLITE_OK;
  }
  if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  inode = names_.emplace(path, std::make_shared<Inode>()).first->second;
  // SQLite syncs the folder with the first sync of these, as its VFS for unix does it; of a database it does not.
  inode->sync_folder = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
  return SQLITE_OK;
}

int MemoryDisk::write(Inode& inode, std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  const bool goes_on = begin_operation();
  const auto end = offset + bytes.size();
  const auto more = end > inode.now.size() ? end - inode.now.size() : 0;
  if (room_ && more > *room_) {
    ++counts_.writes_refused;
    return SQLITE_FULL;
  }
  if (room_) *room_ -= more;
  // The write in which it ends was on its way, too.
  inode.pending.push_back({offset, {bytes.begin(), bytes.end()}, false});
  apply(inode.pending.back(), inode.now);
  return goes_on ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int MemoryDisk::cut(Inode& inode, std::uint64_t size) {
  if (!begin_operation()) return SQLITE_IOERR_TRUNCATE;
  if (size >= inode.now.size()) return SQLITE_OK;
  inode.pending.push_back({size, {}, true});
  apply(inode.pending.back(), inode.now);
  return SQLITE_OK;
}

int MemoryDisk::sync(const std::string& path, const std::shared_ptr<Inode>& inode) {
  if (!begin_operation()) {
    // The end came before it reached the disk, or just before we were told that it had.
    if (choose(2) == 0) finish_sync(path, inode);
    return SQLITE_IOERR_FSYNC;
  }
  if (fail_next_sync_) {
    fail_next_sync_ = false;
    ++counts_.syncs_failed;
    inode->pending.clear();
    return SQLITE_IOERR_FSYNC;
  }
  ++counts_.syncs;
  finish_sync(path, inode);
  return SQLITE_OK;
}

void MemoryDisk::finish_sync(const std::string& path, const std::shared_ptr<Inode>& inode) {
  for (const auto& change : inode->pending) apply(change, inode->durable);
  inode->pending.clear();
  const auto named = names_.find(path);
  if (named != names_.end() && named->second == inode) durable_names_[path] = inode;
  if (inode->sync_folder) {
    const auto in_folder = [folder = path.substr(0, path.rfind('/') + 1)](const auto& name) {
      return name.first.starts_with(folder);
    };
    std::erase_if(durable_names_, in_folder);
    for (const auto& name : names_) {
      if (in_folder(name)) durable_names_.insert(name);
    }
    inode->sync_folder = false;
  }
}

int MemoryDisk::remove(const std::string& path, bool sync_folder) {
  if (!begin_operation()) return SQLITE_IOERR_DELETE;
  if (names_.erase(path) == 0) return SQLITE_IOERR_DELETE_NOENT;
  if (sync_folder) durable_names_.erase(path);
  return SQLITE_OK;
}

void MemoryDisk::end(End how) {
  const std::lock_guard lock(mutex_);
  if (alive_) die(how);
}
void MemoryDisk::end_after(End how, std::uint64_t operations) {
  const std::lock_guard lock(mutex_);
  end_ = how;
  end_after_ = operations;
}
bool MemoryDisk::is_alive() const {
  const std::lock_guard lock(mutex_);
  return alive_;
}

void MemoryDisk::go_on() {
  const std::lock_guard lock(mutex_);
  MUST(!alive_, "it ends first");
  if (end_ == End::power) lose_what_was_not_synced();
  for (const auto& [path, inode] : names_) {
    inode->shared.clear();
    inode->locks = {};
  }
  alive_ = true;
  end_after_ = 0;
  fail_next_sync_ = false;
  ++lives_;
}

void MemoryDisk::lose_what_was_not_synced() {
  // A file that was made or removed, and not synced, is there or not.
  for (auto name = durable_names_.begin(); name != durable_names_.end();) {
    name = names_.contains(name->first) || choose(2) == 0 ? std::next(name) : durable_names_.erase(name);
  }
  for (const auto& [path, inode] : names_) {
    if (!durable_names_.contains(path) && choose(2) == 0) durable_names_[path] = inode;
  }
  names_ = durable_names_;
  for (const auto& [path, inode] : names_) survive(*inode);
}

void MemoryDisk::fail_next_sync() {
  const std::lock_guard lock(mutex_);
  fail_next_sync_ = true;
}
void MemoryDisk::set_room(std::optional<std::uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  room_ = bytes;
}

std::vector<std::uint8_t> MemoryDisk::content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? std::vector<std::uint8_t>() : found->second->now;
}

void MemoryDisk::set_content(const std::string& path, std::vector<std::uint8_t> bytes) {
  const std::lock_guard lock(mutex_);
  auto inode = std::make_shared<Inode>();
  inode->now = bytes;
  inode->durable = std::move(bytes);
  names_[path] = inode;
  durable_names_[path] = inode;
}

std::vector<std::string> MemoryDisk::paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

MemoryDisk::Counts MemoryDisk::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace firstcome::fault
