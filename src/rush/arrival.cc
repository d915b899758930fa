#include "rush/arrival.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.h"

namespace firstcome::rush {

std::string_view to_string(Arrival arrival) {
  switch (arrival) {
    case Arrival::step:
      return "step";
    case Arrival::ramp:
      return "ramp";
    case Arrival::poisson:
      return "poisson";
  }
  return "unknown";
}

std::optional<Arrival> parse_arrival(std::string_view text) {
  for (const auto arrival : {Arrival::step, Arrival::ramp, Arrival::poisson})
    if (text == to_string(arrival)) return arrival;
  return {};
}

Schedule::Schedule(Arrival shape, double rate, double ramp_seconds, std::uint64_t seed)
    : shape_(rate > 0 ? shape : Arrival::step), rate_(rate), ramp_seconds_(ramp_seconds), dice_(seed) {
  MUST(rate >= 0 && ramp_seconds >= 0, "options are checked where they come in");
}

std::int64_t Schedule::next_us() {
  const auto before = static_cast<double>(sent_++);
  double seconds = 0;
  switch (shape_) {
    case Arrival::step:
      seconds = rate_ > 0 ? before / rate_ : 0;
      break;
    case Arrival::ramp: {
      // After t seconds of a ramp of T, rate * t^2 / 2T have been sent; rate * T / 2 at its end.
      const double in_ramp = rate_ * ramp_seconds_ / 2;
      seconds =
          before < in_ramp ? std::sqrt(2 * ramp_seconds_ * before / rate_) : ramp_seconds_ + (before - in_ramp) / rate_;
      break;
    }
    case Arrival::poisson:
      seconds = poisson_seconds_ += dice_.gap() / rate_;
      break;
  }
  return static_cast<std::int64_t>(seconds * 1e6);
}

std::vector<std::uint32_t> arrival_order(std::uint32_t users, double repeat, std::uint64_t seed) {
  constexpr std::uint64_t double_click = 32;  // other users between the two clicks
  Dice dice(seed);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> again;  // behind which arrival, who
  for (std::uint32_t user = 0; user < users; ++user) {
    if (dice.fraction() >= repeat) continue;
    const std::uint64_t left = users - user;
    const std::uint64_t behind = dice.below(2) == 0 ? dice.below(std::min(double_click, left)) : dice.below(left);
    again.emplace_back(static_cast<std::uint32_t>(user + behind), user);
  }
  std::ranges::sort(again);

  std::vector<std::uint32_t> order;
  order.reserve(users + again.size());
  auto next = again.begin();
  for (std::uint32_t user = 0; user < users; ++user) {
    order.push_back(user);
    for (; next != again.end() && next->first == user; ++next) order.push_back(next->second);
  }
  return order;
}

}  // namespace firstcome::rush
