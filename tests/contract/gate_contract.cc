#include "gate_contract.h"

#include <atomic>
#include <optional>
#include <thread>

#include "base/limits.h"
#include "gate/recording_asker.h"

namespace firstcome {
namespace {

using testing::AssertionResult;
using testing::AssertionSuccess;

/// A gate that is open and started, and ticks; and what it told.
class Session {
 public:
  explicit Session(GateHost& host, std::size_t asks_max = limits::gate_asks_max) : host_(host) {
    auto opened = host.open(asks_max, contract_installation);
    if (!opened) {
      why_ = opened.error().what;
      return;
    }
    gate_ = std::move(*opened);
    gate_->start(asker);
    host_.loop().on_tick(this, [this] { gate_->tick(); });
    // Its first answer shows that it is there.
    const auto first = host.campaign("first");
    if (!ask(first, "somebody", 1)) why_ = "it takes no ask";
    if (!until([&] { return asker.told.contains(last_); })) why_ = "it does not answer";
    if (asker.faults.contains(last_)) why_ = asker.faults.at(last_).what;
    if (gate_->trouble()) why_ = gate_->trouble()->what;
    gate_->forget(first);
  }
  ~Session() { host_.loop().off_tick(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool works() const { return why_.empty(); }
  const std::string& why() const { return why_; }
  Gate& gate() { return *gate_; }
  AskNumber last() const { return last_; }
  bool until(const std::function<bool()>& is_so) { return host_.loop().turn_until(is_so, Millis(5000)); }

  /// Asks, as soon as the gate takes it.
  bool ask(const std::string& campaign, const std::string& user, std::uint32_t places) {
    ++last_;
    return until([&] { return gate_->ask(campaign, user, places, last_).has_value(); });
  }

  /// Asks about `users` users from `first` on, and waits until each was told.
  bool ask_all(const std::string& campaign, std::uint64_t first, std::uint64_t users, std::uint32_t places) {
    for (auto user = first; user < first + users; ++user) {
      if (!ask(campaign, "user" + std::to_string(user), places)) return false;
    }
    return until([&] { return asker.told.size() == last_; });
  }

  /// The same of the last `asks` asks.
  std::size_t count(Admission admission, std::uint64_t asks) const {
    return asker.count(admission, last_ - asks + 1, last_);
  }

  RecordingAsker asker;

 private:
  GateHost& host_;
  std::unique_ptr<Gate> gate_;
  AskNumber last_ = 0;
  std::string why_;
};

AssertionResult filters(GateHost& host) {
  Session one(host), other(host);
  CONTRACT_REQUIRE(one.works() && other.works()) << one.why() << other.why();
  const auto campaign = host.campaign("filters");
  CONTRACT_REQUIRE(one.ask_all(campaign, 0, 150, 200));
  CONTRACT_REQUIRE(one.count(Admission::in, 150) == 150) << one.count(Admission::in, 150);
  CONTRACT_REQUIRE(other.ask_all(campaign, 1000, 150, 120)) << "what later asks say does not matter";
  CONTRACT_REQUIRE(other.count(Admission::in, 150) == 50) << other.count(Admission::in, 150);
  CONTRACT_REQUIRE(other.count(Admission::full, 150) == 100) << other.count(Admission::full, 150);
  const auto another = host.campaign("another");
  CONTRACT_REQUIRE(one.ask_all(another, 1000, 3, 2));
  CONTRACT_REQUIRE(one.count(Admission::in, 3) == 2) << "campaigns have nothing to do with each other";
  return AssertionSuccess();
}

AssertionResult again(GateHost& host) {
  Session one(host), other(host);
  CONTRACT_REQUIRE(one.works() && other.works()) << one.why() << other.why();
  const auto campaign = host.campaign("again");
  CONTRACT_REQUIRE(one.ask_all(campaign, 0, 100, 100));
  CONTRACT_REQUIRE(other.ask_all(campaign, 0, 101, 100));
  CONTRACT_REQUIRE(other.count(Admission::again, 101) == 100) << other.count(Admission::again, 101);
  CONTRACT_REQUIRE(other.count(Admission::full, 101) == 1);
  for (const char* user : {"user7", "user7", "User7"}) CONTRACT_REQUIRE(one.ask(campaign, user, 5));
  CONTRACT_REQUIRE(one.until([&] { return one.asker.told.size() == one.last(); }));
  CONTRACT_REQUIRE(one.count(Admission::again, 3) == 2) << "users are bytes";
  const auto twice = host.campaign("twice");
  for (int i = 0; i < 2; ++i) CONTRACT_REQUIRE(one.ask(twice, "alice", 5));
  CONTRACT_REQUIRE(one.until([&] { return one.asker.told.size() == one.last(); }));
  CONTRACT_REQUIRE(one.count(Admission::in, 2) == 1 && one.count(Admission::again, 2) == 1) << "in one batch too";
  const auto narrow = host.campaign("narrow");
  for (const char* user : {"alice", "alice", "bob", "carol", "dave"}) CONTRACT_REQUIRE(one.ask(narrow, user, 3));
  CONTRACT_REQUIRE(one.until([&] { return one.asker.told.size() == one.last(); }));
  CONTRACT_REQUIRE(one.count(Admission::in, 5) == 3 && one.count(Admission::again, 5) == 1)
      << "and then he takes one place, not two";
  host.lose(campaign);
  CONTRACT_REQUIRE(one.ask_all(campaign, 0, 1, 5));
  CONTRACT_REQUIRE(one.count(Admission::in, 1) == 1) << "it may forget, and lets through then";
  return AssertionSuccess();
}

AssertionResult widened(GateHost& host) {
  Session one(host), other(host);
  CONTRACT_REQUIRE(one.works() && other.works()) << one.why() << other.why();
  const auto campaign = host.campaign("widened");
  CONTRACT_REQUIRE(one.ask_all(campaign, 0, 30, 20) && one.count(Admission::full, 30) == 10);
  const auto generation = one.asker.generations.at(campaign);
  CONTRACT_REQUIRE(generation > 0);
  one.gate().widen(campaign, generation, 3);
  CONTRACT_REQUIRE(one.until([&] { return one.asker.widened == 1; }));
  other.gate().widen(campaign, generation, 7);
  CONTRACT_REQUIRE(other.until([&] { return other.asker.widened == 1; }));
  const auto now = one.asker.generations.at(campaign);
  CONTRACT_REQUIRE(now != generation);
  CONTRACT_REQUIRE(other.asker.generations.at(campaign) == now) << "who comes second is told the same";
  CONTRACT_REQUIRE(other.ask_all(campaign, 100, 20, 5));
  CONTRACT_REQUIRE(other.count(Admission::in, 20) == 3) << other.count(Admission::in, 20);
  CONTRACT_REQUIRE(other.asker.generations.at(campaign) == now);
  other.gate().widen(campaign, now, 2);
  CONTRACT_REQUIRE(other.until([&] { return other.asker.widened == 2; }));
  CONTRACT_REQUIRE(one.ask_all(campaign, 100, 20, 5));
  CONTRACT_REQUIRE(one.count(Admission::again, 20) == 3 && one.count(Admission::in, 20) == 2);
  host.lose(campaign);
  one.gate().widen(campaign, now, 9);
  CONTRACT_REQUIRE(one.until([&] { return one.asker.widened == 2; }));
  CONTRACT_REQUIRE(one.asker.generations.at(campaign) == 0) << "nothing is known of it";
  CONTRACT_REQUIRE(one.ask_all(campaign, 0, 4, 3) && one.count(Admission::in, 4) == 3);
  const auto anew = one.asker.generations.at(campaign);
  CONTRACT_REQUIRE(anew != generation && anew != now && anew != 0) << "a limit that was made anew is another one";
  return AssertionSuccess();
}

AssertionResult forgotten(GateHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("forgotten");
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 10, 5));
  CONTRACT_REQUIRE(host.keys(campaign) > 0);
  session.gate().forget(campaign);
  CONTRACT_REQUIRE(session.until([&] { return host.keys(campaign) == 0; }));
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 3, 2) && session.count(Admission::in, 3) == 2) << "anew";
  host.fill(true);
  CONTRACT_REQUIRE(session.ask(campaign, "somebody", 5));
  CONTRACT_REQUIRE(session.until([&] { return session.asker.told.contains(session.last()); }));
  const bool was_refused = session.asker.faults.contains(session.last());
  session.gate().forget(campaign);
  const bool is_gone = session.until([&] { return host.keys(campaign) == 0; });
  host.fill(false);
  CONTRACT_REQUIRE(was_refused) << "else nothing is shown";
  CONTRACT_REQUIRE(is_gone) << "a full memory is when it matters most";
  return AssertionSuccess();
}

AssertionResult answered(GateHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("answered"), another = host.campaign("answered-too");
  // They may be on two servers, each of which proves itself by one answer.
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 1, 50) && session.ask_all(another, 0, 1, 50));
  bool is_within = false, was_within = false;
  const auto first = session.last() + 1;
  AskNumber number = session.last();
  for (int turn = 0; turn < 20; ++turn) {
    const auto before = session.asker.told.size();
    is_within = true;
    for (int i = 0; i < 100; ++i) {
      ++number;
      CONTRACT_REQUIRE(
          session.gate().ask(number % 2 ? campaign : another, "user" + std::to_string(number), 50, number));
      was_within |= is_within && session.asker.told.size() != before;
    }
    is_within = false;
    if (turn == 10) host.hold(Millis(250));
    if (turn >= 10) break;
    host.loop().turn_for(Millis(1));
  }
  CONTRACT_REQUIRE(!was_within) << "not from within a call";
  CONTRACT_REQUIRE(session.until([&] { return session.asker.told.size() == number; }));
  host.loop().turn_for(Millis(400));
  for (auto one = first; one <= number; ++one) {
    CONTRACT_REQUIRE(session.asker.told.at(one) == 1) << "ask " << one << " was told " << session.asker.told.at(one);
  }
  CONTRACT_REQUIRE(session.gate().stats().waiting == 0);
  return AssertionSuccess();
}

AssertionResult ends(GateHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("ends");
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 1, 5));
  host.hold(Millis(400));
  CONTRACT_REQUIRE(session.gate().ask(campaign, "alice", 5, 1000));
  using Steady = std::chrono::steady_clock;
  const auto began = Steady::now();
  CONTRACT_REQUIRE(session.until([&] { return session.asker.told.contains(1000); }));
  CONTRACT_REQUIRE(session.asker.faults.contains(1000)) << "it answered though it was held";
  CONTRACT_REQUIRE(session.asker.faults.at(1000).kind == FaultKind::timed_out) << session.asker.faults.at(1000).what;
  CONTRACT_REQUIRE(Steady::now() - began < 3 * limits::gate_bypass_ms_max_default);
  host.loop().turn_for(Millis(600));
  CONTRACT_REQUIRE(session.asker.told.at(1000) == 1 && !session.asker.answers.contains(1000)) << "dropped";
  CONTRACT_REQUIRE(session.ask(campaign, "bob", 5));
  CONTRACT_REQUIRE(session.until([&] { return session.asker.answers.contains(session.last()); })) << "and it goes on";
  return AssertionSuccess();
}

AssertionResult away(GateHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("away");
  host.fill(true);
  CONTRACT_REQUIRE(session.ask(campaign, "alice", 5));
  const bool is_told = session.until([&] { return session.asker.told.contains(session.last()); });
  const auto taken = session.gate().ask(campaign, "bob", 5, 1000);
  host.fill(false);
  CONTRACT_REQUIRE(is_told && session.asker.faults.contains(session.last())) << "else nothing is shown";
  CONTRACT_REQUIRE(session.asker.faults.at(session.last()).kind == FaultKind::unavailable);
  CONTRACT_REQUIRE(!taken && taken.error().kind == FaultKind::unavailable);
  CONTRACT_REQUIRE(session.ask(campaign, "carol", 5));
  CONTRACT_REQUIRE(session.until([&] { return session.asker.answers.contains(session.last()); }));
  CONTRACT_REQUIRE(!session.asker.told.contains(1000)) << "what was refused is not asked";
  return AssertionSuccess();
}

AssertionResult bounds(GateHost& host) {
  constexpr std::size_t limit = 100;
  Session session(host, limit);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("bounds");
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 1, 500));
  // Of a cluster the server of this campaign may be another one than those that the session has met.
  CONTRACT_REQUIRE(session.ask(campaign, "first", 500));
  CONTRACT_REQUIRE(session.until([&] { return session.asker.told.contains(session.last()); }));
  for (AskNumber number = 1001; number <= 1000 + limit; ++number) {
    CONTRACT_REQUIRE(session.gate().ask(campaign, "user" + std::to_string(number), 500, number)) << number;
  }
  CONTRACT_REQUIRE(session.gate().stats().waiting == limit);
  const auto beyond = session.gate().ask(campaign, "one-more", 500, 2000);
  CONTRACT_REQUIRE(!beyond && beyond.error().kind == FaultKind::overloaded);
  CONTRACT_REQUIRE(session.until([&] { return session.asker.told.contains(1000 + limit); }));
  CONTRACT_REQUIRE(session.gate().ask(campaign, "one-more", 500, 2001)) << "and when there is room again, on it goes";
  CONTRACT_REQUIRE(session.until([&] { return session.asker.told.contains(2001); }));
  CONTRACT_REQUIRE(!session.asker.told.contains(2000));
  return AssertionSuccess();
}

AssertionResult owned(GateHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("owned");
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 3, 2));
  const auto generation = session.asker.generations.at(campaign);
  auto opened = host.open(limits::gate_asks_max, InstallationId{'t', 'h', 'e', 'i', 'r', 's'});
  CONTRACT_REQUIRE(opened);
  Gate& other = **opened;
  RecordingAsker asker;
  other.start(asker);
  bool is_taken = false;
  host.loop().on_tick(&other, [&] {
    other.tick();
    is_taken |= other.ask(campaign, "somebody", 5, 1).has_value();
    other.widen(campaign, generation, 7);
    other.forget(campaign);
  });
  const bool is_told = session.until([&] { return other.trouble().has_value(); });
  host.loop().turn_for(Millis(100));
  host.loop().off_tick(&other);
  CONTRACT_REQUIRE(is_told) << "nobody hears of it";
  CONTRACT_REQUIRE(other.trouble()->kind == FaultKind::misconfigured) << other.trouble()->what;
  CONTRACT_REQUIRE(!is_taken);
  CONTRACT_REQUIRE(session.ask_all(campaign, 0, 4, 2) && session.count(Admission::again, 4) == 2) << "nothing is gone";
  CONTRACT_REQUIRE(session.asker.generations.at(campaign) == generation && session.count(Admission::full, 4) == 2);
  CONTRACT_REQUIRE(!session.gate().trouble()) << session.gate().trouble()->what;
  return AssertionSuccess();
}

AssertionResult threads(GateHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto campaign = host.campaign("threads");
  std::atomic<bool> done = false;
  std::size_t most = 0, troubles = 0;
  std::thread scrape([&] {
    while (!done) {
      most = std::max(most, session.gate().stats().waiting);
      troubles += session.gate().trouble().has_value();
    }
  });
  const bool is_told = session.ask_all(campaign, 0, 2000, 5);
  done = true;
  scrape.join();
  CONTRACT_REQUIRE(is_told);
  CONTRACT_REQUIRE(most <= 2000 && troubles == 0);
  CONTRACT_REQUIRE(session.asker.thread == std::this_thread::get_id()) << "the loop's thread calls";
  return AssertionSuccess();
}

}  // namespace

std::vector<Clause<GateHost>> gate_contract() {
  return {
      {"Filters",
       "As many different users are `in` as the first ask of a campaign said that places are free; then others are "
       "`full`.",
       filters},
      {"Again", "Who was let through is `again`, until the gate forgets.", again},
      {"Widened",
       "Of those who widen one generation only the first raises the limit, by the places that it sees free; each is "
       "told "
       "the generation that holds then.",
       widened},
      {"Forgotten",
       "After forget() nothing of the campaign is left, even while the gate has no memory to spare; the next ask "
       "begins "
       "anew.",
       forgotten},
      {"Answered", "An ask that was taken is answered or told as failed, once, later.", answered},
      {"Ends",
       "An ask is told as failed with timed_out when its time is over, first that to wait in line, then that of the "
       "call; an answer that comes later is dropped.",
       ends},
      {"Away",
       "While the gate is known to be away, ask fails at once with unavailable; it is used again when it is back.",
       away},
      {"Bounds", "At most `gate_asks_max` asks wait; beyond, ask fails with overloaded.", bounds},
      {"Owned", "A gate that another installation uses takes no asks, and nothing there is widened or forgotten.",
       owned},
      {"Threads", "A gate lives on one loop, as its asker does; stats() and trouble() may be called from any thread.",
       threads},
  };
}

}  // namespace firstcome
