#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome {

/// A command as it arrived at a fake server.
struct FakeCommand {
  std::vector<std::string> words;
  std::size_t connection = 0;  ///< in the order of their coming, from 0

  std::string_view name() const { return words[0]; }
  bool is_admit() const { return words.size() > 5 && words[1] == "firstcome_1_admit"; }
  bool is_own() const { return words.size() > 4 && words[1] == "firstcome_1_own"; }
  std::size_t users() const { return is_admit() ? words.size() - 6 : 0; }
};

/// What the server does about it: bytes as they are, and perhaps the end of the connection.
struct FakeReply {
  std::string bytes;
  bool close = false;

  static FakeReply error(std::string_view text) { return {"-" + std::string(text) + "\r\n"}; }
  static FakeReply text(std::string_view text) {
    return {"$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n"};
  }
  static FakeReply admissions(std::uint64_t generation, std::string_view letters) {
    return {"*2\r\n:" + std::to_string(generation) + "\r\n" + text(letters).bytes};
  }
  static FakeReply all_in(const FakeCommand& command) { return admissions(1, std::string(command.users(), 'i')); }
  static FakeReply silence() { return {}; }
  static FakeReply cut() { return {.bytes = {}, .close = true}; }
};

/// A Redis that answers what a test wants: real loopback sockets, one thread, and a script that is asked about each
/// command but PING, AUTH, ROLE, INFO and whose the prefix is, which it answers as a primary does unless `greets` is
/// false.
///
///   Threads   the script runs on the server's thread; what it shares with the test is the test's to guard.
class FakeRedis {
 public:
  using Script = std::function<FakeReply(const FakeCommand&)>;
  explicit FakeRedis(Script script, bool greets = true);
  ~FakeRedis();
  FakeRedis(const FakeRedis&) = delete;
  FakeRedis& operator=(const FakeRedis&) = delete;

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }

  static FakeReply greet(const FakeCommand& command);  ///< that answer; no bytes: it is another command

  /// All that came, the greetings too.
  std::vector<FakeCommand> heard() const;

  /// How many of that name, but for those that ask whose the prefix is.
  std::size_t count(std::string_view name) const;

 private:
  class Loop;
  std::uint16_t port_ = 0;
  std::unique_ptr<Loop> loop_;
};

}  // namespace firstcome
