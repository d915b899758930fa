#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string_view>
#include <thread>

namespace firstcome {

/// A wire between clients and a server, on loopback, that a test cuts or holds.
///
///   Threads   one of its own passes the bytes on; the others call.
class Wire {
 public:
  explicit Wire(std::uint16_t to);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  std::uint16_t port() const { return port_; }

  /// Where the packet goes on which the wire is cut.
  enum class Cut : std::uint8_t {
    before,  ///< it does not arrive
    after,   ///< it arrives, and the server's answer does not come back
  };

  /// Cuts all connections at the first packet from a client of which `is_it` is true; `then` is called first. Once.
  void cut_at(std::function<bool(std::string_view packet)> is_it, Cut cut, std::function<void()> then = {});

  /// A packet that holds `words`.
  static std::function<bool(std::string_view)> holds(std::string_view words);

  /// The wire is whole again, as it was before cut_at().
  void mend();

  bool was_cut() const { return cuts_ > 0; }

  /// While held, nothing passes, and nobody is told.
  void hold(bool held);

 private:
  struct Pair {
    int client;
    int server;
    bool gone = false;
  };

  void run();
  void welcome();
  void pass_up(Pair& pair);
  static void pass_down(Pair& pair);
  void close_all();

  const std::uint16_t to_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  std::list<Pair> pairs_;

  std::mutex mutex_;
  std::function<bool(std::string_view)> is_it_;
  std::function<void()> then_;
  Cut cut_ = Cut::before;

  std::atomic<int> cuts_{0};
  std::atomic<bool> held_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace firstcome
