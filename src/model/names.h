#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/limits.h"

namespace firstcome {

/// Text of at most `Max` bytes kept in place, so that an entry is copied without touching the heap.
template <std::size_t Max>
class InlineText {
  static_assert(Max <= 255);

 public:
  InlineText() = default;
  InlineText(std::string_view text) {  // NOLINT(google-explicit-constructor): it is a string_view with storage
    MUST(text.size() <= Max, "names are checked where they come in");
    size_ = static_cast<std::uint8_t>(text.size());
    std::memcpy(bytes_, text.data(), text.size());
  }
  InlineText(const char* text) : InlineText(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  InlineText(const std::string& text) : InlineText(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)

  std::string_view view() const { return {bytes_, size_}; }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  std::string str() const { return std::string(view()); }
  bool empty() const { return size_ == 0; }

  friend bool operator==(const InlineText& a, const InlineText& b) { return a.view() == b.view(); }
  friend bool operator==(const InlineText& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const InlineText& a, const char* b) { return a.view() == b; }
  friend auto operator<=>(const InlineText& a, const InlineText& b) { return a.view() <=> b.view(); }

 private:
  std::uint8_t size_ = 0;
  char bytes_[Max] = {};
};

using CampaignId = InlineText<limits::campaign_id_bytes_max>;
using User = InlineText<limits::user_bytes_max>;

/// [a-z0-9-]{1,63}
bool is_campaign_id(std::string_view text);

/// 1 to 64 bytes of printable ASCII without space. Users are bytes: `alice` and `Alice` are two.
bool is_user(std::string_view text);

}  // namespace firstcome
