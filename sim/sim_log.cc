#include "sim/sim_log.h"

#include <algorithm>

namespace firstcome::sim {

Log::Log(World& world, const Plan& plan)
    : world_(world),
      gaps_(plan.positions_have_gaps),
      partitions_(plan.partitions),
      truth_(std::make_unique<Standings>(0, 8)) {}

void Log::begin() {
  std::vector<std::uint8_t> bytes;
  encode(Installation{.id = {7}, .partitions = partitions()}, bytes);
  for (std::uint32_t partition = 0; partition < partitions(); ++partition) append(bytes, partition);
}

const Log::Record& Log::append(std::vector<std::uint8_t> bytes, std::uint32_t partition, Sender sender, bool durable) {
  Partition& here = partitions_[partition];
  here.last += gaps_ ? 1 + world_.dice.below(3) : 1;
  here.records.push_back({here.last, now(), std::move(bytes), sender, durable});
  apply_to_truth(here.records.back(), partition);
  return here.records.back();
}

void Log::apply_to_truth(const Record& record, std::uint32_t partition) {
  const auto shown = read(record, partition);
  if (!shown || !*shown) return;
  const Effect effect = truth_->apply(**shown);
  world_.trace("journal {}.{} {} {}", partition, record.position, kind_name((*shown)->entry), to_string(effect.kind));
  if (effect.kind == EffectKind::opened) opened_.emplace_back(effect.campaign->id(), world_.now());
  if (effect.sealed) world_.saw(Happening::sealed);
  if (effect.kind == EffectKind::surplus) world_.saw(Happening::surplus);
  if (effect.kind == EffectKind::out_of_window) world_.saw(Happening::out_of_window);
  if (effect.kind == EffectKind::quota_raised) world_.saw(Happening::raised);
  if (effect.kind == EffectKind::window_changed) world_.saw(Happening::moved);
  if (effect.kind == EffectKind::resumed) world_.saw(Happening::resumed);
  if (effect.kind == EffectKind::issued) world_.saw(Happening::issued_told);
  if (const auto* closed = std::get_if<Closed>(&(*shown)->entry); closed && effect.kind == EffectKind::closed) {
    world_.saw(closed->by == ClosedBy::due ? Happening::closed_by_due : Happening::closed_by_person);
  }
}

bool Log::knows_since(std::string_view campaign, Micros when) const {
  return std::ranges::any_of(opened_, [&](const auto& one) { return one.first == campaign && one.second < when; });
}

void Log::make_durable(std::span<const Position> positions) {
  for (Record& record : partitions_[0].records) {
    if (std::ranges::count(positions, record.position) > 0) record.durable = true;
  }
}

void Log::remove(std::span<const Position> positions) {
  Records& records = partitions_[0].records;
  std::erase_if(records, [&](const Record& record) {
    return !record.durable && std::ranges::count(positions, record.position) > 0;
  });
  partitions_[0].last = records.empty() ? 0 : records.back().position;
  truth_ = std::make_unique<Standings>(0, 8);
  for (const Record& record : records) apply_to_truth(record, 0);
}

void Log::tell(std::uint32_t partition) {
  for (LogReader* const reader : readers_) reader->news(partition);
}

Result<std::optional<Shown>> read(const Log::Record& record, std::uint32_t partition) {
  auto entry = decode(record.bytes);
  if (!entry) return fail(std::move(entry.error()));
  if (!*entry) return std::optional<Shown>();
  return Shown{record.position, record.stamp, std::move(**entry), partition};
}

}  // namespace firstcome::sim
