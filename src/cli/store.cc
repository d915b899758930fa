#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/places.h"
#include "cli/server_settings.h"
#include "store/mysql_schema.h"

namespace firstcome::cli {
namespace {

int migrate(const Words& words) {
  const auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  const auto server = store_server(loaded->settings);
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
  std::vector<Argument> arguments = server_arguments({"store", "store_password_file", "store_tls_ca"});
  arguments.push_back({"--json", "", "print JSON"});
  return {{"store migrate",
           "make the tables of a MySQL or MariaDB store, or bring them to this version; safe to repeat", arguments,
           migrate}};
}

}  // namespace firstcome::cli
