#include "http/starting_routes.h"

#include "http/answers.h"

namespace firstcome::http {

void StartingRoutes::on_request(const Request& request, Exchange& exchange) {
  if (next_) return next_->on_request(request, exchange);
  if (answer_health(request, exchange, readiness_)) return;
  exchange.answer(unavailable(std::chrono::seconds(1), "the server is starting"));
}

void StartingRoutes::on_left(ExchangeId id) {
  if (next_) next_->on_left(id);
}

}  // namespace firstcome::http
