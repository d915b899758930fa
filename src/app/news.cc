#include "app/news.h"

#include "base/log.h"

namespace firstcome {
namespace {

/// The few events of a campaign's life that a person wants to read.
void log_event(const Effect& effect) {
  if (!effect.campaign) return;
  const std::string_view id = effect.campaign->id().view();
  const auto& view = effect.campaign->view();
  switch (effect.kind) {
    case EffectKind::opened:
      log::info("campaign opened", {{"campaign", id}, {"quota", view.quota}});
      break;
    case EffectKind::quota_raised:
      log::info("quota raised", {{"campaign", id}, {"quota", view.quota}});
      break;
    case EffectKind::window_changed:
      log::info("window changed", {{"campaign", id}});
      break;
    case EffectKind::paused:
      log::info("campaign paused", {{"campaign", id}});
      break;
    case EffectKind::resumed:
      log::info("campaign resumed", {{"campaign", id}});
      break;
    case EffectKind::closed:
      log::info("campaign closed", {{"campaign", id}, {"winners", effect.campaign->winners().size()}});
      break;
    default:
      break;
  }
  if (effect.sealed) log::info("campaign sealed: every place is taken", {{"campaign", id}, {"quota", view.quota}});
}

}  // namespace

template <class Each>
void News::apply(std::span<const Shown> entries, Each each) {
  std::array<std::uint64_t, effect_kinds> counts{};
  standings_.apply(entries, [&](const Effect& effect) {
    ++counts[static_cast<std::size_t>(effect.kind)];
    each(effect);
  });
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    if (counts[kind] > 0) counts_[kind].fetch_add(counts[kind], std::memory_order_relaxed);
  }
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint32_t partition = entries[i].partition;
    if (i + 1 < entries.size() && entries[i + 1].partition == partition) continue;
    if (marks_.size() <= partition) marks_.resize(partition + 1);
    marks_[partition] = standings_.mark(partition);
  }
}

void News::shown(std::span<const Shown> entries) {
  if (!live_.load(std::memory_order_acquire)) {
    return apply(entries, [](const Effect&) {});
  }
  auto effects = std::make_shared<std::vector<Effect>>();
  effects->reserve(entries.size());
  apply(entries, [&](const Effect& effect) {
    effects->push_back(effect);
    log_event(effect);
  });
  for (const Hearer& hearer : hearers_) {
    if (hearer.applied) hearer.applied(effects);
  }
}

std::vector<Mark> News::marks() const {
  std::lock_guard lock(mutex_);
  return marks_;
}

void News::append_failed(std::span<const AppendTag> appends, const Fault& fault) {
  std::vector<std::vector<AppendTag>> by_author(hearers_.size());
  for (const AppendTag& tag : appends) by_author.at(tag.author).push_back(tag);
  for (std::size_t author = 0; author < hearers_.size(); ++author) {
    if (!by_author[author].empty() && hearers_[author].append_failed) {
      hearers_[author].append_failed(std::move(by_author[author]), fault);
    }
  }
}

std::optional<Time> News::heard_at() const {
  std::lock_guard lock(mutex_);
  return heard_at_;
}

void News::heard(Time journal_now) {
  {
    std::lock_guard lock(mutex_);
    heard_at_ = journal_now;
  }
  if (!live_.load(std::memory_order_acquire)) return;
  for (const Hearer& hearer : hearers_) {
    if (hearer.heard) hearer.heard(journal_now);
  }
}

}  // namespace firstcome
