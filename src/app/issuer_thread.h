#pragma once

#include <functional>
#include <thread>

#include "base/limits.h"
#include "base/mailbox.h"
#include "issuer/issuer.h"
#include "store/store.h"

namespace firstcome {

/// The thread on which the store is asked: the issuer's steps, and what operators want to know of it in between.
///
///   Threads   ask() and prod() from any thread.
///   Bounds    at most `questions_max` questions wait; beyond, ask() returns false.
class IssuerThread {
 public:
  using Work = std::function<void(Issuer&, Store&)>;

  /// `issuer` and `store` belong to the thread until stop().
  IssuerThread(Issuer& issuer, Store& store);
  ~IssuerThread();

  bool ask(Work work) { return asked_.put(std::move(work)); }

  /// Questions that wait; any thread.
  std::size_t asked() const { return asked_.depth(); }

  /// There may be something to issue.
  void prod() { asked_.prod(); }

  /// Ends the present step, answers what was asked, joins.
  void stop();

 private:
  void run();

  Issuer& issuer_;
  Store& store_;
  SystemClock clock_;
  Mailbox<Work> asked_{limits::questions_max};
  std::thread thread_;
};

}  // namespace firstcome
