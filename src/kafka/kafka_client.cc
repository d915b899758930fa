// DESIGN
//   Written for librdkafka 2.0.2 (Debian 12). Its defaults are made for throughput and for groups; those that lose,
//   repeat or hide something are set here and where a consumer or a producer is opened, each with its reason.
#include "kafka/kafka_client.h"

#include <fmt/format.h>

#include <array>

#include "base/log.h"

namespace firstcome::kafka {
namespace {

constexpr Millis reconnect_first{50}, reconnect_most{1000};
constexpr Millis connect_ms_max{3000};

/// Without "(after 3ms in state CONNECT, 1 identical error(s) suppressed)", which differs each time.
std::string without_state(std::string reason) {
  const auto state = reason.rfind(" (after ");
  if (state != std::string::npos) reason.resize(state);
  return reason;
}

std::string value_of(const rd_kafka_conf_t* conf, const char* key) {
  std::array<char, 512> value{};
  std::size_t size = value.size();
  return rd_kafka_conf_get(conf, key, value.data(), &size) == RD_KAFKA_CONF_OK ? value.data() : "";
}

/// librdkafka refuses these too, by names that are not those of our settings.
Result<void> check_sasl(const rd_kafka_conf_t* conf) {
  const auto mechanism = value_of(conf, "sasl.mechanism");
  const bool has_password = mechanism == "PLAIN" || mechanism.starts_with("SCRAM-");
  if (!has_password || !value_of(conf, "security.protocol").starts_with("sasl_")) return {};
  const auto needs = [&](std::string_view what) {
    return fail(FaultKind::misconfigured, fmt::format("journal_options: sasl.mechanism={} needs {}", mechanism, what));
  };
  if (value_of(conf, "sasl.username").empty()) return needs("sasl.username=... there");
  if (value_of(conf, "sasl.password").empty()) {
    return needs("a password: --journal-password-file FILE, or FIRSTCOME_JOURNAL_PASSWORD");
  }
  return {};
}

void on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  static_cast<Told*>(opaque)->troubles.note(static_cast<rd_kafka_resp_err_t>(error), reason);
}

/// librdkafka logs every lost connection, of every client, again and again: our own log says it once, as a fault, and
/// what is fatal to a producer too.
void on_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int critical = 2;
  if (level <= critical && std::string_view(facility) != "FATAL")
    log::error("librdkafka", {{"facility", facility}, {"text", text}});
}

}  // namespace

void Troubles::note(rd_kafka_resp_err_t error, std::string reason) {
  std::lock_guard lock(mutex_);
  noted_ = SystemClock().uptime();
  error_ = error;
  reason_ = without_state(std::move(reason));
}

Fault Troubles::fault(std::string_view doing, rd_kafka_resp_err_t error) const {
  std::lock_guard lock(mutex_);
  const bool timed_out = error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT ||
                         error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  if (timed_out && error_ != RD_KAFKA_RESP_ERR_NO_ERROR && SystemClock().uptime() - noted_ < lately)
    return {kind_of_connection(error_), fmt::format("{}: {}{}", doing, reason_, remedy(error_))};
  const FaultKind kind = kind_of(error);  // a message may be damaged: then the broker is the right one
  return {kind,
          fmt::format("{}: {}{}", doing, rd_kafka_err2str(error), kind == FaultKind::corrupt ? "" : remedy(error))};
}

std::string_view Troubles::remedy(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return "; look at sasl.mechanism and sasl.username in --journal-options, and at --journal-password-file";
    case RD_KAFKA_RESP_ERR__SSL:
      return "; ssl.ca.location in --journal-options must name the authority of the broker's certificate, which must "
             "be one for the name in --journal, and in force";
    case RD_KAFKA_RESP_ERR__BAD_MSG:
      return "; that is no Kafka broker, or one that wants TLS: look at --journal";
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return "; that is no broker for clients, as a controller is none: look at --journal";
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return "; is the broker up there, and does --journal name it rightly?";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "; its user needs DESCRIBE, DESCRIBE_CONFIGS, READ and WRITE of the topic (`topic create`: CREATE too), "
             "and DESCRIBE_CONFIGS of the cluster";
    default:
      return "";
  }
}

FaultKind Troubles::kind_of_connection(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__BAD_MSG ? FaultKind::unavailable : kind_of(error);
}

FaultKind Troubles::kind_of(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return FaultKind::misconfigured;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      return FaultKind::corrupt;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return FaultKind::timed_out;
    default:
      return FaultKind::unavailable;
  }
}

Result<void> set(rd_kafka_conf_t* conf, const char* key, const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, key, value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK) return {};
  return fail(FaultKind::misconfigured, fmt::format("journal_options: {}", why.data()));
}

Result<Conf> conf_of(const Access& access, Told& told) {
  Conf conf(rd_kafka_conf_new());
  const std::pair<const char*, std::string> settings[] = {
      {"bootstrap.servers", access.brokers},
      {"client.id", "firstcome"},
      {"reconnect.backoff.ms", std::to_string(reconnect_first.count())},
      {"reconnect.backoff.max.ms", std::to_string(reconnect_most.count())},
      {"socket.timeout.ms", std::to_string(request_ms_max.count())},
      {"socket.connection.setup.timeout.ms", std::to_string(connect_ms_max.count())},
      {"socket.keepalive.enable", "true"},
      {"socket.nagle.disable", "true"},
      {"retry.backoff.ms", "50"},
      {"log_level", "2"},
  };
  for (const auto& [key, value] : settings) {
    if (auto done = set(conf.get(), key, value); !done) return fail(done.error());
  }
  for (const auto& option : access.options) {
    const auto equals = option.find('=');
    const std::string key = option.substr(0, equals);
    if (auto done = set(conf.get(), key.c_str(), option.substr(equals + 1)); !done) return fail(done.error());
  }
  if (!access.password.empty()) {
    if (auto done = set(conf.get(), "sasl.password", access.password); !done) return fail(done.error());
  }
  if (auto fits = check_sasl(conf.get()); !fits) return fail(fits.error());
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_opaque(conf.get(), &told);
  return conf;
}

Result<void> check_access(const Access& access) {
  Told told;
  const auto conf = conf_of(access, told);
  return conf ? Result<void>() : fail(conf.error());
}

Result<rd_kafka_t*> client_of(rd_kafka_type_t type, Conf conf) {
  std::array<char, 512> why{};
  rd_kafka_t* const client = rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (!client) return fail(FaultKind::misconfigured, fmt::format("Kafka client, by journal_options: {}", why.data()));
  (void)conf.release();  // it is the client's now
  return client;
}

}  // namespace firstcome::kafka
