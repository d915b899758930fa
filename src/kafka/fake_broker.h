#pragma once

#include <memory>
#include <string>

namespace firstcome::kafka {

/// For tests: a Kafka broker in this process (librdkafka's mock), on loopback, with every topic that is asked for. It
/// fails when a test wants; what a real one does only a real one shows.
class FakeBroker {
 public:
  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  std::string address() const;

  /// The next batch of a producer is refused as out of sequence, which is fatal to an idempotent one.
  void break_next_batch();

  /// Takes no connection and answers nothing.
  void go_away();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome::kafka
