#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/life.h"
#include "sim/plan.h"
#include "store/store.h"

namespace firstcome::sim {

/// The store's tables: what is durable, and the rules that the database itself keeps.
class Tables {
 public:
  struct PerCampaign {
    CampaignId id;
    std::optional<CampaignRow> terms;
    std::vector<std::uint32_t> quotas;
    std::vector<CouponRow> coupons;
    std::optional<Progress> progress;
  };
  struct Arrival {  // of rows: for the rule about the rate
    Micros at = 0;
    CampaignId campaign;
    std::size_t rows = 0;
  };

  Tables(World& world, const Plan& plan) : world_(world), plan_(plan) {}

  Result<WriteOutcome> write(const IssueBatch& batch);
  Result<WriteOutcome> retry(std::int64_t number);
  bool beat(const std::string& who);
  const std::string& holder() const { return holder_; }

  /// The file is gone.
  void remove();

  /// The server is restored from the copy that was made before.
  void make_copy();
  void restore_copy();

  /// A transaction that is not decided has the campaign's progress locked, and a write has the issuer's row besides
  /// (shared: a beat waits for it). `until`: when the server ends it at the latest. Gives its number.
  std::uint64_t begin(const CampaignId& campaign, bool is_write, Micros until);
  void end(std::uint64_t transaction);
  bool is_open(std::uint64_t transaction) const;
  bool is_progress_locked(const CampaignId& campaign) const;
  bool is_issuer_locked() const;

  PerCampaign& of(const CampaignId& campaign);
  const std::vector<PerCampaign>& campaigns() const { return campaigns_; }
  const std::vector<ParkedEntry>& parked() const { return parked_; }
  const std::vector<Arrival>& arrivals() const { return arrivals_; }
  bool is_poison(const User& user) const;

  std::optional<InstallationId> installation;
  Micros clock_error = 0;
  bool disk_full = false;
  Micros down_until = 0;
  std::uint32_t lives = 0;  ///< times that it was removed or restored

 private:
  struct Transaction {
    std::uint64_t number = 0;
    CampaignId campaign;
    bool is_write = false;
    Micros until = 0;
  };

  std::optional<std::string> refuses(PerCampaign& table, const CouponRow& row) const;
  std::optional<std::string> refuses_any(PerCampaign& table, const IssueBatch& batch) const;
  void check_rows(const PerCampaign& table);

  World& world_;
  const Plan& plan_;
  std::vector<PerCampaign> campaigns_;
  std::vector<ParkedEntry> parked_;
  std::vector<PerCampaign> copied_campaigns_;
  std::vector<ParkedEntry> copied_parked_;
  std::vector<Transaction> transactions_;
  std::uint64_t last_transaction_ = 0;
  std::vector<Arrival> arrivals_;
  std::int64_t last_number_ = 0;
  std::string holder_;
  Micros beat_at_ = 0;
};

/// The store as one issuer sees it: blocking, and failing in every way.
class SimStore final : public Store {
 public:
  SimStore(World& world, const Plan& plan, Tables& tables, Life& life)
      : world_(world), plan_(plan), tables_(tables), life_(life) {}

  Result<std::optional<InstallationId>> installation() override;
  Result<void> adopt(const InstallationId& id) override;
  Result<std::vector<Progress>> progress() override;
  Result<WriteOutcome> write(const IssueBatch& batch) override;
  Result<std::vector<ParkedEntry>> parked() override;
  Result<WriteOutcome> retry(std::int64_t number, Time now) override;
  Result<bool> beat(const std::string& holder) override;
  Result<std::vector<CouponRow>> coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) override;

 private:
  Result<void> reach(Happening fault);
  void stand_still(Happening fault);
  Result<void> stand_in_transaction(std::uint64_t transaction);
  bool has_lost_its_place() const;
  template <class Write>
  Result<WriteOutcome> attempt(const CampaignId& campaign, bool is_write, const Write& write);

  World& world_;
  const Plan& plan_;
  Tables& tables_;
  Life& life_;
  std::string held_as_;  // the holder of the last beat that was true
};

}  // namespace firstcome::sim
