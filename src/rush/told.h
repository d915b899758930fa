#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace firstcome::rush {

/// What one attempt was told, as its client sees it. The words of the history file.
enum class Told : std::uint8_t {
  won,       ///< final
  pending,   ///< ask again, it is safe
  sold_out,  ///< final, for the quota that it names
  not_open,  ///< true for now
  closed,    ///< final
  paused,    ///< true for now
  fault,     ///< 5xx: ask again, it is safe
  refused,   ///< any other answer: no verdict about the user
  cut,       ///< no whole answer: it may have counted, or not
};

inline constexpr std::size_t tolds = 9;
inline constexpr std::array<Told, tolds> all_told{Told::won,      Told::pending, Told::sold_out,
                                                  Told::not_open, Told::closed,  Told::paused,
                                                  Told::fault,    Told::refused, Told::cut};

constexpr std::string_view to_string(Told told) {
  constexpr std::array<std::string_view, tolds> names{"won",    "pending", "sold_out", "not_open", "closed",
                                                      "paused", "fault",   "refused",  "cut"};
  return names[static_cast<std::size_t>(told)];
}

constexpr bool is_final(Told told) { return told == Told::won || told == Told::sold_out || told == Told::closed; }

/// An answer, read. Views point into the body and into the reader: they hold until it reads the next one.
struct Said {
  Told told = Told::refused;
  bool again = false;      ///< asking again is what this answer asks for
  bool malformed = false;  ///< status and body do not fit together as docs/api.md says
  std::uint32_t rank = 0;  ///< of a won, as are campaign, user and code
  std::string_view campaign;
  std::string_view user;
  std::string_view code;
  std::uint32_t quota = 0;  ///< of a sold_out
};

/// Reads answers by status and body. The ones that name no user are the same bytes for everybody: read once, then
/// compared.
class AnswerReader {
 public:
  AnswerReader();
  ~AnswerReader();
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  Said read(int status, std::string_view body);

 private:
  Said read_won(std::string_view body);
  Said read_problem(int status, std::string_view body);

  int last_status_ = 0;
  std::string last_body_;
  Said last_said_;
  std::unique_ptr<nlohmann::json> json_;  // holds what the views of a `won` with escapes point to
};

}  // namespace firstcome::rush
