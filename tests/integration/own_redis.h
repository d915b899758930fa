#pragma once

#include <string>
#include <vector>

#include "gate/hand_redis.h"
#include "own_process.h"

namespace firstcome {

/// Two authorities, and certificates of the first one: for 127.0.0.1 and localhost, and for another machine.
class TestCertificates {
 public:
  TestCertificates();
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string ca() const { return file("ca.pem"); }
  std::string other_ca() const { return file("other.pem"); }

  /// What a redis-server needs to be `name`: "here" or "elsewhere".
  std::vector<std::string> options(const std::string& name) const;

 private:
  std::string folder_;
};

/// A redis-server of this test alone, in a temporary folder, on free ports of loopback. It has no users but `default`,
/// without a password, and saves nothing.
class OwnRedis {
 public:
  /// `options` of redis-server besides.
  explicit OwnRedis(std::vector<std::string> options = {});
  ~OwnRedis();
  OwnRedis(const OwnRedis&) = delete;
  OwnRedis& operator=(const OwnRedis&) = delete;

  void start();  ///< until it listens
  void end(int signal) { process_.end(signal); }
  void signal(int signal) const { process_.send(signal); }

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string tls_host(const std::string& name = "127.0.0.1") const { return name + ":" + std::to_string(tls_port_); }
  const std::string& folder() const { return folder_; }

  HandRedis hand() const;
  RedisValue command(std::initializer_list<std::string_view> words) const { return hand().command(words); }

 private:
  std::string folder_;
  std::vector<std::string> options_;
  std::uint16_t port_ = 0, tls_port_ = 0;
  OwnProcess process_;
};

}  // namespace firstcome
