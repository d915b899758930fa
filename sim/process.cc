#include "sim/process.h"

#include <algorithm>

#include "base/mutant.h"
#include "sim/sim_topic.h"

namespace firstcome::sim {
namespace {

constexpr std::uint32_t desks_per_node = 8;
constexpr Micros tick_every = millis(50), idle_tick_every = millis(250);
constexpr Micros post_delay_max = millis(1500);

std::unique_ptr<SimJournal> make_journal(World& world, const Plan& plan, Log& log, Life& life, Clock& clock) {
  if (plan.distributed) return std::make_unique<SimTopic>(world, plan, log, life, clock);
  return std::make_unique<SimFile>(world, plan, log, life);
}

Happening happening_of(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::won:
      return Happening::won;
    case AnswerKind::pending:
      return Happening::pending;
    case AnswerKind::sold_out:
      return Happening::sold_out;
    case AnswerKind::not_open:
      return Happening::not_open;
    case AnswerKind::closed:
      return Happening::closed;
    case AnswerKind::paused:
      return Happening::paused;
    case AnswerKind::no_campaign:
      return Happening::no_campaign;
    case AnswerKind::fault:
      break;
  }
  return Happening::fault;
}

}  // namespace

Process::Process(World& world, const Plan& plan, Log& log, Tables& tables, Filter& filter, std::uint32_t node,
                 const Micros& clock_error, std::function<void()> on_crash)
    : world_(world),
      limits_(plan.desk),
      log_(log),
      tables_(tables),
      node_(node),
      on_crash_(std::move(on_crash)),
      life_(world, [this] { crash(); }),
      clock_(world, clock_error),
      codes_(world.dice.roll()),
      standings_(node, 8),
      journal_(make_journal(world, plan, log, life_, clock_)),
      store_(world, plan, tables, life_) {
  loops_.resize(plan.desks_of(node));
  for (std::uint32_t i = 0; i < loops_.size(); ++i) {
    Loop& loop = loops_[i];
    if (plan.has_gate) loop.gate = std::make_unique<SimGate>(world, plan, filter, life_, node % 2);
    loop.desk = std::make_unique<Desk>(
        node * desks_per_node + i, standings_, *journal_, loop.gate.get(), clock_, codes_, plan.desk,
        [this, &loop](ClaimNumber number, const Answer& answer) { answered(loop, number, answer); });
    if (loop.gate) loop.gate->start(*loop.desk);
  }
  if (plan.has_issuer(node)) {
    IssuerSettings settings = plan.issuer;
    settings.holder = "issuer-" + std::to_string(node);
    settings.author = operator_author + 1 + node;
    settings.is_alone = plan.issuers() == 1;
    issuer_ = std::make_unique<Issuer>(standings_, store_, *journal_, clock_, settings);
  }
  if (mutant(Mutant::fold_from_progress)) {
    for (const auto& table : tables.campaigns())
      fold_from_ = std::max(fold_from_, table.progress ? table.progress->position : 0);
  }
  journal_->on_stop = [this](const Fault& fault) { stop_for(fault); };
}

Result<void> Process::start() {
  life_.begin();
  world_.trace("node {} starts", node_);
  if (auto started = journal_->start(*this); !started) {
    crash();
    return started;
  }
  if (issuer_ && standings_.installation()) {
    const auto checked = issuer_->check();
    if (!checked && !checked.error().retryable())
      world_.broke("the store belongs to the journal", checked.error().what);
  }
  for (std::size_t i = 0; i < loops_.size(); ++i) tick(i);
  if (!loops_.empty()) close_due();
  if (issuer_) issue_at(world_.now());
  return {};
}

void Process::crash() {
  if (!life_.end()) return;
  world_.trace("node {} is gone", node_);
  journal_->die();
  for (Loop& loop : loops_) {
    count(loop.desk->counters());
    for (const auto& [number, asked] : std::exchange(loop.waiting, {})) asked.reply(nullptr);
  }
  if (issuer_ && issuer_->counters().stopped_campaigns > 0) world_.saw(Happening::campaign_stopped);
  on_crash_();
}

void Process::count(const Desk::Counters& counters) {
  world_.saw(Happening::claim_joined, counters.joined);
  world_.saw(Happening::ticket_sent_again, counters.sent_again);
  world_.saw(Happening::claim_overflowed, counters.overflowed);
  world_.saw(Happening::gate_in, counters.gate_answers[static_cast<int>(Admission::in)]);
  world_.saw(Happening::gate_again, counters.gate_answers[static_cast<int>(Admission::again)]);
  world_.saw(Happening::gate_full, counters.gate_answers[static_cast<int>(Admission::full)]);
  world_.saw(Happening::gate_bypassed, counters.gate_bypasses);
}

void Process::drain() {
  for (Loop& loop : loops_) loop.desk->refuse_claims();
}

void Process::stop_for(const Fault& fault) {
  world_.trace("node {} stops: {}", node_, fault.what);
  crash();
}

void Process::claim(std::size_t desk, std::string_view campaign, const User& user, Reply reply) {
  Loop& loop = loops_[desk];
  if (!life_.step()) return reply(nullptr);
  const ClaimNumber number = loop.next_number++;
  if (const auto known = loop.desk->claim(campaign, user, number)) {
    world_.saw(happening_of(known->kind));
    check_freshness(loop, campaign, &*known);
    check_store_promise(*known);
    const Told told = copy(*known);
    reply(&told);
  } else {
    check_freshness(loop, campaign, nullptr);
    loop.waiting.emplace(number, Asked{campaign, user, world_.now(), std::move(reply)});
  }
}

bool Process::leave(std::size_t desk, ClaimNumber number) {
  if (!is_alive() || loops_[desk].waiting.erase(number) == 0) return false;
  loops_[desk].desk->leave(number);
  return true;
}

Told Process::status(std::size_t desk, std::string_view campaign, const User& user) {
  return copy(loops_[desk].desk->status(campaign, user));
}

void Process::answered(Loop& loop, ClaimNumber number, const Answer& answer) {
  if (!is_alive()) return;  // in the middle of a call that the process did not survive
  const auto found = loop.waiting.find(number);
  if (found == loop.waiting.end()) return world_.broke("every claim is answered once", "a claim was answered twice");
  const bool stood_still = life_.still_until() > found->second.since;
  if (!stood_still &&
      world_.now() - found->second.since > limits_.wait_ms_max.count() * 1000 + idle_tick_every + millis(1)) {
    world_.broke("no claim waits longer than wait_ms_max", found->second.user.str() + " waited too long");
  }
  const Reply reply = std::move(found->second.reply);
  loop.waiting.erase(found);
  world_.saw(happening_of(answer.kind));
  check_store_promise(answer);
  const Told told = copy(answer);
  reply(&told);
  life_.step();
}

Told Process::copy(const Answer& answer) {
  Told told{.kind = answer.kind,
            .rank = answer.rank,
            .quota = answer.quota,
            .retry_after = answer.retry_after.count() * 1000};
  if (answer.winner) {
    told.code = answer.winner->code;
    told.claimed_at = answer.winner->stamp;
  }
  return told;
}

void Process::post(Loop& loop, World::Call call) {
  Micros delay = world_.dice.between(0, 800);
  if (world_.strikes(Happening::slow_loop)) delay = world_.dice.between(millis(20), post_delay_max);
  loop.posts_until = std::max(loop.posts_until, world_.now() + delay);
  life_.at(loop.posts_until, std::move(call));
}

void Process::shown(std::span<const Shown> entries) {
  const auto effects = std::make_shared<std::vector<Effect>>();
  for (const Shown& shown : entries) {
    // A fold that begins where the store is has not seen who won before.
    const auto* const ticket = std::get_if<Ticket>(&shown.entry);
    if (mutant(Mutant::fold_from_progress) && ticket && shown.position <= fold_from_) continue;
    effects->push_back(standings_.apply(shown));
  }
  for (Loop& loop : loops_) {
    post(loop, [this, &loop, effects] {
      loop.desk->applied(*effects);
      check_waits(loop, *effects);
    });
  }
  issue_at(world_.now() + world_.dice.between(0, millis(3)));
}

/// "Every claim is answered: by an effect on its user, the seal, the closing": nobody may wait on whom the standings
/// can answer. The desk's waits and our list of who waits must agree besides.
void Process::check_waits(Loop& loop, std::span<const Effect> effects) {
  if (!is_alive()) return;
  if (loop.desk->waiting() != loop.waiting.size()) {
    world_.broke("every claim is answered once", "a desk and its connections disagree about who waits");
  }
  if (loop.waiting.empty()) return;
  for (const Effect& effect : effects) {
    if (effect.kind != EffectKind::won && effect.kind != EffectKind::known) continue;
    if (!effect.campaign->look(effect.user, clock_.now()).issued) continue;
    for (const auto& [number, asked] : loop.waiting) {
      if (asked.user == effect.user && asked.campaign == effect.campaign->id()) {
        world_.broke("a waiting claim is answered by any effect on its user", effect.user.str() + " still waits");
      }
    }
  }
}

/// A desk that has not heard from the journal lately, or whose clock disagrees with it, says only what is won; and
/// nobody is told that a campaign does not exist which every fresh desk knows.
void Process::check_freshness(const Loop& loop, std::string_view campaign, const Answer* answer) {
  const Micros stale = limits_.stale_ms_max.count() * 1000 + millis(1);
  const bool is_known = answer && (answer->kind == AnswerKind::won || answer->kind == AnswerKind::fault);
  if (!is_known && (loop.is_skewed || world_.now() - loop.heard_at > stale)) {
    world_.broke("a stale desk answers only what is won", "it answers about " + std::string(campaign));
  }
  // A process that stood still takes news that is as old as its clock may be off; what is older shows as skew.
  const Micros old = std::max(post_delay_max, Micros{limits_.skew_ms_max.count()} * 1000);
  if (answer && answer->kind == AnswerKind::no_campaign && log_.knows_since(campaign, world_.now() - stale - old)) {
    world_.broke("an unknown campaign is told by fresh desks only", std::string(campaign) + " was opened long ago");
  }
}

/// promise = "store". Of a store that was removed or restored nobody can say what it once had.
void Process::check_store_promise(const Answer& answer) {
  if (!answer.campaign || !answer.campaign->promises_store() || tables_.lives > 0) return;
  const auto& coupons = tables_.of(answer.campaign->id()).coupons;
  const bool holds = answer.kind == AnswerKind::won ? std::ranges::count(coupons, answer.rank, &CouponRow::rank) == 1
                     : answer.kind == AnswerKind::sold_out ? coupons.size() >= answer.quota
                                                           : true;
  if (!holds) {
    world_.broke("with promise = store won and sold_out are told when the store has it", answer.campaign->id().str());
  }
}

void Process::append_failed(std::span<const AppendTag> appends, const Fault& fault) {
  for (std::uint32_t i = 0; i < loops_.size(); ++i) {
    std::vector<AppendTag> own;
    for (const AppendTag& tag : appends) {
      if (tag.author == node_ * desks_per_node + i) own.push_back(tag);
    }
    if (own.empty()) continue;
    post(loops_[i], [this, i, own, fault] { loops_[i].desk->append_failed(own, fault); });
  }
}

void Process::heard(Time journal_now) {
  for (Loop& loop : loops_) {
    post(loop, [this, &loop, journal_now] {
      loop.heard_at = world_.now();
      loop.is_skewed = std::chrono::abs(journal_now - clock_.now()) > limits_.skew_ms_max;
      loop.desk->heard(journal_now);
    });
  }
  if (issuer_) issuer_->heard();
}

void Process::tick(std::size_t desk) {
  loops_[desk].desk->tick();
  // Nothing ends while nobody waits; a ticket without a fate may end later than it should.
  const bool is_busy = loops_[desk].desk->waiting() > 0;
  life_.after(is_busy ? tick_every : idle_tick_every, [this, desk] { tick(desk); });
}

void Process::close_due() {
  loops_[0].desk->close_due();
  life_.after(millis(1000), [this] { close_due(); });
}

void Process::issue_at(Micros when) {
  if (!issuer_ || (issue_due_ > world_.now() && issue_due_ <= when)) return;
  issue_due_ = when;
  life_.at(when, [this, number = ++issue_number_] { issue(number); });
}

void Process::issue(std::uint64_t due_number) {
  if (due_number != issue_number_) return;
  if (issuing_) return issue_at(world_.now() + millis(20));
  issuing_ = true;
  const Uptime next = issuer_->step();
  issuing_ = false;
  if (issuer_->counters().stopped_campaigns > 0) world_.saw(Happening::campaign_stopped);
  if (issuer_->counters().stopped) world_.broke("the store belongs to the journal", "an issuer stopped for good");
  issue_due_ = 0;
  issue_at(std::max(clock_.when(next), world_.now() + millis(1)));
}

void Process::retry(std::int64_t number) {
  if (!issuer_ || !is_alive() || issuing_) return;
  issuing_ = true;
  (void)issuer_->retry(number);
  issuing_ = false;
}

}  // namespace firstcome::sim
