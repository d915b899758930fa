#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace firstcome::log {
namespace {

std::atomic<Form> form_now{Form::text};

spdlog::logger& logger() {
  static const auto made = [] {
    auto made_now = std::make_shared<spdlog::logger>("firstcome", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made_now->set_pattern("%v");
    made_now->flush_on(spdlog::level::info);
    return made_now;
  }();
  return *made;
}

std::string_view name_of(Level level) {
  return level == Level::info ? "info" : level == Level::warn ? "warn" : "error";
}

/// Of a value that is no UTF-8, a path say, what is none is replaced.
std::string in_quotes(const std::string& value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string as_text(std::string_view now, Level level, std::string_view what, std::initializer_list<Field> fields) {
  std::string text = fmt::format("{} {:<5} {}", now, name_of(level), what);
  for (const auto& field : fields) {
    const bool quote = field.value.find_first_of(" \"\n") != std::string::npos || field.value.empty();
    text += fmt::format(" {}={}", field.name, quote ? in_quotes(field.value) : field.value);
  }
  return text;
}

std::string as_json(std::string_view now, Level level, std::string_view what, std::initializer_list<Field> fields) {
  nlohmann::ordered_json json{{"time", now}, {"level", name_of(level)}, {"event", what}};
  for (const auto& field : fields) {
    json[std::string(field.name)] =
        field.number ? nlohmann::ordered_json::parse(field.value, nullptr, false) : nlohmann::ordered_json(field.value);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

void set_form(Form form) { form_now = form; }

void line(Level level, std::string_view what, std::initializer_list<Field> fields) {
  const std::string now = to_rfc3339(SystemClock().now());
  logger().log(spdlog::level::info, "{}",
               form_now == Form::text ? as_text(now, level, what, fields) : as_json(now, level, what, fields));
}

}  // namespace firstcome::log
