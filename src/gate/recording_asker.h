#pragma once

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "gate/gate.h"

namespace firstcome {

/// Remembers what a gate told.
class RecordingAsker final : public GateAsker {
 public:
  void gated(std::string_view campaign, std::uint64_t generation, std::span<const GateAnswer> all) override {
    thread = std::this_thread::get_id();
    generations[std::string(campaign)] = generation;
    if (all.empty()) ++widened;
    for (const GateAnswer& one : all) {
      ++told[one.number];
      answers[one.number] = one;
    }
    largest = std::max(largest, all.size());
  }
  void gate_failed(std::string_view /*campaign*/, std::span<const Ask> asks, const Fault& fault) override {
    thread = std::this_thread::get_id();
    for (const Ask& one : asks) {
      ++told[one.number];
      faults.insert_or_assign(one.number, fault);
    }
  }

  /// How many of the asks `first`..`last` were answered so.
  std::size_t count(Admission admission, AskNumber first = 0, AskNumber last = ~AskNumber{0}) const {
    std::size_t count = 0;
    for (const auto& [number, answer] : answers) {
      count += number >= first && number <= last && answer.admission == admission;
    }
    return count;
  }

  std::map<AskNumber, GateAnswer> answers;
  std::map<AskNumber, Fault> faults;
  std::map<AskNumber, int> told;  ///< how often
  std::map<std::string, std::uint64_t> generations;
  std::size_t widened = 0;
  std::size_t largest = 0;  ///< answers told at once
  std::thread::id thread;
};

}  // namespace firstcome
