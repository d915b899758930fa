// Runs the gate's contract on real servers (Redis alone, over TLS, behind a sentinel, as a cluster), shows that each
// clause turns red when an adapter breaks it, and what only real servers can show: failover, moved slots, a flushed
// library.
#include "gate_contract.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <thread>

#include "gate/hand_redis.h"
#include "gate/recording_asker.h"
#include "gate/redis_function.h"
#include "gate/redis_gate.h"
#include "words.h"

namespace firstcome {
namespace {

constexpr std::string_view prefix = "firstcome-contract";

std::vector<std::string> servers_of(const char* variable) {
  const char* const value = std::getenv(variable);
  std::vector<std::string> hosts;
  std::string_view text = value ? value : "";
  while (!text.empty()) {
    const auto comma = text.find(',');
    hosts.emplace_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return hosts;
}

enum class Kind : std::uint8_t { single, tls, sentinel, cluster };
constexpr Kind kinds[] = {Kind::single, Kind::tls, Kind::sentinel, Kind::cluster};
std::string name_of(Kind kind) {
  constexpr std::string_view names[] = {"OnRedis", "OverTls", "BehindASentinel", "OnACluster"};
  return std::string(names[static_cast<int>(kind)]);
}

/// Real servers. `why` says which is missing, and what starts it.
class RedisHost final : public GateHost {
 public:
  explicit RedisHost(Kind kind) : kind_(kind) {
    switch (kind) {
      case Kind::single:
        servers_ = {.hosts = need("TEST_REDIS"), .user = {}, .master = {}};
        hands_at(servers_.hosts);
        break;
      case Kind::tls:
        servers_ = {.hosts = need("TEST_REDIS_TLS"), .user = {}, .master = {}};
        hands_at(need("TEST_REDIS"));
        if (const auto file = need("TEST_REDIS_CA"); !file.empty()) ca_ = file[0];
        break;
      case Kind::sentinel:
        servers_ = {.kind = RedisServers::Kind::sentinel,
                    .hosts = need("TEST_REDIS_SENTINEL"),
                    .user = {},
                    .master = "firstcome"};
        if (why.empty()) find_master();
        break;
      case Kind::cluster:
        servers_ = {.kind = RedisServers::Kind::cluster, .hosts = need("TEST_REDIS_CLUSTER"), .user = {}, .master = {}};
        hands_at(servers_.hosts);
        break;
    }
  }
  ~RedisHost() override {
    for (auto& [host, hand] : hands_) {
      hand.command({"CONFIG", "SET", "maxmemory", "0"});
      hand.command({"CLIENT", "UNPAUSE"});
    }
  }

  Result<std::unique_ptr<Gate>> open(std::size_t asks_max, const InstallationId& installation) override {
    auto opened = RedisGate::open({.io = loop().io(),
                                   .clock = clock_,
                                   .random = random_,
                                   .servers = servers_,
                                   .password = {},
                                   .tls_ca = ca_,
                                   .prefix = std::string(prefix),
                                   .installation = installation,
                                   .asks_max = asks_max});
    if (!opened) return fail(opened.error());
    return std::unique_ptr<Gate>(std::move(*opened));
  }

  // Nobody else's, in this run or in another one beside it.
  std::string campaign(std::string_view name) override {
    static int number = 0;
    return std::string(name) + "-" + std::to_string(getpid()) + "-" + std::to_string(++number);
  }
  std::size_t keys(const std::string& campaign) override {
    const RedisKeys keys(prefix, campaign);
    return static_cast<std::size_t>(of(campaign).command({"EXISTS", keys.meta, keys.users}).number);
  }
  void lose(const std::string& campaign) override {
    const RedisKeys keys(prefix, campaign);
    of(campaign).command({"DEL", keys.meta, keys.users});
  }
  void fill(bool full) override {
    for (auto& [host, hand] : hands_) hand.command({"CONFIG", "SET", "maxmemory", full ? "1" : "0"});
  }
  void hold(Millis time) override {
    for (auto& [host, hand] : hands_) hand.command({"CLIENT", "PAUSE", std::to_string(time.count()), "ALL"});
  }

  /// The server that has the campaign.
  HandRedis& of(const std::string& campaign) {
    if (kind_ != Kind::cluster) return hands_.begin()->second;
    const auto map = map_of_slots(hands_.begin()->second.command({"CLUSTER", "SLOTS"}), hands_.begin()->first);
    return hands_.at(std::string(map->host_of(redis_slot(campaign))));
  }
  std::map<std::string, HandRedis>& hands() { return hands_; }

  void find_master() {
    hands_.clear();
    auto sentinel = HandRedis::connect(servers_.hosts[0]);
    if (!sentinel) {
      why = sentinel.error().what + ": start them: ./x servers up --cluster";
      return;
    }
    const auto map = map_of_master(sentinel->command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "firstcome"}));
    if (map) hands_at(map->hosts());
  }

  std::string why;

 private:
  std::vector<std::string> need(const char* variable) {
    auto hosts = servers_of(variable);
    if (hosts.empty()) why = std::string(variable) + " is not set: start them: ./x servers up --cluster";
    return hosts;
  }
  void hands_at(const std::vector<std::string>& hosts) {
    for (const auto& host : hosts) {
      auto hand = HandRedis::connect(host);
      if (hand) {
        hands_.emplace(host, std::move(*hand));
      } else {
        why = hand.error().what + ": start them: ./x servers up --cluster";
      }
    }
  }

  const Kind kind_;
  RedisServers servers_;
  std::string ca_;
  std::map<std::string, HandRedis> hands_;
  SystemClock clock_;
  SystemRandom random_;
};

/// A server keeps the library that it has, and whose the prefix was in a run before: here both begin anew.
class FreshServers : public testing::Environment {
  void SetUp() override {
    for (const char* variable : {"TEST_REDIS", "TEST_REDIS_CLUSTER"}) {
      for (const auto& host : servers_of(variable)) {
        if (auto hand = HandRedis::connect(host)) begin_anew(*hand);
      }
    }
    RedisHost sentinel(Kind::sentinel);
    for (auto& [host, hand] : sentinel.hands()) begin_anew(hand);
  }
  static void begin_anew(HandRedis& hand) {
    hand.command({"FUNCTION", "DELETE", redis_library});
    hand.command({"DEL", redis_owner_key(prefix)});  // of a cluster one server has it, the others say so
  }
};
const auto* const fresh_servers = testing::AddGlobalTestEnvironment(new FreshServers);

class GateContract : public testing::TestWithParam<std::tuple<Kind, Clause<GateHost>>> {};

TEST_P(GateContract, Holds) {
  RedisHost host(std::get<0>(GetParam()));
  ASSERT_EQ(host.why, "");
  EXPECT_TRUE(std::get<1>(GetParam()).holds(host)) << std::get<1>(GetParam()).sentence;
}

INSTANTIATE_TEST_SUITE_P(, GateContract, testing::Combine(testing::ValuesIn(kinds), testing::ValuesIn(gate_contract())),
                         [](const auto& info) {
                           return std::get<1>(info.param).label + name_of(std::get<0>(info.param));
                         });

TEST(GateContractWords, AreThoseOfTheHeader) {
  const auto header = words_of_header("gate/gate.h");
  for (const auto& clause : gate_contract()) {
    EXPECT_NE(header.find(clause.sentence), std::string::npos) << clause.label << ": " << clause.sentence;
  }
  EXPECT_EQ(labels_of_header("gate/gate.h", "class Gate "),
            (std::vector<std::string>{"Filters", "Again", "Widened", "Forgotten", "Answered", "Ends", "Away", "Bounds",
                                      "Owned", "Threads"}));
}

/// How an adapter may be broken, between the gate and its asker.
struct Breakage {
  std::string name;
  std::string clause;  ///< that must see it
  std::function<void(GateAnswer&)> answer = [](GateAnswer&) {};
  bool drops_every_other = false;
  bool tells_twice = false;
  bool tells_faults = true;
  bool takes_more = false;
  bool never_forgets = false;
  bool widens_for_everybody = false;
  bool queues_while_away = false;
  bool tells_on_another_thread = false;
  bool is_anybodys = false;
};

class BrokenGate final : public Gate, private GateAsker {
 public:
  BrokenGate(std::unique_ptr<Gate> gate, const Breakage& breakage) : gate_(std::move(gate)), how_(breakage) {}
  void start(GateAsker& asker) override {
    asker_ = &asker;
    gate_->start(*this);
  }
  Result<void> ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) override {
    auto taken = gate_->ask(campaign, user, places, number);
    if (!taken && taken.error().kind == FaultKind::overloaded && how_.takes_more) return {};
    if (!taken && taken.error().kind == FaultKind::unavailable && how_.queues_while_away && started_) return {};
    started_ |= taken.has_value();
    return taken;
  }
  void widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) override {
    auto& seen = seen_[campaign.str()];
    gate_->widen(campaign, how_.widens_for_everybody && seen != 0 ? seen : generation, places);
  }
  void forget(const CampaignId& campaign) override {
    if (!how_.never_forgets) gate_->forget(campaign);
  }
  void tick() override { gate_->tick(); }
  std::optional<Fault> trouble() const override { return gate_->trouble(); }
  Stats stats() const override { return gate_->stats(); }

 private:
  void gated(std::string_view campaign, std::uint64_t generation, std::span<const GateAnswer> answers) override {
    seen_[std::string(campaign)] = generation;
    std::vector<GateAnswer> changed;
    for (GateAnswer one : answers) {
      if (how_.drops_every_other && ++count_ % 2 == 0) continue;
      how_.answer(one);
      changed.push_back(one);
    }
    if (how_.tells_on_another_thread) {
      return std::thread([&] { asker_->gated(campaign, generation, changed); }).join();
    }
    asker_->gated(campaign, generation, changed);
    if (how_.tells_twice && !changed.empty()) asker_->gated(campaign, generation, changed);
  }
  void gate_failed(std::string_view campaign, std::span<const Ask> asks, const Fault& fault) override {
    if (how_.tells_faults) asker_->gate_failed(campaign, asks, fault);
  }

  std::unique_ptr<Gate> gate_;
  const Breakage& how_;
  GateAsker* asker_ = nullptr;
  inline static std::map<std::string, std::uint64_t> seen_;  // by all of them
  std::size_t count_ = 0;
  bool started_ = false;
};

class BrokenHost final : public GateHost {
 public:
  explicit BrokenHost(const Breakage& breakage) : breakage_(breakage) {}
  Result<std::unique_ptr<Gate>> open(std::size_t asks_max, const InstallationId& installation) override {
    // On the loop that the contract turns.
    auto opened = RedisGate::open({.io = loop().io(),
                                   .clock = clock_,
                                   .random = random_,
                                   .servers = {.hosts = servers_of("TEST_REDIS"), .user = {}, .master = {}},
                                   .password = {},
                                   .tls_ca = {},
                                   .prefix = std::string(prefix),
                                   .installation = breakage_.is_anybodys ? contract_installation : installation,
                                   .asks_max = asks_max});
    if (!opened) return fail(opened.error());
    return std::make_unique<BrokenGate>(std::move(*opened), breakage_);
  }
  std::string campaign(std::string_view name) override { return host_.campaign(name); }
  std::size_t keys(const std::string& campaign) override { return host_.keys(campaign); }
  void lose(const std::string& campaign) override { host_.lose(campaign); }
  void fill(bool full) override { host_.fill(full); }
  void hold(Millis time) override { host_.hold(time); }
  const std::string& why() const { return host_.why; }

 private:
  RedisHost host_{Kind::single};
  const Breakage& breakage_;
  SystemClock clock_;
  SystemRandom random_;
};

std::vector<Breakage> breakages() {
  return {
      {.name = "LetsEverybodyThrough",
       .clause = "Filters",
       .answer = [](GateAnswer& one) { one.admission = Admission::in; }},
      {.name = "KnowsNobody",
       .clause = "Again",
       .answer =
           [](GateAnswer& one) {
             if (one.admission == Admission::again) one.admission = Admission::full;
           }},
      {.name = "WidensForEverybody", .clause = "Widened", .widens_for_everybody = true},
      {.name = "NeverForgets", .clause = "Forgotten", .never_forgets = true},
      {.name = "DropsEveryOther", .clause = "Answered", .drops_every_other = true},
      {.name = "TellsTwice", .clause = "Answered", .tells_twice = true},
      {.name = "IsSilentWhenLate", .clause = "Ends", .tells_faults = false},
      {.name = "QueuesWhileAway", .clause = "Away", .queues_while_away = true},
      {.name = "TakesMoreThanItCan", .clause = "Bounds", .takes_more = true},
      {.name = "IsAnybodys", .clause = "Owned", .is_anybodys = true},
      {.name = "CallsOnAnyThread", .clause = "Threads", .tells_on_another_thread = true},
  };
}

class BrokenGateContract : public testing::TestWithParam<Breakage> {};

TEST_P(BrokenGateContract, TurnsRed) {
  const auto contract = gate_contract();
  const auto clause = std::ranges::find(contract, GetParam().clause, &Clause<GateHost>::label);
  ASSERT_NE(clause, contract.end());
  BrokenHost host(GetParam());
  ASSERT_EQ(host.why(), "");
  const auto result = clause->holds(host);
  EXPECT_FALSE(result);
  std::cout << clause->label << " is red: " << result.message() << "\n";
}

INSTANTIATE_TEST_SUITE_P(, BrokenGateContract, testing::ValuesIn(breakages()),
                         [](const auto& info) { return info.param.name; });

/// A gate on real servers, in the hand of a test.
class RealGate : public testing::Test {
 protected:
  void start(Kind kind) {
    host_ = std::make_unique<RedisHost>(kind);
    ASSERT_EQ(host_->why, "");
    auto opened = host_->open(limits::gate_asks_max, contract_installation);
    ASSERT_TRUE(opened) << opened.error().what;
    gate_ = std::move(*opened);
    gate_->start(asker_);
    host_->loop().on_tick(this, [this] { gate_->tick(); });
  }
  /// Asks until it is answered, as a user does who comes again.
  std::optional<Admission> ask(const std::string& campaign, const std::string& user, Millis most = Millis(10'000)) {
    std::optional<Admission> said;
    host_->loop().turn_until(
        [&] {
          const AskNumber number = ++last_;
          if (!gate_->ask(campaign, user, 5, number)) return false;
          host_->loop().turn_until([&] { return asker_.told.contains(number); }, Millis(1000));
          if (asker_.answers.contains(number)) said = asker_.answers.at(number).admission;
          return said.has_value();
        },
        most);
    return said;
  }

  std::unique_ptr<RedisHost> host_;
  RecordingAsker asker_;
  std::unique_ptr<Gate> gate_;
  AskNumber last_ = 0;
};

class EachRealGate : public RealGate, public testing::WithParamInterface<Kind> {};

TEST_P(EachRealGate, a_flushed_library_is_loaded_again_and_nobody_notices) {
  ASSERT_NO_FATAL_FAILURE(start(GetParam()));
  const auto campaign = host_->campaign("flushed");
  ASSERT_EQ(ask(campaign, "alice"), Admission::in);
  for (auto& [host, hand] : host_->hands()) hand.command({"FUNCTION", "FLUSH"});
  const auto faults = asker_.faults.size();
  EXPECT_EQ(ask(campaign, "alice"), Admission::again);
  EXPECT_EQ(asker_.faults.size(), faults);
}

TEST_P(EachRealGate, its_keys_have_a_time) {
  ASSERT_NO_FATAL_FAILURE(start(GetParam()));
  const auto campaign = host_->campaign("timed");
  ASSERT_EQ(ask(campaign, "alice"), Admission::in);
  const RedisKeys keys(prefix, campaign);
  for (const auto& key : {keys.meta, keys.users}) {
    const auto left = host_->of(campaign).command({"TTL", key}).number;
    EXPECT_GT(left, 86000) << key;
    EXPECT_LE(left, 86400) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(, EachRealGate, testing::ValuesIn(kinds),
                         [](const auto& info) { return name_of(info.param); });

TEST_F(RealGate, follows_a_failover_of_the_sentinels) {
  ASSERT_NO_FATAL_FAILURE(start(Kind::sentinel));
  const auto campaign = host_->campaign("failover");
  ASSERT_EQ(ask(campaign, "alice"), Admission::in);
  auto sentinel = HandRedis::connect(servers_of("TEST_REDIS_SENTINEL").at(0));
  ASSERT_TRUE(sentinel);
  const std::string old_master = host_->hands().begin()->first;
  RedisValue begun;
  ASSERT_TRUE(host_->loop().turn_until(
      [&] {
        begun = sentinel->command({"SENTINEL", "FAILOVER", "firstcome"});
        return !begun.is(RedisValue::Kind::error);
      },
      Millis(20'000)))
      << begun.text;
  ASSERT_TRUE(host_->loop().turn_until(
      [&] {
        host_->find_master();
        return !host_->hands().empty() && host_->hands().begin()->first != old_master;
      },
      Millis(20'000)));
  // The old one says READONLY or cuts the link; then claims go past the gate until the sentinels name the new one.
  ASSERT_TRUE(host_->loop().turn_until(
      [&] { return ask(campaign, "bob", Millis(1000)).has_value() && host_->keys(campaign) == 2; }, Millis(15'000)));
  EXPECT_TRUE(ask(campaign, "alice").has_value());
}

TEST_F(RealGate, follows_a_slot_that_is_moved) {
  ASSERT_NO_FATAL_FAILURE(start(Kind::cluster));
  const auto campaign = host_->campaign("moved");
  ASSERT_EQ(ask(campaign, "alice"), Admission::in);
  HandRedis& from = host_->of(campaign);
  HandRedis* to = nullptr;
  std::string to_host;
  for (auto& [host, hand] : host_->hands()) {
    if (&hand != &from) to = &hand, to_host = host;
  }
  const auto slot = std::to_string(redis_slot(campaign));
  const auto from_id = from.command({"CLUSTER", "MYID"}).text, to_id = to->command({"CLUSTER", "MYID"}).text;
  const auto faults = asker_.faults.size();
  to->command({"CLUSTER", "SETSLOT", slot, "IMPORTING", from_id});
  from.command({"CLUSTER", "SETSLOT", slot, "MIGRATING", to_id});
  EXPECT_EQ(ask(campaign, "bob"), Admission::in) << "the keys are still here";
  const RedisKeys keys(prefix, campaign);
  const auto port = to_host.substr(to_host.rfind(':') + 1);
  from.command({"MIGRATE", "127.0.0.1", port, keys.meta, "0", "1000"});
  // One key here and one there: TRYAGAIN until the other one has moved too.
  ASSERT_TRUE(gate_->ask(campaign, "carol", 5, 5000));
  host_->loop().turn_for(Millis(30));
  EXPECT_FALSE(asker_.told.contains(5000));
  from.command({"MIGRATE", "127.0.0.1", port, keys.users, "0", "1000"});
  ASSERT_TRUE(host_->loop().turn_until([&] { return asker_.told.contains(5000); }));
  EXPECT_TRUE(asker_.answers.contains(5000)) << asker_.faults.at(5000).what;
  EXPECT_EQ(asker_.answers.at(5000).admission, Admission::in) << "by ASK";
  for (auto& [host, hand] : host_->hands()) hand.command({"CLUSTER", "SETSLOT", slot, "NODE", to_id});
  EXPECT_EQ(ask(campaign, "alice"), Admission::again) << "by MOVED";
  EXPECT_EQ(ask(campaign, "bob"), Admission::again);
  EXPECT_EQ(asker_.faults.size(), faults);
  EXPECT_GE(gate_->stats().redirects, 2U);
  gate_->forget(campaign);
  ASSERT_TRUE(host_->loop().turn_until([&] { return host_->keys(campaign) == 0; }));
  for (auto& [host, hand] : host_->hands()) hand.command({"CLUSTER", "SETSLOT", slot, "NODE", from_id});
}

TEST_F(RealGate, goes_on_after_the_server_was_restarted) {
  ASSERT_NO_FATAL_FAILURE(start(Kind::single));
  const auto campaign = host_->campaign("restarted");
  ASSERT_EQ(ask(campaign, "alice"), Admission::in);
  HandRedis& hand = host_->hands().begin()->second;
  // As a restart looks to clients: the connections are cut and the memory is gone.
  hand.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  hand.command({"FUNCTION", "FLUSH"});
  host_->lose(campaign);
  EXPECT_EQ(ask(campaign, "alice"), Admission::in);
}

}  // namespace
}  // namespace firstcome
