#pragma once

#include <set>

#include "app/adapters.h"
#include "journal/kafka_journal.h"
#include "store/mysql_store.h"

namespace firstcome {

/// Journal, store and gate on servers that processes share: Kafka, MySQL or MariaDB, Redis or Valkey.
class DistributedAdapters final : public Adapters {
 public:
  DistributedAdapters(const Settings& settings, Clock& clock, Random& random)
      : settings_(settings), clock_(clock), random_(random) {}

  Result<void> open() override;
  void stop_journal() override {
    if (journal_) journal_->stop();
  }
  void close() override;
  Journal& journal() override { return *journal_; }
  Store* store() override { return store_.get(); }
  std::string holder() const override;
  Result<std::unique_ptr<Gate>> make_gate(http::Loop& loop) override;
  void write_metrics(metrics::Page& page) const override;
  std::string describe() const override;

 private:
  void tell_connecting(const std::string& part, const std::string& url);

  const Settings settings_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<KafkaJournal> journal_;
  std::unique_ptr<MysqlStore> store_;
  std::set<std::string> told_;  // parts, at their first connection
  bool has_gate_ = false;       // one of them writes to the log
};

}  // namespace firstcome
