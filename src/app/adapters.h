#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "gate/gate.h"
#include "http/loop.h"
#include "journal/journal.h"
#include "metrics/page.h"
#include "settings/settings.h"
#include "store/store.h"

namespace firstcome {

/// What stands behind the ports: the one place that knows which adapters there are.
///
///   Threads   one at a time; write_metrics() from any, between open() and close().
class Adapters {
 public:
  /// As the settings say: in this process and its data folder, or on servers that processes share.
  static std::unique_ptr<Adapters> of(const Settings& settings, Clock& clock, Random& random);
  virtual ~Adapters() = default;

  /// Opens the journal, and the store where this process issues. Fails: close(), and open again where retryable.
  virtual Result<void> open() = 0;

  /// Ends the journal's thread, if there is one: its follower is not called any more.
  virtual void stop_journal() = 0;

  /// Whoever uses them is gone by then.
  virtual void close() = 0;

  virtual Journal& journal() = 0;
  virtual Store* store() = 0;  ///< none: this process does not issue

  /// Who this process is to the store, and to a person who reads there which issuer is at work.
  virtual std::string holder() const = 0;

  /// For the desk of one loop, which outlives it. None: there is no gate.
  virtual Result<std::unique_ptr<Gate>> make_gate(http::Loop& loop) = 0;

  /// What only they count.
  virtual void write_metrics(metrics::Page& page) const = 0;

  /// Where everything is kept, for a person.
  virtual std::string describe() const = 0;
};

}  // namespace firstcome
