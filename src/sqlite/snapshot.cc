#include "sqlite/snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::sqlite {
namespace {

constexpr int attempts_max = 12;
constexpr std::chrono::milliseconds back_off_first{5};  // doubled each time: 20 s in all

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

/// What is different after a reset of -wal, or, where there is no -wal, after the database was written.
struct Mark {
  std::array<char, 32> wal_header{};
  ssize_t wal_header_bytes = 0;
  ino_t database = 0;
  off_t database_bytes = 0;
  std::int64_t written_at_s = 0;
  std::int64_t written_at_ns = 0;
  bool operator==(const Mark&) const = default;
};

Mark mark_of(const std::string& database_path) {
  Mark mark;
  const Descriptor wal(::open((database_path + "-wal").c_str(), O_RDONLY | O_CLOEXEC));
  if (wal.is_open()) mark.wal_header_bytes = ::pread(wal.number(), mark.wal_header.data(), mark.wal_header.size(), 0);
  struct stat found{};
  if (::stat(database_path.c_str(), &found) == 0) {
    mark.database = found.st_ino;
    if (mark.wal_header_bytes <= 0) {
      mark.database_bytes = found.st_size;
      mark.written_at_s = found.st_mtim.tv_sec;
      mark.written_at_ns = found.st_mtim.tv_nsec;
    }
  }
  return mark;
}

std::unexpected<Fault> no_room(const std::string& to) {
  return fail(
      FaultKind::unavailable,
      fmt::format("cannot write {}: {}; the copy needs as much room as the data folder takes: set TMPDIR to a folder "
                  "that has it",
                  to, std::strerror(errno)));
}

Result<void> copy_by_hand(const Descriptor& from, const Descriptor& to, const std::string& to_path) {
  std::vector<char> chunk(1U << 20);
  for (;;) {
    const auto got = ::read(from.number(), chunk.data(), chunk.size());
    if (got < 0) return fail(FaultKind::unavailable, fmt::format("cannot read: {}", std::strerror(errno)));
    if (got == 0) return {};
    for (ssize_t done = 0; done < got;) {
      const auto put = ::write(to.number(), chunk.data() + done, static_cast<std::size_t>(got - done));
      if (put < 0) return no_room(to_path);
      done += put;
    }
  }
}

/// From the start to the end, as the end is when we get there. Nothing when `from` is not there.
Result<void> copy(const std::string& from_path, const std::string& to_path) {
  const Descriptor from(::open(from_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from.is_open()) {
    const int why = errno;
    ::unlink(to_path.c_str());  // of the attempt before
    if (why == ENOENT) return {};
    return fail(FaultKind::misconfigured, fmt::format("cannot read {}: {}", from_path, std::strerror(why)));
  }
  const Descriptor to(::open(to_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!to.is_open()) return no_room(to_path);
  for (;;) {
    const auto copied = ::copy_file_range(from.number(), nullptr, to.number(), nullptr, 1U << 26, 0);
    if (copied == 0) break;
    if (copied > 0) continue;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) return no_room(to_path);
    // Not between these two file systems, or not in this sandbox. The offsets stand where the copy stopped.
    break;
  }
  return copy_by_hand(from, to, to_path);
}

}  // namespace

Result<Snapshot> Snapshot::take(const std::string& database_path) {
  struct stat found{};
  if (::stat(database_path.c_str(), &found) != 0) {
    return fail(FaultKind::misconfigured, fmt::format("{}: {}; is --data right?", database_path, std::strerror(errno)));
  }
  std::error_code no_folder;
  const auto temporary = std::filesystem::temp_directory_path(no_folder);
  if (no_folder) return fail(FaultKind::misconfigured, "TMPDIR names no folder: " + no_folder.message());
  std::string folder = (temporary / "firstcome-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return no_room(folder);
  Snapshot snapshot(folder);

  auto back_off = back_off_first;
  for (int attempt = 0; attempt < attempts_max; ++attempt, back_off *= 2) {
    const Mark before = mark_of(database_path);
    if (auto copied = copy(database_path, snapshot.path_); !copied) return fail(copied.error());
    if (auto copied = copy(database_path + "-wal", snapshot.path_ + "-wal"); !copied) return fail(copied.error());
    if (mark_of(database_path) == before) return snapshot;
    std::this_thread::sleep_for(back_off);
  }
  return fail(
      FaultKind::unavailable,
      fmt::format("{} is written faster than it can be copied; try again when there is less to do", database_path));
}

Snapshot::Snapshot(Snapshot&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), path_(std::exchange(other.path_, {})) {}

Snapshot::~Snapshot() {
  if (folder_.empty()) return;
  std::error_code left_behind;  // nothing to be done about it; the temporary folder is swept by the system
  std::filesystem::remove_all(folder_, left_behind);
}

}  // namespace firstcome::sqlite
