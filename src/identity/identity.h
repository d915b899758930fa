#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firstcome {

/// A header field as it came; names do not care about case.
struct HeaderField {
  std::string_view name;
  std::string_view value;
};
bool same_name(std::string_view left, std::string_view right);

/// An IPv6 address in network order; an IPv4 address is mapped (::ffff:a.b.c.d).
using PeerAddress = std::array<std::uint8_t, 16>;

/// Why a request has no user: status 401, and the sentence for its author.
struct IdentityRefusal {
  std::string detail;
};

/// Who asks. Never taken from the body or the query.
///
///   Threads   any; never blocks.
class Identity {
 public:
  virtual ~Identity() = default;

  /// The user (valid by is_user(), in the memory of `fields`), or why there is none.
  virtual std::expected<std::string_view, IdentityRefusal> user_of(const PeerAddress& peer,
                                                                   std::span<const HeaderField> fields) const = 0;
};

/// "10.0.0.0/8", "192.0.2.7", "2001:db8::/32".
class Network {
 public:
  static Result<Network> parse(std::string_view text);
  bool contains(const PeerAddress& address) const;

 private:
  PeerAddress first_{};
  unsigned bits_ = 128;
};

/// The user is what a trusted proxy says in one header field.
///
///   Fails   for a peer outside `trusted`, a field that is missing or there twice, and a value that is no user.
class HeaderIdentity final : public Identity {
 public:
  HeaderIdentity(std::string field, std::vector<Network> trusted)
      : field_(std::move(field)), trusted_(std::move(trusted)) {}

  std::expected<std::string_view, IdentityRefusal> user_of(const PeerAddress& peer,
                                                           std::span<const HeaderField> fields) const override;

 private:
  const std::string field_;
  const std::vector<Network> trusted_;
};

}  // namespace firstcome
