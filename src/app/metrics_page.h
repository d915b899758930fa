#pragma once

#include <string>
#include <vector>

#include "app/adapters.h"
#include "app/issuer_thread.h"
#include "app/news.h"
#include "base/clock.h"
#include "desk/desk.h"
#include "desk/operator_desk.h"
#include "http/counters.h"
#include "issuer/issuer.h"
#include "standings/standings.h"

namespace firstcome {

/// Where the numbers are counted.
struct MetricsSources {
  Adapters& adapters;
  const Standings& standings;
  const Issuer* issuer;  ///< none: this process does not issue
  const IssuerThread* issuer_thread;
  const OperatorDesk& operator_desk;
  const News& news;
};

/// The text of /metrics: every counter read now, per-core ones summed. Any thread.
std::string metrics_page(const MetricsSources& sources, const std::vector<const http::Counters*>& loops,
                         const std::vector<const Desk::Counters*>& desks, const std::vector<Gate::Stats>& gates,
                         Clock& clock);

}  // namespace firstcome
