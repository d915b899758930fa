#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "http/counters.h"
#include "http/descriptor.h"
#include "http/handler.h"
#include "http/limits.h"

namespace boost::asio {
class io_context;
}

namespace firstcome::http {

/// One thread's share of the HTTP server: its listeners, their connections, and the only io_context of that thread.
///
/// DESIGN. Asio runs what is posted, the timer, and whatever else of a process waits for the network; the connections
/// wait in an epoll set of the loop's own, which Asio watches as one descriptor. So a request costs recv and send and
/// its share of one wait for all that are ready, where Asio's own readiness costs an epoll_ctl or a failed recv for
/// each (docs/performance.md has the numbers).
///
///   Threads   run() is the loop's thread. post(), drain(), stop() and counters() may be called from any; all else
///             belongs before run() or on the loop's thread.
///   Bounds    connections by Limits. What is posted is not bounded here: one post per batch is its sender's promise.
class Loop {
 public:
  explicit Loop(Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Before run(). `handler` outlives the loop.
  void listen(Descriptor socket, Handler& handler, const Limits& limits);

  /// Before run(). Called on the loop's thread, about every 20 ms.
  void on_tick(std::function<void()> tick);

  /// Blocks until stop() or the end of a drain.
  void run();

  /// Does what is ready and returns: for a test that owns the thread, instead of run().
  void poll();

  /// Runs `work` on the loop's thread. What it answers is sent when it returns.
  void post(std::function<void()> work);

  /// Answers a waiting exchange. False if its client left: nothing is sent.
  bool answer(ExchangeId id, const ReadyResponse& response);
  bool answer(ExchangeId id, const Response& response) { return answer(id, ReadyResponse(response)); }

  /// Accepts no more, closes idle connections, answers what is in flight, each with `Connection: close`; what is not
  /// done after `longest` is cut and counted. Then run() returns.
  void drain(Millis longest);

  /// Cuts everything; run() returns.
  void stop();

  const Counters& counters() const;
  Counters& counters();  ///< for what its handlers count, on the loop's thread

  /// For a client of another server that lives on this loop: it must be gone before the loop is. What it answers from
  /// its own callbacks leaves with the next event or tick.
  boost::asio::io_context& io();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::http
