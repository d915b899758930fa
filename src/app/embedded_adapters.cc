#include "app/embedded_adapters.h"

#include <filesystem>

namespace firstcome {

Result<void> EmbeddedAdapters::open() {
  if (!held_) {
    auto held = sqlite::DataFolder::hold(folder_, clock_);
    if (!held) return fail(held.error());
    held_.emplace(std::move(*held));
  }
  auto journal = SqliteJournal::open({.folder = folder_, .clock = clock_, .random = random_});
  if (!journal) return fail(journal.error());
  journal_ = std::move(*journal);
  auto store = SqliteStore::open({.folder = folder_, .clock = clock_});
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  return {};
}

void EmbeddedAdapters::close() {
  store_.reset();
  journal_.reset();
}

void EmbeddedAdapters::write_metrics(metrics::Page& page) const {
  page.gauge("firstcome_journal_wal_bytes", "Length of journal.db-wal.", static_cast<double>(journal_->wal_bytes()));
  page.gauge("firstcome_store_wal_bytes", "Length of store.db-wal.", static_cast<double>(store_->wal_bytes()));
  std::error_code error;
  const auto space = std::filesystem::space(folder_, error);
  if (error) return;
  page.gauge("firstcome_disk_free_bytes", "Room on the disk of the data folder.", static_cast<double>(space.available));
}

}  // namespace firstcome
