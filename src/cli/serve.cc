#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <thread>

#include "app/file_limit.h"
#include "app/server.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/server_settings.h"

namespace firstcome::cli {
namespace {

/// SIGTERM and SIGINT come to who waits for them, not as interruptions. Before any thread is started.
sigset_t catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

bool signalled_within(const sigset_t& set, Millis wait) {
  const timespec time{wait.count() / 1000, (wait.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &time) > 0;
}

void greet(const Server& server, const Settings& settings) {
  std::fprintf(
      stderr,
      "firstcome is ready: %s\n"
      "  users ask    http://%s\n"
      "  operators    http://%s\n"
      "  data         %s\n"
      "  a first campaign:  firstcome campaign create lunch --quota 100%s\n",
      server.summary().c_str(), server.public_address().c_str(), server.admin_address().c_str(), settings.data.c_str(),
      server.admin_address() == "127.0.0.1:8081" ? "" : (" --admin-url http://" + server.admin_address()).c_str());
}

int serve(const Words& words) {
  auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  Settings& settings = loaded->settings;
  log::set_form(settings.log_form);
  const bool may_lower = loaded->origin.at("connections_max") == "default";
  if (auto room = make_room_for_connections(settings, may_lower); !room) return complain(room.error());
  const sigset_t signals = catch_signals();
  bool ended = false;
  constexpr Millis moment{100};
  const auto keep_trying = [&] { return !(ended = signalled_within(signals, moment)); };
  auto server = Server::start(settings, keep_trying);
  if (!server) {
    if (ended) return exit_fine;
    const int code = complain(server.error());
    return code == exit_unreachable ? exit_failed : code;
  }
  greet(**server, settings);
  log::info("serving", {{"listen", (*server)->public_address()},
                        {"admin_listen", (*server)->admin_address()},
                        {"data", settings.data},
                        {"holds", (*server)->summary()}});
  int number = 0;
  sigwait(&signals, &number);
  log::info("going down: no new claims, answering what is in flight; a second signal ends at once");
  std::atomic<bool> drained{false};
  std::jthread drainer([&] {
    (*server)->drain();
    drained = true;
  });
  while (!drained) {
    if (signalled_within(signals, moment)) _exit(exit_failed);
  }
  log::info("stopped: everything that was told is on disk");
  return exit_fine;
}

}  // namespace

std::vector<Command> serve_commands() { return {{"serve", "run the server", server_arguments(), serve}}; }

}  // namespace firstcome::cli
