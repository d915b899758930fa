#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/mysql_connection.h"
#include "store/store.h"

namespace firstcome {

/// Every row of the store in a MySQL or MariaDB database, as of one moment, while issuers write: what StoreReader is to
/// store.db. It locks no row; a change of the tables waits until it is gone.
///
///   Fails   corrupt: a value that firstcome cannot have written, with its row. misconfigured: as MysqlStore::open().
///           unavailable: the server, or the connection was lost: begin again, with a new one.
class MysqlStoreReader {
 public:
  static Result<MysqlStoreReader> open(const mysql::Server& server);

  const std::optional<InstallationId>& installation() const { return installation_; }
  const std::vector<CampaignRow>& campaigns() const { return campaigns_; }  ///< by id
  const std::vector<QuotaRow>& quotas() const { return quotas_; }           ///< by campaign and quota
  const std::vector<Progress>& progress() const { return progress_; }       ///< by campaign
  const std::vector<ParkedEntry>& parked() const { return parked_; }        ///< by number

  /// All coupons, by campaign and rank, in batches. `show` may take a minute for one, but no longer: the server waits
  /// with the next.
  Result<void> coupons(const std::function<void(std::span<const CouponRow>)>& show);

 private:
  MysqlStoreReader(std::string store, mysql::Connection connection)
      : store_(std::move(store)), connection_(std::move(connection)) {}
  Result<void> read();
  template <class Row>
  Result<void> read_table(const std::string& sql, Result<Row> (*read)(const mysql::Rows&, std::string_view),
                          std::vector<Row>& into);

  std::string store_;
  mysql::Connection connection_;
  std::optional<InstallationId> installation_;
  std::vector<CampaignRow> campaigns_;
  std::vector<QuotaRow> quotas_;
  std::vector<Progress> progress_;
  std::vector<ParkedEntry> parked_;
};

}  // namespace firstcome
