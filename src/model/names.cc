#include "model/names.h"

#include <algorithm>

namespace firstcome {

bool is_campaign_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::campaign_id_bytes_max &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_user(std::string_view text) {
  return !text.empty() && text.size() <= limits::user_bytes_max &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace firstcome
