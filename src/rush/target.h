#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/address.h"
#include "client/http_client.h"
#include "client/url.h"
#include "rush/rush.h"

namespace firstcome::rush {

/// Fails with misconfigured and the option to change.
Result<void> check(const Options& options);

/// The servers that are rushed: addresses that we may rush, and requests that are ready but for the user's name.
class Target {
 public:
  /// Fails with misconfigured when a server is not on this machine and nobody said that it is ours.
  static Result<Target> find(const Options& options);

  std::size_t servers() const { return urls_.size(); }
  const std::vector<std::vector<client::Address>>& addresses() const { return addresses_; }

  /// A whole claim is head(server) + user + tail().
  const std::string& head(std::size_t server) const { return heads_[server]; }
  static constexpr std::string_view tail() { return "\r\nContent-Length: 0\r\n\r\n"; }

  /// The campaign's quota: the largest that a server tells, since one may be behind; nothing when none knows for now.
  /// Blocks. Fails: misconfigured when a server says that there is no such campaign; unavailable when none answers.
  Result<std::optional<std::uint32_t>> ask_quota();

 private:
  std::string campaign_;
  std::vector<client::Url> urls_;
  std::vector<std::vector<client::Address>> addresses_;
  std::vector<std::string> heads_;
  client::Client client_;
};

}  // namespace firstcome::rush
