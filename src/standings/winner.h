#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/sha256.h"
#include "model/entry.h"

namespace firstcome {

using Chain = Sha256Sum;

/// What the standings keep of a winner; the rank is its place in the campaign's list plus one.
struct Winner {
  Code code{};
  Position position = 0;
  Time stamp;                  ///< of the ticket: the answer's claimed_at
  Chain chain{};               ///< of the campaign, up to and with this ticket
  const char* text = nullptr;  ///< length byte and the user's bytes, in the campaign's arena

  std::string_view user() const { return {text + 1, static_cast<std::uint8_t>(text[0])}; }
};

}  // namespace firstcome
