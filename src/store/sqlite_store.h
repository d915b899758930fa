#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sqlite/database.h"
#include "store/store.h"

namespace firstcome {

/// The store as one SQLite file: store.db in the data folder. Its tables are in store/store_tables.h.
///
///   Own file   never waits for the journal, nor the journal for it. It can be removed while the server is down: open()
///              makes it, and the issuer writes it anew from the journal.
///   Shared     an operator's shell may read it, and write within the rules, while the server runs; who holds it for
///              longer than `busy_ms_max` makes calls fail with unavailable.
///   Unknown    a disk that fails in a commit ends the process by on_disk_lost() (see journal/sqlite_journal.h).
class SqliteStore final : public Store {
 public:
  struct Options {
    std::string folder;
    Clock& clock;  ///< the store's clock, in which beats are measured

    int busy_ms_max = 2000;
    std::string vfs = {};  ///< empty: the system's
    bool sync = true;      ///< false: synchronous=OFF, for the test that shows what a power cut does then

    /// Must not return, but in tests: then every call fails.
    std::function<void(const Fault&)> on_disk_lost = end_process;
  };

  /// Logs and aborts.
  [[noreturn]] static void end_process(const Fault& fault);

  /// The folder must be held (sqlite/data_folder.h).
  static Result<std::unique_ptr<SqliteStore>> open(Options options);
  ~SqliteStore() override;

  Result<std::optional<InstallationId>> installation() override;
  Result<void> adopt(const InstallationId& id) override;
  Result<std::vector<Progress>> progress() override;
  Result<WriteOutcome> write(const IssueBatch& batch) override;
  Result<std::vector<ParkedEntry>> parked() override;
  Result<WriteOutcome> retry(std::int64_t number, Time now) override;
  Result<bool> beat(const std::string& holder) override;
  Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) override;

  /// How long -wal is: a stuck reader makes it grow.
  std::uint64_t wal_bytes() const { return database_.wal_bytes(); }

 private:
  SqliteStore(Options options, sqlite::Database database)
      : options_(std::move(options)), database_(std::move(database)) {}

  Result<void> prepare();
  template <class Body>
  Result<WriteOutcome> in_transaction(Body body);
  Result<bool> holds_place();
  Result<WriteOutcome> pass_fence(const IssueBatch& batch);
  Result<WriteOutcome> write_terms(const IssueBatch& batch);
  Result<WriteOutcome> write_coupon(const CouponRow& coupon);
  Result<WriteOutcome> park(const ParkedEntry& parked);
  Result<bool> holds_already(const CouponRow& coupon);
  std::unexpected<Fault> failed(std::string_view doing);

  const Options options_;
  bool disk_lost_ = false;
  std::string holder_;  // to whom beat() gave the place; empty: to nobody yet
  sqlite::Database database_;
  sqlite::Statement read_installation_;
  sqlite::Statement insert_installation_;
  sqlite::Statement read_progress_;
  sqlite::Statement insert_progress_;
  sqlite::Statement move_progress_;
  sqlite::Statement put_campaign_;
  sqlite::Statement insert_quota_;
  sqlite::Statement insert_coupon_;
  sqlite::Statement read_coupon_;
  sqlite::Statement read_coupons_;
  sqlite::Statement insert_parked_;
  sqlite::Statement read_parked_;
  sqlite::Statement read_one_parked_;
  sqlite::Statement delete_parked_;
  sqlite::Statement put_beat_;
  sqlite::Statement read_holder_;
};

}  // namespace firstcome
