#include "http/json_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "http/routing.h"

namespace firstcome::http {

/// Stops at the first thing that is not a member of a flat object, so that no depth and no length costs anything.
class JsonInput::Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Reader(JsonInput& into, std::span<const std::string_view> known) : into_(into), known_(known) {}

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override {
    if (inside_) return no_single_value();
    inside_ = true;
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return inside_ ? no_single_value() : no_object(); }
  bool end_array() override { return true; }

  bool key(string_t& name) override {
    if (std::ranges::find(known_, name) == known_.end()) {
      into_.refuse(fmt::format("unknown field {}{}", name, did_you_mean(name, known_)));
      return false;
    }
    if (into_.find(name)) {
      into_.refuse(fmt::format("{} is there twice", name));
      return false;
    }
    into_.members_.emplace_back(name, std::monostate{});
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    std::string_view what = error.what();
    what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
    into_.refuse("bad-json", fmt::format("the body is not JSON: {}", what));
    return false;
  }

 private:
  bool add(Value value) {
    if (!inside_) return no_object();
    into_.members_.back().second = std::move(value);
    return true;
  }
  bool no_object() {
    into_.refuse("bad-json", "the body must be a JSON object");
    return false;
  }
  bool no_single_value() {
    into_.refuse(fmt::format("{} must be a single value, not a list or an object", into_.members_.back().first));
    return false;
  }

  JsonInput& into_;
  std::span<const std::string_view> known_;
  bool inside_ = false;
};

JsonInput::JsonInput(std::string_view body, std::span<const std::string_view> known) {
  Reader reader(*this, known);
  nlohmann::json::sax_parse(body, &reader);
}

void JsonInput::refuse(std::string_view type, std::string detail) {
  if (!refusal_) refusal_ = bad_request(type, std::move(detail));
}

const JsonInput::Value* JsonInput::find(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &std::pair<std::string, Value>::first);
  return found == members_.end() ? nullptr : &found->second;
}

void JsonInput::refuse_nulls() {
  for (const auto& [name, value] : members_) {
    if (std::holds_alternative<std::monostate>(value)) {
      refuse(fmt::format("{} is null: leave out what is not to be changed; nothing can be taken away", name));
    }
  }
}

std::optional<std::string> JsonInput::text(std::string_view name) {
  const Value* const value = find(name);
  if (!value || std::holds_alternative<std::monostate>(*value)) return {};
  if (const auto* const text = std::get_if<std::string>(value)) return *text;
  refuse(fmt::format("{} must be a text", name));
  return {};
}

std::optional<bool> JsonInput::truth(std::string_view name) {
  const Value* const value = find(name);
  if (!value || std::holds_alternative<std::monostate>(*value)) return {};
  if (const auto* const truth = std::get_if<bool>(value)) return *truth;
  refuse(fmt::format("{} must be true or false", name));
  return {};
}

std::optional<double> JsonInput::number(std::string_view name) {
  const Value* const value = find(name);
  if (!value || std::holds_alternative<std::monostate>(*value)) return {};
  if (const auto* const real = std::get_if<double>(value)) return *real;
  if (const auto* const natural = std::get_if<std::uint64_t>(value)) return static_cast<double>(*natural);
  if (const auto* const negative = std::get_if<std::int64_t>(value)) return static_cast<double>(*negative);
  refuse(fmt::format("{} must be a number", name));
  return {};
}

std::optional<std::uint32_t> JsonInput::whole(std::string_view name) {
  const Value* const value = find(name);
  if (!value || std::holds_alternative<std::monostate>(*value)) return {};
  const auto* const natural = std::get_if<std::uint64_t>(value);
  if (natural && *natural <= std::numeric_limits<std::uint32_t>::max()) return static_cast<std::uint32_t>(*natural);
  refuse(fmt::format("{} must be a whole number from 1 to {}", name, std::numeric_limits<std::uint32_t>::max()));
  return {};
}

}  // namespace firstcome::http
