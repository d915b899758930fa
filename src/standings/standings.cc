#include "standings/standings.h"

#include <xxhash.h>

#include <bit>
#include <cstring>

#include "base/assert.h"
#include "base/mutant.h"
#include "base/schedule_point.h"

namespace firstcome {

std::string_view to_string(EffectKind kind) {
  static constexpr std::string_view names[effect_kinds] = {
      "none",         "installed",      "opened", "won",     "known",  "surplus", "out_of_window", "after_closed",
      "quota_raised", "window_changed", "paused", "resumed", "closed", "issued",  "no_campaign"};
  return names[static_cast<int>(kind)];
}

std::uint64_t chain_number(const Chain& chains) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 6; ++i) number = number << 8 | chains[i];
  return number;
}

Standings::Standings(std::uint64_t seed, std::uint32_t campaigns_max)
    : seed_(seed), index_(std::bit_ceil(std::uint64_t{campaigns_max} * 2)) {}

Campaign* Standings::find_to_change(std::string_view campaign) {
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = XXH3_64bits_withSeed(campaign.data(), campaign.size(), seed_) & mask;; at = (at + 1) & mask) {
    Campaign* const there = index_[at].load(std::memory_order_acquire);
    if (!there || there->id() == campaign) return there;
  }
}

const Campaign* Standings::find(std::string_view campaign) const {
  return const_cast<Standings*>(this)->find_to_change(campaign);
}

std::optional<Installation> Standings::installation() const {
  if (!installed_.load(std::memory_order_acquire)) return {};
  return installation_;
}

Position Standings::position_of(const Campaign& campaign) const {
  return position(partition_of(campaign.id().view(), installation_.partitions));
}

Effect Standings::apply(const Shown& shown) {
  MUST(shown.partition < positions_.size(), "an installation with more partitions is refused");
  std::atomic<Position>& position = positions_[shown.partition];
  if (shown.position <= position.load(std::memory_order_relaxed) && !mutant(Mutant::applied_again))
    return {.position = shown.position, .stamp = shown.stamp};
  Effect effect{.kind = EffectKind::no_campaign};
  if (const auto* installation = std::get_if<Installation>(&shown.entry)) {
    effect.kind = EffectKind::none;
    if (!installed_.load(std::memory_order_relaxed)) {
      installation_ = *installation;
      installed_.store(true, std::memory_order_release);
      effect.kind = EffectKind::installed;
    }
  } else if (partition_of(campaign_of(shown.entry), installation_.partitions) != shown.partition &&
             !mutant(Mutant::entry_elsewhere_counts)) {
    // Elsewhere than where everybody looks for it.
  } else if (const auto* opened = std::get_if<Opened>(&shown.entry)) {
    effect = open(*opened, shown);
  } else if (Campaign* const campaign = find_to_change(campaign_of(shown.entry))) {
    effect = change(shown, *campaign);
  }
  effect.position = shown.position;
  effect.stamp = shown.stamp;
  position.store(shown.position, std::memory_order_release);
  return effect;
}

void Standings::prefetch(const Shown& shown) const {
  const auto* const ticket = std::get_if<Ticket>(&shown.entry);
  const Campaign* const campaign = ticket ? find(ticket->campaign) : nullptr;
  if (campaign) campaign->view().table->prefetch(ticket->user);
}

Effect Standings::open(const Opened& opened, const Shown& shown) {
  if (const Campaign* const there = find(opened.campaign)) return {.kind = EffectKind::none, .campaign = there};
  MUST((campaigns_.size() + 1) * 2 <= index_.size(), "campaigns_max is kept where campaigns are created");
  auto made = std::make_unique<Campaign>(opened, seed_);
  Campaign* const campaign = made.get();
  extend_chain(*campaign, shown);
  campaign->add_change(shown.position, shown.stamp, campaign->chain_);
  places_.fetch_add(opened.quota, std::memory_order_relaxed);
  campaigns_.append(std::move(made));
  const std::size_t mask = index_.size() - 1;
  std::size_t at = XXH3_64bits_withSeed(opened.campaign.view().data(), opened.campaign.view().size(), seed_) & mask;
  while (index_[at].load(std::memory_order_relaxed)) at = (at + 1) & mask;
  index_[at].store(campaign, std::memory_order_release);
  return {.kind = EffectKind::opened, .campaign = campaign};
}

Effect Standings::change(const Shown& shown, Campaign& campaign) {
  if (const auto* ticket = std::get_if<Ticket>(&shown.entry)) {
    Effect effect = campaign.judge(*ticket, shown.stamp);
    if (effect.kind == EffectKind::won) {
      extend_chain(campaign, shown);
      effect.sealed = campaign.win(*ticket, shown.position, shown.stamp);
      effect.rank = campaign.winners().size();
    }
    return effect;
  }
  const std::uint32_t quota_before = campaign.view().quota;
  const EffectKind kind = campaign.change(shown);
  if (kind != EffectKind::none) {
    extend_chain(campaign, shown);
    places_.fetch_add(campaign.view().quota - quota_before, std::memory_order_relaxed);
    // `issued` moves no row of the store: the issuer has nothing to write for it.
    if (kind != EffectKind::issued) campaign.add_change(shown.position, shown.stamp, campaign.chain_);
  }
  return {.kind = kind, .campaign = &campaign};
}

void Standings::extend_chain(Campaign& campaign, const Shown& shown) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::size_t head_bytes = sizeof(Chain) + 2 * sizeof(std::uint64_t);
  std::uint8_t bytes[head_bytes + entry_bytes_max];
  const std::int64_t stamp = shown.stamp.time_since_epoch().count();
  std::memcpy(bytes, campaign.chain_.data(), sizeof(Chain));
  std::memcpy(bytes + sizeof(Chain), &shown.position, sizeof shown.position);
  std::memcpy(bytes + sizeof(Chain) + sizeof shown.position, &stamp, sizeof stamp);
  const std::size_t size = encode(shown.entry, EntryBuffer(bytes + head_bytes, entry_bytes_max));
  const Chain next = sha256({bytes, head_bytes + size});
  Chain& chains = chains_[shown.partition];
  for (std::size_t i = 0; i < next.size(); ++i) chains[i] ^= campaign.chain_[i] ^ next[i];
  campaign.chain_ = next;
}

}  // namespace firstcome
