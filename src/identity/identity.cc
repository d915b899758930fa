#include "identity/identity.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "model/names.h"

namespace firstcome {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Any spelling of an address, IPv4 mapped. False: it is none.
bool parse_address(const std::string& text, PeerAddress& into, bool& is_v4) {
  in_addr v4{};
  is_v4 = inet_pton(AF_INET, text.c_str(), &v4) == 1;
  if (!is_v4) return inet_pton(AF_INET6, text.c_str(), into.data()) == 1;
  into = {};
  into[10] = into[11] = 0xff;
  std::memcpy(into.data() + 12, &v4, 4);
  return true;
}

}  // namespace

bool same_name(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network network;
  bool is_v4 = false;
  const auto no = [&] {
    return fail(
        FaultKind::misconfigured,
        "\"" + std::string(text) + "\" is no address and no network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32");
  };
  if (!parse_address(address, network.first_, is_v4)) return no();
  const unsigned bits_max = is_v4 ? 32 : 128;
  unsigned bits = bits_max;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits > bits_max) return no();
  }
  network.bits_ = bits + (128 - bits_max);
  return network;
}

bool Network::contains(const PeerAddress& address) const {
  const unsigned bytes = bits_ / 8, rest = bits_ % 8;
  if (std::memcmp(address.data(), first_.data(), bytes) != 0) return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (address[bytes] & mask) == (first_[bytes] & mask);
}

std::expected<std::string_view, IdentityRefusal> HeaderIdentity::user_of(const PeerAddress& peer,
                                                                         std::span<const HeaderField> fields) const {
  const bool trusted = std::ranges::any_of(trusted_, [&](const Network& network) { return network.contains(peer); });
  if (!trusted) {
    return std::unexpected(IdentityRefusal{
        "this address may not say who the user is: only the proxies named by --identity-trusted may set " + field_});
  }
  std::string_view user;
  int seen = 0;
  for (const auto& field : fields) {
    if (same_name(field.name, field_)) {
      user = field.value;
      ++seen;
    }
  }
  if (seen == 0) return std::unexpected(IdentityRefusal{"no " + field_ + " field: who asks?"});
  if (seen > 1)
    return std::unexpected(IdentityRefusal{field_ + " is there " + std::to_string(seen) + " times: send it once"});
  if (!is_user(user)) {
    return std::unexpected(IdentityRefusal{field_ + " must be 1 to 64 bytes of printable ASCII without space"});
  }
  return user;
}

}  // namespace firstcome
