// What a person must mend is said in one line, and found before the first claim needs the gate; whose the gate is; and
// what the numbers say.
#include <atomic>

#include "base/hex.h"
#include "gate/redis_function.h"
#include "gate/redis_scene_test.h"

namespace firstcome {
namespace {

constexpr InstallationId ours{1}, theirs{2};

/// A server of which the test says what it answers to who asks whose the prefix is.
class OwnedRedis {
 public:
  /// Empty: it is nobody's.
  explicit OwnedRedis(std::string owner, FakeRedis::Script script = FakeReply::all_in) : owner_(std::move(owner)) {
    redis_.emplace(
        [this, script = std::move(script)](const FakeCommand& command) {
          if (!command.is_own()) {
            const FakeReply greeting = FakeRedis::greet(command);
            return greeting.bytes.empty() ? script(command) : greeting;
          }
          std::lock_guard lock(mutex_);
          ++looks_;
          if (owner_.starts_with('-')) return FakeReply::error(owner_.substr(1));
          if (owner_.empty()) owner_ = command.words[4];
          return FakeReply::text(owner_);
        },
        false);
  }
  void set_owner(std::string owner) {
    std::lock_guard lock(mutex_);
    owner_ = std::move(owner);
  }
  std::string owner() {
    std::lock_guard lock(mutex_);
    return owner_;
  }
  int looks() {
    std::lock_guard lock(mutex_);
    return looks_;
  }
  FakeRedis& operator*() { return *redis_; }
  FakeRedis* operator->() { return &*redis_; }

 private:
  std::mutex mutex_;
  std::string owner_;
  int looks_ = 0;
  std::optional<FakeRedis> redis_;
};

class RedisTrouble : public RedisGateTest {
 protected:
  using RedisGateTest::make;
  void make_ours(OwnedRedis& redis) { make(servers_of(*redis), options_of(ours)); }
  void make_ours(OwnedRedis& redis, Clock& clock) {
    make(servers_of(*redis), {.io = loop_.io(),
                              .clock = clock,
                              .random = random_,
                              .servers = {},
                              .installation = ours,
                              .bypass_ms_max = bypass_ms_max_});
  }
  static RedisServers servers_of(const FakeRedis& redis) { return {.hosts = {redis.host()}, .user = {}, .master = {}}; }
  RedisGateOptions options_of(InstallationId installation) {
    auto all = options();
    all.installation = installation;
    return all;
  }
  /// The sentence, once there is one.
  std::string trouble() {
    loop_.turn_until([&] { return gate_->trouble().has_value(); }, Millis(3000));
    return gate_->trouble() ? gate_->trouble()->what : "";
  }
  bool is_fine() {
    return loop_.turn_until([&] { return !gate_->trouble() && !gate_->stats().is_away; }, Millis(5000));
  }
  static bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
};

TEST_F(RedisTrouble, a_gate_that_is_nobodys_is_ours_from_then_on) {
  OwnedRedis redis("");
  make_ours(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(redis.owner(), hex(ours));
  EXPECT_TRUE(is_fine());
  std::size_t own = 0, admit = 0;
  const auto heard = redis->heard();
  for (std::size_t i = 0; i < heard.size(); ++i) {
    if (heard[i].is_own()) own = i;
    if (heard[i].is_admit()) admit = i;
  }
  EXPECT_EQ(heard[own].words, (std::vector<std::string>{"FCALL", "firstcome_1_own", "1", "firstcome:installation",
                                                        "01000000000000000000000000000000"}));
  EXPECT_LT(own, admit) << "before the first ask";
}

TEST_F(RedisTrouble, a_gate_of_another_installation_is_left_alone) {
  OwnedRedis redis(hex(theirs));
  testing::internal::CaptureStderr();
  make_ours(redis);
  const auto said = trouble();
  EXPECT_TRUE(has(said, "another installation") && has(said, "firstcome on " + redis->host()) &&
              has(said, "gate_prefix"))
      << said;
  EXPECT_EQ(gate_->trouble()->kind, FaultKind::misconfigured);
  EXPECT_TRUE(gate_->stats().is_away);
  EXPECT_FALSE(gate_->ask("lunch", "u1", 5, 1));
  gate_->widen("lunch", 7, 5);
  gate_->forget("lunch");
  loop_.turn_for(Millis(200));
  EXPECT_EQ(redis->count("FCALL"), 0U);
  EXPECT_EQ(redis->count("UNLINK"), 0U) << "its keys are not ours to delete";
  redis.set_owner("");
  EXPECT_TRUE(is_fine()) << "the other one is gone for good: somebody deleted the key";
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("another installation"), log.rfind("another installation")) << "once: " << log;
  EXPECT_TRUE(has(log, "error the gate needs a person") && has(log, "/readyz is 503")) << log;
  EXPECT_TRUE(has(log, "ours again")) << log;
}

TEST_F(RedisTrouble, a_gate_that_refuses_to_be_widened_is_passed_by) {
  OwnedRedis redis("", [](const FakeCommand& command) {
    return command.is_admit() ? FakeReply::admissions(7, std::string(command.users(), 'f'))
                              : FakeReply::error("ERR no");
  });
  make_ours(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_FALSE(gate_->stats().is_away);
  gate_->widen("lunch", 7, 5);
  EXPECT_TRUE(loop_.turn_until([&] { return gate_->stats().is_away; }, Millis(3000)))
      << "else its users would wait for ever";
}

TEST_F(RedisTrouble, looks_again_on_each_new_link) {
  std::atomic<bool> cuts = false;
  OwnedRedis redis("",
                   [&](const FakeCommand& command) { return cuts ? FakeReply::cut() : FakeReply::all_in(command); });
  make_ours(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(redis.looks(), 1);
  redis.set_owner("");  // it lost its memory
  cuts = true;
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  cuts = false;
  ASSERT_TRUE(ask(3));
  ASSERT_TRUE(is_told(3));
  EXPECT_EQ(asker_.answers.at(3).admission, Admission::in);
  EXPECT_EQ(redis.owner(), hex(ours)) << "set again";
  redis.set_owner(hex(theirs));
  cuts = true;
  ASSERT_TRUE(ask(4));
  ASSERT_TRUE(is_told(4));
  cuts = false;
  EXPECT_TRUE(has(trouble(), "another installation"));
  EXPECT_FALSE(gate_->ask("lunch", "u5", 5, 5));
}

/// Time that the test moves on.
class MovedClock final : public Clock {
 public:
  Time now() override { return real_.now(); }
  Uptime uptime() override { return real_.uptime() + moved; }
  Millis moved{0};

 private:
  SystemClock real_;
};

TEST_F(RedisTrouble, looks_again_every_minute) {
  MovedClock moving;
  OwnedRedis redis("");
  make_ours(redis, moving);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  redis.set_owner(hex(theirs));
  loop_.turn_for(Millis(100));
  EXPECT_EQ(redis.looks(), 1);
  moving.moved += RedisGate::look_every;
  EXPECT_TRUE(has(trouble(), "another installation"));
  EXPECT_EQ(redis.looks(), 2);
}

TEST_F(RedisTrouble, what_waits_when_the_gate_turns_out_to_be_anothers_goes_past) {
  MovedClock moving;
  OwnedRedis redis("");
  make_ours(redis, moving);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  redis.set_owner(hex(theirs));
  moving.moved += RedisGate::look_every;
  for (AskNumber number = 2; number <= 1000; ++number) {
    ASSERT_TRUE(gate_->ask("lunch", "u" + std::to_string(number), 5, number));
  }
  ASSERT_TRUE(loop_.turn_until([&] { return gate_->stats().waiting == 0; }));
  EXPECT_EQ(asker_.told.size(), 1000U);
  EXPECT_EQ(asker_.faults.size(), 999 - (RedisNode::calls_max - 1) * 64) << "all that was not on its way";
}

/// All slots at `other`, but for that of the owner key.
FakeReply slots_of_two(std::string_view keeper, std::string_view other) {
  const auto owner_slot = redis_slot(redis_owner_key("firstcome"));
  const auto range = [&](int first, int last, std::string_view host) {
    return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) +
           "\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + std::string(host.substr(host.find(':') + 1)) + "\r\n";
  };
  return FakeReply{"*3\r\n" + range(0, owner_slot - 1, other) + range(owner_slot, owner_slot, keeper) +
                   range(owner_slot + 1, 16383, other)};
}

TEST_F(RedisTrouble, no_server_of_a_cluster_is_asked_before_it_is_known_whose_it_is) {
  std::atomic<bool> says = false;
  std::string keeper_host, other_host;
  const auto slots = [&] { return slots_of_two(keeper_host, other_host); };
  OwnedRedis other("-ERR who asks me", [&](const FakeCommand& command) {
    return command.name() == "CLUSTER" ? slots() : FakeReply::all_in(command);
  });
  FakeRedis keeper(
      [&](const FakeCommand& command) {
        if (command.name() == "CLUSTER") return slots();
        return command.is_own() && !says ? FakeReply::silence() : FakeRedis::greet(command);
      },
      false);
  keeper_host = keeper.host();
  other_host = other->host();
  make({.kind = RedisServers::Kind::cluster, .hosts = {other_host}, .user = {}, .master = {}}, options_of(ours));
  ASSERT_TRUE(loop_.turn_until([&] { return gate_->stats().links == 2; }));
  for (int turn = 0; turn < 20; ++turn) {
    EXPECT_FALSE(gate_->ask("lunch", "u1", 5, 1));
    loop_.turn_for(Millis(10));
  }
  EXPECT_EQ(other->count("FCALL"), 0U);
  says = true;
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  EXPECT_EQ(other->count("FCALL"), 1U);
  EXPECT_EQ(other.looks(), 0) << "one key, one server";
}

TEST_F(RedisTrouble, is_found_before_the_first_claim_and_ends_by_itself) {
  OwnedRedis redis("-NOPERM firstcome: SADD");
  make_ours(redis);
  const auto said = trouble();
  EXPECT_TRUE(has(said, redis->host()) && has(said, "NOPERM") && has(said, "+sadd")) << said;
  EXPECT_FALSE(gate_->ask("lunch", "u1", 5, 1));
  redis.set_owner("");
  EXPECT_TRUE(is_fine()) << "though nobody asks";
}

TEST_F(RedisTrouble, of_another_server_of_a_cluster_ends_by_itself_too) {
  std::atomic<bool> mended = false;
  std::string keeper_host, other_host;
  const auto slots = [&] { return slots_of_two(keeper_host, other_host); };
  FakeRedis other(
      [&](const FakeCommand& command) {
        if (command.name() == "CLUSTER") return slots();
        return mended ? FakeRedis::greet(command) : FakeReply::error("NOAUTH Authentication required.");
      },
      false);
  OwnedRedis keeper("", [&](const FakeCommand& command) {
    return command.name() == "CLUSTER" ? slots() : FakeReply::all_in(command);
  });
  keeper_host = keeper->host();
  other_host = other.host();
  make({.kind = RedisServers::Kind::cluster, .hosts = {keeper_host}, .user = {}, .master = {}}, options_of(ours));
  EXPECT_TRUE(has(trouble(), other_host) && has(trouble(), "gate_password")) << trouble();
  loop_.turn_for(RedisNode::pause_most);
  EXPECT_TRUE(has(trouble(), other_host)) << "it says so still";
  mended = true;
  EXPECT_TRUE(is_fine()) << "though nobody asks";
}

TEST_F(RedisTrouble, loads_its_library_before_it_looks) {
  std::atomic<bool> loaded = false;
  OwnedRedis redis("-ERR Function not found", [&](const FakeCommand& command) {
    if (command.name() == "FUNCTION") loaded = true;
    return command.name() == "FUNCTION" ? FakeReply::text("firstcome_1") : FakeReply::all_in(command);
  });
  make_ours(redis);
  ASSERT_TRUE(loop_.turn_until([&] { return loaded.load(); }));
  EXPECT_TRUE(has(trouble(), "does not find it")) << "it says so still";
  redis.set_owner("");
  EXPECT_TRUE(is_fine());
}

TEST_F(RedisTrouble, a_server_that_is_merely_away_is_none) {
  std::string host;
  {
    const FakeRedis gone(FakeReply::all_in);
    host = gone.host();
  }
  testing::internal::CaptureStderr();
  make({.hosts = {host}, .user = {}, .master = {}}, options());
  loop_.turn_for(Millis(300));
  EXPECT_FALSE(gate_->trouble()) << gate_->trouble()->what;
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, host) && has(log, "nothing listens there") && has(log, "is gate right")) << log;
  EXPECT_TRUE(has(log, "warn  the gate is away") && !has(log, "person")) << log;
}

TEST_F(RedisTrouble, full_memory_is_none) {
  OwnedRedis redis("-OOM command not allowed when used memory > 'maxmemory'.");
  make_ours(redis);
  ASSERT_TRUE(loop_.turn_until([&] { return redis.looks() >= 2; }));
  EXPECT_FALSE(gate_->trouble());
  EXPECT_TRUE(gate_->stats().is_away);
  redis.set_owner("");
  EXPECT_TRUE(is_fine());
}

TEST_F(RedisTrouble, a_server_without_functions_is_too_old) {
  OwnedRedis redis("-ERR unknown command `FCALL`, with args beginning with: `firstcome_1_own`, ");
  make_ours(redis);
  EXPECT_TRUE(has(trouble(), "Redis 7.0 or newer")) << trouble();
}

TEST_F(RedisTrouble, something_else_listens_there) {
  FakeRedis web([](const FakeCommand&) { return FakeReply{"HTTP/1.1 400 Bad Request\r\n\r\n"}; }, false);
  make(web);
  EXPECT_TRUE(has(trouble(), web.host()) && has(trouble(), "look at gate")) << trouble();
}

TEST_F(RedisTrouble, sentinels_that_know_no_such_master) {
  FakeRedis sentinel([](const FakeCommand&) { return FakeReply{"*-1\r\n"}; });
  make({.kind = RedisServers::Kind::sentinel, .hosts = {sentinel.host()}, .user = {}, .master = "frist"}, options());
  EXPECT_TRUE(has(trouble(), sentinel.host()) && has(trouble(), "no master of that name")) << trouble();
}

TEST_F(RedisTrouble, one_server_that_is_named_as_a_cluster) {
  FakeRedis redis(
      [](const FakeCommand&) { return FakeReply::error("ERR This instance has cluster support disabled"); });
  make({.kind = RedisServers::Kind::cluster, .hosts = {redis.host()}, .user = {}, .master = {}}, options());
  EXPECT_TRUE(has(trouble(), "write redis:// in gate")) << trouble();
}

TEST_F(RedisTrouble, a_cluster_with_another_password) {
  FakeRedis redis(
      [](const FakeCommand& command) {
        return FakeReply::error(command.name() == "AUTH" ? "WRONGPASS invalid username-password pair"
                                                         : "NOAUTH Authentication required.");
      },
      false);
  auto with_password = options();
  with_password.password = "hunter2";
  testing::internal::CaptureStderr();
  make({.kind = RedisServers::Kind::cluster, .hosts = {redis.host()}, .user = "alice", .master = {}},
       std::move(with_password));
  const auto said = trouble();
  EXPECT_TRUE(has(said, "WRONGPASS") && has(said, "gate_password_file")) << said;
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, "WRONGPASS") && has(log, "error the gate needs a person")) << log;
  EXPECT_FALSE(has(log, "hunter2") || has(said, "hunter2")) << log;
}

TEST_F(RedisTrouble, a_sentinel_without_users_is_none) {
  FakeRedis redis(FakeReply::all_in);
  FakeRedis sentinel(
      [&](const FakeCommand& command) {
        if (command.name() == "AUTH") return FakeReply::error("ERR AUTH <password> called without any password");
        return FakeReply{"*2\r\n$9\r\n127.0.0.1\r\n" + FakeReply::text(std::to_string(redis.port())).bytes};
      },
      false);
  auto with_password = options();
  with_password.password = "hunter2";
  make({.kind = RedisServers::Kind::sentinel, .hosts = {sentinel.host()}, .user = {}, .master = "first"},
       std::move(with_password));
  EXPECT_TRUE(is_fine());
  ASSERT_TRUE(ask(1));
}

TEST_F(RedisTrouble, a_server_that_evicts_is_told_of) {
  FakeRedis redis(
      [](const FakeCommand& command) {
        if (command.name() == "INFO") return FakeReply::text("maxmemory_policy:allkeys-lru\r\n");
        const FakeReply greeting = FakeRedis::greet(command);
        return greeting.bytes.empty() ? FakeReply::all_in(command) : greeting;
      },
      false);
  testing::internal::CaptureStderr();
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_FALSE(gate_->trouble()) << "a warning";
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, "may forget") && has(log, redis.host()) && has(log, "allkeys-lru") && has(log, "noeviction"))
      << log;
}

TEST_F(RedisTrouble, is_quiet_where_another_loop_tells) {
  OwnedRedis redis(hex(theirs));
  auto quiet = options_of(ours);
  quiet.is_quiet = true;
  testing::internal::CaptureStderr();
  make(servers_of(*redis), std::move(quiet));
  EXPECT_TRUE(has(trouble(), "another installation"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(RedisTrouble, the_numbers_say_what_was_asked_answered_and_refused) {
  std::atomic<bool> is_full = false;
  OwnedRedis redis("", [&](const FakeCommand& command) {
    if (command.name() == "UNLINK") return FakeReply{":2\r\n"};
    if (is_full) return FakeReply::error("OOM no");
    if (!command.is_admit()) return FakeReply{":8\r\n"};
    std::string letters(command.users(), 'f');
    letters[0] = 'i';
    if (letters.size() > 1) letters[1] = 'a';
    return FakeReply::admissions(7, letters);
  });
  make_ours(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  for (AskNumber number = 2; number <= 101; ++number) {
    ASSERT_TRUE(gate_->ask("lunch", "u" + std::to_string(number), 5, number));
  }
  ASSERT_TRUE(is_told(101));
  gate_->widen("lunch", 7, 3);
  ASSERT_TRUE(loop_.turn_until([&] { return asker_.widened == 1; }));
  gate_->forget("lunch");
  ASSERT_TRUE(loop_.turn_until([&] { return redis->count("UNLINK") == 1; }));
  auto stats = gate_->stats();
  EXPECT_EQ(stats.asked, 101U);
  EXPECT_EQ(stats.calls, 3U);
  EXPECT_EQ(stats.in, 3U);
  EXPECT_EQ(stats.again, 2U);
  EXPECT_EQ(stats.full, 96U);
  EXPECT_EQ(stats.batches, (std::array<std::uint64_t, 7>{1, 0, 0, 0, 0, 0, 2})) << "1, 64 and 36 users";
  std::uint64_t measured = 0;
  for (const auto calls : stats.admit_seconds) measured += calls;
  EXPECT_EQ(measured, 3U);
  const auto of = [&](GateCall call) { return stats.by_call[static_cast<std::size_t>(call)]; };
  EXPECT_EQ(of(GateCall::admit).sent, 3U);
  EXPECT_EQ(of(GateCall::admit).answered, 3U);
  EXPECT_GT(of(GateCall::admit).seconds, 0);
  EXPECT_LT(of(GateCall::admit).seconds, 2);
  EXPECT_EQ(of(GateCall::widen).sent, 1U);
  EXPECT_EQ(of(GateCall::forget).sent, 1U);
  EXPECT_EQ(of(GateCall::upkeep).sent, 1U) << "whose it is";
  EXPECT_EQ(stats.links, 1U);
  EXPECT_EQ(stats.connects, 1U);
  const auto bypasses = stats.bypasses;  // until it was there
  is_full = true;
  ASSERT_TRUE(ask(200));
  ASSERT_TRUE(is_told(200));
  EXPECT_FALSE(gate_->ask("lunch", "u201", 5, 201));
  stats = gate_->stats();
  EXPECT_EQ(of(GateCall::admit).failed, 1U);
  EXPECT_EQ(stats.bypasses, bypasses + 2) << "one was refused, one not taken";
  EXPECT_EQ(stats.faults, 1U);
  auto both = stats;
  both += stats;
  EXPECT_EQ(both.asked, 2 * stats.asked);
  EXPECT_EQ(both.batches[6], 2 * stats.batches[6]);
  EXPECT_EQ(both.by_call[0].failed, 2U);
  EXPECT_EQ(both.by_call[0].answered, 2 * stats.by_call[0].answered);
}

}  // namespace
}  // namespace firstcome
