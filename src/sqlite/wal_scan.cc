#include "sqlite/wal_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "sqlite/database.h"
#include "sqlite/file.h"

// DESIGN
//
// The file is a header of 32 bytes and frames of 24 + 4096 bytes (sqlite.org/fileformat2.html, "The WAL File Format"):
//   header   magic, version, page size, checkpoint number, salt 1, salt 2, sum 1, sum 2
//   frame    page number, pages of the database after a commit (0: no commit), salt 1, salt 2, sum 1, sum 2, page
// A frame's sum covers its first 8 bytes and its page, and goes on from the sum before it. When -wal is begun anew from
// its start, the salts change, so frames of before are told by their salts.
//
// The last crash may have left a torn commit, and the commits since have overwritten only its beginning: so there may
// be frames with the present salts behind the end that are nothing. Frames count as one run only while each continues
// the sum of the one before: that sum is the stored one, or, if just the stored one was hit, the one computed. A run
// behind a bad frame that holds two commits cannot be left over by a crash: a commit is written only after the one
// before it was synced, and what was synced whole is never cut off and overwritten with the same salts.

namespace firstcome::sqlite {
namespace {

constexpr std::uint64_t header_bytes = 32;
constexpr std::uint64_t frame_head_bytes = 24;
constexpr std::uint64_t frame_bytes = frame_head_bytes + page_bytes;
constexpr std::uint64_t frames_at_once = 256;  // 1 MiB

struct Sum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Sum&) const = default;
};

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

/// The magic number says in which byte order the words are summed: the writer's own.
Sum continue_sum(Sum sum, const std::uint8_t* bytes, std::size_t size, bool words_are_big_endian) {
  for (const auto* end = bytes + size; bytes != end; bytes += 8) {
    std::uint32_t words[2];
    std::memcpy(words, bytes, sizeof words);
    if (words_are_big_endian) {
      words[0] = big_endian(bytes);
      words[1] = big_endian(bytes + 4);
    }
    sum.first += words[0] + sum.second;
    sum.second += words[1] + sum.first;
  }
  return sum;
}

struct Header {
  bool is_good = false;
  bool words_are_big_endian = false;
  std::uint8_t salts[8] = {};
  Sum sum;
};

Header read_header(const std::uint8_t (&bytes)[header_bytes]) {
  constexpr std::uint32_t magic = 0x377f0682;
  Header header;
  header.words_are_big_endian = bytes[3] == 0x83;
  std::memcpy(header.salts, bytes + 16, sizeof header.salts);
  header.sum = {big_endian(bytes + 24), big_endian(bytes + 28)};
  header.is_good = (big_endian(bytes) & ~1U) == magic && big_endian(bytes + 8) == page_bytes &&
                   continue_sum({}, bytes, 24, header.words_are_big_endian) == header.sum;
  return header;
}

struct Frame {
  std::uint64_t number = 0;
  std::uint32_t page = 0;
  bool is_commit = false;
  bool has_salts = false;  ///< the present ones
  bool goes_on = false;    ///< with the sum of the frame before
  bool is_good = false;    ///< as SQLite sees it: it and all before it are what was written
};

/// Calls `visit(Frame)` for each whole frame, until it returns false.
template <class Visit>
Result<void> for_each_frame(const File& wal, std::uint64_t frames, const Header& header, Visit visit) {
  std::vector<std::uint8_t> chunk(frames_at_once * frame_bytes);
  Sum stored = header.sum;
  Sum computed = header.sum;
  bool good = header.is_good;
  for (std::uint64_t first = 0; first < frames; first += frames_at_once) {
    const auto count = std::min(frames_at_once, frames - first);
    if (auto read = wal.read({chunk.data(), count * frame_bytes}, header_bytes + first * frame_bytes); !read)
      return read;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto* bytes = chunk.data() + i * frame_bytes;
      const auto sum_from = [&](Sum before) {
        const auto head = continue_sum(before, bytes, 8, header.words_are_big_endian);
        return continue_sum(head, bytes + frame_head_bytes, page_bytes, header.words_are_big_endian);
      };
      const Sum own{big_endian(bytes + 16), big_endian(bytes + 20)};
      const Sum from_stored = sum_from(stored);
      Frame frame{.number = first + i + 1, .page = big_endian(bytes), .is_commit = big_endian(bytes + 4) != 0};
      frame.has_salts = std::memcmp(bytes + 8, header.salts, sizeof header.salts) == 0;
      frame.goes_on = own == from_stored || (computed != stored && own == sum_from(computed));
      good = good && frame.has_salts && own == from_stored && frame.page != 0;
      frame.is_good = good;
      stored = own;
      computed = from_stored;
      if (!visit(frame)) return {};
    }
  }
  return {};
}

std::uint64_t offset_of(std::uint64_t frame) { return header_bytes + (frame - 1) * frame_bytes; }

Result<std::optional<WalDamage>> look_behind_bad_frame(const File& wal, std::uint64_t frames, const Header& header) {
  std::uint64_t bad = 0;
  int commits_in_run = 0;
  std::optional<WalDamage> damage;
  auto visited = for_each_frame(wal, frames, header, [&](const Frame& frame) {
    if (frame.is_good) return true;
    if (bad == 0) bad = frame.number;
    if (frame.number == bad) return true;
    if (!frame.has_salts || !frame.goes_on) {
      commits_in_run = 0;
    } else if (frame.is_commit && ++commits_in_run == 2) {
      damage = WalDamage{bad, offset_of(bad),
                         fmt::format("frame {} (offset {}) is not what was written, and frame {} behind it ends a "
                                     "commit that was made after it",
                                     bad, offset_of(bad), frame.number)};
      return false;
    }
    return true;
  });
  if (!visited) return fail(visited.error());
  return damage;
}

/// A bad header is fine only when -wal was just begun anew over frames that are all in the database.
Result<std::optional<WalDamage>> look_behind_bad_header(const File& wal, std::uint64_t frames, Header header,
                                                        const std::optional<File>& database) {
  std::uint8_t first[frame_head_bytes];
  if (auto read = wal.read(first, header_bytes); !read) return fail(read.error());
  std::memcpy(header.salts, first + 8, sizeof header.salts);
  header.words_are_big_endian = false;  // ours: x86 and arm write little endian words

  std::unordered_map<std::uint32_t, std::uint64_t> committed;  // page -> its last frame
  std::unordered_map<std::uint32_t, std::uint64_t> pending;
  auto visited = for_each_frame(wal, frames, header, [&](const Frame& frame) {
    if (!frame.has_salts || (frame.number > 1 && !frame.goes_on)) return false;
    pending[frame.page] = frame.number;
    if (frame.is_commit) committed = pending;
    return true;
  });
  if (!visited) return fail(visited.error());

  std::vector<std::uint8_t> in_wal(page_bytes);
  std::vector<std::uint8_t> in_database(page_bytes);
  for (const auto& [page, frame] : committed) {
    if (auto read = wal.read(in_wal, offset_of(frame) + frame_head_bytes); !read) return fail(read.error());
    std::ranges::fill(in_database, std::uint8_t{0});
    if (database && page != 0) {
      auto read = database->read(in_database, std::uint64_t{page - 1} * page_bytes);
      if (!read) return fail(read.error());
    }
    if (in_wal != in_database) {
      return WalDamage{
          0, 0,
          fmt::format("its header is not what was written, and frame {} (offset {}) holds a commit that the "
                      "database does not have",
                      frame, offset_of(frame))};
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<WalDamage>> scan_wal(const std::string& database_path, const std::string& vfs) {
  auto wal = File::open_to_read(database_path + "-wal", vfs);
  if (!wal) return fail(wal.error());
  if (!*wal) return std::nullopt;
  auto size = (*wal)->size();
  if (!size) return fail(size.error());
  if (*size < header_bytes + frame_bytes) return std::nullopt;
  const std::uint64_t frames = (*size - header_bytes) / frame_bytes;

  auto database = File::open_to_read(database_path, vfs);
  if (!database) return fail(database.error());
  std::uint64_t database_bytes = 0;
  if (*database) {
    auto measured = (*database)->size();
    if (!measured) return fail(measured.error());
    database_bytes = *measured;
  }
  if (database_bytes == 0) return WalDamage{0, 0, "it holds commits, but its database is gone or empty"};

  std::uint8_t bytes[header_bytes];
  if (auto read = (*wal)->read(bytes, 0); !read) return fail(read.error());
  const Header header = read_header(bytes);
  if (header.is_good) return look_behind_bad_frame(**wal, frames, header);
  return look_behind_bad_header(**wal, frames, header, *database);
}

}  // namespace firstcome::sqlite
