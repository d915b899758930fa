#include "sqlite/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace firstcome::sqlite {
namespace {

std::unexpected<Fault> refuse(std::string what) { return fail(FaultKind::misconfigured, std::move(what)); }

Result<void> make_folder(const std::string& path) {
  struct stat found{};
  if (::mkdir(path.c_str(), 0750) == 0) return {};
  switch (errno) {
    case EEXIST:
      if (::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return {};
      return refuse(fmt::format("--data {} is a file, not a folder", path));
    case ENOENT:
      return refuse(fmt::format(
          "--data {}: the folder above it does not exist; make it first: mkdir -p $(dirname '{}')", path, path));
    case EACCES:
    case EPERM:
    case EROFS:
      return refuse(fmt::format("--data {} cannot be made: {}; make it, and give it to the user that runs this", path,
                                std::strerror(errno)));
    default:
      return fail(FaultKind::unavailable, fmt::format("--data {} cannot be made: {}", path, std::strerror(errno)));
  }
}

std::string holder(int lock) {
  char text[128] = {};
  const auto size = ::pread(lock, text, sizeof text - 1, 0);
  std::string_view line(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  line = line.substr(0, line.find('\n'));
  return line.empty() ? "another process" : std::string(line);
}

}  // namespace

Result<DataFolder> DataFolder::hold(const std::string& path, Clock& clock) {
  if (auto made = make_folder(path); !made) return fail(made.error());
  const std::string lock_path = path + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock < 0) {
    return refuse(fmt::format("--data {} cannot be written: {}: {}; give the folder to the user that runs this", path,
                              lock_path, std::strerror(errno)));
  }
  DataFolder folder(path, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return refuse(
          fmt::format("--data {} cannot be locked: {}; it must lie on a local disk", path, std::strerror(errno)));
    }
    return refuse(fmt::format("--data {} is held by {}; stop that one, or choose another --data", path, holder(lock)));
  }
  const std::string text = fmt::format("firstcome, pid {}, since {}\n", ::getpid(), to_rfc3339(clock.now()));
  // Only for people, and a full disk must not keep a server from starting that has answers to give: a failed write is
  // fine.
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, text.data(), text.size(), 0) < 0) return folder;
  return folder;
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace firstcome::sqlite
