#pragma once

#include <cstdint>

#include "http/request.h"
#include "http/response.h"

namespace firstcome::http {

class Connection;

/// One request whose answer is still owed, by name: it may be kept, and used when the client has long left.
struct ExchangeId {
  std::uint32_t slot = 0;
  std::uint32_t serial = 0;

  bool operator==(const ExchangeId&) const = default;
};

/// The other half of a request: where its answer goes. Exactly one of answer() and wait() is called, once.
///
///   Lifetime   until Handler::on_request returns.
class Exchange {
 public:
  explicit Exchange(Connection& connection) : connection_(connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Answers now. A request for the header only (HEAD) gets no body, whatever `response` has.
  void answer(const ReadyResponse& response);
  void answer(const Response& response) { answer(ReadyResponse(response)); }

  /// Answers later, by Loop::answer with this name. Until then the connection's next request is not looked at.
  ExchangeId wait();

  /// The name that wait() will give, for whom it must be registered under before it is known whether to wait.
  ExchangeId id() const;

  bool is_settled() const { return settled_; }

 private:
  Connection& connection_;
  bool settled_ = false;
};

/// What a listener hands its requests to.
///
///   Threads   the loop's own; never blocks.
class Handler {
 public:
  virtual ~Handler() = default;

  /// Settles `exchange` before it returns.
  virtual void on_request(const Request& request, Exchange& exchange) = 0;

  /// The client of a waiting exchange left (its socket is gone; one that only ended its side still gets its answer):
  /// nobody reads that answer, and Loop::answer with that id does nothing.
  virtual void on_left(ExchangeId id) = 0;
};

}  // namespace firstcome::http
