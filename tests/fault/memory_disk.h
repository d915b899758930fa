#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace firstcome::fault {

/// A disk in memory, as a SQLite VFS of the name that it is given, that does what disks do: what was written and not
/// synced is kept, lost or torn by a power cut, write by write and sector by sector, and so are files that were made or
/// removed.
///
///   Threads   any.
class MemoryDisk {
 public:
  MemoryDisk(std::string name, std::uint64_t seed);
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  const std::string& name() const { return name_; }

  /// How everything ends: with the power, or with the process, of which the system keeps all that was written.
  enum class End : std::uint8_t { power, process };

  /// Now: every file that is open fails from here on, until go_on(); then it must be opened again.
  void end(End how);
  /// In the middle of the `operations`-th write, sync, cut or removal from now.
  void end_after(End how, std::uint64_t operations);
  bool is_alive() const;
  void go_on();

  /// The next sync fails, and as Linux does it, takes what was not synced for written: it is never tried again.
  void fail_next_sync();
  /// How much more can be written beyond what there is; none: without end.
  void set_room(std::optional<std::uint64_t> bytes);

  /// What is in a file now; empty if there is none.
  std::vector<std::uint8_t> content(const std::string& path) const;
  void set_content(const std::string& path, std::vector<std::uint8_t> bytes);
  std::vector<std::string> paths() const;

  /// What happened so far: a test in which nothing was ever lost proves nothing.
  struct Counts {
    std::uint64_t operations = 0;
    std::uint64_t syncs = 0;
    std::uint64_t cuts = 0;   ///< of power
    std::uint64_t kills = 0;  ///< of the process
    std::uint64_t writes_kept = 0;
    std::uint64_t writes_lost = 0;
    std::uint64_t writes_torn = 0;
    std::uint64_t syncs_failed = 0;
    std::uint64_t writes_refused = 0;  ///< the disk was full
  };
  Counts counts() const;

 private:
  friend struct MemoryVfs;

  struct Change {
    std::uint64_t offset = 0;
    std::vector<std::uint8_t> bytes;
    bool is_cut = false;  ///< the file's size becomes `offset`
  };
  /// SQLite's locks between connections: of the file, and of its shared memory.
  struct Locks {
    std::map<const void*, int> levels;  ///< who holds which SQLITE_LOCK_
    std::map<const void*, std::array<bool, 8>> shared;
    std::array<const void*, 8> exclusive{};
    std::set<const void*> mapped;
  };
  struct Inode {
    std::vector<std::uint8_t> now;                        ///< as programs see it
    std::vector<std::uint8_t> durable;                    ///< as of the last sync
    std::vector<Change> pending;                          ///< since
    bool sync_folder = false;                             ///< with the next sync
    std::vector<std::unique_ptr<std::uint8_t[]>> shared;  ///< SQLite's -shm
    Locks locks;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  static void apply(const Change& change, std::vector<std::uint8_t>& bytes);
  bool begin_operation();  // false: no power
  void die(End how);
  void lose_what_was_not_synced();
  void survive(Inode& inode);
  void tear(const Change& change, std::vector<std::uint8_t>& bytes);
  std::uint64_t choose(std::uint64_t count);

  // What the VFS calls; all return SQLite's codes.
  int open(const std::string& path, int flags, std::shared_ptr<Inode>& inode);
  int write(Inode& inode, std::span<const std::uint8_t> bytes, std::uint64_t offset);
  int cut(Inode& inode, std::uint64_t size);
  int sync(const std::string& path, const std::shared_ptr<Inode>& inode);
  void finish_sync(const std::string& path, const std::shared_ptr<Inode>& inode);
  int remove(const std::string& path, bool sync_folder);

  const std::string name_;
  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  Names names_;
  Names durable_names_;
  bool alive_ = true;
  std::uint64_t lives_ = 0;      // files that were opened in an earlier one are dead
  std::uint64_t end_after_ = 0;  // operations; 0: never
  End end_ = End::power;         // the next one, or the last one
  bool fail_next_sync_ = false;
  std::optional<std::uint64_t> room_;
  Counts counts_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace firstcome::fault
