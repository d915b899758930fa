#pragma once

#include <cstdint>
#include <string>
#include <thread>

namespace firstcome {

/// What says that it is a MySQL server, and is none: for versions that no package brings, and for one that lies.
///
///   Threads   one of its own serves, one connection after the other.
class FakeMysql {
 public:
  /// Every statement gets OK, but no variable is known, as with the old. `asks_for_password`: it wants the password in
  /// clear before.
  explicit FakeMysql(std::string version, bool asks_for_password = false);
  ~FakeMysql();
  FakeMysql(const FakeMysql&) = delete;
  FakeMysql& operator=(const FakeMysql&) = delete;

  std::uint16_t port() const { return port_; }

  /// Everything that clients sent. After they are gone.
  std::string heard() const { return heard_; }

 private:
  void run();
  void serve(int client);

  const std::string version_;
  const bool asks_for_password_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::string heard_;
  std::thread thread_;
};

}  // namespace firstcome
