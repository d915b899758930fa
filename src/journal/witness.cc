#include "journal/witness.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cstring>

namespace firstcome {
namespace {

static_assert(std::endian::native == std::endian::little);

/// Each slot has a sector for itself.
constexpr std::uint64_t slot_bytes = 512;

struct Slot {
  std::uint64_t position = 0;
  std::uint64_t sum = 0;
  std::uint64_t check = 0;
};

std::uint64_t check_of(const Slot& slot) { return XXH3_64bits(&slot, offsetof(Slot, check)); }

struct Reading {
  std::optional<JournalEnd> end;
  bool from_second_slot = false;
};

Result<Reading> read_slots(const sqlite::File& file) {
  std::array<std::uint8_t, 2 * slot_bytes> bytes{};
  if (auto read = file.read(bytes, 0); !read) return fail(read.error());
  Reading reading;
  for (int i = 0; i < 2; ++i) {
    Slot slot;
    std::memcpy(&slot, bytes.data() + static_cast<std::uint64_t>(i) * slot_bytes, sizeof slot);
    if (slot.position == 0 || slot.check != check_of(slot)) continue;
    if (reading.end && reading.end->position >= slot.position) continue;
    reading = {JournalEnd{slot.position, slot.sum}, i == 1};
  }
  return reading;
}

}  // namespace

Result<Witness> Witness::open(const std::string& path, const std::string& vfs) {
  auto file = sqlite::File::open_or_make(path, vfs);
  if (!file) return fail(file.error());
  Witness witness(std::move(*file));
  auto reading = read_slots(witness.file_);
  if (!reading) return fail(reading.error());
  witness.seen_ = reading->end;
  witness.second_slot_ = reading->end && !reading->from_second_slot;
  return witness;
}

Result<std::optional<JournalEnd>> Witness::look(const std::string& path, const std::string& vfs) {
  auto file = sqlite::File::open_to_read(path, vfs);
  if (!file) return fail(file.error());
  if (!*file) return std::nullopt;
  auto reading = read_slots(**file);
  if (!reading) return fail(reading.error());
  return reading->end;
}

Result<void> Witness::write(const JournalEnd& end) {
  Slot slot{.position = end.position, .sum = end.sum};
  slot.check = check_of(slot);
  std::uint8_t bytes[sizeof slot];
  std::memcpy(bytes, &slot, sizeof slot);
  auto written = file_.write(bytes, second_slot_ ? slot_bytes : 0);
  if (written) second_slot_ = !second_slot_;
  return written;
}

}  // namespace firstcome
