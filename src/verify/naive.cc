#include "verify/naive.h"

#include <openssl/sha.h>

#include <algorithm>

namespace firstcome::verify {
namespace {

Sha256Sum link(const Sha256Sum& before, const Shown& shown) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(256);
  bytes.insert(bytes.end(), before.begin(), before.end());
  for (const auto number : {shown.position, static_cast<std::uint64_t>(shown.stamp.time_since_epoch().count())}) {
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
  }
  encode(shown.entry, bytes);
  Sha256Sum sum;
  SHA256(bytes.data(), bytes.size(), sum.data());
  return sum;
}

bool in_window(const NaiveTerms& terms, Time stamp) {
  return (!terms.opens_at || *terms.opens_at <= stamp) && (!terms.closes_at || stamp < *terms.closes_at);
}

bool wins(NaiveCampaign& c, const Ticket& ticket, const Shown& shown) {
  if (c.terms.closed || !in_window(c.terms, shown.stamp) || c.winners.size() >= c.terms.quota) return false;
  if (!c.rank_of.emplace(ticket.user.str(), c.winners.size() + 1).second) return false;
  c.winners.push_back({.user = ticket.user, .code = ticket.code, .position = shown.position, .stamp = shown.stamp});
  return true;
}

/// A change that counts only if its author had seen the last one before it.
bool changes(NaiveCampaign& c, Position seen, Position position) {
  if (c.terms.closed || seen != c.changed_at) return false;
  c.changed_at = position;
  return true;
}

/// The same rank again is news when fewer are parked below it: a parked coupon was written after all.
bool tells_news(NaiveCampaign& c, const Issued& e) {
  if (e.rank > c.winners.size() || e.rank < c.issued) return false;
  if (e.rank == c.issued && e.parked.size() >= c.parked.size()) return false;
  c.issued = e.rank;
  c.parked = e.parked;
  return true;
}

bool counts(NaiveCampaign& c, const Shown& shown) {
  NaiveTerms& terms = c.terms;
  if (const auto* e = std::get_if<Ticket>(&shown.entry)) return wins(c, *e, shown);
  if (const auto* e = std::get_if<Issued>(&shown.entry)) return tells_news(c, *e);
  if (const auto* e = std::get_if<QuotaRaised>(&shown.entry)) {
    if (terms.closed || e->quota <= terms.quota) return false;
    terms.quota = e->quota;
  } else if (const auto* moved = std::get_if<WindowChanged>(&shown.entry)) {
    if (!changes(c, moved->seen, shown.position)) return false;
    terms.opens_at = moved->opens_at;
    terms.closes_at = moved->closes_at;
  } else if (const auto* paused = std::get_if<Paused>(&shown.entry)) {
    if (!changes(c, paused->seen, shown.position)) return false;
    terms.paused = true;
  } else if (const auto* resumed = std::get_if<Resumed>(&shown.entry)) {
    if (!changes(c, resumed->seen, shown.position)) return false;
    terms.paused = false;
  } else if (const auto* closed = std::get_if<Closed>(&shown.entry)) {
    const bool due = terms.closes_at && *terms.closes_at <= shown.stamp;
    if (terms.closed || (closed->by == ClosedBy::due && !due)) return false;
    terms.closed = true;
  }
  return true;
}

}  // namespace

void Naive::apply(const Shown& shown) {
  Position& position = positions[shown.partition];
  if (shown.position <= position) return;
  position = shown.position;
  const auto* const installation = std::get_if<Installation>(&shown.entry);
  if (installation && partitions == 0) partitions = installation->partitions;
  const auto id = campaign_of(shown.entry);
  if (partition_of(id, std::max(partitions, 1U)) != shown.partition) return;
  auto found = campaigns.find(id);
  if (const auto* opened = std::get_if<Opened>(&shown.entry)) {
    if (found != campaigns.end()) return;  // an id is used once, for ever
    found = campaigns.emplace(id, NaiveCampaign{}).first;
    found->second.terms = {.quota = opened->quota, .opens_at = opened->opens_at, .closes_at = opened->closes_at};
  } else if (found == campaigns.end() || !counts(found->second, shown)) {
    return;
  }
  NaiveCampaign& c = found->second;
  c.chain = link(c.chain, shown);
  if (std::holds_alternative<Ticket>(shown.entry)) {
    c.winners.back().chain = c.chain;
  } else if (!std::holds_alternative<Issued>(shown.entry)) {
    c.changes.push_back({.position = shown.position, .terms = c.terms, .chain = c.chain});
  }
}

const NaiveCampaign* Naive::find(std::string_view campaign) const {
  const auto found = campaigns.find(campaign);
  return found == campaigns.end() ? nullptr : &found->second;
}

}  // namespace firstcome::verify
