#include "rush/rush.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "rush/connections.h"
#include "rush/crowd.h"
#include "rush/promises.h"
#include "rush/target.h"
#include "rush/users.h"
#include "rush/watch.h"
#include "verify/history.h"

// DESIGN
//
// One thread, one loop: send what is due through free connections, wait for answers, take them in. The crowd owns the
// intended times and the connections own the sockets; what is here joins the two and keeps the books. Whoever finds no
// free connection stays due, and its latency counts from when it was due.

namespace firstcome::rush {
namespace {

constexpr std::int64_t tick_us = 20'000;         // deadlines, back-off, the stop flag
constexpr std::int64_t nap_us_min = 50;          // due claims are sent in groups of 50 µs: a system call less for each
constexpr std::int64_t open_us_max = 5'000'000;  // before the start; what is not open by then is opened on the way
constexpr std::int64_t drain_us_max = 1'000'000;
constexpr std::int64_t pending_wait_us = 200'000;  // a pending without Retry-After
constexpr std::int64_t back_off_us_min = 20'000;   // after a cut or a fault without Retry-After: 20 ms to 1.3 s
constexpr std::uint8_t back_off_doublings = 6;
constexpr std::uint8_t never_asked = 255;

std::int64_t us_of(Millis time) { return time.count() * 1'000; }

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Rush final : public Asker {
 public:
  Rush(const Options& options, Target target, std::optional<verify::HistoryWriter> history,
       const OnProgress& on_progress)
      : options_(options),
        on_progress_(on_progress),
        target_(std::move(target)),
        history_(std::move(history)),
        users_{options.user_prefix, options.user_first, options.users},
        crowd_(arrival_order(options.users, options.repeat, options.seed),
               Schedule(options.arrival, options.rate, options.ramp_seconds, options.seed + 1)),
        dice_(options.seed + 2),
        promises_(options.campaign, users_),
        flights_(options.connections),
        last_connection_(options.users, UINT32_MAX),
        told_(options.users, never_asked) {
    attempt_.campaign = options.campaign;
    report_.campaign = options.campaign;
    report_.urls = options.urls;
    report_.users = options.users;
    report_.connections = options.connections;
  }

  Result<Report> run();

 private:
  struct Flight {
    std::uint32_t asking = 0;
    std::int64_t intended_us = 0;
    std::int64_t call_us = 0;
  };

  Result<void> learn_quota();
  Result<void> open_connections();
  void dispatch();
  std::int64_t nap_us() const;
  void tick();
  bool is_over() const { return ended_ == crowd_.size() || ending_ || history_fault_; }
  void drain();
  void tell_progress(bool over);

  void on_answer(std::uint32_t connection, const Response& response, std::int64_t now_us) override;
  void on_cut(std::uint32_t connection) override;
  void time(const Flight& flight, std::int64_t ended_us);
  void count(const Flight& flight, Told told);
  void keep_promises(std::uint32_t user, const Said& said, std::string_view body);
  void go_on(const Flight& flight, const Said& said, std::optional<std::int64_t> retry_after_s);
  void end(std::uint32_t asking);
  void write(const Flight& flight, const Said& said, int status, std::optional<std::int64_t> return_us);
  Result<void> check_quota();
  Result<Report> reported();

  const Options& options_;
  const OnProgress& on_progress_;
  Target target_;
  std::optional<verify::HistoryWriter> history_;
  std::optional<Fault> history_fault_;
  verify::Attempt attempt_;  // its storage is used again

  const Users users_;
  const Watch watch_;
  Crowd crowd_;
  Dice dice_;
  AnswerReader reader_;
  Promises promises_;
  std::unique_ptr<Connections> connections_;
  std::vector<Flight> flights_;                 // by connection
  std::vector<std::uint32_t> last_connection_;  // by user
  std::vector<std::uint8_t> told_;              // by user: a Told, or never_asked
  std::string request_;                         // its storage is used again

  std::int64_t start_us_ = 0;
  std::int64_t last_answer_us_ = 0;
  std::int64_t next_tick_us_ = 0;
  std::int64_t next_progress_us_ = 0;
  std::int64_t reachable_us_ = 0;
  std::uint32_t ended_ = 0;
  std::optional<Ending> ending_;
  Report report_;
};

Result<Report> Rush::run() {
  const double cpu_before = cpu_seconds();
  if (auto learnt = learn_quota(); !learnt) return fail(std::move(learnt.error()));
  if (auto opened = open_connections(); !opened) return fail(std::move(opened.error()));

  start_us_ = last_answer_us_ = reachable_us_ = watch_.now_us();
  crowd_.start(start_us_);
  while (!is_over()) {
    if (watch_.now_us() >= next_tick_us_) tick();
    dispatch();
    connections_->wait(nap_us());
  }
  drain();
  if (history_ && !history_fault_) {
    if (auto flushed = history_->flush(); !flushed) history_fault_ = std::move(flushed.error());
  }
  if (history_fault_) return fail(std::move(*history_fault_));
  if (auto checked = check_quota(); !checked) return fail(std::move(checked.error()));
  tell_progress(true);
  report_.cpu_seconds = cpu_seconds() - cpu_before;
  return reported();
}

Result<void> Rush::learn_quota() {
  if (!options_.ask_campaign) return {};
  auto quota = target_.ask_quota();
  if (quota) {
    report_.quota = *quota;
    return {};
  }
  if (options_.persist && quota.error().retryable()) return {};  // it is asked again at the end
  return fail(std::move(quota.error()));
}

Result<void> Rush::open_connections() {
  auto connections = Connections::create(target_.addresses(), options_.connections, watch_, *this);
  if (!connections) return fail(std::move(connections.error()));
  connections_ = std::move(*connections);
  const auto until = watch_.now_us() + open_us_max;
  do {
    connections_->open_all();
    connections_->wait(10'000);
  } while (!connections_->settled() && watch_.now_us() < until);
  if (connections_->open() > 0 || options_.persist) return {};
  return fail(FaultKind::unavailable,
              "nothing listens on " + options_.urls.front() + ": is `firstcome serve` running?");
}

/// Sends whatever is due.
void Rush::dispatch() {
  while (const auto due = crowd_.earliest()) {
    const auto now = watch_.now_us();
    if (due->intended_us > now) break;
    const std::uint32_t user = crowd_[due->asking].user;
    const auto connection = connections_->take(last_connection_[user]);
    if (!connection && connections_->free() == 0) break;
    if (!connection) {  // the one that is free is this user's last: it is for the next who is due
      crowd_.pass_over(*due);
      continue;
    }
    request_ = target_.head(connections_->server_of(*connection));
    users_.append_name(user, request_);
    request_ += Target::tail();
    if (!connections_->send(*connection, request_)) continue;
    flights_[*connection] = {due->asking, due->intended_us, now};
    last_connection_[user] = *connection;
    crowd_.sent(*due);
  }
  crowd_.take_back();
}

std::int64_t Rush::nap_us() const {
  const auto now = watch_.now_us();
  std::int64_t until = next_tick_us_;
  const auto due = crowd_.earliest();
  // What is overdue waits for a connection, and a connection that becomes free wakes us.
  if (due && due->intended_us > now) until = std::min(until, due->intended_us);
  return std::max(until - now, nap_us_min);
}

void Rush::tick() {
  const auto now = watch_.now_us();
  next_tick_us_ = now + tick_us;
  connections_->open_all();
  connections_->cut_overdue(us_of(options_.answer_ms_max));
  if (connections_->open() > 0) reachable_us_ = now;
  if (options_.stop != nullptr && *options_.stop) {
    ending_ = Ending::stopped;
  } else if (static_cast<double>(now - start_us_) >= options_.seconds_max * 1e6) {
    ending_ = Ending::time_over;
  } else if (!options_.persist && now - reachable_us_ >= us_of(options_.unreachable_ms_max)) {
    ending_ = Ending::unreachable;
  }
  if (now >= next_progress_us_) {
    next_progress_us_ = now + us_of(options_.progress_every);
    tell_progress(false);
  }
}

/// What is in flight at the end may still be answered; after that it is cut.
void Rush::drain() {
  const auto until = watch_.now_us() + drain_us_max;
  while (connections_->busy() > 0 && watch_.now_us() < until) connections_->wait(10'000);
  connections_->cut_overdue(-1);
}

void Rush::tell_progress(bool over) {
  if (!on_progress_) return;
  on_progress_({.seconds = static_cast<double>(watch_.now_us() - start_us_) / 1e6,
                .arrivals = crowd_.size(),
                .arrived = crowd_.arrived(),
                .ended = ended_,
                .in_flight = connections_->busy(),
                .connections = connections_->open(),
                .attempts = report_.attempts_told,
                .broken = promises_.broken(),
                .over = over});
}

void Rush::on_answer(std::uint32_t connection, const Response& response, std::int64_t now_us) {
  const Flight flight = flights_[connection];
  const Said said = reader_.read(response.status, response.body);
  if (said.malformed && report_.malformed++ == 0)
    report_.malformed_sample = std::to_string(response.status) + " " + std::string(response.body.substr(0, 200));
  if (said.malformed && response.status < 400) return on_cut(connection);  // it may be a won that we cannot read

  last_answer_us_ = now_us;
  time(flight, now_us);
  write(flight, said, response.status, now_us);
  keep_promises(crowd_[flight.asking].user, said, response.body);
  count(flight, said.told);
  go_on(flight, said, response.retry_after_s);
}

void Rush::on_cut(std::uint32_t connection) {
  const Flight flight = flights_[connection];
  const Said said{.told = Told::cut, .again = true};
  time(flight, watch_.now_us());
  write(flight, said, 0, {});
  count(flight, said.told);
  go_on(flight, said, {});
}

/// A cut attempt too: without those that waited longest for nothing, p99 would look the better the more are cut.
void Rush::time(const Flight& flight, std::int64_t ended_us) {
  report_.latency.add(ended_us - flight.intended_us);
  report_.queued.add(flight.call_us - flight.intended_us);
  report_.service.add(ended_us - flight.call_us);
}

void Rush::count(const Flight& flight, Told told) {
  const Asking& asking = crowd_[flight.asking];
  ++report_.attempts;
  ++of(report_.attempts_told, told);
  if (asking.attempts > 1) ++report_.retries;
  auto& known = told_[asking.user];
  const bool settled = known != never_asked && is_final(static_cast<Told>(known));
  // A winner stays one; sold_out and closed may be followed by a won (a raise), never by less.
  if (!settled || told == Told::won) known = static_cast<std::uint8_t>(told);
}

void Rush::keep_promises(std::uint32_t user, const Said& said, std::string_view body) {
  if (said.told == Told::won) promises_.won(user, said, body);
  if (said.told == Told::sold_out) promises_.sold_out(user, said.quota);
  if (said.told == Told::closed) promises_.closed(user);
}

/// Asks again, or has done.
void Rush::go_on(const Flight& flight, const Said& said, std::optional<std::int64_t> retry_after_s) {
  Asking& asking = crowd_[flight.asking];
  if (is_final(said.told)) report_.waited.add(last_answer_us_ - asking.first_us);
  if (!said.again || ending_ || (!options_.persist && asking.attempts >= options_.attempts_max))
    return end(flight.asking);

  const bool fault = said.told == Told::fault || said.told == Told::cut;
  std::int64_t wait = fault ? back_off_us_min << std::min(asking.faults, back_off_doublings) : pending_wait_us;
  if (retry_after_s) {
    wait = std::max(std::min(*retry_after_s * 1'000'000, us_of(options_.retry_after_ms_max)), back_off_us_min);
  }
  asking.faults = fault ? static_cast<std::uint8_t>(std::min(asking.faults + 1, 255)) : std::uint8_t{0};
  // Jitter on top: Retry-After is the least that was asked for, and a crowd that was cut at once must not come back at
  // once.
  const auto jitter =
      static_cast<std::int64_t>(static_cast<double>(wait) * (retry_after_s ? 0.25 : 1) * dice_.fraction());
  crowd_.again(flight.asking, watch_.now_us() + wait + jitter);
}

void Rush::end(std::uint32_t asking) {
  crowd_[asking].ended = true;
  ++ended_;
}

void Rush::write(const Flight& flight, const Said& said, int status, std::optional<std::int64_t> return_us) {
  if (!history_ || history_fault_) return;
  attempt_.user.clear();
  users_.append_name(crowd_[flight.asking].user, attempt_.user);
  attempt_.call_us = flight.call_us;
  attempt_.return_us = return_us;
  attempt_.status = status;
  attempt_.answer = to_string(said.told);
  attempt_.rank = said.rank;
  attempt_.code = said.code;
  attempt_.quota = said.quota;
  if (auto added = history_->add(attempt_); !added) history_fault_ = std::move(added.error());
}

/// The quota may have been raised on the way, and the server that is asked may be behind the one that answered: before
/// a rank is called too large, it is asked for a while.
Result<void> Rush::check_quota() {
  if (!options_.ask_campaign) return {};
  const auto until = watch_.now_us() + us_of(options_.behind_ms_max);
  for (;;) {
    const auto quota = target_.ask_quota();
    if (!quota && !quota.error().retryable()) return fail(quota.error());
    const bool known = quota && *quota;
    if (known) report_.quota = *quota;
    if (known && promises_.rank_max() <= **quota) return {};
    if (promises_.rank_max() == 0 || watch_.now_us() >= until || (options_.stop != nullptr && *options_.stop)) {
      if (known) promises_.quota_is(**quota);
      return {};
    }
    connections_->wait(100'000);
  }
}

Result<Report> Rush::reported() {
  report_.ending = ending_.value_or(Ending::all_answered);
  report_.seconds = static_cast<double>(last_answer_us_ - start_us_) / 1e6;
  for (const auto told : told_) {
    if (told == never_asked) {
      ++report_.users_never_asked;
      continue;
    }
    ++of(report_.users_told, static_cast<Told>(told));
    if (!is_final(static_cast<Told>(told))) ++report_.users_without_final;
  }
  report_.first_attempts = crowd_.arrived();
  report_.repeats = report_.first_attempts - (report_.users - report_.users_never_asked);
  const auto& counts = connections_->counts();
  report_.connections_opened = counts.opened;
  report_.connections_refused = counts.refused;
  report_.overdue = counts.overdue;
  report_.malformed += counts.malformed;
  report_.winners = promises_.winners();
  report_.rank_max = promises_.rank_max();
  report_.broken = promises_.broken();
  report_.sentences = promises_.sentences();
  return std::move(report_);
}

}  // namespace

Result<Report> run(const Options& options, const OnProgress& on_progress) {
  if (auto checked = check(options); !checked) return fail(std::move(checked.error()));
  auto target = Target::find(options);
  if (!target) return fail(std::move(target.error()));
  std::optional<verify::HistoryWriter> history;
  if (!options.history_path.empty()) {
    auto created = verify::HistoryWriter::create(options.history_path);
    if (!created) return fail(std::move(created.error()));
    history = std::move(*created);
  }
  return Rush(options, std::move(*target), std::move(history), on_progress).run();
}

}  // namespace firstcome::rush
