#pragma once

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace firstcome {

/// A port of loopback that nobody listens on.
std::uint16_t free_port();

/// A server of this test alone; it dies with the test, however that ends.
class OwnProcess {
 public:
  ~OwnProcess() { kill(); }

  /// Its output goes to the file `log`.
  void start(const std::vector<std::string>& words, const std::string& log);

  /// SIGKILL, and its end. Any thread.
  void kill() { end(9); }

  /// Sends the signal, and waits for the end.
  void end(int signal);

  void send(int signal) const;

  bool is_alive() const;

 private:
  mutable std::mutex mutex_;
  pid_t process_ = 0;
};

}  // namespace firstcome
