#include "sim/sim_store.h"

#include <algorithm>

#include "base/mutant.h"

namespace firstcome::sim {
namespace {

constexpr Micros beat_old = millis(3000);
constexpr Micros idle_max = millis(3000);  // a transaction that stands still for longer is ended by the server

bool same_place(const std::optional<Progress>& stored, const std::optional<Progress>& seen) {
  if (stored.has_value() != seen.has_value()) return false;
  if (!stored) return true;
  return stored->rank == seen->rank && (mutant(Mutant::fence_without_chain) || stored->chain == seen->chain);
}

}  // namespace

Tables::PerCampaign& Tables::of(const CampaignId& campaign) {
  const auto found = std::ranges::find(campaigns_, campaign, &PerCampaign::id);
  return found != campaigns_.end() ? *found
                                   : campaigns_.emplace_back(PerCampaign{.id = campaign, .terms = {}, .progress = {}});
}

bool Tables::is_poison(const User& user) const {
  return plan_.poisoned != 0 && user.view().back() == static_cast<char>('0' + plan_.poisoned);
}

/// The closed list: too long, rank above the quota, no such quota, a second coupon of a rank, a user or a code.
std::optional<std::string> Tables::refuses(PerCampaign& table, const CouponRow& row) const {
  if (!world_.healed() && is_poison(row.user)) {
    world_.saw(Happening::poison_row);
    return "too long";
  }
  if (row.rank < 1 || row.rank > row.quota) return "check: rank above the quota";
  if (std::ranges::count(table.quotas, row.quota) == 0) return "foreign key: no such quota";
  for (const CouponRow& there : table.coupons) {
    if (there.rank == row.rank) return "duplicate rank";
    if (there.user == row.user) return "duplicate user";
    if (there.code == row.code) return "duplicate code";
  }
  return {};
}

/// Writes the batch's quotas and coupons; on a refusal the caller takes them back.
std::optional<std::string> Tables::refuses_any(PerCampaign& table, const IssueBatch& batch) const {
  for (const auto quota : batch.quotas) {
    if (std::ranges::count(table.quotas, quota) > 0) return "duplicate quota";
    table.quotas.push_back(quota);
  }
  for (const CouponRow& row : batch.coupons) {
    if (auto reason = refuses(table, row)) return reason;
    table.coupons.push_back(row);
  }
  return {};
}

Result<WriteOutcome> Tables::write(const IssueBatch& batch) {
  PerCampaign& table = of(batch.next.campaign);
  const std::size_t quotas = table.quotas.size(), coupons = table.coupons.size();
  const bool is_fenced = same_place(table.progress, batch.seen);
  if (!is_fenced && !mutant(Mutant::fence_last)) return FenceLost{};
  if (auto reason = refuses_any(table, batch)) {
    if (mutant(Mutant::fence_last)) return fail(FaultKind::unavailable, *reason);
    table.quotas.resize(quotas);
    table.coupons.resize(coupons);
    return RowRefused{std::move(*reason)};
  }
  check_rows(table);
  if (!is_fenced) return FenceLost{};
  if (batch.campaign) table.terms = batch.campaign;
  for (ParkedEntry entry : batch.parked) {
    entry.number = ++last_number_;
    world_.saw(Happening::parked);
    if (!is_poison(entry.coupon.user))
      world_.broke("only refused rows are parked", entry.coupon.user.str() + " was parked: " + entry.reason);
    parked_.push_back(std::move(entry));
  }
  table.progress = batch.next;
  if (!batch.coupons.empty()) arrivals_.push_back({world_.now(), table.id, batch.coupons.size()});
  world_.trace("store {}: {} coupons, {} parked, up to rank {}, position {}", table.id.view(), batch.coupons.size(),
               batch.parked.size(), batch.next.rank, batch.next.position);
  return Committed{};
}

void Tables::check_rows(const PerCampaign& table) {
  const std::uint32_t quota = table.quotas.empty() ? 0 : table.quotas.back();
  if (table.coupons.size() > quota) world_.broke("never N+1", "more rows than places in " + table.id.str());
}

Result<WriteOutcome> Tables::retry(std::int64_t number) {
  const auto entry = std::ranges::find(parked_, number, &ParkedEntry::number);
  if (entry == parked_.end()) return fail(FaultKind::misconfigured, "that number is not parked");
  PerCampaign& table = of(entry->coupon.campaign);
  if (auto reason = refuses(table, entry->coupon)) return RowRefused{std::move(*reason)};
  table.coupons.push_back(entry->coupon);
  parked_.erase(entry);
  check_rows(table);
  world_.saw(Happening::retried);
  return Committed{};
}

bool Tables::beat(const std::string& who) {
  const Micros now = world_.now() + clock_error;
  if (!holder_.empty() && holder_ != who && now - beat_at_ < beat_old) return false;
  if (!holder_.empty() && holder_ != who) world_.saw(Happening::spare_took_over);
  holder_ = who;
  beat_at_ = now;
  return true;
}

std::uint64_t Tables::begin(const CampaignId& campaign, bool is_write, Micros until) {
  std::erase_if(transactions_, [&](const Transaction& one) { return one.until <= world_.now(); });
  transactions_.push_back({++last_transaction_, campaign, is_write, until});
  return last_transaction_;
}

void Tables::end(std::uint64_t transaction) {
  std::erase_if(transactions_, [&](const Transaction& one) { return one.number == transaction; });
}

bool Tables::is_open(std::uint64_t transaction) const {
  return std::ranges::any_of(
      transactions_, [&](const Transaction& one) { return one.number == transaction && world_.now() <= one.until; });
}

bool Tables::is_progress_locked(const CampaignId& campaign) const {
  return std::ranges::any_of(
      transactions_, [&](const Transaction& one) { return one.campaign == campaign && world_.now() < one.until; });
}

bool Tables::is_issuer_locked() const {
  return std::ranges::any_of(transactions_,
                             [&](const Transaction& one) { return one.is_write && world_.now() < one.until; });
}

void Tables::remove() {
  campaigns_.clear();
  parked_.clear();
  arrivals_.clear();
  transactions_.clear();
  installation.reset();
  holder_.clear();
  ++lives;
}

void Tables::make_copy() {
  copied_campaigns_ = campaigns_;
  copied_parked_ = parked_;
}

void Tables::restore_copy() {
  world_.trace("the store is restored from an older copy");
  world_.saw(Happening::store_restored);
  campaigns_ = copied_campaigns_;
  parked_ = copied_parked_;
  transactions_.clear();
  ++lives;
}

/// Can it be reached at all?
Result<void> SimStore::reach(Happening fault) {
  if (!life_.step()) return fail(FaultKind::unavailable, "this process is gone");
  if (world_.strikes(Happening::store_down))
    tables_.down_until = world_.now() + world_.dice.between(millis(200), millis(4000));
  if (!world_.healed() && world_.now() < tables_.down_until) return fail(FaultKind::unavailable, "the store is down");
  if (world_.strikes(fault)) return fail(FaultKind::unavailable, "the connection broke");
  return {};
}

/// The issuer is stopped, or its statement waits for a lock; everybody else goes on.
void SimStore::stand_still(Happening fault) {
  if (world_.is_nested() || !world_.strikes(fault)) return;
  world_.trace("an issuer stands still");
  const Micros until = world_.now() + world_.dice.between(millis(50), millis(6000));
  if (plan_.distributed) life_.stand_still(until);
  world_.run_until(until);
}

/// Behind the fence, with the locks of the transaction.
Result<void> SimStore::stand_in_transaction(std::uint64_t transaction) {
  stand_still(Happening::transaction_stopped);
  if (!life_.is_alive()) return fail(FaultKind::unavailable, "this process is gone");
  if (tables_.is_open(transaction)) return {};
  // Known before the commit was sent, or not.
  world_.saw(Happening::transaction_ended);
  return fail(world_.dice.chance(500) ? FaultKind::unavailable : FaultKind::timed_out, "the connection was closed");
}

/// Who made no beat here has none to lose: the fence alone holds for it.
bool SimStore::has_lost_its_place() const { return !held_as_.empty() && tables_.holder() != held_as_; }

Result<std::optional<InstallationId>> SimStore::installation() {
  if (auto reached = reach(Happening::store_read_failed); !reached) return fail(reached.error());
  return tables_.installation;
}

Result<void> SimStore::adopt(const InstallationId& id) {
  if (auto reached = reach(Happening::store_write_failed); !reached) return reached;
  if (tables_.disk_full) return fail(FaultKind::unavailable, "the disk is full");
  tables_.installation = id;
  return {};
}

Result<std::vector<Progress>> SimStore::progress() {
  if (auto reached = reach(Happening::store_read_failed); !reached) return fail(reached.error());
  std::vector<Progress> rows;
  for (const auto& table : tables_.campaigns()) {
    if (table.progress) rows.push_back(*table.progress);
  }
  return rows;
}

template <class Write>
Result<WriteOutcome> SimStore::attempt(const CampaignId& campaign, bool is_write, const Write& write) {
  if (auto reached = reach(Happening::store_write_failed); !reached) return fail(reached.error());
  stand_still(Happening::issuer_paused);
  if (!life_.is_alive()) return fail(FaultKind::unavailable, "this process is gone");
  if (is_write && has_lost_its_place()) {
    world_.saw(Happening::place_lost);
    return FenceLost{};
  }
  if (tables_.is_progress_locked(campaign)) {
    world_.saw(Happening::lock_waited);
    return fail(FaultKind::unavailable, "waited for a lock in vain");
  }
  const auto begin = [&](Micros for_at_most) { return tables_.begin(campaign, is_write, world_.now() + for_at_most); };
  const std::uint64_t transaction = begin(idle_max);
  if (plan_.distributed) {
    if (auto stood = stand_in_transaction(transaction); !stood) {
      tables_.end(transaction);
      return fail(stood.error());
    }
  }
  tables_.end(transaction);
  if (tables_.disk_full) return fail(FaultKind::unavailable, "the disk is full");
  const auto unknown = [] { return fail(FaultKind::timed_out, "no answer from the store"); };
  if (world_.strikes(Happening::store_write_lost)) {
    begin(world_.dice.between(0, idle_max));  // the server learns late that nobody is there
    return unknown();
  }
  if (world_.strikes(Happening::store_write_late)) {
    // The server has the commit: it takes its time, and is not idle.
    const Micros takes = world_.dice.between(100, millis(4000));
    world_.after(takes, [&tables = tables_, late = begin(takes), write] {
      if (!tables.is_open(late)) return;
      tables.end(late);
      (void)write();
    });
    return unknown();
  }
  auto outcome = write();
  life_.step();
  if (outcome && world_.strikes(Happening::store_write_unknown)) return unknown();
  if (outcome && std::holds_alternative<FenceLost>(*outcome)) world_.saw(Happening::fence_lost);
  return outcome;
}

Result<WriteOutcome> SimStore::write(const IssueBatch& batch) {
  return attempt(batch.next.campaign, true, [&tables = tables_, batch] { return tables.write(batch); });
}

Result<std::vector<ParkedEntry>> SimStore::parked() {
  if (auto reached = reach(Happening::store_read_failed); !reached) return fail(reached.error());
  return tables_.parked();
}

Result<WriteOutcome> SimStore::retry(std::int64_t number, Time) {
  const auto entry = std::ranges::find(tables_.parked(), number, &ParkedEntry::number);
  if (entry == tables_.parked().end()) return tables_.retry(number);
  return attempt(entry->coupon.campaign, false, [&tables = tables_, number] { return tables.retry(number); });
}

Result<bool> SimStore::beat(const std::string& holder) {
  if (auto reached = reach(Happening::store_read_failed); !reached) return fail(reached.error());
  // For one of the same holder, too: the connection that began it was given up, and this is another one.
  if (tables_.is_issuer_locked()) {
    world_.saw(Happening::beat_waited);
    return fail(FaultKind::unavailable, "waited for a lock in vain");
  }
  const bool held = tables_.beat(holder);
  if (held) held_as_ = holder;
  return held;
}

Result<std::vector<CouponRow>> SimStore::coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) {
  std::vector<CouponRow> rows;
  for (const CouponRow& row : tables_.of(campaign).coupons) {
    if (row.rank > after && rows.size() < limit) rows.push_back(row);
  }
  return rows;
}

}  // namespace firstcome::sim
