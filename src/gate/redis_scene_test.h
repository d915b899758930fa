#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>

#include "gate/fake_redis.h"
#include "gate/recording_asker.h"
#include "gate/redis_gate.h"
#include "gate/turning_loop.h"

namespace firstcome {

/// A reply that the test may change while the server runs.
class Changing {
 public:
  explicit Changing(FakeReply reply) : reply_(std::move(reply)) {}
  void set(FakeReply reply) {
    std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
  }
  void mend() { set(FakeReply{"mended"}); }
  FakeReply get(const FakeCommand& command) {
    std::lock_guard lock(mutex_);
    return reply_.bytes == "mended" ? FakeReply::all_in(command) : reply_;
  }

 private:
  std::mutex mutex_;
  FakeReply reply_;
};

class RedisGateTest : public testing::Test {
 protected:
  void make(RedisServers servers, RedisGateOptions changes) {
    changes.servers = std::move(servers);
    auto opened = RedisGate::open(std::move(changes));
    ASSERT_TRUE(opened) << opened.error().what;
    gate_ = std::move(*opened);
    loop_.on_tick(this, [this] { gate_->tick(); });
    gate_->start(asker_);
  }
  RedisGateOptions options() {
    return {.io = loop_.io(), .clock = clock_, .random = random_, .servers = {}, .bypass_ms_max = bypass_ms_max_};
  }
  void make(const FakeRedis& redis) { make({.hosts = {redis.host()}, .user = {}, .master = {}}, options()); }

  /// Asks as soon as the gate takes it; false if it never does.
  bool ask(AskNumber number, std::string_view campaign = "lunch") {
    return loop_.turn_until([&] { return gate_->ask(campaign, "u" + std::to_string(number), 5, number).has_value(); },
                            Millis(5000));
  }
  bool is_told(AskNumber number) {
    return loop_.turn_until([&] { return asker_.told.contains(number); });
  }
  const Fault* fault(AskNumber number) {
    const auto found = asker_.faults.find(number);
    return found == asker_.faults.end() ? nullptr : &found->second;
  }

  /// One ask gets a fault of that kind; then asks fail at once, for a while; then it is mended and they are answered.
  void expect_away_and_back(Changing& reply, FaultKind kind, std::string_view said) {
    ASSERT_TRUE(ask(1));
    ASSERT_TRUE(is_told(1));
    ASSERT_NE(fault(1), nullptr);
    EXPECT_EQ(fault(1)->kind, kind) << fault(1)->what;
    EXPECT_NE(fault(1)->what.find(said), std::string::npos) << fault(1)->what;
    const auto refused = gate_->ask("lunch", "u2", 5, 2);
    ASSERT_FALSE(refused) << "it is known to be away";
    EXPECT_EQ(refused.error().kind, FaultKind::unavailable);
    EXPECT_EQ(gate_->stats().faults, 1U);
    reply.mend();
    ASSERT_TRUE(ask(3));
    ASSERT_TRUE(is_told(3));
    EXPECT_EQ(asker_.answers.at(3).admission, Admission::in) << (fault(3) ? fault(3)->what : "");
    EXPECT_EQ(asker_.told.size(), 2U);
  }

  Millis bypass_ms_max_{1000};  // a busy machine is slow, and nothing else is shown by that
  SystemClock clock_;
  SystemRandom random_;
  TurningLoop loop_;
  RecordingAsker asker_;
  std::unique_ptr<RedisGate> gate_;
};

}  // namespace firstcome
