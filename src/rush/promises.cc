#include "rush/promises.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace firstcome::rush {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

}  // namespace

Promises::Promises(std::string campaign, Users users)
    : campaign_(std::move(campaign)), users_(std::move(users)), known_(users_.count) {}

void Promises::won(std::uint32_t user, const Said& said, std::string_view body) {
  const auto name = users_.name(user);
  if (said.user != name) return broke(name + " was given the coupon of " + std::string(said.user));
  if (said.campaign != campaign_)
    return broke(name + " asked for " + campaign_ + " and was given a coupon of " + std::string(said.campaign));

  Known& known = known_[user];
  const std::uint64_t hash = std::hash<std::string_view>()(body);
  if (known.rank != 0) {
    if (known.rank != said.rank) {
      broke(name + " was told rank " + number(known.rank) + " and later rank " + number(said.rank));
    } else if (known.body != hash) {
      broke(name + " was told two different bodies for rank " + number(said.rank) +
            ", the last one: " + std::string(body));
    }
    return;
  }
  known.rank = said.rank;
  known.body = hash;
  rank_max_ = std::max(rank_max_, said.rank);
  if (const auto [at, fresh] = ranks_.emplace(said.rank, user); !fresh)
    broke("rank " + number(said.rank) + " was given to " + users_.name(at->second) + " and to " + name);
  if (const auto [at, fresh] = codes_.emplace(parse_code(said.code).value_or(Code{}), user); !fresh)
    broke("code " + std::string(said.code) + " was given to " + users_.name(at->second) + " and to " + name);
  check_final(user);
}

void Promises::sold_out(std::uint32_t user, std::uint32_t quota) {
  Known& known = known_[user];
  if (quota <= known.sold_out_quota) return;
  known.sold_out_quota = quota;
  check_final(user);
}

void Promises::closed(std::uint32_t user) {
  if (std::exchange(known_[user].closed, true)) return;
  check_final(user);
}

void Promises::check_final(std::uint32_t user) {
  const Known& known = known_[user];
  if (known.rank == 0) return;
  const auto who = users_.name(user) + " holds rank " + number(known.rank);
  if (known.rank <= known.sold_out_quota)
    broke(who + " and was told that all " + number(known.sold_out_quota) + " are sold out");
  if (known.closed) broke(who + " and was told that the campaign is closed");
}

void Promises::quota_is(std::uint32_t quota) {
  for (const auto& [rank, user] : ranks_)
    if (rank > quota)
      broke(users_.name(user) + " was told rank " + number(rank) + ", and the quota is " + number(quota));
}

void Promises::broke(std::string sentence) {
  ++broken_;
  if (sentences_.size() < sentences_max) sentences_.push_back(std::move(sentence));
}

}  // namespace firstcome::rush
