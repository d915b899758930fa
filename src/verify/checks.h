#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/store.h"
#include "verify/check.h"
#include "verify/folds.h"
#include "verify/history.h"

namespace firstcome::verify {

/// The rules that every run must keep (design, section 9), in one place: `verify`, the tests, the simulation, the load
/// tool and the benchmarks all ask here, so that a run that oversells fails wherever it is made.
///
///   Order   histories must have been read before the store, and the store before the journal. Then what the journal
///           has beyond the store is owed, and anything else that differs is broken.

/// The whole store, in any order of rows.
struct StoreRows {
  std::optional<InstallationId> installation;
  std::vector<CampaignRow> campaigns;
  std::vector<QuotaRow> quotas;
  std::vector<CouponRow> coupons;
  std::vector<Progress> progress;
  std::vector<ParkedEntry> parked;
};

/// Both folds agree in every winner, change, chain and in the end; a campaign is sealed if and only if N ranks are
/// held.
std::vector<Check> check_folds(const Folds& folds);

/// The store is what the folds say at its progress, row by row, and keeps the rules that its tables promise.
std::vector<Check> check_store(const Folds& folds, const StoreRows& rows);

/// Everything final that a client was told is true in the end, and the order of arrival was kept (check_order).
std::vector<Check> check_told(const Folds& folds, std::span<const Attempt> attempts,
                              std::chrono::microseconds skew = {});

/// With promise = "store" what a client was told has been committed there before. A sentence for each such campaign
/// whose store does not reach so far: it was set back since and is written anew, or it was told too early. Which of the
/// two, nothing that is read can say.
std::vector<std::string> told_beyond_store(const Folds& folds, const StoreRows& rows,
                                           std::span<const Attempt> attempts);

/// Over histories, in linear time. call = a user's first attempt that was not answered by a verdict without effect;
/// return = the first `won` received. For every k, the largest call among ranks <= k is <= the return of rank k; every
/// sold_out(q) returned no earlier than the calls of ranks 1..q. Who is told a repeated won (200) at the first call has
/// called before the history begins, so his call is not known. `skew`: how far the clients' clocks may be apart.
Check check_order(const Naive& naive, std::span<const Attempt> attempts, std::chrono::microseconds skew = {});

/// How a campaign came out.
struct CampaignOutcome {
  std::string campaign;
  std::uint32_t quota = 0;
  std::uint64_t winners = 0;
  bool scheduled = false;  ///< it has not begun
  bool sealed = false;
  bool closed = false;
  std::optional<std::uint64_t> coupons;  ///< rows
  std::optional<std::uint64_t> owed;     ///< winners whose coupon is no row yet, the parked ones among them
  std::optional<std::uint64_t> parked;   ///< refused by the store
};

/// Without `rows`, the whole store, nothing is said of it.
std::vector<CampaignOutcome> outcomes(const Folds& folds, const StoreRows* rows, Time now);

}  // namespace firstcome::verify
