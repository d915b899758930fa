#pragma once

#include <string_view>

namespace firstcome {

inline constexpr std::string_view version = "0.1.0";

}  // namespace firstcome
