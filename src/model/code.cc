#include "model/code.h"

namespace firstcome {
namespace {

// Crockford's alphabet (https://www.crockford.com/base32.html); the last five serve as check symbols only.
constexpr std::string_view symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";
constexpr int text_symbols = 26;  // 130 bits: the first symbol carries three bits

unsigned check_of(const Code& code) {
  unsigned rest = 0;
  for (auto byte : code) rest = (rest * 256 + byte) % 37;
  return rest;
}

std::optional<unsigned> value_of(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'O') c = '0';
  if (c == 'I' || c == 'L') c = '1';
  const auto at = symbols.find(c);
  if (at == std::string_view::npos) return {};
  return static_cast<unsigned>(at);
}

}  // namespace

Code make_code(Random& random) {
  Code code;
  random.fill(code);
  return code;
}

std::string to_text(const Code& code) {
  std::string text;
  append_text(text, code);
  return text;
}

void append_text(std::string& text, const Code& code) {
  const std::size_t begin = text.size();
  text.resize(begin + text_symbols + 1);
  unsigned __int128 value = 0;
  for (auto byte : code) value = value << 8 | byte;
  for (int i = text_symbols - 1; i >= 0; --i, value >>= 5) {
    text[begin + static_cast<std::size_t>(i)] = symbols[static_cast<std::size_t>(value & 31)];
  }
  text.back() = symbols[check_of(code)];
}

std::optional<Code> parse_code(std::string_view text) {
  unsigned __int128 value = 0;
  int seen = 0;
  std::optional<unsigned> check;
  for (char c : text) {
    if (c == '-') continue;
    const auto symbol = value_of(c);
    if (!symbol || seen > text_symbols) return {};
    if (seen == text_symbols) {
      check = symbol;
    } else {
      if (*symbol > 31 || (seen == 0 && *symbol > 7)) return {};
      value = value << 5 | *symbol;
    }
    ++seen;
  }
  if (seen != text_symbols + 1) return {};
  Code code;
  for (auto byte = code.rbegin(); byte != code.rend(); ++byte, value >>= 8) *byte = static_cast<std::uint8_t>(value);
  if (check != check_of(code)) return {};
  return code;
}

}  // namespace firstcome
