// The parts of the Redis gate that need no server: the codec, error replies, the map of slots, the keys.
#include <gtest/gtest.h>

#include "base/hex.h"
#include "base/sha256.h"
#include "gate/redis_codec.h"
#include "gate/redis_error.h"
#include "gate/redis_function.h"
#include "gate/redis_map.h"

namespace firstcome {
namespace {

RedisValue read(std::string_view bytes) {
  RedisReader reader;
  EXPECT_TRUE(reader.feed(bytes));
  auto value = reader.next();
  EXPECT_TRUE(value && *value) << bytes;
  return **value;
}

TEST(RedisCodec, writes_counts_and_bytes_whatever_they_are) {
  std::string out;
  append_command(out, {"SET", "a b", std::string_view("\r\n*9", 4)});
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$4\r\n\r\n*9\r\n");
}

TEST(RedisCodec, reads_replies_in_any_pieces) {
  const std::string bytes = "*3\r\n:7\r\n$2\r\nif\r\n$-1\r\n-OOM no\r\n+OK\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    RedisReader reader;
    std::vector<RedisValue> values;
    for (const std::string& piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
      ASSERT_TRUE(reader.feed(piece));
      for (auto value = reader.next(); value && *value; value = reader.next()) values.push_back(**value);
    }
    ASSERT_EQ(values.size(), 3U) << cut;
    EXPECT_EQ(values[0].list.at(0).number, 7);
    EXPECT_EQ(values[0].list.at(1).text, "if");
    EXPECT_TRUE(values[0].list.at(2).is(RedisValue::Kind::nothing));
    EXPECT_TRUE(values[1].is(RedisValue::Kind::error));
    EXPECT_EQ(values[1].text, "OOM no");
    EXPECT_EQ(values[2].text, "OK");
  }
}

TEST(RedisCodec, refuses_what_is_not_redis_and_what_never_ends) {
  RedisReader http;
  ASSERT_TRUE(http.feed("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const auto value = http.next();
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().kind, FaultKind::corrupt);
  RedisReader endless;
  ASSERT_TRUE(endless.feed("$100000000\r\n"));
  Result<std::optional<RedisValue>> read = std::nullopt;
  for (std::size_t fed = 0; read && fed <= RedisReader::reply_bytes_max; fed += 65536) {
    ASSERT_TRUE(endless.feed(std::string(65536, 'x')));
    read = endless.next();
  }
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, FaultKind::corrupt);
}

TEST(RedisError, says_what_is_to_be_done) {
  const auto remedy = [](std::string_view text) { return read_redis_error(text).remedy; };
  for (const auto* text :
       {"LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script.",
        "UNKILLABLE Sorry the script already executed write commands",
        "MISCONF Redis is configured to save RDB snapshots", "OOM command not allowed when used memory > 'maxmemory'.",
        "NOREPLICAS Not enough good replicas to write."}) {
    EXPECT_EQ(remedy(text), RedisRemedy::wait) << text;
    EXPECT_TRUE(read_redis_error(text).fault.retryable()) << text;
  }
  EXPECT_EQ(remedy("MASTERDOWN Link with MASTER is down"), RedisRemedy::look_again);
  EXPECT_EQ(remedy("CLUSTERDOWN The cluster is down"), RedisRemedy::look_again);
  EXPECT_EQ(remedy("READONLY You can't write against a read only replica."), RedisRemedy::leave);
  EXPECT_EQ(remedy("TRYAGAIN Multiple keys request during rehashing of slot"), RedisRemedy::repeat);
  EXPECT_EQ(remedy("ERR Function not found"), RedisRemedy::load_function);
  EXPECT_EQ(remedy("NOSCRIPT No matching script."), RedisRemedy::load_function);
  EXPECT_EQ(remedy("MOVED 3999 10.0.0.7:6381"), RedisRemedy::follow);
  EXPECT_EQ(read_redis_error("MOVED 3999 10.0.0.7:6381").server, "10.0.0.7:6381");
  EXPECT_EQ(remedy("ASK 3999 :6381"), RedisRemedy::follow_once);
  EXPECT_EQ(read_redis_error("ASK 3999 :6381").server, ":6381");
  for (const auto* text : {"NOAUTH Authentication required.", "WRONGPASS invalid username-password pair",
                           "NOPERM this user has no permissions", "ERR something new"}) {
    EXPECT_EQ(remedy(text), RedisRemedy::call_a_person) << text;
    EXPECT_FALSE(read_redis_error(text).fault.retryable()) << text;
  }
  EXPECT_NE(read_redis_error("NOAUTH x").fault.what.find("gate_password_file"), std::string::npos);
  EXPECT_EQ(
      read_redis_error("ERR The user executing the script can't run this command or subcommand script: x").fault.what,
      read_redis_error("NOPERM x").fault.what);
  const auto old = read_redis_error("ERR unknown command `FCALL`, with args beginning with: `alice`, ").fault;
  EXPECT_EQ(old.kind, FaultKind::misconfigured);
  EXPECT_NE(old.what.find("Redis 7.0 or newer"), std::string::npos) << old.what;
  EXPECT_EQ(old.what.find("alice"), std::string::npos) << old.what;
}

TEST(RedisError, of_auth_never_repeats_what_the_server_says) {
  const std::string says = "ERR unknown command 'AUTH', with args beginning with: 'alice' 'hunter2' ";
  EXPECT_EQ(read_auth_error(says).fault.what.find("hunter2"), std::string::npos);
  const std::string another = "ERR what is alice hunter2";
  EXPECT_EQ(read_auth_error(another).fault.what.find("hunter2"), std::string::npos);
  EXPECT_NE(read_redis_error(another).fault.what.find("hunter2"), std::string::npos) << "else this proves nothing";
}

TEST(RedisMap, puts_a_campaign_where_the_cluster_puts_its_hash_tag) {
  EXPECT_EQ(redis_slot("123456789"), 0x31c3 % redis_slots) << "the test value of the specification";
  EXPECT_EQ(redis_slot("foo"), 12182);
  EXPECT_EQ(RedisKeys("firstcome", "lunch").meta, "firstcome:{lunch}:meta");
  EXPECT_EQ(RedisKeys("firstcome", "lunch").users, "firstcome:{lunch}:users");
}

TEST(RedisMap, is_read_from_cluster_slots) {
  const auto map = map_of_slots(read("*2\r\n*4\r\n:0\r\n:8191\r\n*3\r\n$8\r\n10.0.0.1\r\n:7000\r\n$2\r\nid\r\n*3\r\n$"
                                     "8\r\n10.0.0.9\r\n:7009\r\n$2\r\nix\r\n"
                                     "*3\r\n:8192\r\n:16383\r\n*2\r\n$0\r\n\r\n:7001\r\n"),
                                "10.0.0.5:7005");
  ASSERT_TRUE(map) << map.error().what;
  EXPECT_EQ(map->host_of(0), "10.0.0.1:7000");
  EXPECT_EQ(map->host_of(8191), "10.0.0.1:7000");
  EXPECT_EQ(map->host_of(8192), "10.0.0.5:7001") << "a server that does not know its address is where we asked";
  EXPECT_EQ(map->hosts().size(), 2U);
  for (const auto* bad : {":1\r\n", "*1\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n",
                          "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:65536\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*0\r\n"}) {
    const auto refused = map_of_slots(read(bad), "h:1");
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind, FaultKind::corrupt);
  }
  EXPECT_EQ(map_of_slots(read("*0\r\n"), "h:1").error().kind, FaultKind::unavailable);
}

TEST(RedisMap, is_read_from_a_sentinel) {
  EXPECT_EQ(map_of_master(read("*2\r\n$3\r\n::1\r\n$4\r\n6379\r\n"))->host_of(77), "[::1]:6379");
  EXPECT_EQ(map_of_master(read("*-1\r\n")).error().kind, FaultKind::misconfigured);
  EXPECT_EQ(map_of_master(read("*1\r\n$1\r\nx\r\n")).error().kind, FaultKind::corrupt);
  EXPECT_EQ(map_of_master(read("*2\r\n$1\r\nx\r\n$5\r\n99999\r\n")).error().kind, FaultKind::corrupt);
  EXPECT_TRUE(*is_primary(read("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")));
  EXPECT_FALSE(*is_primary(read("*2\r\n$5\r\nslave\r\n:0\r\n")));
  EXPECT_EQ(is_primary(read("+master\r\n")).error().kind, FaultKind::corrupt);
}

TEST(RedisMap, follows_redirections) {
  EXPECT_EQ(redirected_host("10.0.0.7:6381", "10.0.0.1:7000"), "10.0.0.7:6381");
  EXPECT_EQ(redirected_host(":6381", "10.0.0.1:7000"), "10.0.0.1:6381");
  EXPECT_EQ(redirected_host("?:6381", "10.0.0.1:7000"), "10.0.0.1:6381");
  EXPECT_EQ(redirected_host("::2:6381", "10.0.0.1:7000"), "[::2]:6381");
  EXPECT_EQ(redirected_host("", "10.0.0.1:7000"), "");
  for (const char* nowhere :
       {"10.0.0.1:", "10.0.0.1:x", "10.0.0.1:6381@16381", "10.0.0.1:0", "10.0.0.1:65536", ":-1"}) {
    EXPECT_EQ(redirected_host(nowhere, "10.0.0.1:7000"), "") << nowhere;
  }
}

TEST(RedisMemory, is_evicted_by_any_policy_but_one) {
  EXPECT_EQ(eviction_of("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nmem_x:1\r\n"), "allkeys-lru");
  EXPECT_EQ(eviction_of("maxmemory_policy:volatile-ttl"), "volatile-ttl") << "all our keys have a time";
  EXPECT_EQ(eviction_of("maxmemory_policy:noeviction\r\n"), "");
  EXPECT_EQ(eviction_of(""), "");
}

TEST(RedisServers, are_read_from_the_parts_of_the_url) {
  EXPECT_TRUE(redis_servers("redis", "alice", {"h:1"}, ""));
  EXPECT_EQ(redis_servers("redis-sentinel", "", {"h:1", "h:2"}, "first")->master, "first");
  EXPECT_EQ(redis_servers("redis-cluster", "", {"h:1", "h:2"}, "")->kind, RedisServers::Kind::cluster);
  EXPECT_FALSE(redis_servers("redis", "", {"h:1", "h:2"}, ""));
  EXPECT_FALSE(redis_servers("redis", "", {"h:1"}, "0")) << "databases have no place in a cluster, so nowhere";
  EXPECT_FALSE(redis_servers("redis-sentinel", "", {"h:1"}, ""));
  EXPECT_FALSE(redis_servers("redis-cluster", "", {"h:1"}, "x"));
  EXPECT_FALSE(redis_servers("rediss", "", {"h:1"}, ""));
}

TEST(RedisFunction, has_another_name_when_it_is_another) {
  EXPECT_EQ(redis_library, "firstcome_1");
  const auto source = redis_function_source();
  const auto digest = sha256({reinterpret_cast<const std::uint8_t*>(source.data()), source.size()});
  EXPECT_EQ(hex(digest).substr(0, 16), "b05d28b29472b401")
      << "a server that has a library of this name keeps it: if it was released, count redis_library up";
}

TEST(RedisFunction, is_answered_in_letters) {
  const auto said = admissions_of(read("*2\r\n:5\r\n$3\r\niaf\r\n"), 3);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->generation, 5U);
  EXPECT_EQ(said->users, (std::vector{Admission::in, Admission::again, Admission::full}));
  for (const auto* bad : {"*2\r\n:5\r\n$2\r\nia\r\n", "*2\r\n:5\r\n$3\r\niax\r\n", "*2\r\n:-5\r\n$3\r\niaf\r\n",
                          "*1\r\n:5\r\n", ":5\r\n", "$3\r\niaf\r\n", "*2\r\n$1\r\n5\r\n$3\r\niaf\r\n", "*-1\r\n"}) {
    const auto refused = admissions_of(read(bad), 3);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind, FaultKind::corrupt);
  }
}

}  // namespace
}  // namespace firstcome
