#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "app/file_limit.h"
#include "app/server.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/server_settings.h"

namespace firstcome::cli {
namespace {

/// SIGTERM and SIGINT, heard on a thread of their own: one that comes while the server starts need not wait until the
/// journal is read.
///
///   starting   the process ends at once, well: nothing was told to anybody, and a start may be cut anywhere, as by a
///              kill.
///   serving    await() ends.
///   ending     the process ends at once: somebody is tired of waiting.
class Signals {
 public:
  /// Before any other thread is started: they must not be interrupted.
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::thread([this] { hear(); });
  }
  ~Signals() {
    phase_ = Phase::over;
    pthread_kill(thread_.native_handle(), SIGINT);
    thread_.join();
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void serving() { phase_ = Phase::serving; }
  void await() const { phase_.wait(Phase::serving); }

 private:
  enum class Phase : std::uint8_t { starting, serving, ending, over };

  void hear() {
    for (int number = 0;;) {
      sigwait(&set_, &number);
      Phase now = Phase::serving;
      if (phase_.compare_exchange_strong(now, Phase::ending)) {
        phase_.notify_one();
        continue;
      }
      if (now == Phase::over) return;
      if (now == Phase::ending) _exit(exit_failed);
      log::info("stopped before it was ready: nothing was told to anybody");
      _exit(exit_fine);
    }
  }

  sigset_t set_{};
  std::atomic<Phase> phase_{Phase::starting};
  std::thread thread_;
};

void greet(const Server& server, bool is_ready) {
  const std::string users =
      server.public_address().empty() ? "" : "  users ask    http://" + server.public_address() + "\n";
  std::fprintf(
      stderr,
      "firstcome %s: %s\n"
      "%s"
      "  operators    http://%s\n"
      "  %s\n"
      "  %s%s\n",
      is_ready ? "is ready" : "serves, and /readyz is 503 and says why", server.summary().c_str(), users.c_str(),
      server.admin_address().c_str(), server.place().c_str(),
      server.is_new() ? "a first campaign:  firstcome campaign create lunch --quota 100"
                      : "its campaigns:     firstcome campaign list",
      server.admin_address() == "127.0.0.1:8081" ? "" : (" --admin-url http://" + server.admin_address()).c_str());
}

void tell_serving(const Server& server, const Settings& settings, bool is_ready) {
  const std::string what = is_ready ? "serving" : "serving, and /readyz is 503";
  const log::Field admin("admin_listen", server.admin_address()), role("role", settings.role),
      holds("holds", server.summary());
  if (settings.serves()) {
    log::info(what, {{"listen", server.public_address()}, admin, role, holds});
  } else {
    log::info(what, {admin, role, holds});
  }
}

int serve(const Words& words) {
  auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  Settings& settings = loaded->settings;
  log::set_form(settings.log_form);
  const bool may_lower = loaded->origin.at("connections_max") == "default";
  if (auto room = make_room_for_connections(settings, may_lower); !room) return complain(room.error());
  Signals signals;
  auto server = Server::start(settings);
  if (!server) {
    const int code = complain(server.error());
    return code == exit_unreachable ? exit_failed : code;
  }
  signals.serving();
  const bool is_ready = (*server)->await_ready();
  greet(**server, is_ready);
  tell_serving(**server, settings, is_ready);
  signals.await();
  log::info("going down: no new claims, answering what is in flight; a second signal ends at once");
  (*server)->drain();
  log::info("stopped: everything that was told is on disk");
  return exit_fine;
}

}  // namespace

std::vector<Command> serve_commands() { return {{"serve", "run the server", server_arguments(), serve}}; }

}  // namespace firstcome::cli
