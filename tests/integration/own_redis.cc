#include "own_redis.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/assert.h"

namespace firstcome {
namespace {

std::string temporary_folder(const std::string& name) {
  std::string folder = (std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string();
  MUST(mkdtemp(folder.data()) != nullptr, "a temporary folder can be made");
  return folder;
}

void run(const std::string& command) {
  MUST(std::system(command.c_str()) == 0, "openssl makes certificates: " + command);
}

}  // namespace

TestCertificates::TestCertificates() : folder_(temporary_folder("firstcome-certificates")) {
  const std::string in = fmt::format("cd {} && exec 2>log && ", folder_);
  for (const char* const name : {"ca", "other"}) {
    run(fmt::format("{0}openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={1} -keyout {1}.key -out {1}.pem",
                    in, name));
  }
  for (const auto& [name, names] : {std::pair<std::string, std::string>{"here", "IP:127.0.0.1,DNS:localhost"},
                                    {"elsewhere", "DNS:redis.example"}}) {
    run(fmt::format(
        "{0}openssl req -new -newkey rsa:2048 -nodes -subj /CN=redis -keyout {1}.key -out {1}.csr && "
        "echo subjectAltName={2} >{1}.ext && openssl x509 -req -days 2 -in {1}.csr -CA ca.pem -CAkey ca.key "
        "-CAcreateserial -extfile {1}.ext -out {1}.pem",
        in, name, names));
  }
}

TestCertificates::~TestCertificates() { std::filesystem::remove_all(folder_); }

std::vector<std::string> TestCertificates::options(const std::string& name) const {
  return {"--tls-ca-cert-file", ca(), "--tls-cert-file", file(name + ".pem"), "--tls-key-file", file(name + ".key"),
          "--tls-auth-clients", "no"};
}

OwnRedis::OwnRedis(std::vector<std::string> options)
    : folder_(temporary_folder("firstcome-redis")), options_(std::move(options)), port_(free_port()) {
  const auto is_asked = [&](std::string_view option) { return std::ranges::find(options_, option) != options_.end(); };
  if (is_asked("--tls-cert-file")) tls_port_ = free_port();
  if (is_asked("--cluster-enabled")) options_.insert(options_.end(), {"--cluster-port", std::to_string(free_port())});
  start();
}

OwnRedis::~OwnRedis() {
  process_.kill();
  std::filesystem::remove_all(folder_);
}

void OwnRedis::start() {
  std::vector<std::string> words{"redis-server", "--bind", "127.0.0.1", "--port", std::to_string(port_),
                                 "--dir",        folder_,  "--save",    "",       "--enable-debug-command",
                                 "local"};
  if (tls_port_ != 0) words.insert(words.end(), {"--tls-port", std::to_string(tls_port_)});
  words.insert(words.end(), options_.begin(), options_.end());
  process_.start(words, folder_ + "/log");
  constexpr int tries_max = 400;  // 20 s
  for (int tries = 0; !HandRedis::connect(host()); ++tries) {
    MUST(tries < tries_max && process_.is_alive(), "redis-server starts; its last words are in " + folder_ + "/log");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

HandRedis OwnRedis::hand() const {
  auto hand = HandRedis::connect(host());
  MUST(hand, "it listens");
  return std::move(*hand);
}

}  // namespace firstcome
