#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome {

/// For people: the noun that stands after a number. 1 "winner", 2 "winners".
inline std::string noun(std::uint64_t number, std::string one) { return number == 1 ? one : std::move(one) + "s"; }
inline std::string_view noun(std::uint64_t number, std::string_view one, std::string_view many) {
  return number == 1 ? one : many;
}

}  // namespace firstcome
