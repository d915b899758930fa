#include "verify/history.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/assert.h"

namespace firstcome::verify {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 9> answers{"won",    "pending", "sold_out", "not_open", "closed",
                                                  "paused", "fault",   "refused",  "cut"};

void append_text(std::string& line, std::string_view text) {
  line += '"';
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      line += '\\';
      line += byte;
    } else {
      MUST(byte >= ' ' && byte < '\x7f', "campaigns, users, answers and codes are printable ASCII");
      line += byte;
    }
  }
  line += '"';
}

void append_number(std::string& line, std::string_view name, std::int64_t value) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  MUST(error == std::errc(), "24 bytes hold every number");
  line += name;
  line.append(digits.data(), end);
}

void render(const Attempt& attempt, std::string& line) {
  line = R"({"campaign":)";
  append_text(line, attempt.campaign);
  line += R"(,"user":)";
  append_text(line, attempt.user);
  append_number(line, R"(,"call_us":)", attempt.call_us);
  if (attempt.return_us) append_number(line, R"(,"return_us":)", *attempt.return_us);
  append_number(line, R"(,"status":)", attempt.status);
  line += R"(,"answer":)";
  append_text(line, attempt.answer);
  if (attempt.answer == "won") {
    append_number(line, R"(,"rank":)", attempt.rank);
    line += R"(,"code":)";
    append_text(line, attempt.code);
  }
  if (attempt.answer == "sold_out") append_number(line, R"(,"quota":)", attempt.quota);
  line += "}\n";
}

/// Reads the members of one line; whatever is missing, of another type or not ours makes it no attempt.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  std::string text(const char* name) {
    const Json* value = find(name);
    ok_ = ok_ && value != nullptr && value->is_string();
    return ok_ ? value->get<std::string>() : std::string();
  }
  std::int64_t number(const char* name, std::int64_t least, std::int64_t most) {
    const Json* value = find(name);
    ok_ = ok_ && value != nullptr && value->is_number_integer();
    const bool huge = ok_ && value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
    const auto number = ok_ && !huge ? value->get<std::int64_t>() : 0;
    ok_ = ok_ && !huge && number >= least && number <= most;
    return number;
  }
  bool has(const char* name) const { return object_.contains(name); }
  bool ok() const { return ok_ && seen_ == object_.size(); }

 private:
  const Json* find(const char* name) {
    const auto at = object_.find(name);
    if (at == object_.end()) return nullptr;
    ++seen_;
    return &*at;
  }

  const Json& object_;
  bool ok_ = true;
  std::size_t seen_ = 0;
};

std::optional<Attempt> attempt_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return {};
  Members members(json);
  Attempt attempt;
  attempt.campaign = members.text("campaign");
  attempt.user = members.text("user");
  attempt.call_us = members.number("call_us", 0, INT64_MAX);
  if (members.has("return_us")) attempt.return_us = members.number("return_us", attempt.call_us, INT64_MAX);
  attempt.status = static_cast<int>(members.number("status", 0, 999));
  attempt.answer = members.text("answer");
  if (attempt.answer == "won") {
    attempt.rank = static_cast<std::uint32_t>(members.number("rank", 1, UINT32_MAX));
    attempt.code = members.text("code");
  }
  if (attempt.answer == "sold_out") attempt.quota = static_cast<std::uint32_t>(members.number("quota", 1, UINT32_MAX));
  const bool known = std::ranges::find(answers, attempt.answer) != answers.end();
  const bool cut = attempt.answer == "cut";
  if (!members.ok() || !known || cut == attempt.return_us.has_value() || cut != (attempt.status == 0)) return {};
  return attempt;
}

Fault cannot(std::string_view doing, const std::string& path) {
  const bool wrong_name = errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EISDIR;
  return {wrong_name ? FaultKind::misconfigured : FaultKind::unavailable,
          "cannot " + std::string(doing) + " history " + path + ": " + std::strerror(errno)};
}

}  // namespace

Result<HistoryWriter> HistoryWriter::create(const std::string& path) {
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "we"));
  if (!file) return fail(cannot("create", path));
  std::setvbuf(file.get(), nullptr, _IOFBF, 1 << 20);
  return HistoryWriter(path, std::move(file));
}

Result<void> HistoryWriter::add(const Attempt& attempt) {
  render(attempt, line_);
  if (std::fwrite(line_.data(), 1, line_.size(), file_.get()) != line_.size()) return fail(cannot("write", path_));
  return {};
}

Result<void> HistoryWriter::flush() {
  if (std::fflush(file_.get()) != 0) return fail(cannot("write", path_));
  return {};
}

Result<std::vector<Attempt>> read_history(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(cannot("open", path));
  std::vector<Attempt> attempts;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (file.eof()) break;  // no line end: the writer was cut
    auto attempt = attempt_of(line);
    if (!attempt)
      return fail(FaultKind::misconfigured,
                  path + " line " + std::to_string(number) +
                      " is no attempt: is this a file that `firstcome rush --history` wrote?");
    attempts.push_back(std::move(*attempt));
  }
  if (file.bad()) return fail(cannot("read", path));
  return attempts;
}

}  // namespace firstcome::verify
