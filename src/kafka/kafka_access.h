#pragma once

#include <string>
#include <vector>

#include "base/result.h"

/// Kafka in our words: librdkafka is known to this folder's .cc files and to kafka_client.h only.
///
/// A fault of the brokers is told as a client sees it: what was asked of whom, and what came of it.
///
///   misconfigured  refused by TLS, SASL or an access list; an option that librdkafka does not know
///   timed_out      asked, and no answer came
///   unavailable    everything else
namespace firstcome::kafka {

/// How to reach the brokers.
struct Access {
  std::string brokers;               ///< HOST:PORT,...
  std::vector<std::string> options;  ///< KEY=VALUE of librdkafka, for TLS and SASL
  std::string password;              ///< of SASL; in no text
};

/// What can be seen without a connection: options that librdkafka does not know, SASL without a name or a password.
/// Fails with misconfigured, naming the settings.
Result<void> check_access(const Access& access);

}  // namespace firstcome::kafka
