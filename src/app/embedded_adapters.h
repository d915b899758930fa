#pragma once

#include <optional>

#include "app/adapters.h"
#include "journal/sqlite_journal.h"
#include "sqlite/data_folder.h"
#include "store/sqlite_store.h"

namespace firstcome {

/// Journal and store as two files in the data folder, which this process holds for as long as it lives. No gate.
class EmbeddedAdapters final : public Adapters {
 public:
  EmbeddedAdapters(const Settings& settings, Clock& clock, Random& random)
      : folder_(settings.data), clock_(clock), random_(random) {}

  Result<void> open() override;
  void stop_journal() override {
    if (journal_) journal_->stop();
  }
  void close() override;
  Journal& journal() override { return *journal_; }
  Store* store() override { return store_.get(); }
  /// The same after a restart, which then waits for nobody's beat: who holds the folder is alone.
  std::string holder() const override { return "embedded"; }
  Result<std::unique_ptr<Gate>> make_gate(http::Loop&) override { return nullptr; }
  void write_metrics(metrics::Page& page) const override;
  std::string describe() const override { return "data         " + folder_; }

 private:
  const std::string folder_;
  Clock& clock_;
  Random& random_;
  std::optional<sqlite::DataFolder> held_;  // kept over close(): another process must not slip in between
  std::unique_ptr<SqliteJournal> journal_;
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace firstcome
