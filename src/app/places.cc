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

}  // namespace firstcome
