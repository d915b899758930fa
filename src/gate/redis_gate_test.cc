// The Redis gate against servers that answer what they are told to: every error reply, silence, nonsense, and a
// topology that moves. What a real server does is in tests/contract/gate_contract_test.cc.
#include <atomic>
#include <semaphore>
#include <thread>

#include "gate/redis_function.h"
#include "gate/redis_scene_test.h"

namespace firstcome {
namespace {

TEST_F(RedisGateTest, sends_what_is_asked_in_one_turn_together) {
  FakeRedis redis(FakeReply::all_in);
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  for (AskNumber number = 2; number <= 201; ++number) {
    ASSERT_TRUE(gate_->ask("lunch", "u" + std::to_string(number), 5, number));
  }
  ASSERT_TRUE(gate_->ask("dinner", "u300", 5, 300));
  ASSERT_TRUE(is_told(201));
  ASSERT_TRUE(is_told(300));
  std::vector<std::size_t> batches;
  for (const auto& command : redis.heard()) {
    if (command.is_admit()) batches.push_back(command.users());
  }
  EXPECT_EQ(batches, (std::vector<std::size_t>{1, 64, 1, 64, 64, 8})) << "campaigns in turns";
  EXPECT_EQ(asker_.count(Admission::in), 202U);
  EXPECT_EQ(gate_->stats().asked, 202U);
  EXPECT_EQ(gate_->stats().waiting, 0U);
}

TEST_F(RedisGateTest, has_a_few_calls_out_and_no_more) {
  std::atomic<bool> answers = true;
  FakeRedis redis(
      [&](const FakeCommand& command) { return answers ? FakeReply::all_in(command) : FakeReply::silence(); });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  answers = false;
  for (AskNumber number = 2; number <= 1001; ++number) {
    ASSERT_TRUE(gate_->ask("lunch", "u" + std::to_string(number), 5, number));
  }
  ASSERT_TRUE(loop_.turn_until([&] { return redis.count("FCALL") == 1 + RedisNode::calls_max; }, Millis(800)));
  ASSERT_TRUE(is_told(1001));
  EXPECT_EQ(asker_.faults.size(), 1000U);
  EXPECT_EQ(redis.count("FCALL"), 1 + RedisNode::calls_max) << "nothing more is sent to who does not answer";
}

TEST_F(RedisGateTest, loads_its_library_where_it_is_missing) {
  std::atomic<bool> loaded = false;
  FakeRedis redis([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "FUNCTION") {
      loaded = true;
      EXPECT_EQ(command.words.at(1), "LOAD");
      return FakeReply::text("firstcome_1");
    }
    return loaded ? FakeReply::all_in(command) : FakeReply::error("ERR Function not found");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U);
  loaded = false;  // FUNCTION FLUSH
  for (AskNumber number = 2; number <= 300; ++number) ASSERT_TRUE(gate_->ask("lunch", "u", 5, number));
  ASSERT_TRUE(is_told(300));
  EXPECT_EQ(asker_.count(Admission::in), 300U) << "nobody notices";
  EXPECT_EQ(redis.count("FUNCTION"), 2U) << "once, not once a call";
}

TEST_F(RedisGateTest, noscript_is_a_missing_library_too) {
  std::atomic<bool> loaded = false;
  FakeRedis redis([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "FUNCTION") loaded = true;
    if (command.name() == "FUNCTION") return FakeReply::text("firstcome_1");
    return loaded ? FakeReply::all_in(command) : FakeReply::error("NOSCRIPT No matching script.");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U);
}

TEST_F(RedisGateTest, goes_on_without_a_library_that_is_taken_and_not_found) {
  FakeRedis redis([&](const FakeCommand& command) {
    return command.name() == "FUNCTION" ? FakeReply::text("firstcome_1") : FakeReply::error("ERR Function not found");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  ASSERT_NE(fault(1), nullptr);
  EXPECT_EQ(fault(1)->kind, FaultKind::misconfigured);
  EXPECT_EQ(redis.count("FUNCTION"), 1U);
}

TEST_F(RedisGateTest, goes_on_without_a_library_that_cannot_be_loaded) {
  FakeRedis redis([&](const FakeCommand& command) {
    return command.name() == "FUNCTION" ? FakeReply::error("OOM command not allowed when used memory > 'maxmemory'.")
                                        : FakeReply::error("ERR Function not found");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  ASSERT_NE(fault(1), nullptr);
  EXPECT_NE(fault(1)->what.find("OOM"), std::string::npos) << fault(1)->what;
  EXPECT_FALSE(gate_->ask("lunch", "u2", 5, 2));
}

struct Refusal {
  const char* name;
  const char* text;
  FaultKind kind;
};

class RedisGateRefused : public RedisGateTest, public testing::WithParamInterface<Refusal> {};

TEST_P(RedisGateRefused, claims_go_past_it_and_come_back) {
  Changing reply(FakeReply::error(GetParam().text));
  FakeRedis redis([&](const FakeCommand& command) { return reply.get(command); });
  make(redis);
  expect_away_and_back(reply, GetParam().kind, GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    , RedisGateRefused,
    testing::Values(
        Refusal{"LOADING", "LOADING Redis is loading the dataset in memory", FaultKind::unavailable},
        Refusal{"READONLY", "READONLY You can't write against a read only replica.", FaultKind::unavailable},
        Refusal{"MASTERDOWN",
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
                "'no'.",
                FaultKind::unavailable},
        Refusal{"NOREPLICAS", "NOREPLICAS Not enough good replicas to write.", FaultKind::unavailable},
        Refusal{"MISCONF",
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
                "persist to disk.",
                FaultKind::unavailable},
        Refusal{"OOM", "OOM command not allowed when used memory > 'maxmemory'.", FaultKind::unavailable},
        Refusal{"CLUSTERDOWN", "CLUSTERDOWN Hash slot not served", FaultKind::unavailable},
        Refusal{"BUSY",
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN "
                "NOSAVE.",
                FaultKind::unavailable},
        Refusal{"UNKILLABLE",
                "UNKILLABLE Sorry the script already executed write commands against the "
                "dataset.",
                FaultKind::unavailable},
        Refusal{"NOAUTH", "NOAUTH Authentication required.", FaultKind::misconfigured},
        Refusal{"NOPERM", "NOPERM this user has no permissions to run the 'fcall' command", FaultKind::misconfigured},
        Refusal{"ERR", "ERR something that nobody knows", FaultKind::misconfigured}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(RedisGateTest, a_wrong_password_is_told_and_not_shown) {
  FakeRedis redis(
      [](const FakeCommand& command) -> FakeReply {
        if (command.name() != "AUTH") return {"+PONG\r\n"};
        EXPECT_EQ(command.words, (std::vector<std::string>{"AUTH", "alice", "hunter2"}));
        return FakeReply::error("WRONGPASS invalid username-password pair or user is disabled.");
      },
      false);
  auto with_password = options();
  with_password.password = "hunter2";
  testing::internal::CaptureStderr();
  make({.hosts = {redis.host()}, .user = "alice", .master = {}}, std::move(with_password));
  loop_.turn_for(Millis(300));
  EXPECT_FALSE(gate_->ask("lunch", "u1", 5, 1));
  EXPECT_TRUE(gate_->stats().is_away);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("WRONGPASS"), std::string::npos) << log;
  EXPECT_NE(log.find("error the gate needs a person"), std::string::npos) << "it is not merely away: " << log;
  EXPECT_NE(log.find("gate_password_file"), std::string::npos) << log;
  EXPECT_EQ(log.find("hunter2"), std::string::npos) << log;
}

TEST_F(RedisGateTest, a_reply_of_the_wrong_shape_ends_the_connection) {
  for (const auto* shape :
       {":1\r\n", "*0\r\n", "*2\r\n:1\r\n$2\r\nii\r\n", "*2\r\n:1\r\n$1\r\nz\r\n", "$-1\r\n", "HTTP/1.1 200 OK\r\n"}) {
    Changing reply{FakeReply{shape}};
    FakeRedis redis([&](const FakeCommand& command) { return reply.get(command); });
    make(redis);
    expect_away_and_back(reply, FaultKind::corrupt, "");
    const auto heard = redis.heard();
    EXPECT_EQ(heard.back().connection, 1U) << "a new one: " << shape;
    gate_.reset();
    asker_ = {};
  }
}

TEST_F(RedisGateTest, an_answer_that_nobody_asked_for_ends_the_connection) {
  Changing reply(FakeReply{"*2\r\n:1\r\n$1\r\ni\r\n*2\r\n:1\r\n$1\r\ni\r\n"});
  FakeRedis redis([&](const FakeCommand& command) { return reply.get(command); });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U);
  ASSERT_TRUE(loop_.turn_until([&] { return gate_->stats().faults == 1; }));
  reply.mend();
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  EXPECT_EQ(asker_.told.at(1), 1);
}

TEST_F(RedisGateTest, a_cut_connection_fails_what_was_asked) {
  Changing reply(FakeReply::cut());
  FakeRedis redis([&](const FakeCommand& command) { return reply.get(command); });
  make(redis);
  expect_away_and_back(reply, FaultKind::unavailable, "");
}

TEST_F(RedisGateTest, silence_ends_after_gate_bypass_ms_max_and_is_not_waited_for_again) {
  std::atomic<bool> is_silent = false;
  FakeRedis redis(
      [&](const FakeCommand& command) {
        const FakeReply greeting = FakeRedis::greet(command);
        if (is_silent && (greeting.bytes.empty() || command.is_own())) return FakeReply::silence();
        return greeting.bytes.empty() ? FakeReply::all_in(command) : greeting;
      },
      false);
  bypass_ms_max_ = Millis(400);
  make(redis);
  ASSERT_TRUE(ask(0));
  ASSERT_TRUE(is_told(0));
  is_silent = true;
  ASSERT_TRUE(ask(1));
  const auto began = clock_.uptime();
  ASSERT_TRUE(is_told(1));
  const auto took = clock_.uptime() - began;
  EXPECT_EQ(fault(1)->kind, FaultKind::timed_out);
  EXPECT_GE(took, bypass_ms_max_ - Millis(10));
  EXPECT_LE(took, Millis(3000)) << "a busy machine's";
  // Still silent: the gate finds out by itself, one call at a time, and no claim has to wait for that.
  std::size_t taken = 0;
  AskNumber number = 10;
  for (const auto end = clock_.uptime() + Millis(1000); clock_.uptime() < end; loop_.turn_for(Millis(5))) {
    taken += gate_->ask("lunch", "u" + std::to_string(number), 5, number).has_value();
    ++number;
  }
  EXPECT_EQ(taken, 0U) << "they went past it at once";
  EXPECT_EQ(redis.count("FCALL"), 2U);
  EXPECT_GE(redis.count("PING"), 3U) << "and looked whether it is back";
  is_silent = false;
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  EXPECT_EQ(asker_.answers.at(2).admission, Admission::in);
}

TEST_F(RedisGateTest, what_was_not_sent_ends_in_its_time_too) {
  const Millis longest(2000), later(1500);
  bool has_slept = false;
  FakeRedis redis([&](const FakeCommand& command) {
    if (command.name() == "FUNCTION") return FakeReply::silence();
    if (!std::exchange(has_slept, true)) std::this_thread::sleep_for(later);
    return FakeReply::error("ERR Function not found");
  });
  auto patient = options();
  patient.bypass_ms_max = longest;
  make({.hosts = {redis.host()}, .user = {}, .master = {}}, std::move(patient));
  ASSERT_TRUE(ask(1));
  const auto began = clock_.uptime();
  for (AskNumber number = 2; number <= 1000; ++number) {
    ASSERT_TRUE(gate_->ask("lunch", "u" + std::to_string(number), 5, number));
  }
  ASSERT_TRUE(is_told(1000));
  EXPECT_EQ(fault(1000)->kind, FaultKind::timed_out);
  EXPECT_LT(clock_.uptime() - began, later + longest - Millis(500))
      << "the library was asked for later, and is still out";
}

TEST_F(RedisGateTest, the_pauses_grow) {
  FakeRedis redis([](const FakeCommand&) { return FakeReply::cut(); }, false);
  make(redis);
  loop_.turn_for(Millis(1500));
  const auto attempts = redis.count("PING");
  EXPECT_GE(attempts, 4U);
  EXPECT_LE(attempts, 10U) << "50 ms each would be 30";
}

TEST_F(RedisGateTest, nothing_listens_there) {
  std::string host;
  {
    const FakeRedis gone(FakeReply::all_in);
    host = gone.host();
  }
  make({.hosts = {host}, .user = {}, .master = {}}, options());
  loop_.turn_for(Millis(200));
  EXPECT_FALSE(gate_->ask("lunch", "u1", 5, 1));
  EXPECT_GE(gate_->stats().faults, 1U);
  EXPECT_TRUE(gate_->stats().is_away);
}

TEST_F(RedisGateTest, forget_works_when_memory_is_full) {
  FakeRedis redis([](const FakeCommand& command) -> FakeReply {
    return command.name() == "UNLINK" ? FakeReply{":2\r\n"} : FakeReply::error("OOM command not allowed");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  gate_->forget("lunch");
  ASSERT_TRUE(loop_.turn_until([&] { return redis.count("UNLINK") == 1; }));
  EXPECT_EQ(redis.heard().back().words,
            (std::vector<std::string>{"UNLINK", "firstcome:{lunch}:meta", "firstcome:{lunch}:users"}));
}

TEST_F(RedisGateTest, forget_is_not_lost_when_the_asks_before_it_are_refused) {
  FakeRedis redis([](const FakeCommand& command) -> FakeReply {
    return command.name() == "UNLINK" ? FakeReply{":2\r\n"} : FakeReply::error("OOM command not allowed");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  for (AskNumber number = 2; number <= 1000; ++number) {
    ASSERT_TRUE(gate_->ask("lunch", "u" + std::to_string(number), 5, number));
  }
  gate_->forget("lunch");
  ASSERT_TRUE(loop_.turn_until([&] { return asker_.faults.size() == 1000; }));
  EXPECT_LT(redis.count("FCALL"), 16U) << "not all had been sent";
  EXPECT_TRUE(loop_.turn_until([&] { return redis.count("UNLINK") == 1; }, Millis(1000)));
}

TEST_F(RedisGateTest, widen_tells_the_generation_that_holds) {
  FakeRedis redis([](const FakeCommand& command) -> FakeReply {
    return command.words.at(1) == "firstcome_1_widen" ? FakeReply{":8\r\n"} : FakeReply::admissions(7, "f");
  });
  make(redis);
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::full), 1U);
  EXPECT_EQ(asker_.generations.at("lunch"), 7U);
  gate_->widen("lunch", 7, 3);
  ASSERT_TRUE(loop_.turn_until([&] { return asker_.widened == 1; }));
  EXPECT_EQ(asker_.generations.at("lunch"), 8U);
  EXPECT_EQ(redis.heard().back().words,
            (std::vector<std::string>{"FCALL", "firstcome_1_widen", "2", "firstcome:{lunch}:meta",
                                      "firstcome:{lunch}:users", "7", "3"}));
}

TEST_F(RedisGateTest, moved_of_a_single_server_asks_for_another_setting) {
  Changing reply(FakeReply::error("MOVED 1 127.0.0.1:1"));
  FakeRedis redis([&](const FakeCommand& command) { return reply.get(command); });
  make(redis);
  expect_away_and_back(reply, FaultKind::misconfigured, "redis-cluster://");
}

TEST_F(RedisGateTest, the_prefix_may_not_move_the_keys) {
  auto wrong = options();
  wrong.servers.hosts = {"127.0.0.1:1"};
  wrong.prefix = "a{b}";
  const auto opened = RedisGate::open(std::move(wrong));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, FaultKind::misconfigured);
}

// A cluster of fakes.

FakeReply slots(const std::string& host) {
  const auto port = host.substr(host.find(':') + 1);
  return {"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + port + "\r\n"};
}

class RedisGateCluster : public RedisGateTest {
 protected:
  RedisServers cluster(const FakeRedis& seed) {
    return {.kind = RedisServers::Kind::cluster, .hosts = {seed.host()}, .user = {}, .master = {}};
  }
};

TEST_F(RedisGateCluster, follows_moved_and_learns_the_map) {
  std::string first_host, second_host;
  std::atomic<bool> moved = false;
  FakeRedis second([&](const FakeCommand& command) {
    return command.name() == "CLUSTER" ? slots(second_host) : FakeReply::all_in(command);
  });
  second_host = second.host();
  FakeRedis first([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "CLUSTER") return slots(moved ? second_host : first_host);
    return moved ? FakeReply::error("MOVED 7 " + second_host) : FakeReply::all_in(command);
  });
  first_host = first.host();
  make(cluster(first), options());
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  moved = true;
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  EXPECT_EQ(asker_.count(Admission::in), 2U) << "nobody notices";
  EXPECT_EQ(gate_->stats().redirects, 1U);
  bool went_there = false;
  for (AskNumber number = 3; number < 100 && !went_there; ++number) {
    const auto before = first.count("FCALL");
    ASSERT_TRUE(ask(number));
    ASSERT_TRUE(is_told(number));
    went_there = first.count("FCALL") == before;
    loop_.turn_for(Millis(20));
  }
  EXPECT_TRUE(went_there) << "the map says by now who has the slot";
}

TEST_F(RedisGateCluster, follows_ask_for_one_call) {
  std::string host, other;
  std::atomic<bool> migrating = true;
  FakeRedis importing([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "CLUSTER") return slots(host);
    if (command.name() == "ASKING") return {"+OK\r\n"};
    return FakeReply::all_in(command);
  });
  other = importing.host();
  FakeRedis redis([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "CLUSTER") return slots(host);
    return migrating.exchange(false) ? FakeReply::error("ASK 7 " + other) : FakeReply::all_in(command);
  });
  host = redis.host();
  make(cluster(redis), options());
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U);
  const auto heard = importing.heard();
  ASSERT_GE(heard.size(), 2U);
  EXPECT_EQ(heard[heard.size() - 2].name(), "ASKING");
  EXPECT_TRUE(heard.back().is_admit());
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  EXPECT_EQ(redis.count("FCALL"), 2U) << "the next one goes where the map says";
}

TEST_F(RedisGateCluster, tries_again_while_a_slot_is_moved) {
  std::string host;
  std::atomic<int> refusals = 2;
  FakeRedis redis([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "CLUSTER") return slots(host);
    return refusals-- > 0 ? FakeReply::error("TRYAGAIN Multiple keys request during rehashing of slot")
                          : FakeReply::all_in(command);
  });
  host = redis.host();
  make(cluster(redis), options());
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U);
  EXPECT_EQ(redis.count("FCALL"), 3U);
  refusals = 1000;
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  ASSERT_NE(fault(2), nullptr);
  EXPECT_EQ(fault(2)->kind, FaultKind::timed_out) << "not for ever";
}

TEST_F(RedisGateCluster, two_servers_that_send_each_to_the_other_end_somewhere) {
  std::string one_host, other_host;
  FakeRedis other([&](const FakeCommand& command) {
    return command.name() == "CLUSTER" ? slots(one_host) : FakeReply::error("MOVED 7 " + one_host);
  });
  other_host = other.host();
  FakeRedis one([&](const FakeCommand& command) {
    return command.name() == "CLUSTER" ? slots(one_host) : FakeReply::error("MOVED 7 " + other_host);
  });
  one_host = one.host();
  make(cluster(one), options());
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  ASSERT_NE(fault(1), nullptr);
  EXPECT_LE(gate_->stats().redirects, 5U);
}

class RedisGateHole : public RedisGateCluster, public testing::WithParamInterface<std::string> {};

TEST_P(RedisGateHole, in_the_map_is_not_for_ever) {
  const std::uint16_t hole = redis_slot(GetParam());
  std::atomic<bool> is_whole = false;
  std::string port;
  FakeRedis redis([&](const FakeCommand& command) -> FakeReply {
    if (command.name() != "CLUSTER") return FakeReply::all_in(command);
    const std::string server = "*2\r\n$9\r\n127.0.0.1\r\n:" + port + "\r\n";
    return {"*2\r\n*3\r\n:0\r\n:" + std::to_string(is_whole ? hole : hole - 1) + "\r\n" + server +
            "*3\r\n:" + std::to_string(hole + 1) + "\r\n:16383\r\n" + server};
  });
  port = std::to_string(redis.port());
  make(cluster(redis), options());
  const auto looks_again = [&] { return !gate_->ask("lunch", "u1", 5, 1) && redis.count("CLUSTER") > 1; };
  ASSERT_TRUE(loop_.turn_until(looks_again));
  is_whole = true;
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U);
}

INSTANTIATE_TEST_SUITE_P(, RedisGateHole, testing::Values("lunch", redis_owner_key("firstcome")),
                         [](const auto& info) { return info.index == 0 ? "OfACampaign" : "OfTheOwner"; });

TEST_F(RedisGateCluster, a_library_may_be_missing_on_two_servers_in_turn) {
  std::string first_host, second_host;
  const auto without = [](std::atomic<int>& loads, const FakeCommand& command, const FakeReply& then) -> FakeReply {
    if (command.name() == "FUNCTION") return loads++, FakeReply::text("firstcome_1");
    return loads == 0 ? FakeReply::error("ERR Function not found") : then;
  };
  std::atomic<int> first_loads = 0, second_loads = 0;
  FakeRedis second([&](const FakeCommand& command) {
    if (command.name() == "CLUSTER") return slots(first_host);
    return without(second_loads, command, FakeReply::all_in(command));
  });
  second_host = second.host();
  FakeRedis first([&](const FakeCommand& command) {
    if (command.name() == "CLUSTER") return slots(first_host);
    return without(first_loads, command, FakeReply::error("MOVED 7 " + second_host));
  });
  first_host = first.host();
  make(cluster(first), options());
  ASSERT_TRUE(ask(1));
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(asker_.count(Admission::in), 1U) << (fault(1) ? fault(1)->what : "");
  EXPECT_EQ(first_loads, 1);
  EXPECT_EQ(second_loads, 1);
}

TEST_F(RedisGateCluster, another_map_after_clusterdown) {
  std::string first_host, second_host;
  std::atomic<bool> down = false;
  FakeRedis second(FakeReply::all_in);
  second_host = second.host();
  FakeRedis first([&](const FakeCommand& command) -> FakeReply {
    if (command.name() == "CLUSTER") return slots(down ? second_host : first_host);
    return down ? FakeReply::error("CLUSTERDOWN The cluster is down") : FakeReply::all_in(command);
  });
  first_host = first.host();
  make(cluster(first), options());
  ASSERT_TRUE(ask(1));
  down = true;
  ASSERT_TRUE(is_told(1));
  ASSERT_TRUE(ask(2));
  ASSERT_TRUE(is_told(2));
  ASSERT_TRUE(ask(3));
  ASSERT_TRUE(is_told(3));
  EXPECT_GE(second.count("FCALL"), 1U);
}

TEST_F(RedisGateTest, asks_the_sentinels_again_when_the_master_is_none) {
  std::atomic<bool> failed_over = false;
  FakeRedis second(FakeReply::all_in);
  FakeRedis first([&](const FakeCommand& command) -> FakeReply {
    return failed_over ? FakeReply::error("READONLY You can't write against a read only replica.")
                       : FakeReply::all_in(command);
  });
  const auto address = [](const FakeRedis& redis) {
    return FakeReply{"*2\r\n$9\r\n127.0.0.1\r\n" + FakeReply::text(std::to_string(redis.port())).bytes};
  };
  FakeRedis silent([](const FakeCommand&) { return FakeReply::silence(); });
  FakeRedis sentinel([&](const FakeCommand& command) -> FakeReply {
    EXPECT_EQ(command.words, (std::vector<std::string>{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "first"}));
    return address(failed_over ? second : first);
  });
  make({.kind = RedisServers::Kind::sentinel, .hosts = {silent.host(), sentinel.host()}, .user = {}, .master = "first"},
       options());
  ASSERT_TRUE(ask(1)) << "a sentinel that says nothing is passed over";
  ASSERT_TRUE(is_told(1));
  EXPECT_EQ(first.count("ROLE"), 1U) << "who is named is asked itself";
  failed_over = true;
  AskNumber number = 2;
  for (; number < 100 && second.count("FCALL") == 0; ++number) {
    ASSERT_TRUE(ask(number));
    ASSERT_TRUE(is_told(number)) << "what the replica refused goes past the gate";
    loop_.turn_for(Millis(20));
  }
  ASSERT_EQ(second.count("FCALL"), 1U);
  ASSERT_TRUE(asker_.answers.contains(number - 1));
  EXPECT_EQ(asker_.answers.at(number - 1).admission, Admission::in);
}

TEST_F(RedisGateTest, believes_no_sentinel_that_names_a_replica) {
  FakeRedis replica(
      [](const FakeCommand& command) -> FakeReply {
        return command.name() == "ROLE" ? FakeReply{"*2\r\n$5\r\nslave\r\n:0\r\n"} : FakeReply::all_in(command);
      },
      false);
  FakeRedis sentinel([&](const FakeCommand&) {
    return FakeReply{"*2\r\n$9\r\n127.0.0.1\r\n" + FakeReply::text(std::to_string(replica.port())).bytes};
  });
  make({.kind = RedisServers::Kind::sentinel, .hosts = {sentinel.host()}, .user = {}, .master = "first"}, options());
  loop_.turn_for(Millis(500));
  EXPECT_FALSE(gate_->ask("lunch", "u1", 5, 1));
  EXPECT_EQ(replica.count("FCALL"), 0U);
  EXPECT_GE(sentinel.count("SENTINEL"), 2U) << "asked again";
}

TEST_F(RedisGateTest, a_call_has_its_own_time_however_long_its_asks_waited_in_line) {
  std::counting_semaphore<> may_answer{0};
  FakeRedis redis([&](const FakeCommand& command) {
    if (command.is_admit()) may_answer.acquire();
    return FakeReply::all_in(command);
  });
  make(redis);
  const auto pass = [this](Millis time) { loop_.turn_until([] { return false; }, time); };
  constexpr AskNumber last = RedisNode::calls_max + 1;
  for (AskNumber number = 1; number < last; ++number) {
    EXPECT_TRUE(ask(number));
    EXPECT_TRUE(loop_.turn_until([&] { return gate_->stats().calls == number; }));
  }
  EXPECT_TRUE(ask(last)) << "it waits in line";
  pass(bypass_ms_max_ * 6 / 10);
  EXPECT_EQ(gate_->stats().calls, RedisNode::calls_max);
  may_answer.release(RedisNode::calls_max);
  EXPECT_TRUE(is_told(last - 1));
  pass(bypass_ms_max_ * 6 / 10);
  may_answer.release(8);  // also for a server that is asked more: else it would never end
  EXPECT_TRUE(is_told(last));
  EXPECT_TRUE(asker_.faults.empty());
}

}  // namespace
}  // namespace firstcome
