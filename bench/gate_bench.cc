// gate_bench HOST:PORT: what a claim costs Redis, by the size of its batch, and what the gate makes of a rush.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "gate/hand_redis.h"
#include "gate/recording_asker.h"
#include "gate/redis_function.h"
#include "gate/redis_gate.h"
#include "gate/turning_loop.h"

namespace firstcome {
namespace {

constexpr std::uint64_t claims = 64'000;

template <class Value>
Value have(Result<Value> result) {
  if (result) return *std::move(result);
  fmt::print(stderr, "{}\n", result.error().what);
  std::_Exit(1);
}

/// Seconds of CPU that the server has used.
double cpu_of(HandRedis& redis) {
  const std::string info = redis.command({"INFO", "cpu"}).text;
  double sum = 0;
  for (const std::string name : {"used_cpu_sys:", "used_cpu_user:"}) {
    const auto at = info.find(name);
    if (at != std::string::npos) sum += std::strtod(info.c_str() + at + name.size(), nullptr);
  }
  return sum;
}

/// The keys are gone, and their memory, which Redis gives back in a thread of its own.
void clear(HandRedis& redis, const RedisKeys& keys) {
  redis.command({"UNLINK", keys.meta, keys.users});
  while (!redis.command({"INFO", "memory"}).text.contains("lazyfree_pending_objects:0\r\n")) {
    std::this_thread::sleep_for(Millis(10));
  }
}

/// How many of the users of a call were let in.
std::uint64_t admitted(const RedisValue& reply, std::size_t users, std::uint32_t places) {
  if (places == 0) return reply.is(RedisValue::Kind::number) ? static_cast<std::uint64_t>(reply.number) : 0;
  return static_cast<std::uint64_t>(std::ranges::count(have(admissions_of(reply, users)).users, Admission::in));
}

/// One call of `batch` users after the other, until all claims are taken. No places: SADD alone, which any gate that
/// remembers its users has to pay.
void call(const std::string& host, std::size_t batch, std::uint32_t places, std::atomic<std::uint64_t>& taken,
          std::atomic<std::uint64_t>& in) {
  auto redis = have(HandRedis::connect(host));
  const RedisKeys keys("firstcome-bench", "bench");
  const std::string number = std::to_string(places);
  const std::vector<std::string_view> sadd{"SADD", keys.users};
  const std::vector<std::string_view> admit{"FCALL", "firstcome_1_admit", "2", keys.meta, keys.users, number};
  std::vector<std::string> names(batch);
  for (std::uint64_t claim = taken.fetch_add(batch); claim < claims; claim = taken.fetch_add(batch)) {
    auto words = places > 0 ? admit : sadd;
    for (std::size_t i = 0; i < batch; ++i) {
      names[i] = "user-" + std::to_string(claim + i);
      words.push_back(names[i]);
    }
    in += admitted(redis.command(words), batch, places);
  }
}

/// As many callers as loops, each with one call on its way: as many places as claims (all are in), one (all but one are
/// full), or none (SADD alone).
void by_hand(const std::string& host, HandRedis& redis, std::size_t callers, std::size_t batch, std::uint32_t places) {
  const RedisKeys keys("firstcome-bench", "bench");
  clear(redis, keys);
  std::atomic<std::uint64_t> taken = 0;
  std::atomic<std::uint64_t> in = 0;
  const double before = cpu_of(redis);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < callers; ++i) threads.emplace_back([&] { call(host, batch, places, taken, in); });
  }
  const double used = (cpu_of(redis) - before) * 1e6 / static_cast<double>(claims);
  if (in != (places == 1 ? 1 : claims)) {
    fmt::print(stderr, "{} of {} users were let in to {} places\n", in.load(), claims, places);
    std::_Exit(1);
  }
  fmt::print("{} with batches of {:2}, {}: {:6.2f} us of Redis' CPU a claim\n", callers, batch,
             places > 1 ? "in  " : (places > 0 ? "full" : "SADD"), used);
  clear(redis, keys);
}

/// Through the gate, `most` asks waiting at any time.
int through_the_gate(const std::string& host, HandRedis& redis, std::size_t most) {
  TurningLoop loop;
  SystemClock clock;
  SystemRandom random;
  RecordingAsker asker;
  auto gate = RedisGate::open({.io = loop.io(),
                               .clock = clock,
                               .random = random,
                               .servers = {.hosts = {host}, .user = {}, .master = {}},
                               .password = {},
                               .tls_ca = {},
                               .prefix = "firstcome-bench"});
  if (!gate) {
    fmt::print(stderr, "{}\n", gate.error().what);
    return 1;
  }
  (*gate)->start(asker);
  loop.on_tick(&loop, [&] { (*gate)->tick(); });
  AskNumber asked = 0;
  const auto ask = [&] {
    while (asked < claims && asked - asker.told.size() < most) {
      if (!(*gate)->ask("bench", "user-" + std::to_string(asked + 1), claims, asked + 1)) return;
      ++asked;
    }
  };
  const double before = cpu_of(redis);
  const auto began = clock.uptime();
  loop.turn_until(
      [&] {
        ask();
        return asker.told.size() == claims;
      },
      Millis(60'000));
  const auto stats = (*gate)->stats();
  fmt::print("{:4} asks at once: {:6.2f} us of Redis' CPU a claim, {:4.1f} users a call, {:.0f} claims/s, {} faults\n",
             most, (cpu_of(redis) - before) * 1e6 / static_cast<double>(claims),
             static_cast<double>(stats.asked) / static_cast<double>(stats.calls),
             static_cast<double>(claims) * 1000 / static_cast<double>((clock.uptime() - began).count()),
             asker.faults.size());
  clear(redis, RedisKeys("firstcome-bench", "bench"));
  return asker.faults.empty() ? 0 : 1;
}

}  // namespace
}  // namespace firstcome

int main(int argc, char** argv) {
  using namespace firstcome;  // NOLINT(google-build-using-namespace)
  if (argc != 2) {
    fmt::print(stderr, "gate_bench HOST:PORT\n");
    return 2;
  }
  auto redis = HandRedis::connect(argv[1]);
  if (!redis) {
    fmt::print(stderr, "{}: start it: ./x servers up\n", redis.error().what);
    return 3;
  }
  redis->command({"FUNCTION", "LOAD", "REPLACE", redis_function_source()});
  for (const std::uint32_t places : {static_cast<std::uint32_t>(claims), 1U, 0U}) {
    for (const std::size_t batch : {1U, 8U, 32U, 64U}) {
      for (const std::size_t callers : {1U, 4U}) by_hand(argv[1], *redis, callers, batch, places);
    }
  }
  int failed = 0;
  for (const std::size_t most : {1U, 16U, 256U, 4096U}) failed |= through_the_gate(argv[1], *redis, most);
  return failed;
}
