// The Redis gate against redis-servers of its own that are really broken, wrongly set up or lied about: every error
// reply that a server can be brought to give, TLS, users and passwords. What a cluster and sentinels do is in
// tests/contract/gate_contract_test.cc, what no server does on demand in src/gate/redis_gate_test.cc.
#include "gate/redis_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "base/hex.h"
#include "gate/recording_asker.h"
#include "gate/redis_function.h"
#include "gate/turning_loop.h"
#include "own_redis.h"

namespace firstcome {
namespace {

constexpr InstallationId ours{1}, theirs{2};
constexpr std::string_view owner_key = "firstcome:installation";
constexpr std::string_view secret = "geheim-of-the-gate";

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

RedisServers single(std::string host, std::string user = {}) {
  return {.hosts = {std::move(host)}, .user = std::move(user), .master = {}};
}

class RealRedisGate : public testing::Test {
 protected:
  ~RealRedisGate() override { loop_.off_tick(this); }

  void make(RedisServers servers, std::string password = {}, std::string ca = {}, InstallationId installation = ours) {
    auto opened = RedisGate::open({.io = loop_.io(),
                                   .clock = clock_,
                                   .random = random_,
                                   .servers = std::move(servers),
                                   .password = std::move(password),
                                   .tls_ca = std::move(ca),
                                   .installation = installation,
                                   .bypass_ms_max = bypass_ms_max_});
    ASSERT_TRUE(opened) << opened.error().what;
    gate_ = std::move(*opened);
    gate_->start(asker_);
    loop_.on_tick(this, [this] { gate_->tick(); });
  }
  /// Asks as soon as the gate takes it, and again until it is answered, as a user does.
  std::optional<Admission> ask(const std::string& user, Millis most = Millis(10'000)) {
    std::optional<Admission> said;
    loop_.turn_until(
        [&] {
          const AskNumber number = ++last_;
          if (!gate_->ask("lunch", user, 5, number)) return false;
          loop_.turn_until([&] { return asker_.told.contains(number); }, Millis(1000));
          if (asker_.answers.contains(number)) said = asker_.answers.at(number).admission;
          return said.has_value();
        },
        most);
    return said;
  }
  bool is_fine() {
    return loop_.turn_until([&] { return !gate_->trouble() && !gate_->stats().is_away; }, Millis(10'000));
  }
  std::string trouble(Millis most = Millis(5000)) {
    loop_.turn_until([&] { return gate_->trouble().has_value(); }, most);
    return gate_->trouble() ? gate_->trouble()->what : "";
  }

  SystemClock clock_;
  SystemRandom random_;
  Millis bypass_ms_max_{1000};  // a busy machine is slow, and nothing else is shown by that
  TurningLoop loop_;
  RecordingAsker asker_;
  std::unique_ptr<RedisGate> gate_;
  AskNumber last_ = 0;
};

// What a server refuses.

struct Damage {
  const char* name;
  std::function<void(OwnRedis&)> does;
  std::function<void(OwnRedis&)> mends;
  bool needs_a_person = false;
};

void give_it_much_to_read(OwnRedis& redis) {
  redis.command({"DEBUG", "POPULATE", "1000"});
  redis.command({"SAVE"});
  redis.end(SIGKILL);
  redis.start();
}

/// Its data cannot be saved: where the file should be, a folder is.
void let_it_fail_to_save(OwnRedis& redis) {
  std::filesystem::create_directory(redis.folder() + "/dump.rdb");
  std::ofstream(redis.folder() + "/dump.rdb/there") << "something";
  redis.command({"CONFIG", "SET", "save", "3600 1000"});
  redis.command({"BGSAVE"});
  while (!has(redis.command({"INFO", "persistence"}).text, "rdb_last_bgsave_status:err")) {
    std::this_thread::sleep_for(Millis(20));
  }
}

/// A script that never ends, as somebody else's may be.
void keep_it_busy(OwnRedis& redis) {
  redis.command({"CONFIG", "SET", "busy-reply-threshold", "20"});
  std::thread([hand = redis.hand()]() mutable { hand.command({"EVAL", "while true do end", "0"}); }).detach();
  while (!has(redis.command({"PING"}).text, "BUSY")) std::this_thread::sleep_for(Millis(20));
}

std::vector<Damage> damages() {
  using Redis = OwnRedis&;
  const auto set = [](const char* name, const char* value) {
    return [=](Redis redis) { redis.command({"CONFIG", "SET", name, value}); };
  };
  return {
      {"LOADING", give_it_much_to_read, [](Redis) {}},
      {"READONLY", [](Redis redis) { redis.command({"REPLICAOF", "127.0.0.1", "1"}); },
       [](Redis redis) { redis.command({"REPLICAOF", "NO", "ONE"}); }},
      {"MASTERDOWN",
       [](Redis redis) {
         redis.command({"CONFIG", "SET", "replica-serve-stale-data", "no"});
         redis.command({"REPLICAOF", "127.0.0.1", "1"});
       },
       [](Redis redis) { redis.command({"REPLICAOF", "NO", "ONE"}); }},
      {"NOREPLICAS", set("min-replicas-to-write", "1"), set("min-replicas-to-write", "0")},
      {"MISCONF", let_it_fail_to_save, set("stop-writes-on-bgsave-error", "no")},
      {"OOM", set("maxmemory", "1"), set("maxmemory", "0")},
      {"BUSY", keep_it_busy, [](Redis redis) { redis.command({"SCRIPT", "KILL"}); }},
      {"NOPERM", [](Redis redis) { redis.command({"ACL", "SETUSER", "default", "-sadd"}); },
       [](Redis redis) { redis.command({"ACL", "SETUSER", "default", "+sadd"}); }, true},
  };
}

class DamagedRedis : public RealRedisGate, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedRedis, is_gone_past_at_once_and_used_again_when_it_is_mended) {
  OwnRedis redis({"--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024"});
  make(single(redis.host()));
  ASSERT_EQ(ask("alice"), Admission::in);
  testing::internal::CaptureStderr();
  GetParam().does(redis);
  const AskNumber number = ++last_;
  const bool was_taken = gate_->ask("lunch", "bob", 5, number).has_value();
  if (was_taken) {
    EXPECT_TRUE(loop_.turn_until([&] { return asker_.told.contains(number); }));
    EXPECT_TRUE(asker_.faults.contains(number));
  }
  ASSERT_TRUE(loop_.turn_until([&] { return gate_->stats().is_away; }));
  loop_.turn_for(Millis(100));
  EXPECT_FALSE(gate_->ask("lunch", "carol", 5, ++last_)) << "at once";
  EXPECT_EQ(GetParam().needs_a_person, !trouble(Millis(300)).empty());
  GetParam().mends(redis);
  EXPECT_TRUE(is_fine()) << "by itself";
  EXPECT_TRUE(ask("alice").has_value());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, GetParam().name) && has(log, redis.host())) << log;
  EXPECT_TRUE(has(log, "answers again")) << log;
}

INSTANTIATE_TEST_SUITE_P(, DamagedRedis, testing::ValuesIn(damages()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(RealRedisGate, a_cluster_that_has_lost_a_slot_is_gone_past) {
  OwnRedis redis({"--cluster-enabled", "yes"});
  redis.command({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  make({.kind = RedisServers::Kind::cluster, .hosts = {redis.host()}, .user = {}, .master = {}});
  ASSERT_EQ(ask("alice"), Admission::in);
  testing::internal::CaptureStderr();
  const auto other = std::to_string((redis_slot("lunch") + 1) % redis_slots);
  redis.command({"CLUSTER", "DELSLOTS", other});
  ASSERT_TRUE(loop_.turn_until([&] {
    static_cast<void>(ask("bob", Millis(50)));
    return gate_->stats().is_away;
  }));
  EXPECT_FALSE(gate_->trouble());
  redis.command({"CLUSTER", "ADDSLOTS", other});
  EXPECT_EQ(ask("alice"), Admission::again);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, "CLUSTERDOWN")) << log;
}

TEST_F(RealRedisGate, a_restart_without_its_data_is_a_gate_that_begins_anew) {
  OwnRedis redis;
  make(single(redis.host()));
  ASSERT_EQ(ask("alice"), Admission::in);
  redis.end(SIGKILL);
  ASSERT_TRUE(loop_.turn_until([&] { return gate_->stats().is_away; }));
  EXPECT_FALSE(gate_->trouble()) << "merely away";
  redis.start();
  EXPECT_EQ(ask("alice"), Admission::in);
  EXPECT_EQ(redis.command({"GET", owner_key}).text, hex(ours)) << "set again";
}

TEST_F(RealRedisGate, a_stopped_server_holds_nobody_up_for_longer_than_gate_bypass_ms_max) {
  OwnRedis redis;
  make(single(redis.host()));
  ASSERT_EQ(ask("alice"), Admission::in);
  redis.signal(SIGSTOP);
  ASSERT_TRUE(gate_->ask("lunch", "bob", 5, ++last_));
  const auto began = clock_.uptime();
  ASSERT_TRUE(loop_.turn_until([&] { return asker_.faults.contains(last_); }));
  EXPECT_LE(clock_.uptime() - began, Millis(3000)) << "a busy machine's";
  std::size_t taken = 0;
  for (const auto end = clock_.uptime() + Millis(3000); clock_.uptime() < end; loop_.turn_for(Millis(10))) {
    taken += gate_->ask("lunch", "carol", 5, ++last_).has_value();
  }
  EXPECT_EQ(taken, 0U);
  redis.signal(SIGCONT);
  // Whether bob was let through is not known: an ask may be repeated.
  EXPECT_EQ(ask("alice"), Admission::again);
  EXPECT_TRUE(ask("bob").has_value());
}

// Whose it is.

TEST_F(RealRedisGate, two_installations_with_one_prefix_are_told_apart) {
  OwnRedis redis;
  make(single(redis.host()), {}, {}, theirs);
  ASSERT_EQ(ask("alice"), Admission::in);
  EXPECT_EQ(redis.command({"GET", owner_key}).text, hex(theirs));
  const auto left = redis.command({"TTL", owner_key}).number;
  EXPECT_TRUE(left > 86'000 && left <= 86'400) << left;
  testing::internal::CaptureStderr();
  make(single(redis.host()), {}, {}, ours);
  const auto said = trouble();
  EXPECT_TRUE(has(said, "another installation uses the prefix firstcome on " + redis.host()) &&
              has(said, "gate_prefix"))
      << said;
  EXPECT_EQ(ask("bob", Millis(300)), std::nullopt);
  gate_->forget("lunch");
  loop_.turn_for(Millis(100));
  EXPECT_EQ(redis.command({"EXISTS", "firstcome:{lunch}:users"}).number, 1) << "not ours to delete";
  redis.command({"DEL", owner_key});
  EXPECT_TRUE(is_fine()) << "as the sentence says";
  EXPECT_EQ(redis.command({"GET", owner_key}).text, hex(ours));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, "another installation")) << log;
}

TEST_F(RealRedisGate, a_lost_key_is_set_again) {
  OwnRedis redis;
  make(single(redis.host()));
  ASSERT_EQ(ask("alice"), Admission::in);
  redis.command({"FLUSHALL"});
  redis.command({"FUNCTION", "FLUSH"});
  redis.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_EQ(ask("alice"), Admission::in);
  EXPECT_EQ(redis.command({"GET", owner_key}).text, hex(ours));
}

TEST_F(RealRedisGate, a_server_that_evicts_is_told_of) {
  OwnRedis redis({"--maxmemory-policy", "volatile-lru"});
  testing::internal::CaptureStderr();
  make(single(redis.host()));
  EXPECT_EQ(ask("alice"), Admission::in);
  EXPECT_FALSE(gate_->trouble());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, "may forget") && has(log, redis.host()) && has(log, "volatile-lru")) << log;
}

// Who may.

/// Exactly what the log says that the gate's user needs.
std::vector<std::string> permissions() {
  std::vector<std::string> words;
  std::istringstream said(read_redis_error("NOPERM x").fault.what);
  for (std::string word; said >> word;) {
    if (word.starts_with('+')) words.push_back(word);
  }
  return words;
}

void set_user(OwnRedis& redis, const std::vector<std::string>& rights) {
  const std::string password = ">" + std::string(secret);
  std::vector<std::string_view> words{"ACL", "SETUSER", "gate", "reset", "on", password, "~firstcome:*"};
  words.insert(words.end(), rights.begin(), rights.end());
  const auto set = redis.hand().command(words);
  ASSERT_EQ(set.text, "OK");
}

TEST_F(RealRedisGate, one_of_its_keys_that_is_gone_is_a_new_limit) {
  OwnRedis redis;
  make(single(redis.host()));
  ASSERT_EQ(ask("alice"), Admission::in);
  auto generation = asker_.generations.at("lunch");
  for (const std::string key : {"firstcome:{lunch}:users", "firstcome:{lunch}:meta"}) {
    ASSERT_EQ(redis.command({"DEL", key}).number, 1);
    EXPECT_EQ(ask("bob" + key), Admission::in) << key;
    EXPECT_NE(asker_.generations.at("lunch"), generation) << key << ": who was told full must see it";
    generation = asker_.generations.at("lunch");
    EXPECT_GT(redis.command({"TTL", "firstcome:{lunch}:meta"}).number, 0) << key;
    EXPECT_GT(redis.command({"TTL", "firstcome:{lunch}:users"}).number, 0) << key;
  }
}

TEST_F(RealRedisGate, what_the_log_says_that_its_user_needs_is_enough) {
  OwnRedis redis;
  set_user(redis, permissions());
  make(single(redis.host(), "gate"), std::string(secret));
  EXPECT_EQ(ask("alice"), Admission::in);
  gate_->widen("lunch", asker_.generations.at("lunch"), 5);
  EXPECT_TRUE(loop_.turn_until([&] { return asker_.widened == 1; }));
  gate_->forget("lunch");
  EXPECT_TRUE(loop_.turn_until([&] { return redis.command({"EXISTS", "firstcome:{lunch}:users"}).number == 0; }));
  EXPECT_FALSE(gate_->trouble()) << trouble();
}

TEST_F(RealRedisGate, and_without_any_of_it_the_gate_says_so_before_the_first_claim) {
  OwnRedis redis;
  for (const auto& right : permissions()) {
    if (right == "+role" || right == "+asking" || right == "+cluster|slots" || right == "+info") continue;  // not here
    auto fewer = permissions();
    std::erase(fewer, right);
    set_user(redis, fewer);
    if (right == "+function|load") redis.command({"FUNCTION", "FLUSH"});
    make(single(redis.host(), "gate"), std::string(secret));
    const auto said = trouble();
    EXPECT_TRUE(has(said, redis.host()) && has(said, "NOPERM") && has(said, right)) << right << ": " << said;
    EXPECT_FALSE(gate_->ask("lunch", "alice", 5, ++last_)) << right;
    if (right == "+function|load") redis.command({"FUNCTION", "LOAD", "REPLACE", redis_function_source()});
  }
}

struct Wrong {
  const char* name;
  std::string user, password;
  std::vector<std::string> says;
};

class WrongUser : public RealRedisGate, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongUser, is_told_in_one_line_without_the_secret) {
  OwnRedis redis({"--requirepass", "right-of-default"});
  auto hand = redis.hand();
  hand.command({"AUTH", "right-of-default"});
  hand.command({"ACL", "SETUSER", "gate", "reset", "on", ">right-of-gate", "~*", "+@all"});
  testing::internal::CaptureStderr();
  make(single(redis.host(), GetParam().user), GetParam().password);
  const auto said = trouble();
  loop_.turn_for(Millis(100));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(gate_->trouble()->kind, FaultKind::misconfigured);
  EXPECT_TRUE(has(said, redis.host()) && has(log, redis.host())) << said << "\n" << log;
  for (const auto& part : GetParam().says) EXPECT_TRUE(has(said, part) && has(log, part)) << part << "\n" << log;
  if (!GetParam().password.empty()) {
    EXPECT_FALSE(has(said, GetParam().password) || has(log, GetParam().password)) << said << "\n" << log;
  }
  EXPECT_EQ(std::ranges::count(log, '\n'), 1) << log;
  EXPECT_FALSE(gate_->ask("lunch", "alice", 5, 1));
}

INSTANTIATE_TEST_SUITE_P(
    , WrongUser,
    testing::Values(
        Wrong{"WrongPassword", "", "geheim-a", {"WRONGPASS", "gate_password_file"}},
        Wrong{"WrongPasswordOfAUser", "gate", "geheim-b", {"WRONGPASS", "redis://USER@", "gate_password_file"}},
        Wrong{"WrongUser", "gaet", "right-of-gate", {"WRONGPASS", "redis://USER@", "gate_password_file"}},
        Wrong{"NoPassword", "", "", {"NOAUTH", "set gate_password_file"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(RealRedisGate, a_password_where_there_is_none_is_told_without_it) {
  OwnRedis redis;
  testing::internal::CaptureStderr();
  make(single(redis.host()), std::string(secret));
  const auto said = trouble();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(said, redis.host()) && has(said, "gate_password_file")) << said;
  EXPECT_FALSE(has(log, secret) || has(said, secret)) << log;
}

TEST_F(RealRedisGate, a_password_that_is_mended_there_is_enough) {
  OwnRedis redis({"--requirepass", "another"});
  make(single(redis.host()), std::string(secret));
  EXPECT_TRUE(has(trouble(), "WRONGPASS"));
  auto hand = redis.hand();
  hand.command({"AUTH", "another"});
  hand.command({"CONFIG", "SET", "requirepass", secret});
  EXPECT_TRUE(is_fine());
  EXPECT_EQ(ask("alice"), Admission::in);
}

// TLS.

class RealRedisTls : public RealRedisGate {
 protected:
  /// The one line that the log has of it, and what the gate says.
  std::pair<std::string, std::string> said_of(RedisServers servers, const std::string& ca, bool is_trouble) {
    testing::internal::CaptureStderr();
    make(std::move(servers), std::string(secret), ca);
    if (is_trouble) {
      trouble();
    } else {
      loop_.turn_until([&] { return gate_->stats().faults > 0; });
      loop_.turn_for(Millis(30));
    }
    std::pair said(testing::internal::GetCapturedStderr(), gate_->trouble() ? gate_->trouble()->what : "");
    EXPECT_EQ(std::ranges::count(said.first, '\n'), 1) << said.first;
    EXPECT_EQ(said.second.empty(), !is_trouble) << said.second;
    EXPECT_FALSE(has(said.first, secret)) << said.first;
    EXPECT_FALSE(gate_->ask("lunch", "alice", 5, 1));
    return said;
  }
  void give_a_user(const OwnRedis& redis) {
    redis.command({"ACL", "SETUSER", "gate", "reset", "on", ">" + std::string(secret), "~*", "+@all"});
  }
  static TestCertificates& certificates() {
    static TestCertificates all;
    return all;
  }
};

TEST_F(RealRedisTls, a_user_with_his_password_by_name_and_by_address) {
  OwnRedis redis(certificates().options("here"));
  give_a_user(redis);
  for (const std::string name : {"127.0.0.1", "localhost"}) {
    make(single(redis.tls_host(name), "gate"), std::string(secret), certificates().ca());
    EXPECT_TRUE(ask("alice").has_value()) << name;
    EXPECT_FALSE(gate_->trouble());
  }
  EXPECT_TRUE(has(redis.command({"CLIENT", "LIST"}).text, "user=gate"));
}

TEST_F(RealRedisTls, another_authority) {
  OwnRedis redis(certificates().options("here"));
  give_a_user(redis);
  const auto [log, said] = said_of(single(redis.tls_host(), "gate"), certificates().other_ca(), true);
  for (const auto& part :
       {redis.tls_host(), std::string("not of the authority in gate_tls_ca"), certificates().other_ca()}) {
    EXPECT_TRUE(has(log, part) && has(said, part)) << part << "\n" << log << said;
  }
}

TEST_F(RealRedisTls, a_certificate_for_another_name) {
  OwnRedis redis(certificates().options("elsewhere"));
  give_a_user(redis);
  for (const std::string name : {"127.0.0.1", "localhost"}) {
    const auto [log, said] = said_of(single(redis.tls_host(name), "gate"), certificates().ca(), true);
    for (const auto& part : {redis.tls_host(name), "is not for " + name, std::string("(gate)")}) {
      EXPECT_TRUE(has(log, part) && has(said, part)) << part << "\n" << log << said;
    }
  }
}

TEST_F(RealRedisTls, a_wrong_password) {
  OwnRedis redis(certificates().options("here"));
  redis.command({"ACL", "SETUSER", "gate", "reset", "on", ">another", "~*", "+@all"});
  const auto [log, said] = said_of(single(redis.tls_host(), "gate"), certificates().ca(), true);
  EXPECT_TRUE(has(log, redis.tls_host()) && has(log, "WRONGPASS") && has(said, "WRONGPASS")) << log;
}

TEST_F(RealRedisTls, a_port_that_speaks_no_tls) {
  OwnRedis redis;
  const auto [log, said] = said_of(single(redis.host()), certificates().ca(), false);
  EXPECT_TRUE(has(log, redis.host()) && has(log, "does it speak TLS on this port") && has(log, "gate_tls_ca")) << log;
}

TEST_F(RealRedisTls, a_port_that_speaks_only_tls) {
  OwnRedis redis(certificates().options("here"));
  const auto [log, said] = said_of(single(redis.tls_host()), "", false);
  EXPECT_TRUE(has(log, redis.tls_host()) && has(log, "If it wants TLS, set gate_tls_ca")) << log;
}

TEST_F(RealRedisTls, a_file_without_certificates) {
  for (const auto& file : {certificates().file("nowhere.pem"), certificates().file("ca.key")}) {
    const auto opened = RedisGate::open(
        {.io = loop_.io(), .clock = clock_, .random = random_, .servers = single("127.0.0.1:1"), .tls_ca = file});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, FaultKind::misconfigured);
    EXPECT_TRUE(has(opened.error().what, "gate_tls_ca") && has(opened.error().what, file)) << opened.error().what;
  }
}

}  // namespace
}  // namespace firstcome
