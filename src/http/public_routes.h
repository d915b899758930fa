#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "desk/desk.h"
#include "http/handler.h"
#include "http/loop.h"
#include "http/routing.h"
#include "identity/identity.h"
#include "standings/standings.h"

namespace firstcome::http {

/// The users' requests of docs/api.md, on one loop.
///
///   Threads   the loop's own.
///   Bounds    nothing is kept for a request that is answered at once.
class PublicRoutes final : public Handler {
 public:
  struct Ports {
    Loop& loop;
    Desk& desk;
    const Standings& standings;
    const Identity& identity;
    Clock& clock;
    AskReadiness readiness;
  };
  explicit PublicRoutes(Ports ports);
  ~PublicRoutes() override;

  void on_request(const Request& request, Exchange& exchange) override;
  void on_left(ExchangeId id) override;

  /// What Desk::Deliver calls; the number is the one that claim() was given.
  void deliver(ClaimNumber number, const Answer& answer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::http
