#include "rush/told.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "model/code.h"

namespace firstcome::rush {
namespace {

using Json = nlohmann::json;

/// Reads a JSON object of strings without escapes and of natural numbers, with no space between: what our server writes
/// for a winner. nlohmann's takes ten times as long, and a rush reads up to 100,000 a second. Whatever is different is
/// left to nlohmann's.
class FlatObject {
 public:
  explicit FlatObject(std::string_view text) : left_(text) {}

  /// Calls `on_text` or `on_number` for each member; false when the text is not of this form.
  template <class OnText, class OnNumber>
  bool read(OnText on_text, OnNumber on_number) {
    if (!take('{')) return false;
    do {
      const auto name = text();
      if (!name || !take(':')) return false;
      if (!left_.empty() && left_.front() == '"') {
        const auto value = text();
        if (!value) return false;
        on_text(*name, *value);
      } else {
        const auto value = number();
        if (!value) return false;
        on_number(*name, *value);
      }
    } while (take(','));
    return take('}') && left_.empty();
  }

 private:
  bool take(char byte) {
    if (left_.empty() || left_.front() != byte) return false;
    left_.remove_prefix(1);
    return true;
  }

  std::optional<std::string_view> text() {
    if (!take('"')) return {};
    for (std::size_t at = 0; at < left_.size(); ++at) {
      const char byte = left_[at];
      if (byte == '"') {
        const auto value = left_.substr(0, at);
        left_.remove_prefix(at + 1);
        return value;
      }
      if (byte == '\\' || byte < ' ') return {};
    }
    return {};
  }

  std::optional<std::uint64_t> number() {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    if (error != std::errc() || (left_.front() == '0' && end != left_.data() + 1)) return {};
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    return value;
  }

  std::string_view left_;
};

Said malformed() { return {.told = Told::refused, .malformed = true}; }

std::optional<std::uint32_t> natural(std::uint64_t number) {
  if (number < 1 || number > std::numeric_limits<std::uint32_t>::max()) return {};
  return static_cast<std::uint32_t>(number);
}

struct WonBody {
  Said said{.told = Told::won};
  std::string_view answer;
  std::string_view claimed_at;
  bool wrong = false;  // a member twice, or a rank that is none

  void on_text(std::string_view name, std::string_view value) {
    if (name == "campaign") set(said.campaign, value);
    if (name == "user") set(said.user, value);
    if (name == "code") set(said.code, value);
    if (name == "answer") set(answer, value);
    if (name == "claimed_at") set(claimed_at, value);
  }
  void on_number(std::string_view name, std::uint64_t value) {
    if (name != "rank") return;
    wrong = wrong || said.rank != 0 || !natural(value);
    said.rank = natural(value).value_or(0);
  }
  void set(std::string_view& member, std::string_view value) {
    wrong = wrong || member.data() != nullptr;
    member = value;
  }
  bool is_whole() const {
    return !wrong && answer == "won" && said.rank != 0 && !said.campaign.empty() && !said.user.empty() &&
           !claimed_at.empty() && parse_code(said.code).has_value();
  }
};

/// "https://firstcome.dev/problems/sold-out" and "urn:firstcome:sold-out" are both `sold-out`.
std::string_view slug_of(std::string_view type) { return type.substr(type.find_last_of("/:#") + 1); }

}  // namespace

AnswerReader::AnswerReader() : json_(std::make_unique<Json>()) {}
AnswerReader::~AnswerReader() = default;

Said AnswerReader::read(int status, std::string_view body) {
  if (status == 200 || status == 201) return read_won(body);
  if (status == 202) return {.told = Told::pending, .again = true};
  if (status >= 500) return {.told = Told::fault, .again = true};
  if (status == last_status_ && body == last_body_) return last_said_;
  last_said_ = read_problem(status, body);
  last_status_ = status;
  last_body_ = body;
  return last_said_;
}

Said AnswerReader::read_won(std::string_view body) {
  WonBody won;
  const auto on_text = [&won](std::string_view name, std::string_view value) { won.on_text(name, value); };
  const auto on_number = [&won](std::string_view name, std::uint64_t value) { won.on_number(name, value); };
  if (FlatObject(body).read(on_text, on_number)) return won.is_whole() ? won.said : malformed();

  *json_ = Json::parse(body, nullptr, false);
  if (!json_->is_object()) return malformed();
  won = {};
  for (const auto& [name, value] : json_->items()) {
    if (value.is_string()) won.on_text(name, value.get_ref<const std::string&>());
    if (value.is_number_unsigned()) won.on_number(name, value.get<std::uint64_t>());
  }
  return won.is_whole() ? won.said : malformed();
}

Said AnswerReader::read_problem(int status, std::string_view body) {
  if (status < 400) return malformed();  // no answer of ours
  const Json json = Json::parse(body, nullptr, false);
  std::string type;
  if (json.is_object() && json.contains("type") && json["type"].is_string()) type = json["type"].get<std::string>();
  const auto slug = slug_of(type);

  if (status == 409 && slug == "sold-out") {
    const auto quota = json.value("quota", Json());
    const auto named = quota.is_number_unsigned() ? natural(quota.get<std::uint64_t>()) : std::nullopt;
    return named ? Said{.told = Told::sold_out, .quota = *named} : malformed();
  }
  if (status == 403 && slug == "not-open") return {.told = Told::not_open, .again = true};
  if (status == 403 && slug == "paused") return {.told = Told::paused, .again = true};
  if (status == 410 && slug == "closed") return {.told = Told::closed};
  const bool asks_for_more_time = status == 408 || status == 429;
  return {.told = Told::refused, .again = asks_for_more_time, .malformed = slug.empty()};
}

}  // namespace firstcome::rush
