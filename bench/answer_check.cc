#include "answer_check.h"

#include <fmt/format.h>

#include <charconv>

#include "claim_text.h"

namespace firstcome::bench {
namespace {

/// The number behind `name`; 0 if there is none.
std::uint32_t number_behind(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  std::uint32_t number = 0;
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number);
  }
  return number;
}

constexpr std::size_t status_line_bytes = sizeof "HTTP/1.1 409" - 1;

}  // namespace

AnswerCheck AnswerCheck::of_wins(std::uint32_t quota, std::uint32_t campaigns) {
  AnswerCheck check(201);
  check.quota_ = quota;
  check.campaigns_ = campaigns;
  check.told_.assign(std::size_t{quota} * campaigns, false);
  return check;
}

std::optional<AnswerCheck::Answer> AnswerCheck::next(std::string_view bytes, std::uint64_t user) {
  // The fast way: an answer of the length of the first one, with its status and body. A Date may differ.
  const std::size_t usual = first_head_.size() + first_body_.size();
  if (usual > 0 && bytes.size() >= usual &&
      bytes.starts_with(std::string_view(first_head_).substr(0, status_line_bytes)) &&
      bytes.substr(first_head_.size(), first_body_.size()) == first_body_) {
    return Answer{usual, Verdict::fine};
  }
  const auto parts = split(bytes);
  if (!parts) return {};
  return Answer{parts->head.size() + parts->body.size(), quota_ == 0 ? same(*parts) : won(*parts, user)};
}

std::optional<AnswerCheck::Parts> AnswerCheck::split(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return {};
  Parts parts{.head = bytes.substr(0, end + 4), .body = {}};
  const std::size_t body_bytes = number_behind(parts.head, "\r\nContent-Length: ");
  if (bytes.size() < parts.head.size() + body_bytes) return {};
  parts.body = bytes.substr(parts.head.size(), body_bytes);
  parts.status = static_cast<int>(number_behind(parts.head, "HTTP/1.1 "));
  return parts;
}

AnswerCheck::Verdict AnswerCheck::same(const Parts& parts) {
  if (parts.status != status_) return wrong(fmt::format("the status should be {}", status_), parts);
  if (!first_head_.empty() && parts.body != first_body_) return wrong("the body differs from the first one", parts);
  first_head_ = parts.head;
  first_body_ = parts.body;
  return Verdict::fine;
}

AnswerCheck::Verdict AnswerCheck::won(const Parts& parts, std::uint64_t user) {
  if (parts.status == 202 || parts.status == 503) return Verdict::ask_again;
  if (parts.status != 201 && parts.status != 200) return wrong("it should be won", parts);
  if (parts.body.find('"' + user_name(user) + '"') == std::string_view::npos) {
    return wrong("it is not for " + user_name(user), parts);
  }
  const std::uint32_t rank = number_behind(parts.body, R"("rank":)");
  if (rank == 0 || rank > quota_) return wrong("its rank is beyond the quota", parts);
  auto told = told_[user % campaigns_ * quota_ + rank - 1];
  if (told) return wrong("somebody else has that rank", parts);
  told = true;
  ++winners_;
  return Verdict::fine;
}

AnswerCheck::Verdict AnswerCheck::wrong(std::string_view why, const Parts& parts) {
  if (what_.empty()) what_ = fmt::format("{}, but the answer is {}{}", why, parts.head, parts.body);
  return Verdict::wrong;
}

}  // namespace firstcome::bench
