#pragma once

#include <string>
#include <vector>

#include "app/issuer_thread.h"
#include "base/clock.h"
#include "desk/desk.h"
#include "desk/operator_desk.h"
#include "http/counters.h"
#include "issuer/issuer.h"
#include "journal/sqlite_journal.h"
#include "standings/standings.h"
#include "store/sqlite_store.h"

namespace firstcome {

/// Where the numbers are counted.
struct MetricsSources {
  const SqliteJournal& journal;
  const Standings& standings;
  const SqliteStore& store;
  const Issuer& issuer;
  const IssuerThread& issuer_thread;
  const OperatorDesk& operator_desk;
  std::string data;  ///< the folder, for the room that is left on its disk
};

/// The text of /metrics: every counter read now, per-core ones summed. Any thread.
std::string metrics_page(const MetricsSources& sources, const std::vector<const http::Counters*>& loops,
                         const std::vector<const Desk::Counters*>& desks, Time now);

}  // namespace firstcome
