#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "desk/desk.h"
#include "desk/hand_ports.h"

namespace firstcome {

/// A desk between standings, a journal and perhaps a gate in the hand of the test.
class DeskScene : public testing::Test {
 protected:
  void make(DeskLimits limits = {}, Gate* gate = nullptr) {
    desk_ = std::make_unique<Desk>(0, standings_, journal_, gate, clock_, random_, limits,
                                   [this](ClaimNumber number, const Answer& answer) {
                                     EXPECT_FALSE(told_.contains(number)) << "answered twice";
                                     told_.emplace(number, answer);
                                   });
    desk_->heard(clock_.now());
  }

  void show(Entry entry) { desk_->applied(std::vector{apply(std::move(entry))}); }
  Effect apply(Entry entry) { return standings_.apply({++position_, clock_.now(), std::move(entry)}); }

  /// The journal commits what waits, and the desk hears of it.
  void commit() {
    std::vector<Effect> effects;
    for (auto& [entry, tag] : std::exchange(journal_.waiting, {})) effects.push_back(apply(std::move(entry)));
    desk_->applied(effects);
  }

  void open(std::uint32_t quota, Opened terms = {}) {
    terms.campaign = "lunch";
    terms.quota = quota;
    show(terms);
  }

  std::optional<Answer> claim(std::string_view user, ClaimNumber number) { return desk_->claim("lunch", user, number); }
  AnswerKind told(ClaimNumber number) { return told_.at(number).kind; }

  HandClock clock_;
  HandJournal journal_;
  SystemRandom random_;
  Standings standings_;
  Position position_ = 0;
  std::map<ClaimNumber, Answer> told_;
  std::unique_ptr<Desk> desk_;
};

}  // namespace firstcome
