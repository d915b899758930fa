#pragma once

#include "http/handler.h"
#include "http/public_routes.h"

namespace firstcome::http {

/// What a listener answers before there is anything behind it: /livez 200, /readyz 503 with the reasons, and 503 with
/// Retry-After to everything else. And the switch: once set_next() was called, all requests go there.
///
///   Threads   the loop's own.
class StartingRoutes final : public Handler {
 public:
  explicit StartingRoutes(AskReadiness readiness) : readiness_(std::move(readiness)) {}

  void set_next(Handler* next) { next_ = next; }

  void on_request(const Request& request, Exchange& exchange) override;
  void on_left(ExchangeId id) override;

 private:
  AskReadiness readiness_;
  Handler* next_ = nullptr;
};

}  // namespace firstcome::http
