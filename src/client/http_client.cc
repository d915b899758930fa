#include "client/http_client.h"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "client/address.h"
#include "client/url.h"

// DESIGN
//
// Beast's own timeouts work in its asynchronous calls only. So each step (connect, write, read) is started
// asynchronously and the loop is run until it has ended: blocking for the caller, with a deadline for each step or for
// the whole.

namespace firstcome::client {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t header_bytes_max = 64 * 1024;
constexpr std::size_t line_bytes_max = 1024 * 1024;

struct Connection {
  explicit Connection(asio::io_context& loop) : stream(loop) {}
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
};

/// Takes a piece of the body; false ends the reading, which is no fault.
using Sink = std::function<Result<bool>(const Response& head, std::string_view piece)>;
using Parser = http::response_parser<http::buffer_body>;

Fault fault_of(const error_code& error, const std::string& server, Millis wait_max) {
  if (error == beast::error::timeout)
    return {FaultKind::timed_out, "no answer from " + server + " within " + std::to_string(wait_max.count()) + " ms"};
  if (error == asio::error::connection_refused)
    return {FaultKind::unavailable, "nothing listens on " + server + ": is `firstcome serve` running?"};
  if (error == http::error::end_of_stream || error == http::error::partial_message || error == asio::error::eof ||
      error == asio::error::connection_reset || error == asio::error::broken_pipe)
    return {FaultKind::unavailable, server + " closed the connection before its answer was whole"};
  if (error.category() == http::make_error_code(http::error::bad_version).category())
    return {FaultKind::corrupt, "what " + server + " answered is not HTTP: " + error.message()};
  return {FaultKind::unavailable, server + ": " + error.message()};
}

/// Ended by the other side before it had answered anything: what a kept connection shows when it was closed meanwhile.
bool was_closed(const error_code& error) {
  return error == http::error::end_of_stream || error == asio::error::eof || error == asio::error::connection_reset ||
         error == asio::error::broken_pipe;
}

Response head_of(const Parser& parser) {
  Response head;
  head.status = parser.get().result_int();
  for (const auto& field : parser.get())
    head.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  return head;
}

Result<http::request<http::string_body>> request_of(std::string_view method, const Url& url,
                                                    const std::vector<Header>& headers, std::string_view body) {
  const auto verb = http::string_to_verb({method.data(), method.size()});
  if (verb == http::verb::unknown)
    return fail(FaultKind::misconfigured, "\"" + std::string(method) + "\" is no HTTP method");
  http::request<http::string_body> request{verb, url.target, 11};
  request.set(http::field::host, url.authority());
  for (const auto& header : headers) {
    if (header.value.find_first_of("\r\n") != std::string::npos)
      return fail(FaultKind::misconfigured, "the header " + header.name + " has a line break in its value");
    request.insert(header.name, header.value);
  }
  request.body() = std::string(body);
  request.prepare_payload();
  return request;
}

}  // namespace

class Client::Exchange {
 public:
  Result<Response> run(std::string_view method, std::string_view url_text, const std::vector<Header>& headers,
                       std::string_view body, Millis wait_max, const Sink& sink) {
    auto url = Url::parse(url_text);
    if (!url) return fail(std::move(url.error()));
    auto request = request_of(method, *url, headers, body);
    if (!request) return fail(std::move(request.error()));

    const std::string server = url->authority();
    auto& connection = kept_[server];
    for (bool reused = connection != nullptr;; reused = false) {
      if (!connection) {
        auto fresh = connect(*url, wait_max);
        if (!fresh) return fail(std::move(fresh.error()));
        connection = std::move(*fresh);
      }
      Parser parser;
      parser.header_limit(header_bytes_max);
      parser.body_limit(boost::none);
      parser.skip(request->method() == http::verb::head);
      const error_code error = ask(*connection, *request, parser, wait_max);
      if (!error) return read(connection, parser, server, wait_max, sink);
      connection.reset();
      if (!reused || !was_closed(error)) return fail(fault_of(error, server, wait_max));
    }
  }

  /// The body of the answer that is being read, for sinks that keep it.
  Result<bool> keep(std::string_view piece) {
    if (body_.size() + piece.size() > body_bytes_max)
      return fail(FaultKind::corrupt, "the answer is longer than " + std::to_string(body_bytes_max) + " bytes");
    body_ += piece;
    return true;
  }

  /// Forgets the last body. With `whole_wait_max` the next exchange must have ended by then, whatever its steps take.
  void begin(std::optional<Millis> whole_wait_max) {
    body_.clear();
    whole_until_.reset();
    if (whole_wait_max) whole_until_ = std::chrono::steady_clock::now() + *whole_wait_max;
  }

 private:
  /// Runs one asynchronous step to its end.
  template <class Start>
  error_code step(Connection& connection, Millis wait_max, Start start) {
    error_code ended_with = asio::error::would_block;
    if (whole_until_) {
      connection.stream.expires_at(*whole_until_);
    } else {
      connection.stream.expires_after(wait_max);
    }
    start([&ended_with](error_code error, const auto&...) { ended_with = error; });
    loop_.restart();
    static_cast<void>(loop_.run());
    MUST(ended_with != asio::error::would_block, "the loop runs until the step has ended");
    return ended_with;
  }

  Result<std::unique_ptr<Connection>> connect(const Url& url, Millis wait_max) {
    auto addresses = resolve(url);
    if (!addresses) return fail(std::move(addresses.error()));
    std::vector<tcp::endpoint> endpoints;
    for (const auto& address : *addresses) {
      tcp::endpoint endpoint;
      endpoint.resize(address.size());
      std::memcpy(endpoint.data(), address.raw(), address.size());
      endpoints.push_back(endpoint);
    }
    auto connection = std::make_unique<Connection>(loop_);
    const auto error =
        step(*connection, wait_max, [&](auto done) { connection->stream.async_connect(endpoints, done); });
    if (error) return fail(fault_of(error, url.authority(), wait_max));
    error_code ignored;  // without it requests are a little slower, nothing else
    static_cast<void>(connection->stream.socket().set_option(tcp::no_delay(true), ignored));
    return connection;
  }

  error_code ask(Connection& connection, http::request<http::string_body>& request, Parser& parser, Millis wait_max) {
    auto error = step(connection, wait_max, [&](auto done) { http::async_write(connection.stream, request, done); });
    // A server may answer and close without reading all of a request (413): its answer counts, not our broken pipe.
    if (error && !was_closed(error)) return error;
    return step(connection, wait_max,
                [&](auto done) { http::async_read_header(connection.stream, connection.buffer, parser, done); });
  }

  Result<Response> read(std::unique_ptr<Connection>& connection, Parser& parser, const std::string& server,
                        Millis wait_max, const Sink& sink) {
    Response response = head_of(parser);
    std::array<char, 16 * 1024> piece;
    while (!parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      const auto error = step(*connection, wait_max, [&](auto done) {
        http::async_read(connection->stream, connection->buffer, parser, done);
      });
      if (error && error != http::error::need_buffer) {
        connection.reset();
        return fail(fault_of(error, server, wait_max));
      }
      const auto more = sink(response, {piece.data(), piece.size() - parser.get().body().size});
      if (!more || !*more) connection.reset();
      if (!more) return fail(more.error());
      if (!*more) return response;
    }
    response.body = std::move(body_);
    body_.clear();
    if (!parser.keep_alive()) connection.reset();
    return response;
  }

  asio::io_context loop_{1};
  std::map<std::string, std::unique_ptr<Connection>> kept_;
  std::string body_;
  std::optional<std::chrono::steady_clock::time_point> whole_until_;
};

const std::string* Response::header(std::string_view name) const {
  for (const auto& header : headers)
    if (beast::iequals({header.name.data(), header.name.size()}, {name.data(), name.size()})) return &header.value;
  return nullptr;
}

Client::Client() : exchange_(std::make_unique<Exchange>()) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Response> Client::request(std::string_view method, std::string_view url, const std::vector<Header>& headers,
                                 std::string_view body, Millis wait_max) {
  exchange_->begin(wait_max);
  return exchange_->run(method, url, headers, body, wait_max,
                        [this](const Response&, std::string_view piece) { return exchange_->keep(piece); });
}

Result<Response> Client::lines(std::string_view method, std::string_view url, const std::vector<Header>& headers,
                               const std::function<bool(std::string_view line)>& on_line, Millis wait_max) {
  exchange_->begin({});
  std::string line;
  const auto sink = [&](const Response& head, std::string_view piece) -> Result<bool> {
    if (head.status >= 300) return exchange_->keep(piece);
    while (!piece.empty()) {
      const auto end = piece.find('\n');
      line += piece.substr(0, end);
      if (line.size() > line_bytes_max) return fail(FaultKind::corrupt, "a line of the answer is longer than 1 MiB");
      if (end == std::string_view::npos) break;
      piece.remove_prefix(end + 1);
      if (!on_line(std::exchange(line, {}))) return false;
    }
    return true;
  };
  auto response = exchange_->run(method, url, headers, {}, wait_max, sink);
  if (response && response->status < 300 && !line.empty()) on_line(line);
  return response;
}

}  // namespace firstcome::client
