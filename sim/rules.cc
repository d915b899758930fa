#include "sim/rules.h"

#include <algorithm>
#include <cmath>

#include "verify/checks.h"

namespace firstcome::sim {
namespace {

std::vector<Shown> entries_of(const Log& log) {
  std::vector<Shown> entries;
  for (std::uint32_t partition = 0; partition < log.partitions(); ++partition) {
    for (const auto& record : log.records(partition)) {
      const auto shown = read(record, partition);
      if (!shown) break;  // what only a newer node can read, this one must not read beyond
      if (*shown) entries.push_back(**shown);
    }
  }
  return entries;
}

verify::StoreRows rows_of(const Tables& tables) {
  verify::StoreRows rows;
  rows.installation = tables.installation;
  for (const auto& table : tables.campaigns()) {
    if (table.terms) rows.campaigns.push_back(*table.terms);
    for (const auto quota : table.quotas) rows.quotas.push_back({table.id, quota});
    rows.coupons.insert(rows.coupons.end(), table.coupons.begin(), table.coupons.end());
    if (table.progress) rows.progress.push_back(*table.progress);
  }
  rows.parked = tables.parked();
  return rows;
}

void report(World& world, const std::vector<verify::Check>& checks) {
  for (const verify::Check& check : checks) {
    if (!check.ok()) world.broke(check.name, check.failures.empty() ? "" : check.failures.front());
  }
}

/// A node's own standings, after all its life, are those of the journal.
void check_nodes(World& world, const verify::Naive& naive, const Nodes& nodes) {
  for (std::uint32_t node = 0; node < nodes.count(); ++node) {
    const Process* const process = nodes.on(node);
    if (!process) continue;
    const Standings& standings = process->standings();
    for (const auto& [id, campaign] : naive.campaigns) {
      const Campaign* const own = standings.find(id);
      bool same = own && own->winners().size() == campaign.winners.size() &&
                  own->changes().size() == campaign.changes.size() && own->view().paused == campaign.terms.paused;
      if (same) {
        const auto& winners = own->winners();
        same = (winners.empty() || winners[winners.size() - 1].chain == campaign.winners.back().chain) &&
               own->changes()[own->changes().size() - 1].chain == campaign.changes.back().chain;
      }
      if (!same)
        world.broke("every node holds the journal's standings", "node " + std::to_string(node) + " differs in " + id);
    }
  }
}

/// What a `won` showed beside rank and code.
void check_bodies(World& world, const verify::Naive& naive, const Crowd& crowd) {
  for (const Asked& one : crowd.asked()) {
    if (!one.came_back || one.told.kind != AnswerKind::won) continue;
    const auto* const campaign = naive.find(crowd.campaign_of(one));
    const bool holds = campaign && one.told.rank >= 1 && one.told.rank <= campaign->winners.size() &&
                       campaign->winners[one.told.rank - 1].stamp == one.told.claimed_at;
    if (!holds) world.broke("claimed_at is the stamp", crowd.name_of(one).str());
  }
}

/// Over any second at most `rate` rows (rounded up).
void check_rate(World& world, const std::vector<Tables::Arrival>& arrivals, double rate, std::string_view of) {
  if (rate <= 0) return;
  const double most = std::max(1.0, std::ceil(rate));
  std::size_t from = 0, rows = 0;
  for (const auto& arrival : arrivals) {
    rows += arrival.rows;
    for (; arrivals[from].at + millis(1000) <= arrival.at; ++from) rows -= arrivals[from].rows;
    if (static_cast<double>(rows) > most) {
      return world.broke("the store gets rows at issue_rate",
                         std::to_string(rows) + " rows of " + std::string(of) + " in a second");
    }
  }
}

void check_rates(World& world, const Plan& plan, const Tables& tables) {
  const std::vector<Tables::Arrival>& all = tables.arrivals();
  check_rate(world, all, plan.issuer.issue_rate_total, "all campaigns");
  for (const Opened& opened : plan.campaigns) {
    std::vector<Tables::Arrival> own;
    std::ranges::copy_if(all, std::back_inserter(own), [&](const auto& a) { return a.campaign == opened.campaign; });
    check_rate(world, own, opened.issue_rate.value_or(plan.issuer.issue_rate), opened.campaign);
  }
}

}  // namespace

void check_end(World& world, const Plan& plan, const Log& log, const Tables& tables, const Nodes& nodes,
               const Crowd& crowd) {
  verify::Folds folds({}, 8);
  folds.apply(entries_of(log));
  report(world, verify::check_folds(folds));
  report(world, verify::check_store(folds, rows_of(tables)));
  report(world, verify::check_told(folds, crowd.history()));
  check_bodies(world, folds.naive(), crowd);
  check_rates(world, plan, tables);
  if (log.newer_at == 0) return check_nodes(world, folds.naive(), nodes);
  for (std::uint32_t node = 0; node < nodes.count(); ++node) {
    if (!nodes.on(node)) continue;
    world.broke("an entry of a newer kind stops the node",
                "a node reads on behind position " + std::to_string(log.newer_at));
  }
}

}  // namespace firstcome::sim
