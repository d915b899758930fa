#include "verify/sources.h"

#include <algorithm>
#include <filesystem>

#include "base/hex.h"
#include "journal/journal_reader.h"
#include "journal/kafka_reader.h"
#include "store/mysql_store_reader.h"
#include "store/store_reader.h"

namespace firstcome::verify {
namespace {

/// From any adapter's reader of rows.
template <class Reader>
Result<void> read_rows(Reader& reader, const Folds& about, StoreRows& rows) {
  const auto take = [&](const auto& from, auto& into, auto campaign) {
    std::ranges::copy_if(from, std::back_inserter(into),
                         [&](const auto& row) { return about.is_about(campaign(row)); });
  };
  rows.installation = reader.installation();
  take(reader.campaigns(), rows.campaigns, [](const CampaignRow& row) { return row.id.view(); });
  take(reader.quotas(), rows.quotas, [](const QuotaRow& row) { return row.campaign.view(); });
  take(reader.progress(), rows.progress, [](const Progress& row) { return row.campaign.view(); });
  take(reader.parked(), rows.parked, [](const ParkedEntry& row) { return row.coupon.campaign.view(); });
  std::size_t coupons = 0;
  for (const auto& row : rows.progress) coupons += row.rank;
  rows.coupons.reserve(std::min<std::size_t>(coupons, limits::places_max_default));
  return reader.coupons([&](std::span<const CouponRow> batch) {
    take(batch, rows.coupons, [](const CouponRow& row) { return row.campaign.view(); });
  });
}

class FolderSource final : public Source {
 public:
  explicit FolderSource(std::string folder) : folder_(std::move(folder)) {}

  Result<void> read_store(const Folds& about, StoreRows& rows) override {
    if (!std::filesystem::exists(folder_ + "/store.db")) return {};
    auto reader = StoreReader::open(folder_);
    if (!reader) return fail(reader.error());
    return read_rows(*reader, about, rows);
  }

  /// A lost journal beside a store that has coupons is broken; without them nothing was ever started here.
  Result<void> read_journal(const StoreRows& rows, Folds& folds) override {
    if (!std::filesystem::exists(folder_ + "/journal.db")) {
      if (rows.progress.empty() && rows.coupons.empty()) {
        return fail(
            FaultKind::misconfigured,
            folder_ + " has no journal.db: --data names the folder of a server, as `firstcome serve --data` does");
      }
      return fail(FaultKind::corrupt, folder_ + "/journal.db is missing, but store.db beside it has coupons of it");
    }
    const auto end = firstcome::read_journal(folder_, [&](std::span<const Shown> batch) { folds.apply(batch); });
    return end ? Result<void>{} : fail(end.error());
  }

 private:
  const std::string folder_;
};

class ServersSource final : public Source {
 public:
  ServersSource(KafkaPlace journal, mysql::Server store) : journal_(std::move(journal)), store_(std::move(store)) {}

  Result<void> read_store(const Folds& about, StoreRows& rows) override {
    auto reader = MysqlStoreReader::open(store_);
    if (!reader) return fail(reader.error());
    return read_rows(*reader, about, rows);
  }

  /// Where each has an address of its own, a typo names the two of different installations: nothing is broken then.
  Result<void> read_journal(const StoreRows& rows, Folds& folds) override {
    if (auto read = read_kafka_journal(journal_, [&](std::span<const Shown> batch) { folds.apply(batch); }); !read) {
      return read;
    }
    const auto installation = folds.standings().installation();
    if (!rows.installation || !installation || *rows.installation == installation->id) return {};
    return fail(FaultKind::misconfigured, "this store belongs to journal " + hex(*rows.installation) + ", not to " +
                                              hex(installation->id) +
                                              ": nothing was compared; name the two of one installation");
  }

 private:
  const KafkaPlace journal_;
  const mysql::Server store_;
};

}  // namespace

Result<std::unique_ptr<Source>> folder_source(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) {
    return fail(FaultKind::misconfigured, folder + " is no folder: --data names the one that a server uses");
  }
  return std::make_unique<FolderSource>(folder);
}

std::unique_ptr<Source> servers_source(KafkaPlace journal, mysql::Server store) {
  return std::make_unique<ServersSource>(std::move(journal), std::move(store));
}

}  // namespace firstcome::verify
