#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace firstcome {

/// A coupon's code: 128 random bits, made when the ticket is made, never derived from the rank.
using Code = std::array<std::uint8_t, 16>;

Code make_code(Random& random);

/// 26 symbols of Crockford's base32 and his check symbol (the value modulo 37): 27 characters.
std::string to_text(const Code& code);
void append_text(std::string& text, const Code& code);

/// Reads what to_text() wrote; as Crockford says, case does not matter, O is 0, I and L are 1, hyphens are skipped.
/// Nothing when a symbol or the check is wrong.
std::optional<Code> parse_code(std::string_view text);

}  // namespace firstcome
