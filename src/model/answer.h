#pragma once

#include <cstdint>
#include <string_view>

namespace firstcome {

/// What the user is told. The first six are the answers of the design; the last two are no verdict about a user.
enum class AnswerKind : std::uint8_t {
  won,       ///< final
  pending,   ///< ask again, it is safe
  sold_out,  ///< final for the quota that it names
  not_open,  ///< true for now
  closed,    ///< final
  paused,    ///< true for now
  no_campaign,
  fault,  ///< the outside failed us: ask again, it is safe
};

inline constexpr int answer_kinds = 8;

constexpr std::string_view to_string(AnswerKind kind) {
  constexpr std::string_view names[answer_kinds] = {"won",    "pending", "sold_out",    "not_open",
                                                    "closed", "paused",  "no_campaign", "fault"};
  return names[static_cast<int>(kind)];
}

}  // namespace firstcome
