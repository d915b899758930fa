#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clause.h"
#include "gate/gate.h"
#include "gate/turning_loop.h"
#include "model/entry.h"

namespace firstcome {

/// An adapter of the gate, with what the contract must do to it.
class GateHost {
 public:
  virtual ~GateHost() = default;

  /// The same gate each time, as another loop or another process of that installation sees it. It lives on loop().
  virtual Result<std::unique_ptr<Gate>> open(std::size_t asks_max, const InstallationId& installation) = 0;
  TurningLoop& loop() { return loop_; }

  /// A campaign of that name that nobody has asked about.
  virtual std::string campaign(std::string_view name) = 0;

  /// How many keys the gate has of the campaign.
  virtual std::size_t keys(const std::string& campaign) = 0;

  /// It has lost its memory of the campaign.
  virtual void lose(const std::string& campaign) = 0;

  /// No memory to spare, or enough again.
  virtual void fill(bool full) = 0;

  /// It answers nothing for that long.
  virtual void hold(Millis time) = 0;

 private:
  TurningLoop loop_;
};

/// Whose the gates are that the clauses open, but for one.
inline constexpr InstallationId contract_installation{'o', 'u', 'r', 's'};

/// The clauses of gate/gate.h.
std::vector<Clause<GateHost>> gate_contract();

}  // namespace firstcome
