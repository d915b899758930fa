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
    Micros locked_until = 0;
  };
  struct Arrival {  // of rows: for the rule about the rate
    Micros sent = 0;
    CampaignId campaign;
    std::size_t rows = 0;
  };

  Tables(World& world, const Plan& plan) : world_(world), plan_(plan) {}

  Result<WriteOutcome> write(const IssueBatch& batch, Micros sent);
  Result<WriteOutcome> retry(std::int64_t number);
  bool beat(const std::string& who);

  /// The file is gone.
  void remove();

  /// The server is restored from the copy that was made before.
  void make_copy();
  void restore_copy();

  /// A transaction has the campaign's progress locked, until then at most: the server ends it when it stands still.
  void lock(const CampaignId& campaign, Micros until) { of(campaign).locked_until = until; }
  void unlock(const CampaignId& campaign) { of(campaign).locked_until = 0; }
  bool is_locked(const CampaignId& campaign) { return world_.now() < of(campaign).locked_until; }

  PerCampaign& of(const CampaignId& campaign);
  const std::vector<PerCampaign>& campaigns() const { return campaigns_; }
  const std::vector<ParkedEntry>& parked() const { return parked_; }
  const std::vector<Arrival>& arrivals() const { return arrivals_; }
  bool is_poison(const User& user) const;

  std::optional<InstallationId> installation;
  Micros clock_error = 0;
  bool disk_full = false;
  Micros down_until = 0;
  std::uint32_t lives = 0;  ///< times that it was removed or restored: no transaction outlives that

 private:
  std::optional<std::string> refuses(PerCampaign& table, const CouponRow& row) const;
  std::optional<std::string> refuses_any(PerCampaign& table, const IssueBatch& batch) const;
  void check_rows(const PerCampaign& table);

  World& world_;
  const Plan& plan_;
  std::vector<PerCampaign> campaigns_;
  std::vector<ParkedEntry> parked_;
  std::vector<PerCampaign> copied_campaigns_;
  std::vector<ParkedEntry> copied_parked_;
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
  Result<void> stand_in_transaction(const CampaignId& campaign);
  template <class Write>
  Result<WriteOutcome> attempt(const CampaignId& campaign, const Write& write);

  World& world_;
  const Plan& plan_;
  Tables& tables_;
  Life& life_;
};

}  // namespace firstcome::sim
