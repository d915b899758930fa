#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace firstcome {

using Sha256Sum = std::array<std::uint8_t, 32>;

/// SHA-256, by OpenSSL. Any thread.
Sha256Sum sha256(std::span<const std::uint8_t> bytes);

}  // namespace firstcome
