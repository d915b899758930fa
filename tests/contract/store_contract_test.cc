// Runs the store's contract on the SQLite adapter, and shows that each clause turns red when an adapter breaks it.
#include "store_contract.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <iostream>

#include "memory_disk.h"
#include "store/sqlite_store.h"
#include "words.h"

namespace firstcome {
namespace {

class HandClock final : public Clock {
 public:
  Time now() override { return Time(Millis(1'700'000'000'000)) + gone_; }
  Uptime uptime() override { return gone_; }
  void advance(Millis time) { gone_ += time; }

 private:
  Millis gone_{0};
};

class SqliteHost final : public StoreHost {
 public:
  Result<std::unique_ptr<Store>> open() override {
    auto opened = SqliteStore::open(
        {.folder = "/data", .clock = clock_, .vfs = disk_.name(), .on_disk_lost = [](const Fault&) {}});
    if (!opened) return fail(opened.error());
    return std::unique_ptr<Store>(std::move(*opened));
  }
  void crash() override {
    disk_.end(fault::MemoryDisk::End::power);
    disk_.go_on();
  }
  void crash_after(std::uint64_t operations) override { disk_.end_after(fault::MemoryDisk::End::power, operations); }
  void fill(bool full) override { disk_.set_room(full ? std::optional<std::uint64_t>(0) : std::nullopt); }
  Result<void> insert_by_hand(const CouponRow& row) override {
    sqlite3* shell = nullptr;
    sqlite3_open_v2("/data/store.db", &shell, SQLITE_OPEN_READWRITE, disk_.name().c_str());
    const auto sql = fmt::format("INSERT INTO coupon VALUES('{}', {}, {}, CAST('{}' AS BLOB), '{}', {}, {})",
                                 row.campaign.view(), row.rank, row.quota, row.user.view(), to_text(row.code),
                                 row.position, row.issued_at.time_since_epoch().count());
    const int code = sqlite3_exec(shell, sql.c_str(), nullptr, nullptr, nullptr);
    const std::string why = sqlite3_errmsg(shell);
    sqlite3_close(shell);
    if (code != SQLITE_OK) return fail(FaultKind::misconfigured, why);
    return {};
  }
  void forget_holder() override {
    sqlite3* shell = nullptr;
    sqlite3_open_v2("/data/store.db", &shell, SQLITE_OPEN_READWRITE, disk_.name().c_str());
    EXPECT_EQ(sqlite3_exec(shell, "DELETE FROM issuer", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(shell);
  }
  void advance(Millis time) override { clock_.advance(time); }

 private:
  HandClock clock_;
  fault::MemoryDisk disk_{"store-contract-disk", 1};
};

class StoreContract : public testing::TestWithParam<Clause<StoreHost>> {};

TEST_P(StoreContract, HoldsOnSqlite) {
  SqliteHost host;
  EXPECT_TRUE(GetParam().holds(host)) << GetParam().sentence;
}

INSTANTIATE_TEST_SUITE_P(, StoreContract, testing::ValuesIn(store_contract()),
                         [](const auto& info) { return info.param.label; });

TEST(StoreContractWords, AreThoseOfTheHeader) {
  const auto header = words_of_header("store/store.h");
  for (const auto& clause : store_contract()) {
    EXPECT_NE(header.find(clause.sentence), std::string::npos) << clause.label << ": " << clause.sentence;
  }
  EXPECT_EQ(
      labels_of_header("store/store.h", "class Store "),
      (std::vector<std::string>{"Never N+1", "Fenced", "Held", "Atomic", "Durable", "Refused", "Unknown", "Threads"}));
}

/// How an adapter may be broken; each overrides what it breaks.
class BrokenStore : public Store {
 public:
  explicit BrokenStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  Result<std::optional<InstallationId>> installation() override { return store_->installation(); }
  Result<void> adopt(const InstallationId& id) override { return store_->adopt(id); }
  Result<std::vector<Progress>> progress() override { return store_->progress(); }
  Result<WriteOutcome> write(const IssueBatch& batch) override { return store_->write(batch); }
  Result<std::vector<ParkedEntry>> parked() override { return store_->parked(); }
  Result<WriteOutcome> retry(std::int64_t number, Time now) override { return store_->retry(number, now); }
  Result<bool> beat(const std::string& holder) override { return store_->beat(holder); }
  Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) override {
    return store_->coupons(campaign, after, limit);
  }

 protected:
  std::unique_ptr<Store> store_;
};

class DropsTheLast final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    auto less = batch;
    if (!less.coupons.empty()) less.coupons.pop_back();
    return store_->write(less);
  }
};

class AnswersBeforeTheCommit final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    if (waiting_) (void)store_->write(*waiting_);
    waiting_ = batch;
    return Committed{};
  }

 private:
  std::optional<IssueBatch> waiting_;
};

class IgnoresTheFence final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    auto forced = batch;
    const auto now = store_->progress();
    forced.seen = now && !now->empty() ? std::optional(now->front()) : std::nullopt;
    return store_->write(forced);
  }
};

/// The coupons first, in transactions of their own, then the progress.
class WritesInPieces final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    auto terms = batch;
    auto seen = batch.seen;
    terms.coupons.clear();
    for (const auto& coupon : batch.coupons) {
      IssueBatch piece{.seen = seen, .next = seen.value_or(Progress{.campaign = coupon.campaign}), .coupons = {coupon}};
      if (!seen) {
        piece.campaign = batch.campaign;
        piece.quotas = batch.quotas;
        terms.campaign.reset();
        terms.quotas.clear();
      }
      auto outcome = store_->write(piece);
      if (!outcome || !std::holds_alternative<Committed>(*outcome)) return outcome;
      seen = piece.next;
    }
    terms.seen = seen;
    return store_->write(terms);
  }
};

class ParksFaults final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    auto outcome = store_->write(batch);
    if (!outcome) return RowRefused{outcome.error().what};
    return outcome;
  }
};

class BelongsToAnybody final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<void> adopt(const InstallationId& /*id*/) override { return {}; }
};

class ForgetsWhoHolds final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<bool> beat(const std::string& /*holder*/) override { return true; }
};

class ListsBackwards final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) override {
    auto rows = store_->coupons(campaign, after, limit);
    if (rows) std::ranges::reverse(*rows);
    return rows;
  }
};

class ListsTwice final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) override {
    auto rows = store_->coupons(campaign, after, limit);
    if (rows && !rows->empty()) rows->push_back(rows->back());
    return rows;
  }
};

class UnparksOnly final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> retry(std::int64_t number, Time /*now*/) override {
    gone_ = number;
    return Committed{};
  }
  Result<std::vector<ParkedEntry>> parked() override {
    auto rows = store_->parked();
    if (rows) std::erase_if(*rows, [this](const ParkedEntry& one) { return one.number == gone_; });
    return rows;
  }

 private:
  std::int64_t gone_ = 0;
};

class OneThreadOnly final : public BrokenStore {
 public:
  using BrokenStore::BrokenStore;
  Result<WriteOutcome> write(const IssueBatch& batch) override {
    if (std::this_thread::get_id() != home_) return fail(FaultKind::unavailable, "not on this thread");
    return store_->write(batch);
  }

 private:
  std::thread::id home_ = std::this_thread::get_id();
};

struct Breakage {
  std::string name;
  std::string clause;  ///< that must see it
  std::unique_ptr<Store> (*broken)(std::unique_ptr<Store>) = nullptr;
  bool takes_anything_by_hand = false;
};

class BrokenHost final : public StoreHost {
 public:
  explicit BrokenHost(Breakage breakage) : breakage_(std::move(breakage)) {}
  Result<std::unique_ptr<Store>> open() override {
    auto opened = host_.open();
    if (!opened || breakage_.broken == nullptr) return opened;
    return breakage_.broken(std::move(*opened));
  }
  void crash() override { host_.crash(); }
  void crash_after(std::uint64_t operations) override { host_.crash_after(operations); }
  void fill(bool full) override { host_.fill(full); }
  Result<void> insert_by_hand(const CouponRow& row) override {
    if (breakage_.takes_anything_by_hand) return {};
    return host_.insert_by_hand(row);
  }
  void forget_holder() override { host_.forget_holder(); }
  void advance(Millis time) override { host_.advance(time); }

 private:
  SqliteHost host_;
  const Breakage breakage_;
};

template <class Broken>
std::unique_ptr<Store> broken(std::unique_ptr<Store> store) {
  return std::make_unique<Broken>(std::move(store));
}

class BrokenStoreContract : public testing::TestWithParam<Breakage> {};

TEST_P(BrokenStoreContract, TurnsRed) {
  const auto contract = store_contract();
  const auto clause = std::ranges::find(contract, GetParam().clause, &Clause<StoreHost>::label);
  ASSERT_NE(clause, contract.end());
  BrokenHost host(GetParam());
  const auto result = clause->holds(host);
  EXPECT_FALSE(result);
  std::cout << clause->label << " is red: " << result.message() << "\n";
}

INSTANTIATE_TEST_SUITE_P(, BrokenStoreContract,
                         testing::Values(Breakage{"TakesAnythingByHand", "NeverMore", nullptr, true},
                                         Breakage{"IgnoresTheFence", "Fenced", broken<IgnoresTheFence>},
                                         Breakage{"WritesWithoutItsPlace", "Held", broken<ForgetsWhoHolds>},
                                         Breakage{"WritesInPieces", "Atomic", broken<WritesInPieces>},
                                         Breakage{"WritesInPiecesAndDies", "Unknown", broken<WritesInPieces>},
                                         Breakage{"DropsTheLast", "Durable", broken<DropsTheLast>},
                                         Breakage{"AnswersBeforeTheCommit", "Durable", broken<AnswersBeforeTheCommit>},
                                         Breakage{"ParksFaults", "Refused", broken<ParksFaults>},
                                         Breakage{"OneThreadOnly", "Threads", broken<OneThreadOnly>},
                                         Breakage{"BelongsToAnybody", "adopt", broken<BelongsToAnybody>},
                                         Breakage{"UnparksOnly", "retry", broken<UnparksOnly>},
                                         Breakage{"ForgetsWhoHolds", "beat", broken<ForgetsWhoHolds>},
                                         Breakage{"ListsBackwards", "coupons", broken<ListsBackwards>},
                                         Breakage{"ListsTwice", "coupons", broken<ListsTwice>}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace firstcome
