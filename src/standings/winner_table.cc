#include "standings/winner_table.h"

#include <xxhash.h>

#include <atomic>

#include "base/assert.h"
#include "base/schedule_point.h"
#include "standings/large_pages.h"

namespace firstcome {
namespace {

// Two thirds full at the most: a look for somebody who is not there ends after about five neighbouring slots.
std::uint32_t slots_for(std::uint32_t places) {
  const std::uint64_t slots = std::uint64_t{places} + places / 2 + 8;
  MUST(slots < UINT32_MAX, "quotas are limited far below");
  return static_cast<std::uint32_t>(slots);
}

constexpr std::uint64_t tag_mask = 0xffff'ffff'0000'0000;

}  // namespace

WinnerTable::WinnerTable(std::uint32_t places, std::uint64_t seed)
    : places_(places), seed_(seed), slots_(slots_for(places)) {
  // calloc, since the kernel hands out zero pages only as they are touched: a large quota costs nothing before its
  // rush.
  slot_.reset(static_cast<std::uint64_t*>(std::calloc(slots_, sizeof(std::uint64_t))));
  MUST(slot_ != nullptr, "memory for the winners of a campaign");
  ask_for_large_pages(slot_.get(), slots_ * sizeof(std::uint64_t));
}

std::uint64_t WinnerTable::hash_of(std::string_view user) const {
  return XXH3_64bits_withSeed(user.data(), user.size(), seed_);
}

// The upper bits choose the slot, the lower half is the tag: they are independent.
std::uint32_t WinnerTable::slot_of(std::uint64_t hash) const {
  return static_cast<std::uint32_t>((static_cast<unsigned __int128>(hash) * slots_) >> 64);
}

void WinnerTable::prefetch(std::string_view user) const {
  constexpr int for_writing = 1;
  __builtin_prefetch(&slot_[slot_of(hash_of(user))], for_writing);
}

std::uint32_t WinnerTable::find(std::string_view user, const AppendOnly<Winner>& winners) const {
  const std::uint64_t hash = hash_of(user);
  auto at = slot_of(hash);
  for (;;) {
    schedule_point();
    const std::uint64_t slot = std::atomic_ref(slot_[at]).load(std::memory_order_acquire);
    if (slot == 0) return 0;
    const auto rank = static_cast<std::uint32_t>(slot);
    if ((slot & tag_mask) == hash << 32 && winners[rank - 1].user() == user) return rank;
    if (++at == slots_) at = 0;
  }
}

void WinnerTable::insert(std::string_view user, std::uint32_t rank) {
  MUST(rank >= 1 && rank <= places_, "a table has a slot for each place");
  const std::uint64_t hash = hash_of(user);
  auto at = slot_of(hash);
  while (std::atomic_ref(slot_[at]).load(std::memory_order_relaxed) != 0) {
    if (++at == slots_) at = 0;
  }
  schedule_point();
  std::atomic_ref(slot_[at]).store(hash << 32 | rank, std::memory_order_release);
}

}  // namespace firstcome
