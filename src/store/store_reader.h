#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "sqlite/database.h"
#include "sqlite/snapshot.h"
#include "store/store.h"
#include "store/store_tables.h"

namespace firstcome {

/// Every row of store.db of a data folder, of a dead or a running server, as of one moment, without changing a byte in
/// it: read on a copy (sqlite/snapshot.h), with quick_check.
///
///   Fails   corrupt: damaged pages, or a value that firstcome cannot have written, with its row. misconfigured: no
///   store
///           there. unavailable: no room for the copy.
class StoreReader {
 public:
  static Result<StoreReader> open(const std::string& folder);

  const std::optional<InstallationId>& installation() const { return installation_; }
  const std::vector<CampaignRow>& campaigns() const { return campaigns_; }  ///< by id
  const std::vector<QuotaRow>& quotas() const { return quotas_; }           ///< by campaign and quota
  const std::vector<Progress>& progress() const { return progress_; }       ///< by campaign
  const std::vector<ParkedEntry>& parked() const { return parked_; }        ///< by number

  /// All coupons, by campaign and rank, in batches.
  Result<void> coupons(const std::function<void(std::span<const CouponRow>)>& show);

 private:
  StoreReader(sqlite::Snapshot snapshot, sqlite::Database database)
      : snapshot_(std::move(snapshot)), database_(std::move(database)) {}
  Result<void> read();
  template <class Row>
  Result<void> read_table(const std::string& sql, Result<Row> (*read)(const sqlite::Statement&),
                          std::vector<Row>& into);

  sqlite::Snapshot snapshot_;  // outlives the connection to it
  sqlite::Database database_;
  std::optional<InstallationId> installation_;
  std::vector<CampaignRow> campaigns_;
  std::vector<QuotaRow> quotas_;
  std::vector<Progress> progress_;
  std::vector<ParkedEntry> parked_;
};

}  // namespace firstcome
