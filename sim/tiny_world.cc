// DESIGN
//   A desk's times are chosen so that they need no clock in the state: a tick (20 ms) ends claims and asks (10 ms) and
//   two of them a flight (30 ms); a long tick (1.1 s) ends everything and makes it quiet for long enough to widen. What
//   is asked of the gate is decided at once, its answer is a message. The gate is told to forget at once, too.
#include "sim/tiny_world.h"

#include <xxhash.h>

#include <algorithm>
#include <numeric>

#include "sim/desk_view.h"

namespace firstcome::sim {
namespace {

const CampaignId lunch = "lunch";
constexpr std::size_t users_in_all = 3, apis_in_all = 2;
constexpr std::uint32_t quota = 2;
constexpr Millis tick_ms{20}, long_tick_ms{1100};

/// The same world with its two apis changed round, and the users who ask only there.
std::uint8_t mirrored(std::uint8_t number) { return number < 2 ? 1 - number : number; }

User name_of(std::uint8_t user) { return std::string(1, static_cast<char>('a' + user)); }

std::uint8_t number_of(const User& user) { return static_cast<std::uint8_t>(user.view().front() - 'a'); }

class TinyClock final : public Clock {
 public:
  Time now() override { return Time(Millis(1'800'000'000'000)); }
  Uptime uptime() override { return now_; }
  void advance(Millis by) { now_ += by; }

 private:
  Uptime now_{0};
};

DeskLimits limits_of_desks() {
  return {.wait_ms_max = Millis(10),
          .in_flight_ms_max = Millis(30),
          .stale_ms_max = std::chrono::hours(1000),  // nobody is stale here
          .gate_bypass_ms_max = Millis(10)};
}

}  // namespace

struct TinyWorld::Message {
  enum class Kind : std::uint8_t { ticket, gated, widened };
  Kind kind = Kind::ticket;
  std::uint8_t api = 0;
  std::uint8_t user = 0;
  Code code{};                            // of a ticket
  AskNumber number = 0;                   // of gated
  Admission admission = Admission::full;  // of gated
  std::uint64_t generation = 0;           // of gated and widened
};

struct TinyWorld::Person {
  enum class State : std::uint8_t { asks, waits, left, done };
  State state = State::asks;
  std::uint8_t api = 0;   // where it waits
  ClaimNumber claim = 0;  // there
  AnswerKind answer = AnswerKind::pending;
  std::uint32_t rank = 0;
  Code code{};
};

/// One process: its ports put what they are given into the network.
struct TinyWorld::Api {
  struct JournalPort final : Journal {
    explicit JournalPort(Api& of) : api(of) {}
    Result<void> start(Follower&) override { return {}; }
    Result<void> append(Entry entry, AppendTag) override {
      const auto& ticket = std::get<Ticket>(entry);
      api.world.network_.push_back(
          {.kind = Message::Kind::ticket, .api = api.self, .user = number_of(ticket.user), .code = ticket.code});
      return {};
    }
    void stop() override {}
    Stats stats() const override { return {}; }
    Api& api;
  };

  struct GatePort final : Gate {
    explicit GatePort(Api& of) : api(of) {}
    void start(GateAsker&) override {}
    Result<void> ask(const CampaignId&, const User& user, std::uint32_t places, AskNumber number) override {
      const Admission admission = api.world.admit(user, places);
      api.world.network_.push_back({.kind = Message::Kind::gated,
                                    .api = api.self,
                                    .user = number_of(user),
                                    .number = number,
                                    .admission = admission,
                                    .generation = api.world.gate_.generation});
      return {};
    }
    void widen(const CampaignId&, std::uint64_t generation, std::uint32_t places) override {
      const std::uint64_t now = api.world.widen(generation, places);
      api.world.network_.push_back({.kind = Message::Kind::widened, .api = api.self, .generation = now});
    }
    void forget(const CampaignId&) override { api.world.change_gate({}); }
    void tick() override {}
    Stats stats() const override { return {}; }
    Api& api;
  };

  struct CodePort final : Random {
    explicit CodePort(Api& of) : api(of) {}
    void fill(std::span<std::uint8_t> bytes) override {
      std::ranges::fill(bytes, std::uint8_t{0});
      bytes.front() = ++api.world.last_code_;
    }
    Api& api;
  };

  Api(TinyWorld& in, std::uint8_t number) : world(in), self(number) {
    desk = std::make_unique<Desk>(
        self, standings, journal, &gate, clock, codes, limits_of_desks(),
        [this](ClaimNumber claim, const Answer& answer) { world.delivered(self, claim, answer); });
  }

  const Campaign& campaign() const { return *standings.find(lunch); }

  TinyWorld& world;
  const std::uint8_t self;
  TinyClock clock;
  Standings standings{0, 1};
  JournalPort journal{*this};
  GatePort gate{*this};
  CodePort codes{*this};
  std::unique_ptr<Desk> desk;
  std::size_t applied = 0;  // of the log
  ClaimNumber last_claim = 0;
};

TinyWorld::TinyWorld(const TinySize& size) : size_(size), truth_(0, 1), people_(users_in_all), apis_(apis_in_all) {
  write(Installation{.id = {7}});
  write(Opened{.campaign = lunch, .name = {}, .quota = quota});
  for (std::uint8_t api = 0; api < api_count(); ++api) start(api);
}

std::uint8_t TinyWorld::user_count() const { return static_cast<std::uint8_t>(people_.size()); }

TinyWorld::~TinyWorld() = default;

void TinyWorld::write(Entry entry) {
  log_.push_back({log_.size() + 1, Time(Millis(1'800'000'000'000)), std::move(entry)});
  truth_.apply(log_.back());
}

/// Reads the whole journal first.
void TinyWorld::start(std::uint8_t number) {
  apis_[number] = std::make_unique<Api>(*this, number);
  Api& api = *apis_[number];
  for (const Shown& shown : log_) api.standings.apply(shown);
  api.applied = log_.size();
  api.desk->heard(api.clock.now());
}

void TinyWorld::end(std::uint8_t number, bool tickets_are_sent) {
  for (Person& person : people_) {
    if (person.state == Person::State::waits && person.api == number) person.state = Person::State::asks;
  }
  std::erase_if(network_, [&](const Message& message) {
    return message.api == number && !(tickets_are_sent && message.kind == Message::Kind::ticket);
  });
  start(number);
}

void TinyWorld::change_gate(GateMemory next) { gate_before_ = std::exchange(gate_, std::move(next)); }

Admission TinyWorld::admit(const User& user, std::uint32_t places) {
  GateMemory next = gate_;
  const Admission admission = next.admit(user, places, gate_clock_ += 100);
  if (next.generation != gate_.generation || admission == Admission::in) change_gate(std::move(next));
  return admission;
}

std::uint64_t TinyWorld::widen(std::uint64_t generation, std::uint32_t places) {
  GateMemory next = gate_;
  if (next.widen(generation, places)) change_gate(std::move(next));
  return gate_.generation;
}

void TinyWorld::ask(std::uint8_t user, std::uint8_t number) {
  Api& api = *apis_[number];
  Person& person = people_[user];
  person.state = Person::State::waits;
  person.api = number;
  person.claim = ++api.last_claim;
  if (const auto known = api.desk->claim(lunch, name_of(user), person.claim)) answered(user, *known);
}

void TinyWorld::delivered(std::uint8_t api, ClaimNumber claim, const Answer& answer) {
  for (std::uint8_t user = 0; user < user_count(); ++user) {
    const Person& person = people_[user];
    if (person.state == Person::State::waits && person.api == api && person.claim == claim)
      return answered(user, answer);
  }
  broke("every claim is answered once", "an answer to nobody");
}

void TinyWorld::answered(std::uint8_t user, const Answer& answer) {
  Person& person = people_[user];
  person.answer = answer.kind;
  const bool is_final = answer.kind == AnswerKind::won || answer.kind == AnswerKind::sold_out;
  person.state = is_final ? Person::State::done : Person::State::asks;
  const Look look = truth_.find(lunch)->look(name_of(user), Time(Millis(0)));
  if (answer.kind == AnswerKind::won) {
    const bool holds = look.place == Place::winner && answer.winner && look.rank == answer.rank &&
                       look.winner->code == answer.winner->code;
    if (!holds) broke("a won that was told is in the journal", name_of(user).str());
  } else if (answer.kind == AnswerKind::sold_out && look.place != Place::sealed) {
    broke("sold_out is told when others hold all places", name_of(user).str());
  } else if (!is_final && answer.kind != AnswerKind::pending) {
    broke("nothing else is told here", std::string(to_string(answer.kind)));
  }
}

std::size_t TinyWorld::tickets_under_way() const {
  return static_cast<std::size_t>(std::ranges::count(network_, Message::Kind::ticket, &Message::kind));
}

bool TinyWorld::is_quiet() const {
  return network_.empty() && std::ranges::all_of(apis_, [&](const auto& api) { return api->applied == log_.size(); });
}

bool TinyWorld::can_arrive(const Message& message) const {
  if (message.kind != Message::Kind::ticket) return true;
  return std::ranges::all_of(apis_, [&](const auto& api) { return log_.size() - api->applied < size_.unseen_max; });
}

std::vector<std::size_t> TinyWorld::messages_in_order(bool in_mirror) const {
  std::vector<std::size_t> order(network_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return key_of(network_[i], in_mirror); });
  return order;
}

std::vector<Step> TinyWorld::steps() const {
  using enum Step::Kind;
  std::vector<Step> steps;
  for (std::uint8_t api = 0; api < api_count(); ++api) {
    if (apis_[api]->applied < log_.size()) steps.push_back({show, 0, api});
  }
  const auto order = messages_in_order();
  for (const std::size_t message : order) {
    if (can_arrive(network_[message])) steps.push_back({deliver, static_cast<std::uint8_t>(message), 0});
  }
  // The last user asks anywhere, the others at an api of their own; first where the fair scheduler sends them.
  for (std::uint8_t far = 0; far < api_count(); ++far) {
    for (std::uint8_t user = 0; user < user_count() && tickets_under_way() < size_.tickets_max; ++user) {
      const auto api = static_cast<std::uint8_t>((user + far) % apis_.size());
      const bool goes_there = far == 0 || user + 1U == people_.size();
      if (people_[user].state == Person::State::asks && goes_there) steps.push_back({Step::Kind::ask, user, api});
    }
  }
  if (is_done()) return steps;
  if (is_quiet()) {
    steps.push_back({long_tick, 0, 0});
    for (std::uint8_t api = 0; api < api_count(); ++api) steps.push_back({tick, 0, api});
  }
  if (faults_ < size_.faults) add_faults(steps);
  return steps;
}

void TinyWorld::add_faults(std::vector<Step>& steps) const {
  using enum Step::Kind;
  for (std::uint8_t api = 0; api < api_count(); ++api) {
    steps.push_back({crash, 0, api});
    steps.push_back({crash_sent, 0, api});
    if (!is_quiet()) {
      steps.push_back({late, 0, api});
      steps.push_back({very_late, 0, api});
    }
  }
  if (gate_.generation != 0) {
    steps.push_back({forget, 0, 0});
    steps.push_back({roll_back, 0, 0});
  }
  for (const std::size_t message : messages_in_order()) {
    steps.push_back({lose, static_cast<std::uint8_t>(message), 0});
    const bool is_ticket = network_[message].kind == Message::Kind::ticket;
    if (is_ticket && can_arrive(network_[message])) steps.push_back({twice, static_cast<std::uint8_t>(message), 0});
  }
  const bool one_left = std::ranges::count(people_, Person::State::left, &Person::state) > 0;
  for (std::uint8_t user = 0; user < user_count(); ++user) {
    if (people_[user].state == Person::State::waits) steps.push_back({hang_up, user, 0});
    if (people_[user].state < Person::State::left && !one_left) steps.push_back({leave, user, 0});
  }
}

bool TinyWorld::is_done() const {
  return std::ranges::all_of(people_, [](const Person& person) {
    return person.state == Person::State::done || person.state == Person::State::left;
  });
}

void TinyWorld::take(const Step& step) {
  if (is_fault(step.kind)) ++faults_;
  Api& api = *apis_[step.api];
  switch (step.kind) {
    case Step::Kind::ask:
      return ask(step.subject, step.api);
    case Step::Kind::deliver: {
      const Message message = network_[step.subject];
      network_.erase(network_.begin() + step.subject);
      return deliver(message);
    }
    case Step::Kind::show: {
      const Effect effect = api.standings.apply(log_[api.applied++]);
      return api.desk->applied({&effect, 1});
    }
    case Step::Kind::tick:
    case Step::Kind::late:
    case Step::Kind::very_late:
      api.clock.advance(step.kind == Step::Kind::very_late ? long_tick_ms : tick_ms);
      return api.desk->tick();
    case Step::Kind::long_tick:
      for (const auto& each : apis_) {
        each->clock.advance(long_tick_ms);
        each->desk->tick();
        each->desk->heard(each->clock.now());
      }
      return;
    case Step::Kind::crash:
    case Step::Kind::crash_sent:
      return end(step.api, step.kind == Step::Kind::crash_sent);
    case Step::Kind::forget:
      return change_gate({});
    case Step::Kind::roll_back:
      gate_ = gate_before_;
      return;
    case Step::Kind::lose:
      network_.erase(network_.begin() + step.subject);
      return;
    case Step::Kind::twice:
      return deliver(Message(network_[step.subject]));
    case Step::Kind::hang_up:
    case Step::Kind::leave:
      return hang_up(step.subject, step.kind == Step::Kind::leave);
  }
}

void TinyWorld::hang_up(std::uint8_t user, bool for_good) {
  Person& person = people_[user];
  if (person.state == Person::State::waits) apis_[person.api]->desk->leave(person.claim);
  person.state = for_good ? Person::State::left : Person::State::asks;
}

void TinyWorld::deliver(const Message& message) {
  Desk& desk = *apis_[message.api]->desk;
  switch (message.kind) {
    case Message::Kind::ticket:
      return write(Ticket{lunch, name_of(message.user), message.code});
    case Message::Kind::gated: {
      const GateAnswer answer{name_of(message.user), message.number, message.admission};
      return desk.gated(lunch, message.generation, {&answer, 1});
    }
    case Message::Kind::widened:
      return desk.gated(lunch, message.generation, {});
  }
}

/// The generations of the gate that somebody remembers, by size.
std::vector<std::uint64_t> TinyWorld::generations() const {
  std::vector<std::uint64_t> all{0, gate_.generation, gate_before_.generation};
  for (const auto& api : apis_) DeskView::generations(*api->desk, api->campaign(), all);
  for (const Message& message : network_) all.push_back(message.generation);
  std::ranges::sort(all);
  const auto repeats = std::ranges::unique(all);
  all.erase(repeats.begin(), repeats.end());
  return all;
}

/// All of a message that its future depends on.
std::pair<std::uint64_t, std::uint64_t> TinyWorld::key_of(const Message& message, bool in_mirror) const {
  const Api& api = *apis_[message.api];
  const bool is_awaited = message.kind == Message::Kind::gated &&
                          DeskView::awaits(*api.desk, api.campaign(), name_of(message.user), message.number);
  const std::uint64_t parts[] = {
      static_cast<std::uint64_t>(message.kind), in_mirror ? mirrored(message.api) : message.api,
      in_mirror ? mirrored(message.user) : message.user, static_cast<std::uint64_t>(message.admission), is_awaited};
  std::uint64_t key = 0;
  for (const auto part : parts) key = key * 4 + part;
  return {key, message.generation};
}

std::uint64_t TinyWorld::state() const { return std::min(state(false), state(true)); }

std::uint64_t TinyWorld::state(bool in_mirror) const {
  std::vector<std::uint8_t> bytes;
  const auto out = [&](std::uint64_t value) { bytes.push_back(static_cast<std::uint8_t>(value)); };
  const auto known = generations();
  const auto name = [&](std::uint64_t generation) {
    return static_cast<std::uint64_t>(std::ranges::lower_bound(known, generation) - known.begin());
  };
  const auto seen = [&](std::uint8_t number) { return in_mirror ? mirrored(number) : number; };
  const auto who = [&](const User& user) { return std::uint64_t{seen(number_of(user))}; };
  const auto out_gate = [&](const GateMemory& gate) {
    std::uint64_t users = 0;
    for (const User& user : gate.users) users |= std::uint64_t{1} << who(user);
    out(name(gate.generation));
    out(gate.limit);
    out(gate.count);
    out(users);
  };
  const auto& winners = truth_.find(lunch)->winners();
  for (std::uint32_t i = 0; i < winners.size(); ++i) out(who(winners[i].user()));
  out(255);
  for (std::uint8_t user = 0; user < user_count(); ++user) {
    const Person& person = people_[seen(user)];
    out(static_cast<std::uint64_t>(person.state));
    out(person.state == Person::State::waits ? seen(person.api) : 0);
  }
  out_gate(gate_);
  out_gate(gate_before_);
  for (const std::size_t i : messages_in_order(in_mirror)) {
    const auto [key, generation] = key_of(network_[i], in_mirror);
    out(key);
    out(key >> 8);
    out(name(generation));
  }
  out(255);
  for (std::uint8_t number = 0; number < api_count(); ++number) {
    const Api& api = *apis_[seen(number)];
    for (std::size_t i = api.applied; i < log_.size(); ++i) out(who(std::get<Ticket>(log_[i].entry).user));
    out(253);
    DeskView::write(*api.desk, api.campaign(), name, who, out);
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

void TinyWorld::broke(const char* check, std::string what) {
  if (!broken_) broken_ = Broken{check, std::move(what)};
}

std::string TinyWorld::describe(const Step& step) const {
  const auto api = std::string("api ") + static_cast<char>('0' + step.api);
  const auto message = [&] {
    const Message& one = network_[step.subject];
    const std::string about = " of " + name_of(one.user).str() + " (api " + static_cast<char>('0' + one.api) + ")";
    if (one.kind == Message::Kind::ticket) return "the ticket" + about;
    if (one.kind == Message::Kind::widened) return "the gate's widened" + about;
    constexpr std::string_view said[] = {"in", "again", "full"};
    return "the gate's " + std::string(said[static_cast<int>(one.admission)]) + about;
  };
  switch (step.kind) {
    case Step::Kind::ask:
      return name_of(step.subject).str() + " asks at " + api;
    case Step::Kind::deliver:
      return message() + " arrives";
    case Step::Kind::show:
      return api + " is shown an entry";
    case Step::Kind::tick:
      return api + ": claims run out of time";
    case Step::Kind::long_tick:
      return "a second passes";
    case Step::Kind::late:
      return api + ": claims run out of time, what is under way is late";
    case Step::Kind::very_late:
      return api + ": tickets run out of time, what is under way is late";
    case Step::Kind::crash:
      return api + " crashes with what it sends";
    case Step::Kind::crash_sent:
      return api + " crashes, its tickets are under way";
    case Step::Kind::forget:
      return "the gate loses its memory";
    case Step::Kind::roll_back:
      return "the gate is set back";
    case Step::Kind::lose:
      return message() + " is lost";
    case Step::Kind::twice:
      return message() + " arrives, and will once more";
    case Step::Kind::hang_up:
      return name_of(step.subject).str() + " hangs up";
    case Step::Kind::leave:
      return name_of(step.subject).str() + " leaves for good";
  }
  return {};
}

}  // namespace firstcome::sim
