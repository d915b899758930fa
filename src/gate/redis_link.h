#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): theirs
}

namespace firstcome {

/// Whom to believe on TLS links: certificates that an authority signed, for the host's own name or address.
class RedisTls {
 public:
  /// Fails with misconfigured, naming the option.
  static Result<std::shared_ptr<RedisTls>> load(const std::string& ca_file);
  ~RedisTls();

  struct Impl;
  explicit RedisTls(std::unique_ptr<Impl> impl);
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Who owns a link. Called on its loop, never from within a call of the link's.
class RedisLinkOwner {
 public:
  virtual ~RedisLinkOwner() = default;
  virtual void link_opened() = 0;
  virtual void link_read(std::string_view bytes) = 0;

  /// The socket is free: what is to be sent now is appended to `out`.
  virtual void link_free(std::string& out) = 0;

  /// It has closed itself.
  virtual void link_lost(const Fault& fault) = 0;
};

/// Bytes to one server and back, over TCP or TLS. Knows nothing of what they mean; its owner keeps the deadlines.
///
///   Lifetime   that of the owner; after close() or its end no call comes.
class RedisLink {
 public:
  RedisLink(boost::asio::io_context& io, std::shared_ptr<RedisTls> tls, RedisLinkOwner& owner);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  /// HOST:PORT; a link that was closed may be opened again.
  void open(const std::string& host);
  void close();

  /// link_free() is called in a later turn of the loop, when the link is open and nothing is being sent.
  void wake();

 private:
  struct Wire;
  boost::asio::io_context& io_;
  const std::shared_ptr<RedisTls> tls_;
  RedisLinkOwner& owner_;
  std::shared_ptr<Wire> wire_;
};

}  // namespace firstcome
