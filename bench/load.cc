// The load of `./x bench`: claims of distinct users over kept-alive connections, as fast as one core can make them, and
// a check of every answer.
//   load --port P [--requests N] [--connections C] [--depth D] [--rate R] ...
// Connects, sends what --warm says, prints "ready" and waits for a line; then sends N claims, prints one JSON object,
// and keeps its connections until its input ends. So the caller can look at the server's CPU time before and after.
//
// DESIGN
//   Without --rate a closed loop: a connection sends D claims at once when all answers to the last ones have come.
//   With --rate an open loop: claims have intended times (a Poisson stream, the same in every run), each takes an idle
//   connection or waits for one, and its latency counts from the intended time.
//   With --spin, and always in the open loop, it never sleeps, and needs a core: a client that sleeps is woken by the
//   server's send, and the wake-up, some microseconds in a virtual machine, would count as the server's CPU time.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "answer_check.h"
#include "base/assert.h"
#include "claim_text.h"
#include "rush/histogram.h"

namespace firstcome::bench {
namespace {

using Instant = std::chrono::steady_clock::time_point;
using std::chrono::steady_clock;

constexpr std::size_t read_bytes = 256 * 1024;
constexpr int events_max = 512;

struct Options {
  std::uint16_t port = 0;
  std::string campaign = "lunch";
  std::uint32_t campaigns = 1;  // more: "c00000" on
  std::uint32_t connections = 64;
  std::uint32_t depth = 1;
  std::uint64_t warm = 0;
  std::uint64_t requests = 100'000;
  std::uint64_t first_user = 0;
  std::uint32_t status = 409;
  std::uint32_t quota = 0;    // above 0: every answer is won
  std::uint32_t browser = 0;  // 1: with the header fields of a browser
  std::uint32_t spin = 0;     // 1: never sleeps
  std::uint32_t rate = 0;     // above 0: claims per second, open loop
};

struct Connection {
  int fd = -1;
  std::uint32_t owed = 0;  // answers that have not come
  std::uint64_t user = 0;  // of the first of these
  Instant intended{};
  std::string rest;  // of an answer that has not come whole
};

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "load: {}\n", why);
  std::exit(1);
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        text_(fmt::format("127.0.0.1:{}", options.port), options.campaign, options.campaigns,
              std::string(options.browser > 0 ? browser_fields : "")),
        check_(options.quota > 0 ? AnswerCheck::of_wins(options.quota, options.campaigns)
                                 : AnswerCheck(static_cast<int>(options.status))),
        next_user_(options.first_user),
        outgoing_(text_.size() * options.depth),
        incoming_(read_bytes) {}

  void connect();
  void run_closed(std::uint64_t requests);
  void run_open(std::uint64_t requests);
  void report(double seconds) const;

 private:
  bool send_next(Connection& connection);
  bool send(Connection& connection, std::uint64_t user, std::uint32_t count);
  void wait(int timeout_ms);
  void read(Connection& connection);
  std::string_view take(Connection& connection, std::string_view bytes);
  void judge(Connection& connection, const AnswerCheck::Answer& answer);
  void finished(Connection& connection);

  const Options options_;
  const ClaimText text_;
  AnswerCheck check_;
  std::vector<Connection> connections_;
  std::vector<Connection*> idle_;
  std::uint64_t next_user_;
  bool open_loop_ = false;
  std::uint64_t unsent_ = 0;      // claims of this run
  std::uint64_t unanswered_ = 0;  // claims of this run, the unsent ones too
  std::uint64_t answered_ = 0;
  std::uint64_t asked_again_ = 0;
  std::deque<std::uint64_t> again_;  // users who were told to ask again
  rush::Histogram latency_;
  std::vector<char> outgoing_, incoming_;
  const int epoll_ = ::epoll_create1(0);
};

void Load::connect() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  connections_.resize(options_.connections);
  for (auto& connection : connections_) {
    connection.fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (connection.fd < 0) stop("more connections than file descriptors: raise the limit (ulimit -n)");
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(options_.port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      stop(fmt::format("nobody listens on port {}", options_.port));
    }
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = &connection}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    idle_.push_back(&connection);
  }
}

void Load::run_closed(std::uint64_t requests) {
  unsent_ = unanswered_ = requests;
  answered_ = 0;
  std::erase_if(idle_, [this](Connection* connection) { return send_next(*connection); });
  while (unanswered_ > 0) wait(options_.spin > 0 ? 0 : 1000);
}

void Load::run_open(std::uint64_t requests) {
  open_loop_ = true;
  unsent_ = answered_ = 0;
  unanswered_ = requests;
  std::mt19937_64 random(1);  // the same arrivals for everybody
  std::exponential_distribution<double> gap(options_.rate);
  const Instant start = steady_clock::now();
  double next = gap(random);
  std::uint64_t to_come = requests;
  std::deque<Instant> late;  // claims whose time has come and who have no connection
  while (unanswered_ > 0) {
    const Instant now = steady_clock::now();
    for (Instant due; to_come > 0; --to_come, next += gap(random), late.push_back(due)) {
      due = start + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(next));
      if (due > now) break;
    }
    for (; !late.empty() && !idle_.empty(); late.pop_front()) {
      Connection& connection = *idle_.back();
      idle_.pop_back();
      connection.intended = late.front();
      send(connection, next_user_++, 1);
    }
    wait(0);
  }
}

/// False when there is nothing left to send.
bool Load::send_next(Connection& connection) {
  if (!again_.empty()) {
    const std::uint64_t user = again_.front();
    again_.pop_front();
    return send(connection, user, 1);
  }
  if (unsent_ == 0) return false;
  const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(options_.depth, unsent_));
  unsent_ -= count;
  next_user_ += count;
  return send(connection, next_user_ - count, count);
}

bool Load::send(Connection& connection, std::uint64_t user, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) text_.write(user + i, outgoing_.data() + i * text_.size());
  const std::size_t bytes = count * text_.size();
  if (::send(connection.fd, outgoing_.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes)) {
    stop("the server closed a connection");
  }
  connection.user = user;
  connection.owed = count;
  return true;
}

void Load::wait(int timeout_ms) {
  static epoll_event events[events_max];
  const int count = ::epoll_wait(epoll_, events, events_max, timeout_ms);
  for (int i = 0; i < count; ++i) read(*static_cast<Connection*>(events[i].data.ptr));
}

void Load::read(Connection& connection) {
  const std::size_t kept = connection.rest.size();
  connection.rest.copy(incoming_.data(), kept);
  const ssize_t got = ::recv(connection.fd, incoming_.data() + kept, incoming_.size() - kept, MSG_DONTWAIT);
  if (got == 0) stop("the server closed a connection");
  if (got < 0) return;
  const std::string_view rest = take(connection, {incoming_.data(), kept + static_cast<std::size_t>(got)});
  connection.rest = rest;
  if (connection.owed == 0) finished(connection);
}

/// Takes all answers that have come whole, and returns the rest.
std::string_view Load::take(Connection& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto answer = check_.next(bytes, connection.user);
    if (!answer) break;
    if (connection.owed == 0) stop("an answer came that nobody had asked for");
    judge(connection, *answer);
    bytes.remove_prefix(answer->bytes);
    ++connection.user;
    --connection.owed;
  }
  return bytes;
}

void Load::judge(Connection& connection, const AnswerCheck::Answer& answer) {
  switch (answer.verdict) {
    case AnswerCheck::Verdict::fine:
      ++answered_;
      --unanswered_;
      return;
    case AnswerCheck::Verdict::ask_again:
      ++asked_again_;
      again_.push_back(connection.user);
      return;
    case AnswerCheck::Verdict::wrong:
      stop("a wrong answer: " + check_.what());
  }
}

void Load::finished(Connection& connection) {
  if (open_loop_) {
    const auto spent = steady_clock::now() - connection.intended;
    latency_.add(std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
    idle_.push_back(&connection);
  } else if (!send_next(connection)) {
    idle_.push_back(&connection);
  }
}

void Load::report(double seconds) const {
  fmt::print(
      R"({{"answers":{},"seconds":{:.6f},"asked_again":{},"winners":{},"p50_us":{},"p99_us":{},"p999_us":{},"max_us":{}}})"
      "\n",
      answered_, seconds, asked_again_, check_.winners(), latency_.quantile(0.5), latency_.quantile(0.99),
      latency_.quantile(0.999), latency_.max());
  std::fflush(stdout);
}

void wait_for_line() {
  for (int read = std::getchar(); read != '\n' && read != EOF;) read = std::getchar();
}

template <class Number>
void read_number(const std::string& text, Number& number) {
  number = static_cast<Number>(std::strtoull(text.c_str(), nullptr, 10));
}

Options parse(int count, char** words) {
  Options options;
  const std::map<std::string, std::function<void(const std::string&)>> known{
      {"--port", [&](const auto& text) { read_number(text, options.port); }},
      {"--campaign", [&](const auto& text) { options.campaign = text; }},
      {"--campaigns", [&](const auto& text) { read_number(text, options.campaigns); }},
      {"--connections", [&](const auto& text) { read_number(text, options.connections); }},
      {"--depth", [&](const auto& text) { read_number(text, options.depth); }},
      {"--warm", [&](const auto& text) { read_number(text, options.warm); }},
      {"--requests", [&](const auto& text) { read_number(text, options.requests); }},
      {"--first-user", [&](const auto& text) { read_number(text, options.first_user); }},
      {"--status", [&](const auto& text) { read_number(text, options.status); }},
      {"--quota", [&](const auto& text) { read_number(text, options.quota); }},
      {"--browser", [&](const auto& text) { read_number(text, options.browser); }},
      {"--spin", [&](const auto& text) { read_number(text, options.spin); }},
      {"--rate", [&](const auto& text) { read_number(text, options.rate); }}};
  for (int i = 1; i < count; i += 2) {
    const auto found = known.find(words[i]);
    if (found == known.end() || i + 1 == count) stop(fmt::format("what is {}? Every option takes a value", words[i]));
    found->second(words[i + 1]);
  }
  return options;
}

void run(const Options& options) {
  Load load(options);
  load.connect();
  load.run_closed(options.warm);
  fmt::print("ready\n");
  std::fflush(stdout);
  wait_for_line();
  const auto start = steady_clock::now();
  options.rate > 0 ? load.run_open(options.requests) : load.run_closed(options.requests);
  load.report(std::chrono::duration<double>(steady_clock::now() - start).count());
  wait_for_line();
}

}  // namespace
}  // namespace firstcome::bench

int main(int count, char** words) { firstcome::bench::run(firstcome::bench::parse(count, words)); }
