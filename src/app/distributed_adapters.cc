#include "app/distributed_adapters.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "app/places.h"
#include "base/log.h"
#include "gate/redis_gate.h"

namespace firstcome {

/// Before the first connection: a server that is silent is known only after seconds. The settings' URLs hold no secret.
void DistributedAdapters::tell_connecting(const std::string& part, const std::string& url) {
  if (told_.insert(part).second) log::info("connecting to the " + part, {{"at", url}});
}

Result<void> DistributedAdapters::open() {
  auto place = journal_place(settings_);
  if (!place) return fail(place.error());
  tell_connecting("journal", settings_.journal);
  // Who asks again after in_flight_ms_max finds his ticket given up by then.
  auto journal = KafkaJournal::open({.place = std::move(*place),
                                     .clock = clock_,
                                     .random = random_,
                                     .append_ms_max = settings_.in_flight_ms_max * 4 / 5});
  if (!journal) return fail(journal.error());
  journal_ = std::move(*journal);
  if (!settings_.issues()) return {};
  auto server = store_server(settings_);
  if (!server) return fail(server.error());
  tell_connecting("store", settings_.store);
  auto store = MysqlStore::open(std::move(*server));
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  return {};
}

std::string DistributedAdapters::holder() const {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return fmt::format("{} pid {} {:08x}", host.data(), getpid(), static_cast<std::uint32_t>(random_.next()));
}

void DistributedAdapters::close() {
  store_.reset();
  journal_.reset();
  has_gate_ = false;
}

Result<std::unique_ptr<Gate>> DistributedAdapters::make_gate(http::Loop& loop) {
  if (!settings_.serves() || settings_.gate == "none") return nullptr;
  auto servers = gate_servers(settings_);
  if (!servers) return fail(servers.error());
  auto gate = RedisGate::open({.io = loop.io(),
                               .clock = clock_,
                               .random = random_,
                               .servers = std::move(*servers),
                               .password = settings_.gate_password,
                               .tls_ca = settings_.gate_tls_ca,
                               .prefix = settings_.gate_prefix,
                               .installation = journal_->installation().id,
                               .is_quiet = std::exchange(has_gate_, true),
                               .bypass_ms_max = settings_.gate_bypass_ms_max});
  if (!gate) return fail(gate.error());
  return std::move(*gate);
}

void DistributedAdapters::write_metrics(metrics::Page& page) const {
  const auto journal = journal_->kafka_stats();
  page.gauge("firstcome_journal_lag_entries", "Messages that are in the topic and were not read, at the last look.",
             static_cast<double>(journal.lag_entries));
  page.gauge("firstcome_journal_silent_seconds", "Time since the brokers last said where the topic ends.",
             journal.silent_seconds);
  page.counter("firstcome_journal_readers_total",
               "Connections that read, and were given up for another: a broker was away, or told less than before.",
               static_cast<double>(journal.exchanged));
  for (const auto& [call, calls] : {std::pair("ends", journal.ends), std::pair("check", journal.checks)}) {
    const metrics::Labels label{{"call", call}};
    page.summary("firstcome_journal_call_seconds", "Time of a call of the brokers, without appends and reads.",
                 calls.count, calls.seconds, label);
    page.counter("firstcome_journal_calls_failed_total", "Calls of the brokers that failed.",
                 static_cast<double>(calls.failed), label);
  }
  const auto& sender = journal_->sender_stats();
  page.counter("firstcome_journal_producers_total", "Producers that broke, each followed by another.",
               static_cast<double>(sender.producers.load()));
  page.counter("firstcome_journal_sent_again_total", "Tickets of a broken producer that were sent once more.",
               static_cast<double>(sender.sent_again.load()));
  page.counter("firstcome_journal_unknown_total", "Appends of which nobody knows whether they were written.",
               static_cast<double>(sender.unknown.load()));
  if (!store_) return;
  const auto& store = store_->stats();
  page.counter("firstcome_store_connects_total", "Connections to the store, with the first.",
               static_cast<double>(store.connects.load()));
  page.counter("firstcome_store_connections_lost_total", "Connections to the store that were lost.",
               static_cast<double>(store.lost.load()));
  page.counter("firstcome_store_repeats_total", "Transactions repeated after a deadlock or a wait for a lock.",
               static_cast<double>(store.repeats.load()));
  page.counter("firstcome_store_deadlocks_total", "Transactions that the store undid for a deadlock.",
               static_cast<double>(store.deadlocks.load()));
  page.counter("firstcome_store_lock_waits_total", "Transactions undone since another one held a lock for too long.",
               static_cast<double>(store.lock_waits.load()));
  for (int kind = 0; kind < MysqlStore::call_kinds; ++kind) {
    const auto& calls = store.of[static_cast<std::size_t>(kind)];
    const metrics::Labels label{{"call", std::string(MysqlStore::to_string(static_cast<MysqlStore::Call>(kind)))}};
    page.summary("firstcome_store_call_seconds", "Time of a call of the store, with its repeats.", calls.count,
                 calls.seconds, label);
    page.counter("firstcome_store_calls_failed_total", "Calls of the store that failed.",
                 static_cast<double>(calls.faults.load()), label);
  }
}

std::string DistributedAdapters::describe() const {
  std::string text = "journal      " + settings_.journal;
  if (settings_.issues()) text += "\n  store        " + settings_.store;
  if (settings_.serves()) text += "\n  gate         " + settings_.gate;
  return text;
}

}  // namespace firstcome
