#pragma once

#include <cstdint>

#include "base/clock.h"
#include "model/answer.h"
#include "standings/campaign.h"

namespace firstcome {

/// What a user is told, as pointers into the standings: a body is always rendered from their record, never from a
/// ticket in hand.
///
///   Lifetime   that of the standings.
struct Answer {
  AnswerKind kind = AnswerKind::fault;
  const Campaign* campaign = nullptr;  ///< none for no_campaign and for some faults
  const Winner* winner = nullptr;      ///< of won
  std::uint32_t rank = 0;              ///< of won
  std::uint32_t quota = 0;             ///< that sold_out is about
  Millis retry_after{0};               ///< of pending, not_open, paused and fault: at least 1 s
};

}  // namespace firstcome
