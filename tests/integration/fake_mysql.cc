#include "fake_mysql.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/assert.h"

namespace firstcome {
namespace {

using namespace std::string_view_literals;

constexpr auto ok = "\x00\x00\x00\x02\x00\x00\x00"sv;
constexpr auto unknown_variable = "\xff\xa9\x04#HY000Unknown system variable"sv;
constexpr auto ask_for_password = "\xfemysql_clear_password\0"sv;

/// Protocol 4.1, with transactions, secure passwords and plugins.
std::string greeting(std::string_view version) {
  std::string text = "\x0a";
  text += version;
  text += "\0\x01\0\0\0"sv;                      // connection 1
  text += "abcdefgh\0"sv;                        // half of the challenge
  text += "\x0f\xa2\x21\x02\x00\x08\x00\x15"sv;  // what it can do, its character set and state; 21 bytes of challenge
  text += std::string(10, '\0');
  text += "ijklmnopqrst\0mysql_native_password\0"sv;
  return text;
}

void send_packet(int to, char number, std::string_view payload) {
  std::string packet{static_cast<char>(payload.size()), '\0', '\0', number};
  packet += payload;
  (void)send(to, packet.data(), packet.size(), MSG_NOSIGNAL);
}

}  // namespace

FakeMysql::FakeMysql(std::string version, bool asks_for_password)
    : version_(std::move(version)),
      asks_for_password_(asks_for_password),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  MUST(bind(listener_, reinterpret_cast<sockaddr*>(&here), size) == 0 && listen(listener_, 8) == 0, "a port is free");
  getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size);
  port_ = ntohs(here.sin_port);
  thread_ = std::thread([this] { run(); });
}

FakeMysql::~FakeMysql() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

void FakeMysql::run() {
  for (;;) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    serve(client);
    close(client);
  }
}

/// A client's packet is small and comes in one piece: these tests send no large ones.
void FakeMysql::serve(int client) {
  send_packet(client, 0, greeting(version_));
  for (int packets = 0;; ++packets) {
    std::string packet(65536, '\0');
    const auto got = recv(client, packet.data(), packet.size(), 0);
    if (got < 4) return;
    packet.resize(static_cast<std::size_t>(got));
    heard_ += packet;
    std::string_view answer = ok;
    if (packets == 0 && asks_for_password_) answer = ask_for_password;
    if (packet.find("SET SESSION") != std::string::npos) answer = unknown_variable;
    send_packet(client, static_cast<char>(packet[3] + 1), answer);
  }
}

}  // namespace firstcome
