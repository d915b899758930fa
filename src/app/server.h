#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "settings/settings.h"

namespace firstcome {

/// One running firstcome: listeners, desks, journal, standings, issuer, store. By its role it serves users, issues
/// coupons, or does both; its adapters are in its own process, or on servers that several processes share.
///
/// Started from the outside in (listeners first, so that /readyz can say what is still missing), stopped from the
/// outside in (first no more claims, then what is in flight, then the journal, then the store).
///
///   Threads   start(), drain() and the destructor on one thread.
class Server {
 public:
  /// Listens, then opens the data folder and reads the journal; a fault that may pass is tried again every second, for
  /// ever. Fails with misconfigured or corrupt: the sentence says what to do. A process may end in the middle of it.
  static Result<std::unique_ptr<Server>> start(const Settings& settings);

  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string public_address() const;  ///< with the real port, where 0 was asked for; empty: it serves no users
  std::string admin_address() const;

  /// Is /readyz 200? Waits until the desks have begun and the gate has said its first word, a second and a half at
  /// most.
  bool await_ready() const;

  bool is_new() const;          ///< no campaign was ever made here
  std::string summary() const;  ///< "3 campaigns, 120 winners"
  std::string place() const;    ///< where everything is kept, a line for each part

  /// Refuses new claims, answers what is in flight (at most drain_ms_max), closes the files. Coupons that are owed then
  /// are written after the next start. Idempotent.
  void drain();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome
