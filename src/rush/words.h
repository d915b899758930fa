#pragma once

#include <cstdint>
#include <string>

#include "rush/rush.h"

namespace firstcome::rush {

/// Numbers for people: 1,234,567.
std::string grouped(std::uint64_t number);

/// Times for people, three digits: 870 µs, 12.3 ms, 1.50 s.
std::string spoken_us(std::int64_t us);

/// "won 100, sold_out 9,900": what is not zero.
std::string spoken(const Counts& counts);

/// "everybody has a final answer"
std::string spoken(Ending ending);

}  // namespace firstcome::rush
