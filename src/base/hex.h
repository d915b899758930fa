#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace firstcome {

/// Two digits a byte, in lower case.
inline std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace firstcome
