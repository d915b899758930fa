#include "app/places.h"

namespace firstcome {

Result<KafkaPlace> journal_place(const Settings& settings) {
  const auto url = parse_journal_url(settings);
  if (!url) return fail(url.error());
  if (url->path.empty()) {
    return fail(FaultKind::misconfigured, "journal names no topic: write kafka://HOST:PORT,.../TOPIC");
  }
  KafkaPlace place{
      .access = {.brokers = {}, .options = settings.journal_options, .password = settings.journal_password},
      .topic = url->path};
  for (const auto& host : url->hosts) place.access.brokers += (place.access.brokers.empty() ? "" : ",") + host;
  return place;
}

Result<mysql::Server> store_server(const Settings& settings) {
  const auto url = parse_store_url(settings);
  if (!url) return fail(url.error());
  if (url->hosts.size() != 1 || url->user.empty() || url->path.empty()) {
    return fail(FaultKind::misconfigured,
                "a store has one user, one host and one database: write mysql://USER@HOST:PORT/DATABASE");
  }
  auto server = mysql::Server::at(url->hosts.front());
  if (!server) return fail(server.error());
  server->user = url->user;
  server->database = url->path;
  server->password = settings.store_password;
  server->tls_ca = settings.store_tls_ca;
  return server;
}

Result<RedisServers> gate_servers(const Settings& settings) {
  auto url = parse_gate_url(settings);
  if (!url) return fail(url.error());
  return redis_servers(url->scheme, url->user, std::move(url->hosts), url->path);
}

Result<void> check_places(const Settings& settings) {
  if (!settings.is_distributed()) return {};
  const auto journal = journal_place(settings);
  if (!journal) return fail(journal.error());
  if (auto fits = kafka::check_access(journal->access); !fits) return fits;
  if (settings.issues()) {
    if (const auto store = store_server(settings); !store) return fail(store.error());
  }
  if (settings.serves() && settings.gate != "none") {
    if (const auto gate = gate_servers(settings); !gate) return fail(gate.error());
  }
  return {};
}

}  // namespace firstcome
