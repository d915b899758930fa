// All the ways in which one reader and one writer of the standings can take turns: none of them tells a winner that
// he has lost. tsan does not see this mistake, since no access races.
//
// DESIGN  The sources of the standings are compiled into this test with FIRSTCOME_SCHEDULE_POINTS. Reader and writer
// are two threads of which exactly one runs; at each schedule_point() the one that runs asks the explorer who goes on.
// The explorer walks the tree of all answers, depth first, a fresh standings for each path. What it does not walk are
// reorderings by the processor: those are what acquire and release in the code are for, and tsan looks for them.
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "base/mutant.h"
#include "base/schedule_point.h"
#include "standings/standings.h"

namespace firstcome {
namespace {

enum Who : int { reader, writer, nobody };

/// One path through the tree of schedules: a fixed beginning, then always the first answer.
class Turns {
 public:
  explicit Turns(std::vector<Who> path) : path_(std::move(path)) {}

  /// Runs both to their ends.
  void run(const std::function<void()>& read, const std::function<void()>& write) {
    turn_ = next();
    now = this;
    std::thread one([&] { live(reader, read); });
    std::thread other([&] { live(writer, write); });
    one.join();
    other.join();
    now = nullptr;
  }

  void point() {
    if (me == nobody) return;  // the test itself, setting the scene
    std::unique_lock lock(mutex_);
    if (ended_[1 - me]) return;
    give(next());
    await(lock);
  }

  /// The next path in depth-first order; empty: that was the last one.
  std::vector<Who> following() const {
    std::vector<Who> path = path_;
    while (!path.empty() && path.back() == writer) path.pop_back();
    if (!path.empty()) path.back() = writer;
    return path;
  }

  static Turns* now;

 private:
  void live(Who who, const std::function<void()>& life) {
    me = who;
    {
      std::unique_lock lock(mutex_);
      await(lock);
    }
    life();
    const std::unique_lock lock(mutex_);
    ended_[me] = true;
    give(static_cast<Who>(1 - me));
  }
  Who next() {
    if (at_ == path_.size()) path_.push_back(reader);
    return path_[at_++];
  }
  void give(Who who) {
    turn_ = who;
    changed_.notify_all();
  }
  void await(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [this] { return turn_ == me; });
  }

  static thread_local Who me;
  std::vector<Who> path_;
  std::size_t at_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  Who turn_ = nobody;
  bool ended_[2] = {false, false};
};

Turns* Turns::now = nullptr;
thread_local Who Turns::me = nobody;

}  // namespace

void schedule_point() {
  if (Turns::now) Turns::now->point();
}

namespace {

constexpr Time noon{Millis(1000)};

/// A scene: what is there, what the writer does, for whom the reader looks (in this order).
struct Scene {
  std::vector<Entry> before;
  std::vector<Entry> meanwhile;
  std::vector<std::string> looks;
};

std::string told(const Look& look) {
  const std::string issued = look.issued ? "" : " not issued";
  switch (look.place) {
    case Place::winner:
      return "won " + std::to_string(look.rank) + issued;
    case Place::sealed:
      return "sold_out " + std::to_string(look.quota) + issued;
    case Place::closed:
      return "closed";
    case Place::free:
      return "free";
    default:
      return "other";
  }
}

struct Explored {
  std::size_t schedules = 0;
  std::set<std::string> told;  ///< what the reader was told, its looks joined by ", "
};

Explored explore(const Scene& scene) {
  Explored explored;
  std::vector<Who> path;
  do {
    Standings standings(0, 4);
    Position position = 0;
    const auto apply = [&](const std::vector<Entry>& entries) {
      for (const Entry& entry : entries) standings.apply({.position = ++position, .stamp = noon, .entry = entry});
    };
    apply(scene.before);
    std::string all;
    Turns turns(path);
    turns.run(
        [&] {
          for (const auto& user : scene.looks) {
            all += (all.empty() ? "" : ", ") + told(standings.find("lunch")->look(user, noon));
          }
        },
        [&] { apply(scene.meanwhile); });
    explored.told.insert(all);
    ++explored.schedules;
    path = turns.following();
  } while (!path.empty());
  return explored;
}

Entry opened(std::uint32_t quota, std::optional<Promise> promise = {}) {
  return Opened{.campaign = "lunch",
                .name = {},
                .quota = quota,
                .opens_at = {},
                .closes_at = {},
                .issue_rate = {},
                .promise = promise};
}
Entry ticket(const char* user) { return Ticket{.campaign = "lunch", .user = user, .code = {}}; }

using Told = std::set<std::string>;

/// Mutants end with their test.
struct With {
  explicit With(Mutant one) { mutant_now = one; }
  ~With() { mutant_now = Mutant::none; }
};

// The scenes of the N-th ticket: bob takes the last place while somebody looks.
Scene nth_ticket(std::vector<std::string> looks) {
  return {.before = {opened(2), ticket("alice")}, .meanwhile = {ticket("bob")}, .looks = std::move(looks)};
}

TEST(Schedules, nobody_who_wins_at_the_nth_ticket_is_told_sold_out) {
  const Explored bob = explore(nth_ticket({"bob"}));
  EXPECT_EQ(bob.told, (Told{"free", "won 2"}));
  EXPECT_GT(bob.schedules, 50U) << "the reader and the writer hardly met";
  EXPECT_EQ(explore(nth_ticket({"alice"})).told, Told{"won 1"});
  EXPECT_EQ(explore(nth_ticket({"carol"})).told, (Told{"free", "sold_out 2"}));
}

TEST(Schedules, an_answer_is_never_taken_back_at_the_nth_ticket) {
  EXPECT_EQ(explore(nth_ticket({"bob", "bob"})).told, (Told{"free, free", "free, won 2", "won 2, won 2"}));
  EXPECT_EQ(explore(nth_ticket({"carol", "carol"})).told,
            (Told{"free, free", "free, sold_out 2", "sold_out 2, sold_out 2"}));
}

TEST(Schedules, whoever_sees_the_seal_sees_its_winner) {
  EXPECT_EQ(explore(nth_ticket({"carol", "bob"})).told, (Told{"free, free", "free, won 2", "sold_out 2, won 2"}));
}

TEST(Schedules, with_the_winner_read_before_the_flags_a_winner_is_told_sold_out) {
  const With with(Mutant::winner_before_sealed);
  EXPECT_TRUE(explore(nth_ticket({"bob"})).told.contains("sold_out 2"));
}

// The scenes of a raise: the quota of 2 is taken, and a raise and its only ticket come while somebody looks.
Scene raise(std::vector<std::string> looks) {
  return {.before = {opened(2), ticket("alice"), ticket("bob")},
          .meanwhile = {QuotaRaised{.campaign = "lunch", .quota = 3}, ticket("carol")},
          .looks = std::move(looks)};
}

TEST(Schedules, a_raise_hides_no_winner_and_a_winner_of_it_is_never_told_that_it_is_sold_out_again) {
  EXPECT_EQ(explore(raise({"alice"})).told, Told{"won 1"});
  EXPECT_EQ(explore(raise({"bob"})).told, Told{"won 2"});
  EXPECT_EQ(explore(raise({"carol"})).told, (Told{"sold_out 2", "free", "won 3"}));
  EXPECT_EQ(explore(raise({"dave"})).told, (Told{"sold_out 2", "free", "sold_out 3"}));
}

TEST(Schedules, with_the_winner_read_before_the_flags_a_raise_is_broken_too) {
  const With with(Mutant::winner_before_sealed);
  EXPECT_TRUE(explore(raise({"carol"})).told.contains("sold_out 3"));
}

// The scenes of a closing: bob wins a place, then it is closed.
Scene closing(std::vector<std::string> looks) {
  return {.before = {opened(3), ticket("alice")},
          .meanwhile = {ticket("bob"), Closed{.campaign = "lunch", .by = ClosedBy::person}},
          .looks = std::move(looks)};
}

TEST(Schedules, nobody_who_won_before_the_closing_is_told_closed) {
  EXPECT_EQ(explore(closing({"bob"})).told, (Told{"free", "won 2"}));
  EXPECT_EQ(explore(closing({"carol", "bob"})).told, (Told{"free, free", "free, won 2", "closed, won 2"}));
}

TEST(Schedules, with_closed_before_the_winner_a_winner_is_told_closed) {
  const With with(Mutant::closed_before_sealed);
  EXPECT_TRUE(explore(closing({"bob"})).told.contains("closed"));
}

// promise = "store": the coupons of both are issued, that of alice is parked, later not.
Scene issuing(std::vector<std::string> looks) {
  return {.before = {opened(2, Promise::store), ticket("alice"), ticket("bob")},
          .meanwhile = {Issued{.campaign = "lunch", .rank = 2, .parked = {1}},
                        Issued{.campaign = "lunch", .rank = 2, .parked = {}}},
          .looks = std::move(looks)};
}

TEST(Schedules, what_is_parked_is_never_told_as_issued) {
  EXPECT_EQ(explore(issuing({"alice", "bob"})).told,
            (Told{"won 1 not issued, won 2 not issued", "won 1 not issued, won 2", "won 1, won 2"}));
  EXPECT_EQ(explore(issuing({"carol", "alice"})).told,
            (Told{"sold_out 2 not issued, won 1 not issued", "sold_out 2 not issued, won 1", "sold_out 2, won 1"}));
}

}  // namespace
}  // namespace firstcome
