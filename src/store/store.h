#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/entry.h"
#include "standings/campaign.h"

namespace firstcome {

/// A row of `coupon`.
struct CouponRow {
  CampaignId campaign;
  std::uint32_t rank = 0;
  std::uint32_t quota = 0;  ///< in force when the ticket counted
  User user;
  Code code{};
  Position position = 0;
  Time issued_at;  ///< when the store got it; no part of the truth
};

/// A row of `campaign`: the terms in force at the campaign's progress.
struct CampaignRow {
  CampaignId id;
  std::string name;
  Window window;
  std::optional<double> issue_rate;
  Promise promise = Promise::journal;
  bool paused = false;
  bool closed = false;
  bool operator==(const CampaignRow&) const = default;
};

/// A row of `campaign_quota`: a quota that is or was in force; a raise adds one.
struct QuotaRow {
  CampaignId campaign;
  std::uint32_t quota = 0;
  bool operator==(const QuotaRow&) const = default;
};

/// A row of `progress`: everything of the campaign up to `position` has been written or parked.
struct Progress {
  CampaignId campaign;
  std::uint32_t rank = 0;  ///< of the last coupon
  Position position = 0;   ///< of the last entry
  Chain chain{};           ///< of the standings at that position
  bool operator==(const Progress&) const = default;
};

struct ParkedEntry {
  std::int64_t number = 0;  ///< the store gives it
  CouponRow coupon;
  std::string reason;
  Time parked_at;
};

/// One transaction of the issuer, for one campaign.
struct IssueBatch {
  std::optional<Progress> seen;  ///< the fence: the campaign's progress as the issuer knows it; none: no row yet
  Progress next;
  std::optional<CampaignRow> campaign;  ///< when the terms changed
  std::vector<std::uint32_t> quotas;    ///< new rows of campaign_quota, rising
  std::vector<CouponRow> coupons;       ///< in rank order
  std::vector<ParkedEntry> parked;
};

struct Committed {};
struct FenceLost {};  ///< somebody else has written, or has the place: re-read
struct RowRefused {
  std::string reason;
};  ///< a row cannot be written, ever (the closed list): nothing was committed
using WriteOutcome = std::variant<Committed, FenceLost, RowRefused>;

/// The business database with the coupon table.
///
///   Never N+1   The store itself refuses a rank above the quota, a second coupon of a user and a repeated code, in
///               every connection, the operator's shell too.
///   Fenced      A write whose `seen` is not the stored progress (rank and chain) changes nothing: FenceLost.
///   Held        Nor does the write of one whose place, which beat() gave it, is another holder's by now. No beat is
///               true, the holder's own neither, before such a write is decided: what became of one without an answer
///               is known after the next beat.
///   Atomic      A batch is written whole or not at all.
///   Durable     After Committed a power cut cannot take the batch back.
///   Refused     RowRefused is said only for the closed list: duplicate key (after reading back a different row), too
///               long, wrong value, check, foreign key. Everything else is a fault, to be repeated.
///   Unknown     After timed_out the batch may be written or not: read progress again.
///   Threads     one at a time, blocking.
class Store {
 public:
  virtual ~Store() = default;

  /// Which journal this store belongs to; none: it is new.
  virtual Result<std::optional<InstallationId>> installation() = 0;
  virtual Result<void> adopt(const InstallationId& id) = 0;

  virtual Result<std::vector<Progress>> progress() = 0;
  virtual Result<WriteOutcome> write(const IssueBatch& batch) = 0;

  /// In order of number.
  virtual Result<std::vector<ParkedEntry>> parked() = 0;

  /// Inserts the coupon and un-parks it in one transaction. RowRefused: still parked. A number that is not parked:
  /// misconfigured.
  virtual Result<WriteOutcome> retry(std::int64_t number, Time now) = 0;

  /// True while `holder` is the issuer at work; takes over when the other's beat is 3 s old (by the store's clock).
  /// A write without any beat before it is held to the fence alone.
  virtual Result<bool> beat(const std::string& holder) = 0;

  /// For the admin API: at most `limit` coupons with rank > after, in rank order.
  virtual Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) = 0;
};

}  // namespace firstcome
