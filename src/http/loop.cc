#include "http/loop.h"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/listener.h"

namespace firstcome::http {
namespace {

namespace asio = boost::asio;

constexpr Millis tick_interval{20};
constexpr Millis warn_interval{10'000};
constexpr int events_max = 256;  // 4 KiB of stack; the rest comes with the next wait
constexpr int accepts_max = 64;  // in a row: connections that are there already wait for no longer than that
constexpr int rounds_max = 16;   // waits without a look at what was posted
constexpr std::uint32_t slab_connections = 256;
constexpr std::uint64_t listener_mark = std::uint64_t{1} << 63;

// What epoll gives back: a slot and which of its lives, so that an event for a connection that was closed earlier in
// the same batch does not reach the next one in its slot.
std::uint64_t token_of(std::uint32_t slot, std::uint32_t life) {
  return (std::uint64_t{life & 0x7fffffffU} << 32) | slot;
}

}  // namespace

struct Loop::Impl {
  explicit Impl(Clock& clock) : common(clock), epoll(::epoll_create1(EPOLL_CLOEXEC)), ready(io), timer(io) {
    MUST(epoll.is_open(), "the kernel gives no epoll set: too few file descriptors before the start");
    ready.assign(epoll.get());
  }
  ~Impl() { ready.release(); }

  void start();
  bool watch(int fd, std::uint64_t token, std::uint32_t events);
  void wait_for_ready();
  void on_ready();
  void on_event(const epoll_event& event);
  void accept(Listener& listener, int most);
  void open(Accepted accepted, Listener& listener);
  void note_exhausted();
  void resume_all();
  void on_timer();
  void wait_for_timer();
  void close_listeners();
  void start_drain(Millis longest);
  void cut_all();
  Connection& at(std::uint32_t slot) { return *(*slots[slot / slab_connections])[slot % slab_connections]; }
  template <class Do>
  void for_each_open(Do act);

  using Slab = std::array<std::unique_ptr<Connection>, slab_connections>;

  Common common;
  Descriptor epoll;
  asio::io_context io{1};
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> ready;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      timer;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<Slab>> slots;
  std::uint32_t slots_used = 0;
  std::function<void()> tick;
  Uptime warn_again{};
  bool started = false;
  Uptime drain_ends{};
  std::vector<std::uint32_t> resuming;
};

/// False, with errno: no memory, or fs.epoll.max_user_watches.
bool Loop::Impl::watch(int fd, std::uint64_t token, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::Impl::wait_for_ready() {
  ready.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
    if (!error) on_ready();
  });
}

void Loop::Impl::on_ready() {
  std::array<epoll_event, events_max> events;
  for (int round = 0; round < rounds_max; ++round) {
    const int count = ::epoll_wait(epoll.get(), events.data(), events_max, 0);
    if (count <= 0) return wait_for_ready();
    common.now = common.clock.uptime();
    for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)]);
    resume_all();
  }
  asio::post(io, [this] { on_ready(); });  // more may be ready, but what was posted is not to starve
}

void Loop::Impl::on_event(const epoll_event& event) {
  const std::uint64_t token = event.data.u64;
  if (token & listener_mark) return accept(*listeners[token & ~listener_mark], accepts_max);
  const auto slot = static_cast<std::uint32_t>(token);
  Connection& connection = at(slot);
  if (connection.is_open() && token_of(slot, connection.life()) == token) connection.ready(event.events);
}

void Loop::Impl::accept(Listener& listener, int most) {
  Accepted accepted;
  for (int i = 0; i < most && listener.is_open(); ++i) {
    switch (listener.accept(accepted)) {
      case Listener::Outcome::accepted:
        open(std::move(accepted), listener);
        break;
      case Listener::Outcome::none_left:
        return;
      case Listener::Outcome::exhausted:
        note_exhausted();
        // Level-triggered, it would be told again at once: until the next tick nobody asks.
        ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, listener.fd(), nullptr);
        listener.paused = true;
        return;
    }
  }
}

void Loop::Impl::note_exhausted() {
  const int error = errno;
  common.counters.accepts_failed.add();
  if (common.now < warn_again) return;
  warn_again = common.now + warn_interval;
  log::warn(error == ENOSPC
                ? "no connection can be watched: raise fs.epoll.max_user_watches, or lower connections_max"
                : "no connection can be accepted: raise the limit of open files (ulimit -n), or lower connections_max",
            {{"error", std::strerror(error)}, {"connections", common.counters.connections_open.value()}});
}

void Loop::Impl::open(Accepted accepted, Listener& listener) {
  if (listener.endpoint.open >= listener.endpoint.limits.connections) {
    common.counters.connections_refused.add();
    return;  // closed here: the client sees it at once, and may go to another node
  }
  if (common.free.empty()) {
    if (slots_used % slab_connections == 0) slots.push_back(std::make_unique<Slab>());
    (*slots.back())[slots_used % slab_connections] = std::make_unique<Connection>(common, slots_used);
    common.free.push_back(slots_used++);
  }
  const std::uint32_t slot = common.free.back();
  Connection& connection = at(slot);
  const int fd = accepted.socket.get();
  if (!watch(fd, token_of(slot, connection.life()), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
    return note_exhausted();  // closed here
  }
  common.free.pop_back();
  connection.open(accepted.socket.release(), accepted.peer, listener.endpoint);
}

/// Those that were answered late, and those that had more to read than one turn allows. One turn each, so that the
/// loop comes back to its events.
void Loop::Impl::resume_all() {
  resuming.swap(common.resumed);
  for (const std::uint32_t slot : resuming) at(slot).resume();
  resuming.clear();
  if (!common.resumed.empty()) asio::post(io, [this] { resume_all(); });
}

void Loop::Impl::wait_for_timer() {
  timer.expires_after(tick_interval);
  timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_timer();
  });
}

void Loop::Impl::on_timer() {
  common.now = common.clock.uptime();
  common.wheel.advance(common.now, [this](std::uint32_t slot) { at(slot).due(); });
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    if (!listeners[i]->is_open() || !listeners[i]->paused) continue;
    listeners[i]->paused = !watch(listeners[i]->fd(), listener_mark | i, EPOLLIN);
  }
  if (tick) tick();
  resume_all();
  if (common.draining) {
    if (common.now >= drain_ends) cut_all();
    if (common.counters.connections_open.value() == 0) return io.stop();
  }
  wait_for_timer();
}

template <class Do>
void Loop::Impl::for_each_open(Do act) {
  for (std::uint32_t slot = 0; slot < slots_used; ++slot) {
    if (at(slot).is_open()) act(at(slot));
  }
}

void Loop::Impl::close_listeners() {
  for (const auto& listener : listeners) {
    accept(*listener, Listener::queue_max);  // who is in the queue already is answered, not reset
    listener->close();
  }
}

void Loop::Impl::start_drain(Millis longest) {
  common.now = common.clock.uptime();
  drain_ends = std::min(common.draining ? drain_ends : Uptime::max(), common.now + longest);
  if (std::exchange(common.draining, true)) return;
  close_listeners();
  for_each_open([](Connection& connection) { connection.drain(); });
}

void Loop::Impl::cut_all() {
  for_each_open([this](Connection& connection) {
    common.counters.drain_cut.add();
    connection.close();
  });
}

Loop::Loop(Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}

Loop::~Loop() {
  impl_->for_each_open([](Connection& connection) { connection.close(); });
}

void Loop::listen(Descriptor socket, Handler& handler, const Limits& limits) {
  MUST(impl_->watch(socket.get(), listener_mark | impl_->listeners.size(), EPOLLIN),
       "the kernel watches no socket: too few epoll watches before the start");
  impl_->listeners.push_back(std::make_unique<Listener>(std::move(socket), handler, limits));
}

void Loop::on_tick(std::function<void()> tick) { impl_->tick = std::move(tick); }

void Loop::Impl::start() {
  if (std::exchange(started, true)) return;
  wait_for_ready();
  wait_for_timer();
}

void Loop::poll() {
  impl_->start();
  impl_->io.poll();
}

void Loop::run() {
  impl_->start();
  impl_->io.run();
  for (const auto& listener : impl_->listeners) listener->close();
  impl_->for_each_open([](Connection& connection) { connection.close(); });  // the handlers are still there
}

void Loop::post(std::function<void()> work) {
  asio::post(impl_->io, [this, work = std::move(work)] {
    work();
    impl_->resume_all();
  });
}

bool Loop::answer(ExchangeId id, const ReadyResponse& response) {
  return id.slot < impl_->slots_used && impl_->at(id.slot).answer(id, response);
}

void Loop::drain(Millis longest) {
  asio::post(impl_->io, [this, longest] { impl_->start_drain(longest); });
}

void Loop::stop() { impl_->io.stop(); }

asio::io_context& Loop::io() { return impl_->io; }

const Counters& Loop::counters() const { return impl_->common.counters; }
Counters& Loop::counters() { return impl_->common.counters; }

}  // namespace firstcome::http
