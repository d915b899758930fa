#include "own_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/assert.h"

namespace firstcome {

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  MUST(socket >= 0 && bind(socket, any, size) == 0 && getsockname(socket, any, &size) == 0, "loopback has free ports");
  close(socket);
  return ntohs(address.sin_port);
}

void OwnProcess::start(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::lock_guard lock(mutex_);
  MUST(process_ == 0, "the one before has ended");
  process_ = fork();
  MUST(process_ >= 0, "a process can be made");
  if (process_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = open("/dev/null", O_RDONLY);
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(nothing, 0);
  dup2(file, 1);
  dup2(file, 2);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

void OwnProcess::end(int signal) {
  const std::lock_guard lock(mutex_);
  if (process_ == 0) return;
  ::kill(process_, signal);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

void OwnProcess::send(int signal) const {
  const std::lock_guard lock(mutex_);
  MUST(process_ > 0 && ::kill(process_, signal) == 0, "it is there");
}

bool OwnProcess::is_alive() const {
  const std::lock_guard lock(mutex_);
  return process_ > 0 && waitpid(process_, nullptr, WNOHANG) == 0;
}

}  // namespace firstcome
