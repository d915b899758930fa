// DESIGN
//   Asio calls back after a link was closed too (with operation_aborted), and perhaps after its owner is gone. So a
//   Wire, the life of one connection, is owned by the callbacks that are out; it forgets its owner when it is closed.
#include "gate/redis_link.h"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "base/assert.h"

namespace firstcome {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct RedisTls::Impl {
  asio::ssl::context context{asio::ssl::context::tls_client};
  std::string ca_file;
};

RedisTls::RedisTls(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RedisTls::~RedisTls() = default;

Result<std::shared_ptr<RedisTls>> RedisTls::load(const std::string& ca_file) {
  auto impl = std::make_unique<Impl>();
  impl->ca_file = ca_file;
  error_code error;
  impl->context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                            asio::ssl::context::no_tlsv1_1);
  impl->context.set_verify_mode(asio::ssl::verify_peer);
  static_cast<void>(impl->context.load_verify_file(ca_file, error));
  if (error) {
    return fail(FaultKind::misconfigured,
                "gate_tls_ca: no certificates can be read from " + ca_file + ": " + error.message());
  }
  return std::make_shared<RedisTls>(std::move(impl));
}

struct RedisLink::Wire : std::enable_shared_from_this<RedisLink::Wire> {
  Wire(asio::io_context& context, std::shared_ptr<RedisTls> with_tls, RedisLinkOwner& by, std::string_view host)
      : io(context), tls(std::move(with_tls)), owner(&by), resolver(context), socket(context), name(host) {
    const auto colon = host.rfind(':');
    MUST(colon != std::string_view::npos, "a server is HOST:PORT");
    server = host.substr(0, colon);
    port = host.substr(colon + 1);
    if (server.starts_with('[') && server.ends_with(']')) server = server.substr(1, server.size() - 2);
  }

  void open();
  void connected(const error_code& error);
  void shake_hands();
  void opened();
  void read();
  void wake();
  void pump();
  void lost(const error_code& error, std::string_view doing);
  void lost(const Fault& fault);
  Fault why_no_handshake(const error_code& error);
  void close();

  /// Calls `use` with what bytes go through.
  template <class Use>
  void through(Use&& use) {
    if (secure) {
      use(*secure);
    } else {
      use(socket);
    }
  }

  asio::io_context& io;
  const std::shared_ptr<RedisTls> tls;
  RedisLinkOwner* owner;  // none once closed
  tcp::resolver resolver;
  tcp::socket socket;
  std::optional<asio::ssl::stream<tcp::socket&>> secure;
  const std::string name;  // as the operator or the cluster named it
  std::string server, port;
  std::array<char, 16 * 1024> incoming;
  std::string outgoing;
  bool is_open = false, is_sending = false, is_woken = false;
};

void RedisLink::Wire::open() {
  error_code no_address;
  const auto address = asio::ip::make_address(server, no_address);
  if (!no_address) {
    const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(std::stoul(port)));
    return socket.async_connect(endpoint,
                                [self = shared_from_this()](const error_code& error) { self->connected(error); });
  }
  resolver.async_resolve(server, port, [self = shared_from_this()](const error_code& error, const auto& found) {
    if (!self->owner) return;
    if (error) return self->lost(error, "its name is not known: look at gate");
    asio::async_connect(self->socket, found,
                        [self](const error_code& failed, const tcp::endpoint&) { self->connected(failed); });
  });
}

void RedisLink::Wire::connected(const error_code& error) {
  if (!owner) return;
  if (error) {
    return lost(error, error == asio::error::connection_refused ? "nothing listens there: is it up, is gate right"
                                                                : "no connection");
  }
  error_code ignored;  // it would only be slower
  static_cast<void>(socket.set_option(tcp::no_delay(true), ignored));
  if (tls) return shake_hands();
  opened();
}

void RedisLink::Wire::shake_hands() {
  secure.emplace(socket, tls->impl().context);
  SSL* const session = secure->native_handle();
  // OpenSSL compares the name itself: then it can be told apart from an authority that we do not believe. A server with
  // several certificates chooses by the name; an address is no name.
  bool is_set = false;
  if (error_code no_address; asio::ip::make_address(server, no_address), no_address) {
    is_set = SSL_set1_host(session, server.c_str()) == 1 && SSL_set_tlsext_host_name(session, server.c_str()) == 1;
  } else {
    is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), server.c_str()) == 1;
  }
  MUST(is_set, "without its name anybody's certificate would do");
  secure->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](const error_code& error) {
    if (!self->owner) return;
    if (error) return self->lost(self->why_no_handshake(error));
    self->opened();
  });
}

Fault RedisLink::Wire::why_no_handshake(const error_code& error) {
  const long verdict = SSL_get_verify_result(secure->native_handle());
  const auto wrong = [](const std::string& what) {
    return Fault{FaultKind::misconfigured, "TLS: its certificate " + what};
  };
  const std::string& ca_file = tls->impl().ca_file;
  switch (verdict) {
    case X509_V_OK:
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return wrong("is not for " + server + ": write a name that stands in it (gate), or give it one for this name");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return wrong("is not of the authority in gate_tls_ca (" + ca_file + ")");
    default:
      return wrong(std::string("is not accepted: ") + X509_verify_cert_error_string(verdict) + " (gate_tls_ca is " +
                   ca_file + ")");
  }
  const bool is_of_tls = error.category() == asio::error::get_ssl_category();
  return {
      is_of_tls ? FaultKind::misconfigured : FaultKind::unavailable,
      "TLS: no handshake: does it speak TLS on this port, or should gate_tls_ca be empty (" + error.message() + ")"};
}

void RedisLink::Wire::opened() {
  is_open = true;
  owner->link_opened();
  if (!owner) return;
  read();
  pump();
}

void RedisLink::Wire::read() {
  through([this](auto& stream) {
    stream.async_read_some(asio::buffer(incoming),
                           [self = shared_from_this()](const error_code& error, std::size_t size) {
                             if (!self->owner) return;
                             if (error) return self->lost(error, "it closed the connection");
                             self->owner->link_read({self->incoming.data(), size});
                             if (self->owner) self->read();
                           });
  });
}

void RedisLink::Wire::wake() {
  if (std::exchange(is_woken, true)) return;
  asio::post(io, [self = shared_from_this()] {
    self->is_woken = false;
    self->pump();
  });
}

void RedisLink::Wire::pump() {
  if (!owner || !is_open || is_sending) return;
  outgoing.clear();
  owner->link_free(outgoing);
  if (!owner || outgoing.empty()) return;
  is_sending = true;
  through([this](auto& stream) {
    asio::async_write(stream, asio::buffer(outgoing),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        self->is_sending = false;
                        if (!self->owner) return;
                        if (error) return self->lost(error, "it closed the connection");
                        self->pump();
                      });
  });
}

void RedisLink::Wire::lost(const error_code& error, std::string_view doing) {
  lost({FaultKind::unavailable, std::string(doing) + " (" + error.message() + ")"});
}

void RedisLink::Wire::lost(const Fault& fault) {
  RedisLinkOwner* const told = owner;
  close();
  told->link_lost(fault);
}

void RedisLink::Wire::close() {
  owner = nullptr;
  is_open = false;
  resolver.cancel();
  error_code ignored;  // closed it is, whatever close() says
  static_cast<void>(socket.close(ignored));
}

RedisLink::RedisLink(asio::io_context& io, std::shared_ptr<RedisTls> tls, RedisLinkOwner& owner)
    : io_(io), tls_(std::move(tls)), owner_(owner) {}

RedisLink::~RedisLink() { close(); }

void RedisLink::open(const std::string& host) {
  close();
  wire_ = std::make_shared<Wire>(io_, tls_, owner_, host);
  wire_->open();
}

void RedisLink::close() {
  if (!wire_) return;
  wire_->close();
  wire_.reset();
}

void RedisLink::wake() {
  if (wire_) wire_->wake();
}

}  // namespace firstcome
