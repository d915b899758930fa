#pragma once

#include <charconv>
#include <cstdint>
#include <string>

namespace firstcome::rush {

/// The users of a rush are numbers inside, and names outside: u1, u2, ... with the prefix and the first number of the
/// options.
struct Users {
  std::string prefix;
  std::uint32_t first = 1;
  std::uint32_t count = 0;

  void append_name(std::uint32_t user, std::string& to) const {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, std::uint64_t{first} + user).ptr;
    to += prefix;
    to.append(digits, end);
  }
  std::string name(std::uint32_t user) const {
    std::string text;
    append_name(user, text);
    return text;
  }
};

}  // namespace firstcome::rush
