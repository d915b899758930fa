#include "sim/run.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "sim/crowd.h"
#include "sim/operator.h"
#include "sim/rules.h"

namespace firstcome::sim {
namespace {

/// An entry as a newer firstcome may write it: a kind that is unknown here, with a good checksum.
std::vector<std::uint8_t> newer_entry() {
  std::vector<std::uint8_t> bytes{'F', 'C', 1, 99, 7};
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
  bytes.resize(bytes.size() + sizeof sum);
  std::memcpy(bytes.data() + 5, &sum, sizeof sum);
  return bytes;
}

class Run {
 public:
  Run(std::uint64_t seed, std::string* trace) : world_(seed, trace), plan_(draw_plan(world_)), log_(world_, plan_) {
    World::current = &world_;
  }
  ~Run() { World::current = nullptr; }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Outcome go() {
    set_up();
    world_.run_until(plan_.faults_until);
    if (plan_.newer_entry) {
      meet_newer_entry();
    } else {
      heal();
      settle();
    }
    check_end(world_, plan_, log_, tables_, nodes_, crowd_);
    for (std::uint32_t node = 0; node < plan_.nodes; ++node) {
      if (nodes_.on(node)) nodes_.on(node)->crash();  // counts what its desks did
    }
    return {world_.broken(), world_.steps(), nodes_.restarts(), plan_.users, world_.counts};
  }

 private:
  void set_up() {
    log_.begin();
    nodes_.start_all();
    operator_.begin();
    crowd_.come();
    for (const Micros when : plan_.restarts) {
      world_.at(when, [this] { nodes_.end_one(); });
    }
    if (plan_.distributed && world_.dice.chance(120)) restore_store();
    if (world_.dice.chance(250)) fill_disk(world_.dice.between(0, plan_.faults_until));
    while (world_.dice.chance(350)) {
      world_.at(world_.dice.between(0, plan_.faults_until), [this] { nodes_.jump_clock(); });
    }
    look_around();
  }

  void fill_disk(Micros when) {
    world_.at(when, [this] {
      world_.saw(Happening::disk_full);
      log_.disk_full = tables_.disk_full = true;
    });
    world_.at(when + world_.dice.between(millis(100), millis(2500)),
              [this] { log_.disk_full = tables_.disk_full = false; });
  }

  void restore_store() {
    const Micros copied_at = world_.dice.between(0, plan_.faults_until);
    world_.at(copied_at, [this] { tables_.make_copy(); });
    world_.at(world_.dice.between(copied_at, plan_.faults_until), [this] { tables_.restore_copy(); });
  }

  /// People hear of raises.
  void look_around() {
    crowd_.hear_of_raises(log_.truth());
    world_.after(millis(700), [this] { look_around(); });
  }

  void meet_newer_entry() {
    world_.saw(Happening::newer_entry);
    const std::uint32_t partition = partition_of(plan_.campaigns[0].campaign, log_.partitions());
    log_.newer_at = log_.append(newer_entry(), partition).position;
    log_.tell(partition);
    world_.heal();
    world_.run_until(world_.now() + millis(8000));  // longer than any follower is cut off, and than any restart takes
  }

  void heal() {
    world_.trace("everything heals");
    world_.heal();
    nodes_.mend_clocks();
    log_.disk_full = tables_.disk_full = false;
  }

  /// From now on everybody who asks must get a final answer, and every coupon must become a row.
  void settle() {
    const Micros deadline = world_.now() + millis(120'000);
    while (!is_settled()) {
      if (world_.now() >= deadline)
        return world_.broke("everybody who keeps asking is answered, and every coupon written", what_is_missing());
      operator_.put_in_order();
      world_.run_until(world_.now() + millis(400));
    }
  }

  bool is_settled() const {
    for (const Opened& opened : plan_.campaigns) {
      if (!log_.truth().find(opened.campaign)) return false;
    }
    for (std::uint32_t node = 0; node < plan_.nodes; ++node) {
      if (!nodes_.on(node)) return false;
      for (std::uint32_t partition = 0; partition < log_.partitions(); ++partition) {
        if (nodes_.on(node)->standings().position(partition) < log_.truth().position(partition)) return false;
      }
    }
    return tables_.parked().empty() && !first_owed() && crowd_.is_content(log_.truth());
  }

  /// A campaign whose coupons or changes are not all in the store.
  const Campaign* first_owed() const {
    const auto& campaigns = log_.truth().campaigns();
    for (std::uint32_t i = 0; i < campaigns.size(); ++i) {
      const Campaign& campaign = *campaigns[i];
      const Position last_change = campaign.changes()[campaign.changes().size() - 1].position;
      const auto& winners = campaign.winners();
      const Position last = winners.empty() ? last_change : std::max(last_change, winners[winners.size() - 1].position);
      const auto& tables = tables_.campaigns();
      const auto table = std::ranges::find(tables, campaign.id(), &Tables::PerCampaign::id);
      if (table == tables.end() || !table->progress || table->progress->position < last) return &campaign;
    }
    return nullptr;
  }

  std::string what_is_missing() const {
    if (!crowd_.is_content(log_.truth())) return "no final answer for " + crowd_.who_is_not(log_.truth());
    if (!tables_.parked().empty()) return "a coupon stays parked though the store takes it";
    if (const Campaign* const owed = first_owed())
      return "coupons or changes of " + owed->id().str() + " are not written";
    return "a node does not follow the journal, or a campaign is not opened";
  }

  World world_;
  const Plan plan_;
  Log log_;
  Tables tables_{world_, plan_};
  Filter filter_{world_};
  Nodes nodes_{world_, plan_, log_, tables_, filter_};
  Operator operator_{world_, plan_, nodes_, log_, tables_};
  Crowd crowd_{world_, plan_, nodes_};
};

}  // namespace

Outcome run_seed(std::uint64_t seed, std::string* trace) { return Run(seed, trace).go(); }

}  // namespace firstcome::sim
