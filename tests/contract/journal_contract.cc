#include "journal_contract.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <thread>

#include "base/limits.h"
#include "journal/recording_follower.h"

namespace firstcome {
namespace {

using testing::AssertionResult;
using testing::AssertionSuccess;

Ticket ticket(std::uint64_t number) {
  Code code{};
  for (std::size_t i = 0; i < 8; ++i) code[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return {.campaign = "lunch", .user = "user" + std::to_string(number), .code = code};
}

/// A journal that is started, and stopped at the end.
class Session {
 public:
  explicit Session(JournalHost& host, std::size_t append_entries_max = limits::append_entries_max)
      : follower_(host.wait_max()) {
    auto opened = host.open(append_entries_max);
    if (!opened) {
      fault_ = opened.error();
      return;
    }
    journal_ = std::move(*opened);
    auto started = journal_->start(follower_);
    if (!started) fault_ = started.error();
  }
  ~Session() {
    follower_.let_go();
    if (journal_) journal_->stop();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool works() const { return !fault_.has_value(); }
  const std::optional<Fault>& fault() const { return fault_; }
  std::string why() const { return fault_ ? fault_->what : ""; }
  Journal& journal() { return *journal_; }
  RecordingFollower& follower() { return follower_; }

  /// Appends tickets first..end, and waits until each has been shown or told as failed.
  bool append(std::uint64_t first, std::uint64_t end) {
    const auto known = told();
    std::size_t taken = 0;
    for (auto number = first; number < end; ++number) {
      if (journal_->append(ticket(number), {.author = 1, .number = number})) ++taken;
    }
    return follower_.wait_until([&] { return told() >= known + taken; });
  }
  std::size_t told() { return follower_.entries().size() + follower_.failed().size(); }

 private:
  std::unique_ptr<Journal> journal_;
  RecordingFollower follower_;
  std::optional<Fault> fault_;
};

/// The users of the tickets, in the order shown.
std::vector<std::string> users(const std::vector<Shown>& entries) {
  std::vector<std::string> users;
  for (const auto& shown : entries) {
    if (const auto* one = std::get_if<Ticket>(&shown.entry)) users.push_back(one->user.str());
  }
  return users;
}

AssertionResult order(JournalHost& host) {
  std::vector<Shown> before;
  {
    Session session(host);
    CONTRACT_REQUIRE(session.works()) << session.why();
    CONTRACT_REQUIRE(session.append(0, 300));
    before = session.follower().entries();
  }
  for (std::size_t i = 1; i < before.size(); ++i) {
    CONTRACT_REQUIRE(before[i - 1].position < before[i].position) << "at " << before[i].position;
  }
  std::vector<std::string> expected;
  for (std::uint64_t number = 0; number < 300; ++number) expected.push_back(ticket(number).user.str());
  CONTRACT_REQUIRE(users(before) == expected) << "one thread's appends are shown in its order";
  Session again(host);
  CONTRACT_REQUIRE(again.works()) << again.why();
  CONTRACT_REQUIRE(again.append(300, 310));
  auto now = again.follower().entries();
  CONTRACT_REQUIRE(now.size() > before.size());
  now.resize(before.size());
  CONTRACT_REQUIRE(now == before) << "what was shown once is shown for ever";
  return AssertionSuccess();
}

AssertionResult whole(JournalHost& host) {
  for (int round = 0; round < 3; ++round) {
    Session session(host);
    CONTRACT_REQUIRE(session.works()) << session.why();
    CONTRACT_REQUIRE(
        session.append(static_cast<std::uint64_t>(round) * 50, static_cast<std::uint64_t>(round) * 50 + 50));
    const auto entries = session.follower().entries();
    CONTRACT_REQUIRE(std::holds_alternative<Installation>(entries.front().entry))
        << "the first one is the installation";
    std::set<Position> positions;
    for (const auto& shown : entries) positions.insert(shown.position);
    CONTRACT_REQUIRE(positions.size() == entries.size()) << "one was shown twice";
    std::set<std::string> seen;
    for (const auto& user : users(entries)) seen.insert(user);
    for (std::uint64_t number = 0; number < static_cast<std::uint64_t>(round) * 50 + 50; ++number) {
      CONTRACT_REQUIRE(seen.contains(ticket(number).user.str())) << "ticket " << number << " is missing";
    }
  }
  return AssertionSuccess();
}

AssertionResult durable(JournalHost& host) {
  std::vector<Shown> shown;
  for (std::uint64_t round = 0; round < host.crashes(); ++round) {
    Session session(host);
    CONTRACT_REQUIRE(session.works()) << session.why();
    auto now = session.follower().entries();
    CONTRACT_REQUIRE(now.size() >= shown.size()) << now.size() << " of " << shown.size() << " are left";
    now.resize(shown.size());
    CONTRACT_REQUIRE(now == shown);
    for (std::uint64_t number = round * 100; number < round * 100 + 100; ++number) {
      CONTRACT_REQUIRE(session.journal().append(ticket(number), {}));
    }
    CONTRACT_REQUIRE(session.follower().wait_for_entries(shown.size() + 20));
    host.crash();
    session.journal().stop();
    shown = session.follower().entries();
  }
  return AssertionSuccess();
}

AssertionResult stamped(JournalHost& host) {
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  for (std::uint64_t number = 0; number < 5; ++number) {
    const auto before = host.now();
    CONTRACT_REQUIRE(session.append(number, number + 1));
    const auto after = host.now();
    const auto stamp = session.follower().entries().back().stamp;
    CONTRACT_REQUIRE(before <= stamp && stamp <= after) << to_rfc3339(stamp);
  }
  return AssertionSuccess();
}

AssertionResult told(JournalHost& host) {
  std::vector<Shown> shown;
  {
    Session session(host);
    CONTRACT_REQUIRE(session.works()) << session.why();
    CONTRACT_REQUIRE(session.append(0, 10));
    host.fill(true);
    CONTRACT_REQUIRE(session.append(10, 300)) << "each append is shown or told as failed";
    host.fill(false);
    const auto failed = session.follower().failed();
    CONTRACT_REQUIRE(!failed.empty());
    for (const auto& fault : session.follower().faults())
      CONTRACT_REQUIRE(fault.kind == FaultKind::unavailable) << fault.what;
    CONTRACT_REQUIRE(session.append(300, 310)) << "it goes on when there is room again";
    shown = session.follower().entries();
    const auto known = users(shown);
    for (const auto& tag : failed) {
      CONTRACT_REQUIRE(tag.author == 1);
      CONTRACT_REQUIRE(std::ranges::count(known, ticket(tag.number).user.str()) == 0) << tag.number;
    }
    CONTRACT_REQUIRE(known.size() + failed.size() == 310);
  }
  Session again(host);
  CONTRACT_REQUIRE(again.works()) << again.why();
  CONTRACT_REQUIRE(again.follower().entries() == shown) << "what was told as failed is not in the journal";
  return AssertionSuccess();
}

AssertionResult threads(JournalHost& host) {
  constexpr std::uint64_t each = 200;
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  const auto starts = session.follower().threads().size();
  std::vector<std::thread> authors;
  for (std::uint64_t author = 0; author < 4; ++author) {
    authors.emplace_back([&session, author] {
      for (std::uint64_t i = 0; i < each; ++i) (void)session.journal().append(ticket(author * each + i), {});
    });
  }
  for (auto& author : authors) author.join();
  CONTRACT_REQUIRE(session.follower().wait_for_entries(1 + 4 * each));
  const auto all = users(session.follower().entries());
  CONTRACT_REQUIRE((std::set<std::string>(all.begin(), all.end()).size() == 4 * each));
  auto callers = session.follower().threads();
  callers.erase(callers.begin(), callers.begin() + static_cast<std::ptrdiff_t>(starts));
  CONTRACT_REQUIRE((std::set<std::thread::id>(callers.begin(), callers.end()).size() == 1)) << "one thread calls";
  CONTRACT_REQUIRE(callers.front() != std::this_thread::get_id()) << "and it is the journal's own";
  return AssertionSuccess();
}

AssertionResult bounds(JournalHost& host) {
  constexpr std::size_t limit = 16;
  Session session(host, limit);
  CONTRACT_REQUIRE(session.works()) << session.why();
  session.follower().hold();
  CONTRACT_REQUIRE(session.journal().append(ticket(0), {}));
  CONTRACT_REQUIRE(session.follower().wait_until([&] { return session.follower().is_holding(); }));
  for (std::uint64_t number = 1; number <= limit; ++number) {
    CONTRACT_REQUIRE(session.journal().append(ticket(number), {})) << number;
  }
  CONTRACT_REQUIRE(session.journal().stats().waiting == limit);
  const auto beyond = session.journal().append(ticket(limit + 1), {});
  CONTRACT_REQUIRE(!beyond && beyond.error().kind == FaultKind::overloaded);
  session.follower().let_go();
  CONTRACT_REQUIRE(session.follower().wait_for_entries(1 + 1 + limit));
  CONTRACT_REQUIRE(session.append(100, 101));
  CONTRACT_REQUIRE(users(session.follower().entries()).size() == 1 + limit + 1)
      << "what was refused is not in the journal";
  return AssertionSuccess();
}

AssertionResult fails(JournalHost& host) {
  {
    Session session(host);
    CONTRACT_REQUIRE(session.works()) << session.why();
    CONTRACT_REQUIRE(session.append(100, 200));
  }
  host.damage(ticket(150).user.view());
  Session session(host);
  CONTRACT_REQUIRE(!session.works()) << "a damaged journal was started";
  CONTRACT_REQUIRE(session.fault()->kind == FaultKind::corrupt) << session.why();
  CONTRACT_REQUIRE(session.why().find("position 52") != std::string::npos) << session.why();
  CONTRACT_REQUIRE(session.why().find("backup") != std::string::npos) << session.why();
  return AssertionSuccess();
}

AssertionResult heard(JournalHost& host) {
  const auto before = host.now();
  Session session(host);
  CONTRACT_REQUIRE(session.works()) << session.why();
  std::array<std::chrono::steady_clock::duration, 3> waited{};
  for (auto& one : waited) {
    const auto count = session.follower().heard_count();
    const auto start = std::chrono::steady_clock::now();
    CONTRACT_REQUIRE(session.follower().wait_until([&] { return session.follower().heard_count() > count; }));
    one = std::chrono::steady_clock::now() - start;
  }
  // Twice the promise, and once ten times, since the machine may be busy.
  std::ranges::sort(waited);
  CONTRACT_REQUIRE(waited[1] < std::chrono::milliseconds(1000) && waited[2] < std::chrono::milliseconds(5000));
  CONTRACT_REQUIRE(session.follower().heard_at() >= before && session.follower().heard_at() <= host.now());
  return AssertionSuccess();
}

AssertionResult stop(JournalHost& host) {
  std::vector<Shown> shown;
  {
    Session session(host);
    CONTRACT_REQUIRE(session.works()) << session.why();
    for (std::uint64_t number = 0; number < 500; ++number) {
      CONTRACT_REQUIRE(session.journal().append(ticket(number), {.number = number}));
    }
    session.journal().stop();
    shown = session.follower().entries();
    CONTRACT_REQUIRE(users(shown).size() + session.follower().failed().size() == 500) << "those that wait are ended";
    const auto late = session.journal().append(ticket(500), {});
    CONTRACT_REQUIRE(!late && late.error().kind == FaultKind::unavailable);
    session.journal().stop();
  }
  Session again(host);
  CONTRACT_REQUIRE(again.follower().entries() == shown);
  return AssertionSuccess();
}

}  // namespace

std::vector<Clause<JournalHost>> journal_contract() {
  return {
      {"Order", "Positions grow strictly and never change. What was shown once is shown for ever, in the same order.",
       order},
      {"Whole", "A follower is shown every entry from the first one, each once.", whole},
      {"Durable", "An entry is shown only when a power cut cannot take it back.", durable},
      {"Stamped", "An entry carries the journal's time of its append.", stamped},
      {"Told", "An append is shown, or told as failed; when its outcome cannot be known, it may be neither.", told},
      {"Threads", "Any thread may append; a follower is called on the journal's own thread.", threads},
      {"Bounds", "At most `append_entries_max` appends wait; beyond, append fails with overloaded.", bounds},
      {"Fails", "A corrupt journal is refused at the start, with the position and what to do; nothing is skipped.",
       fails},
      {"heard", "At least every 500 ms while the journal can be reached.", heard},
      {"stop", "Refuses appends, ends those that wait, and joins the thread. Idempotent.", stop},
  };
}

}  // namespace firstcome
