#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "desk/operator_desk.h"
#include "http/handler.h"
#include "http/loop.h"
#include "http/public_routes.h"
#include "issuer/issuer.h"
#include "standings/standings.h"
#include "store/store.h"

namespace firstcome::http {

/// Runs work on the issuer's thread, where the store may be asked. False: too much waits there already (503). None:
/// this process has no issuer (421).
using AskIssuer = std::function<bool(std::function<void(Issuer&, Store&)>)>;

/// The operators' requests of docs/api.md, on one loop.
///
///   Threads   the loop's own. What asks the store runs on the issuer's thread and comes back by Loop::post.
///   Bounds    those of OperatorDesk and AskIssuer.
class AdminRoutes final : public Handler {
 public:
  struct Ports {
    Loop& loop;
    OperatorDesk& desk;
    const Standings& standings;
    Clock& clock;
    std::string token;  ///< empty: none is asked for
    std::string host;   ///< of the address that the listener has; without a token requests for it are answered
    AskIssuer ask_issuer;
    std::function<std::string()> metrics;  ///< the text of /metrics
    AskReadiness readiness;
  };
  explicit AdminRoutes(Ports ports);
  ~AdminRoutes() override;

  void on_request(const Request& request, Exchange& exchange) override;
  void on_left(ExchangeId id) override;

  /// From the loop's tick: what the store has not answered within store_answer_ms_max is answered with 503.
  void tick();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::http
