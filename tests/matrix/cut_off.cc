// Preloaded into a broker, which is cut off from the other brokers, but not from clients, while a file is there:
// nothing goes through a socket that has, at either end, a port at which brokers speak to each other. CUT_OFF names the
// file, and the first and the last of these ports: FILE:FIRST:LAST.
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

struct Cut {
  std::string file;
  int first = 0, last = 0;

  Cut() {
    const char* const text = std::getenv("CUT_OFF");
    if (!text) return;
    file = text;
    const auto second = file.rfind(':'), before = file.rfind(':', second - 1);
    first = std::atoi(file.c_str() + before + 1);
    last = std::atoi(file.c_str() + second + 1);
    file.resize(before);
  }
  bool is_there() const { return !file.empty() && ::access(file.c_str(), F_OK) == 0; }
  bool has(const sockaddr* address) const {
    int port = 0;
    if (address->sa_family == AF_INET) port = ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
    if (address->sa_family == AF_INET6) port = ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
    return port >= first && port <= last;
  }
};

using NameOf = int(int, sockaddr*, socklen_t*);

bool is_cut(int socket) {
  static const Cut cut;
  const auto has = [&](NameOf* name_of) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    auto* const address = reinterpret_cast<sockaddr*>(&name);
    return name_of(socket, address, &size) == 0 && cut.has(address);
  };
  const int before = errno;
  const bool is = cut.is_there() && (has(::getsockname) || has(::getpeername));
  errno = before;
  return is;
}

template <auto* Own, class... Arguments>
ssize_t unless_cut(const char* name, int socket, Arguments... arguments) {
  static const auto real = reinterpret_cast<decltype(Own)>(::dlsym(RTLD_NEXT, name));
  if (!is_cut(socket)) return real(socket, arguments...);
  errno = ECONNRESET;
  return -1;
}

}  // namespace

extern "C" {

ssize_t read(int fd, void* bytes, size_t size) { return unless_cut<&::read>("read", fd, bytes, size); }
ssize_t write(int fd, const void* bytes, size_t size) { return unless_cut<&::write>("write", fd, bytes, size); }
ssize_t readv(int fd, const iovec* parts, int count) { return unless_cut<&::readv>("readv", fd, parts, count); }
ssize_t writev(int fd, const iovec* parts, int count) { return unless_cut<&::writev>("writev", fd, parts, count); }

}  // extern "C"
