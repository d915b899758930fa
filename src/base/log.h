#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace firstcome::log {

enum class Form : std::uint8_t { text, json };
enum class Level : std::uint8_t { info, warn, error };

/// One `name=value` of a line. Values are numbers or text; names are the words of the design.
struct Field {
  std::string_view name;
  std::string value;
  bool number = false;

  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(v) {}
  Field(std::string_view n, const std::string& v) : name(n), value(v) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  Field(std::string_view n, Number v) : name(n), value(std::to_string(v)), number(true) {}
};

/// Lines go to stderr, one per event that a person cares about: never one per refused claim.
///
///   Threads   any; a line is written whole.
void set_form(Form form);

/// `what` is a sentence for a person at three in the morning; the fields say where.
void line(Level level, std::string_view what, std::initializer_list<Field> fields = {});

inline void info(std::string_view what, std::initializer_list<Field> fields = {}) { line(Level::info, what, fields); }
inline void warn(std::string_view what, std::initializer_list<Field> fields = {}) { line(Level::warn, what, fields); }
inline void error(std::string_view what, std::initializer_list<Field> fields = {}) { line(Level::error, what, fields); }

}  // namespace firstcome::log
