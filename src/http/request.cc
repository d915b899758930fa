#include "http/request.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace firstcome::http {

std::string Peer::address_text() const {
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  char text[INET6_ADDRSTRLEN]{};
  if (std::equal(mapped.begin(), mapped.end(), address.begin())) {
    inet_ntop(AF_INET, address.data() + mapped.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

const Field* Request::find(std::string_view name) const {
  for (const Field& field : fields) {
    if (same_name(field.name, name)) return &field;
  }
  return nullptr;
}

std::size_t Request::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [&](const Field& field) { return same_name(field.name, name); }));
}

}  // namespace firstcome::http
