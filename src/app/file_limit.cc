#include "app/file_limit.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace firstcome {

Result<void> make_room_for_connections(Settings& settings, bool may_lower) {
  constexpr rlim_t each_loop = 5;  // its listener and epoll set; Asio's epoll set, eventfd and timerfd
  constexpr rlim_t files = 64;     // databases, the lock, the log
  constexpr rlim_t connections_min = 128;
  const rlim_t besides = limits::admin_connections_max + each_loop * settings.loop_count() + files;
  const rlim_t wanted = settings.connections_max + besides;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return {};
  const rlimit raised{std::min(wanted, limit.rlim_max), limit.rlim_max};
  const rlim_t got = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
  if (got >= wanted) return {};
  if (may_lower && got >= connections_min + besides) {
    settings.connections_max = got - besides;
    log::warn("too few file descriptors for the default connections_max: lowered (raise ulimit -Hn or LimitNOFILE=)",
              {{"connections_max", settings.connections_max}});
    return {};
  }
  return fail(FaultKind::misconfigured, "connections_max " + std::to_string(settings.connections_max) + " needs " +
                                            std::to_string(wanted) + " file descriptors, and this process may have " +
                                            std::to_string(got) +
                                            ": raise the limit (ulimit -Hn, LimitNOFILE=) or lower --connections-max");
}

}  // namespace firstcome
