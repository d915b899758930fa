#pragma once

#include <span>
#include <string>
#include <string_view>

namespace firstcome {

/// The known name that is nearest to a mistyped one (edit distance of at most a third of its length), or nothing.
/// Nothing for more than 64 bytes: no name of ours is that long, and the distance costs length times length.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

/// "; did you mean --listen?", or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace firstcome
