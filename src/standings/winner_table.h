#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "standings/append_only.h"
#include "standings/winner.h"

namespace firstcome {

/// Finds the rank of a user among the winners: insert-only, open addressing, made for `places` winners.
///
///   Threads   one thread inserts; any thread finds, without a lock. Whatever was inserted before a flag was published
///             (release) is found by whoever has loaded that flag (acquire).
///   Memory    12 bytes a place, touched only as winners come in.
class WinnerTable {
 public:
  WinnerTable(std::uint32_t places, std::uint64_t seed);

  std::uint32_t places() const { return places_; }

  /// 0 when the user is no winner.
  std::uint32_t find(std::string_view user, const AppendOnly<Winner>& winners) const;

  /// Has the processor fetch what find() and insert() will touch: a miss costs as much as hashing the entry.
  void prefetch(std::string_view user) const;

  /// `rank` is the place of the user in `winners` plus one; the user must not be in the table.
  void insert(std::string_view user, std::uint32_t rank);

 private:
  struct Free {
    void operator()(std::uint64_t* slots) const { std::free(slots); }
  };
  std::uint64_t hash_of(std::string_view user) const;
  std::uint32_t slot_of(std::uint64_t hash) const;

  std::uint32_t places_;
  std::uint64_t seed_;
  std::uint32_t slots_;
  std::unique_ptr<std::uint64_t[], Free> slot_;  // tag in the upper half, rank in the lower; 0 is empty
};

}  // namespace firstcome
