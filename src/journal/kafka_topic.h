#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "kafka/kafka_access.h"
#include "kafka/kafka_admin.h"
#include "model/entry.h"

namespace firstcome {

/// Which topic is the journal, and how to reach it.
struct KafkaPlace {
  kafka::Access access;
  std::string topic;
};

/// What a person adds to a command that a process prints: it cannot know how it was told of its password.
inline constexpr const char* as_here =
    "(with the --config, --journal-options, --journal-password-file or FIRSTCOME_... of this process)";

struct NewTopic {
  std::optional<std::uint32_t> partitions;   ///< none: one, or as many as there are
  std::optional<std::uint32_t> replication;  ///< none: three, or as many brokers as there are
};

/// Makes the topic of a journal, with what the promises need (see check_topic), and writes the installation record into
/// each of its partitions. Again: makes what is missing, and changes nothing that is there. Returns what it is now, as
/// a sentence.
///
///   Fails   misconfigured: a topic of that name is there and is not ours, does not keep the promises, or has not as
///           many partitions or replicas as are wanted.
Result<std::string> make_topic(const KafkaPlace& place, const NewTopic& wanted, Random& random);

/// Fails misconfigured, with the command that makes it, where there is no such topic. unavailable, timed_out: the
/// brokers do not say.
Result<void> find_topic(const KafkaPlace& place);

/// Can a broker with these settings have a part of it? misconfigured, with what to do, if not.
Result<void> check_broker(std::string_view id, const kafka::Config& config);

/// Can this topic keep what is promised? Asked at the start, and every minute:
///
///   stamps by the broker (message.timestamp.type=LogAppendTime); nothing is ever deleted (cleanup.policy=delete,
///   retention.ms=-1, retention.bytes=-1); three replicas with min.insync.replicas of two or more, or else
///   flush.messages=1; unclean.leader.election.enable=false; at each broker that answers
///   auto.create.topics.enable=false, and a version of 3.7 or newer (it has telemetry.max.bytes): before, a consumer
///   could see what was never acknowledged.
///
/// Each of its few calls takes at most `longest`; the first that is not answered ends it.
///
///   Fails   misconfigured, with the command that mends it. unavailable, timed_out: the brokers do not say.
Result<void> check_topic(const KafkaPlace& place, kafka::Admin& admin, Millis longest);

}  // namespace firstcome
