#pragma once

#include <memory>
#include <vector>

#include "clause.h"
#include "store/store.h"

namespace firstcome {

/// An adapter of the store, with what the contract must do to it.
class StoreHost {
 public:
  virtual ~StoreHost() = default;

  /// The same store each time; several may be open, as of two issuers.
  virtual Result<std::unique_ptr<Store>> open() = 0;

  /// Power off and on: what was not durable is gone, and so is whatever was open.
  virtual void crash() = 0;

  /// As crash(), but in the middle of what the store does next; false: it does not come to an `operations`-th.
  virtual void crash_after(std::uint64_t operations) = 0;

  /// No room, or room again.
  virtual void fill(bool full) = 0;

  /// INSERTs the row, as an operator does it in a shell, in a connection of its own.
  virtual Result<void> insert_by_hand(const CouponRow& row) = 0;

  /// The row of who is at work is gone, as in a store that was restored or emptied.
  virtual void forget_holder() = 0;

  /// Lets the store's clock go on.
  virtual void advance(Millis time) = 0;
};

/// The clauses of store/store.h.
std::vector<Clause<StoreHost>> store_contract();

}  // namespace firstcome
