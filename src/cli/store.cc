#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/server_settings.h"
#include "store/mysql_schema.h"

namespace firstcome::cli {
namespace {

constexpr std::string_view form = "--store mysql://USER@HOST:PORT/DATABASE";

Result<mysql::Server> server_of(const Settings& settings) {
  if (settings.store == "sqlite") {
    return fail(FaultKind::misconfigured, fmt::format("which store? {} (a SQLite store makes its own tables)", form));
  }
  constexpr std::string_view schemes[] = {"mysql"};
  const auto url = parse_server_url(settings.store, schemes, form);
  if (!url) return fail(url.error());
  if (url->hosts.size() != 1 || url->user.empty() || url->path.empty()) {
    return fail(FaultKind::misconfigured, fmt::format("a store has one user, one host and one database: {}", form));
  }
  auto server = mysql::Server::at(url->hosts.front());
  if (!server) return fail(server.error());
  server->user = url->user;
  server->database = url->path;
  server->password = settings.store_password;
  server->tls_ca = settings.store_tls_ca;
  return server;
}

int migrate(const Words& words) {
  const auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  const auto server = server_of(loaded->settings);
  if (!server) return complain(server.error());
  const auto done = mysql::migrate(*server);
  if (!done) return complain(done.error());
  if (words.has("--json")) {
    const nlohmann::ordered_json told{
        {"store", server->url()}, {"from", done->from}, {"to", done->to}, {"did", done->did}};
    std::printf("%s\n", told.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    return exit_fine;
  }
  for (const auto& line : done->did) std::printf("made %s\n", line.c_str());
  std::printf("%s has schema %u%s\n", server->url().c_str(), done->to, done->did.empty() ? " already" : "");
  return exit_fine;
}

}  // namespace

std::vector<Command> store_commands() {
  std::vector<Argument> arguments;
  for (auto& argument : server_arguments()) {
    constexpr std::string_view wanted[] = {"--config", "--store", "--store-password-file", "--store-tls-ca"};
    if (std::ranges::find(wanted, argument.name) != std::end(wanted)) arguments.push_back(std::move(argument));
  }
  arguments.push_back({"--json", "", "print JSON"});
  return {{"store migrate",
           "make the tables of a MySQL or MariaDB store, or bring them to this version; safe to repeat", arguments,
           migrate}};
}

}  // namespace firstcome::cli
