#include "sim/plan.h"

#include <algorithm>
#include <string>

namespace firstcome::sim {
namespace {

enum class Form : std::uint8_t { both, embedded, distributed };

/// How often, at most, a fault strikes where it can; in thousandths. Drawn per seed below it.
struct Usual {
  Happening fault;
  std::uint16_t thousandths_max;
  Form form = Form::both;
};

constexpr Usual usual[] = {
    {Happening::crash, 8, Form::embedded},
    {Happening::crash, 2, Form::distributed},  // of many more steps
    {Happening::process_stopped, 3, Form::distributed},
    {Happening::slow_commit, 150, Form::embedded},
    {Happening::failed_commit, 150, Form::embedded},
    {Happening::unknown_commit_lost, 150, Form::embedded},
    {Happening::unknown_commit_durable, 150, Form::embedded},
    {Happening::append_lost, 120, Form::distributed},
    {Happening::append_late, 120, Form::distributed},
    {Happening::producer_broke, 80, Form::distributed},
    {Happening::partition_away, 60, Form::distributed},
    {Happening::entry_twice, 120},
    {Happening::entry_elsewhere, 120, Form::distributed},
    {Happening::foreign_entry, 60},
    {Happening::follower_stalled, 60},
    {Happening::follower_behind, 60, Form::distributed},
    {Happening::shown_again, 80},
    {Happening::slow_loop, 60},
    {Happening::store_down, 40},
    {Happening::store_read_failed, 100},
    {Happening::store_write_failed, 200},
    {Happening::store_write_unknown, 200},
    {Happening::store_write_lost, 200},
    {Happening::store_write_late, 200},
    {Happening::issuer_paused, 150},
    {Happening::transaction_stopped, 150, Form::distributed},
    {Happening::store_removed, 600, Form::embedded},  // of the restarts
    {Happening::request_lost, 80},
    {Happening::answer_lost, 120},
    {Happening::client_stopped_waiting, 200},
    {Happening::client_left, 30},
    {Happening::double_click, 250},
    {Happening::stale_resent, 500},
    {Happening::gate_away, 60, Form::distributed},
    {Happening::gate_ask_lost, 100, Form::distributed},
    {Happening::gate_answer_lost, 150, Form::distributed},
    {Happening::gate_answer_late, 150, Form::distributed},
    {Happening::gate_answer_twice, 150, Form::distributed},
    {Happening::gate_silent, 100, Form::distributed},
    {Happening::gate_lies_full, 100, Form::distributed},
    {Happening::gate_lies_in, 100, Form::distributed},
    {Happening::gate_lost_memory, 40, Form::distributed},
    {Happening::gate_rolled_back, 40, Form::distributed},
    {Happening::gate_split, 40, Form::distributed},
};

Opened draw_campaign(Dice& dice, std::uint32_t number) {
  Opened opened{.campaign = number == 0 ? "lunch" : "dinner", .name = {}};
  opened.quota = static_cast<std::uint32_t>(dice.chance(150) ? dice.between(20, 40) : dice.between(1, 14));
  if (dice.chance(350)) opened.opens_at = SimClock::wall(millis(dice.between(200, 4000)));
  if (dice.chance(400)) opened.closes_at = SimClock::wall(millis(dice.between(3000, 14'000)));
  constexpr double rates[] = {0, 0, 4.5, 20, 100};
  if (dice.chance(500)) opened.issue_rate = dice.pick(rates);
  if (dice.chance(350)) opened.promise = Promise::store;
  return opened;
}

void draw_limits(Dice& dice, Plan& plan) {
  plan.desk.wait_ms_max = Millis(dice.between(50, 900));
  plan.desk.in_flight_ms_max = plan.desk.wait_ms_max + Millis(dice.between(50, 2000));
  plan.desk.stale_ms_max = Millis(dice.between(800, 3000));
  plan.desk.in_flight_max = static_cast<std::size_t>(dice.chance(300) ? dice.between(1, 4) : 64);
  plan.desk.waiting_claims_max = static_cast<std::size_t>(dice.chance(300) ? dice.between(1, 8) : 256);
  plan.desk.gate_bypass_ms_max = Millis(dice.between(20, 200));
  plan.mailbox_max = static_cast<std::size_t>(dice.chance(200) ? dice.between(1, 6) : 64);
  plan.batch_max = static_cast<std::size_t>(dice.between(1, 16));
  constexpr double rates[] = {0, 0, 7, 30};
  plan.issuer.issue_rate = dice.pick(rates);
  plan.issuer.issue_rate_total = dice.pick(rates);
  plan.issuer.parked_max = static_cast<std::size_t>(dice.between(0, 4));
}

void draw_nodes(Dice& dice, Plan& plan) {
  plan.first_desks = dice.chance(600) ? 2 : 1;
  if (plan.distributed) {
    plan.apis = dice.chance(400) ? 3 : 2;
    plan.nodes = plan.apis + 2;
    plan.partitions = static_cast<std::uint32_t>(dice.between(1, 3));
    plan.has_gate = dice.chance(800);
  } else {
    plan.nodes = plan.apis = dice.chance(550) ? 2 : 1;
  }
}

}  // namespace

Plan draw_plan(World& world) {
  Dice& dice = world.dice;
  Plan plan;
  plan.distributed = dice.chance(667);
  const Form other = plan.distributed ? Form::embedded : Form::distributed;
  for (const auto& [fault, most, form] : usual) {
    if (form != other && dice.chance(500)) world.thousandths[static_cast<std::size_t>(fault)] = dice.below(most) + 1U;
  }
  draw_nodes(dice, plan);
  plan.users = static_cast<std::uint32_t>(dice.between(20, 40));
  plan.faults_until = millis(dice.between(4000, 12'000));
  for (auto left = dice.between(2, 4); left > 0; --left) {
    plan.restarts.push_back(dice.between(millis(20), plan.faults_until * 3 / 4));
  }
  std::ranges::sort(plan.restarts);
  if (plan.has_gate && dice.chance(60)) plan.gate_gone_at = dice.between(0, plan.faults_until);
  const std::uint32_t campaigns = dice.chance(400) ? 2 : 1;
  for (std::uint32_t i = 0; i < campaigns; ++i) plan.campaigns.push_back(draw_campaign(dice, i));
  if (dice.chance(250)) plan.poisoned = static_cast<std::uint32_t>(dice.between(1, 9));
  plan.newer_entry = dice.chance(10);
  plan.positions_have_gaps = dice.chance(400);
  plan.patience = dice.below(1000);
  draw_limits(dice, plan);
  return plan;
}

}  // namespace firstcome::sim
