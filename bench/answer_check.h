#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::bench {

/// Splits what a server sends into answers and checks each of them, so that a server which is fast since it answers
/// wrongly is found out.
///
///   Fails   what() is the first wrong answer, in a sentence.
class AnswerCheck {
 public:
  /// Every answer has this status, and the body of the first one.
  explicit AnswerCheck(int status) : status_(status) {}

  /// Every answer is `won` with the asking user's name and a rank of 1..quota that nobody else has in that campaign; or
  /// "ask again". Users go to the campaigns in turn, as in ClaimText.
  static AnswerCheck of_wins(std::uint32_t quota, std::uint32_t campaigns);

  enum class Verdict : std::uint8_t { fine, ask_again, wrong };
  struct Answer {
    std::size_t bytes = 0;
    Verdict verdict = Verdict::fine;
  };

  /// The answer at the front of `bytes`; nothing if it has not come whole.
  std::optional<Answer> next(std::string_view bytes, std::uint64_t user);

  const std::string& what() const { return what_; }
  std::uint32_t winners() const { return winners_; }

 private:
  struct Parts {
    int status = 0;
    std::string_view head, body;
  };
  static std::optional<Parts> split(std::string_view bytes);
  Verdict same(const Parts& parts);
  Verdict won(const Parts& parts, std::uint64_t user);
  Verdict wrong(std::string_view why, const Parts& parts);

  int status_ = 0;
  std::string first_head_, first_body_;
  std::uint32_t quota_ = 0, campaigns_ = 1;
  std::vector<bool> told_;  // of_wins: which ranks, campaign by campaign
  std::uint32_t winners_ = 0;
  std::string what_;
};

}  // namespace firstcome::bench
