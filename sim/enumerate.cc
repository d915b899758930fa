// DESIGN
//   Breadth first, level by level of faults: all that can happen with one fewer is known before the next one strikes,
//   so that a state that was met with fewer is not looked at again. The desks cannot be copied, so a state is kept as
//   the way to it (its parent and a step) and made again by walking that way; the way is a shortest one, some 20 steps.
//   Each state remembers where the fair scheduler goes from it, which is its first step; following these afterwards
//   finds every lasso without another walk.
#include "sim/enumerate.h"

#include <algorithm>
#include <memory>
#include <ranges>
#include <unordered_map>
#include <utility>

namespace firstcome::sim {
namespace {

constexpr std::uint32_t none = UINT32_MAX;

class Search {
 public:
  explicit Search(const TinySize& size) : size_(size), frontier_(static_cast<std::size_t>(size.faults) + 1) {}

  Enumeration go() {
    const TinyWorld start(size_);
    find(start, none, {});
    for (int faults = 0; faults <= size_.faults && !found_.broken; ++faults) {
      found_.levels.push_back({.faults = faults});
      const auto all = [&](const auto& visit) {
        std::vector<std::uint32_t>& frontier = frontier_[static_cast<std::size_t>(faults)];
        for (std::size_t i = 0; i < frontier.size() && !found_.broken; ++i) visit(frontier[i]);
        found_.levels.back().states = frontier.size();
      };
      all([&](std::uint32_t state) { expand(state, false); });
      all([&](std::uint32_t state) { settle(state); });
      if (faults < size_.faults) all([&](std::uint32_t state) { expand(state, true); });
    }
    return std::move(found_);
  }

 private:
  struct State {
    std::uint32_t parent = none;
    Step step;
    std::uint32_t fair = none;      // where the fair scheduler goes; itself: this is the end
    std::uint32_t settling = none;  // its steps to the end
    std::uint16_t depth = 0;
  };

  std::uint32_t find(const TinyWorld& world, std::uint32_t parent, const Step& step) {
    const auto [found, is_new] = number_of_.try_emplace(world.state(), static_cast<std::uint32_t>(states_.size()));
    if (is_new) {
      const auto depth = static_cast<std::uint16_t>(parent == none ? 0 : states_[parent].depth + 1);
      states_.push_back({.parent = parent, .step = step, .depth = depth});
      frontier_[static_cast<std::size_t>(world.faults())].push_back(found->second);
    }
    return found->second;
  }

  std::vector<Step> way_to(std::uint32_t state) const {
    std::vector<Step> way;
    for (; states_[state].parent != none; state = states_[state].parent) way.push_back(states_[state].step);
    std::ranges::reverse(way);
    return way;
  }

  std::unique_ptr<TinyWorld> walk(const std::vector<Step>& way) const {
    auto world = std::make_unique<TinyWorld>(size_);
    for (const Step& step : way) world->take(step);
    return world;
  }

  void expand(std::uint32_t from, bool by_faults) {
    const std::vector<Step> way = way_to(from);
    auto world = walk(way);
    const std::vector<Step> steps = world->steps();
    Enumerated& level = found_.levels.back();
    level.longest = std::max<std::uint64_t>(level.longest, way.size());
    if (world->is_done()) states_[from].fair = from;
    bool moved = false;
    for (const Step& step : steps) {
      if (is_fault(step.kind) != by_faults) continue;
      if (std::exchange(moved, true)) world = walk(way);
      world->take(step);
      ++level.steps;
      if (world->broken()) return tell(*world->broken(), from, step);
      const std::uint32_t to = find(*world, from, step);
      if (states_[from].fair == none) states_[from].fair = to;
    }
  }

  /// Follows the fair scheduler to its end, or to a state whose end is known.
  void settle(std::uint32_t from) {
    std::vector<std::uint32_t> way;
    std::uint32_t at = from;
    for (; states_[at].settling == none; at = states_[at].fair) {
      states_[at].settling = on_the_way;
      way.push_back(at);
      if (states_[at].fair == at) {
        states_[at].settling = 0;
        way.pop_back();
        break;
      }
    }
    if (states_[at].settling == on_the_way) {
      found_.broken = Broken{"everybody who keeps asking has a final answer in the end",
                             "a fair scheduler comes to the same state again"};
      return tell_lasso(at);
    }
    std::uint32_t left = states_[at].settling;
    for (const std::uint32_t one : std::views::reverse(way)) states_[one].settling = ++left;
    found_.levels.back().settling = std::max<std::uint64_t>(found_.levels.back().settling, left);
  }

  void tell(const Broken& broken, std::uint32_t from, const Step& step) {
    found_.broken = broken;
    story(from, step);
  }

  void story(std::uint32_t state, std::optional<Step> last) {
    TinyWorld world(size_);
    std::vector<Step> way = way_to(state);
    if (last) way.push_back(*last);
    for (const Step& step : way) {
      found_.story.push_back(world.describe(step));
      world.take(step);
    }
  }

  /// From the state of its loop that is nearest to the start.
  void tell_lasso(std::uint32_t in_loop) {
    std::uint32_t nearest = in_loop;
    for (std::uint32_t at = states_[in_loop].fair; at != in_loop; at = states_[at].fair) {
      if (states_[at].depth < states_[nearest].depth) nearest = at;
    }
    story(nearest, {});
    found_.story.emplace_back("again and again:");
    const auto world = walk(way_to(nearest));
    do {
      const Step step = world->steps().front();
      found_.story.push_back(world->describe(step));
      world->take(step);
    } while (number_of_.at(world->state()) != nearest);
  }

  static constexpr std::uint32_t on_the_way = none - 1;

  const TinySize size_;
  std::vector<State> states_;
  std::unordered_map<std::uint64_t, std::uint32_t> number_of_;
  std::vector<std::vector<std::uint32_t>> frontier_;  // by faults; grows while it is walked
  Enumeration found_;
};

}  // namespace

Enumeration enumerate(const TinySize& size) { return Search(size).go(); }

}  // namespace firstcome::sim
