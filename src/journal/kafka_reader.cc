#include "journal/kafka_reader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/limits.h"

namespace firstcome {
namespace {

constexpr Millis answer_ms_max{5000};     // at the start, and in a command
constexpr Millis message_ms_max{10'000};  // a message that is there is read by then
constexpr std::size_t read_messages_max = limits::batch_entries_max;
constexpr std::string_view beginning_deleted = "the beginning of the partition has been deleted";

std::unexpected<Fault> damaged(const KafkaPlace& place, std::uint32_t partition, std::int64_t offset,
                               std::string_view what) {
  return fail(
      FaultKind::corrupt,
      fmt::format("topic {} [{}], position {}: {}. Nothing was skipped. Restore the topic from a backup or from "
                  "another replica, and start again",
                  place.topic, partition, offset + 1, what));
}

Result<void> check_begins(const KafkaPlace& place, kafka::Consumer& consumer, std::span<const std::uint32_t> partitions,
                          Millis longest) {
  const auto begins = consumer.begins(partitions, longest);
  if (!begins) return fail(begins.error());
  for (const auto& [partition, begin] : *begins) {
    if (begin != 0) return damaged(place, partition, 0, beginning_deleted);
  }
  return {};
}

/// The first entry of ours in a partition, if there is one.
Result<std::optional<Entry>> first_entry(const KafkaPlace& place, kafka::Consumer& consumer, std::uint32_t partition,
                                         Millis answer_max, Millis message_max) {
  const std::array<std::uint32_t, 1> one{partition};
  auto ends = consumer.ends(one, answer_max);
  if (!ends) return fail(ends.error());
  if (auto whole = check_begins(place, consumer, one, answer_max); !whole) return fail(whole.error());
  const std::int64_t end = ends->at(partition);
  if (end == 0) return std::nullopt;
  if (auto assigned = consumer.assign({{partition, 0}}); !assigned) return fail(assigned.error());
  std::optional<Entry> first;
  std::optional<Fault> fault;
  SystemClock clock;
  for (const Uptime until = clock.uptime() + message_max; !first && !fault && consumer.reached(partition) < end;) {
    if (consumer.refusal() || clock.uptime() >= until) {
      return fail(consumer.refusal().value_or(
          Fault{FaultKind::timed_out,
                fmt::format("read the first entry of topic {} [{}]: no answer", place.topic, partition)}));
    }
    auto polled = consumer.poll(Millis(100), 1, [&](const kafka::Message& message) {
      if (first || fault) return;
      auto entry = decode(message.body);
      if (!entry) {
        fault = Fault{entry.error().kind, fmt::format("topic {} [{}], position {}: {}", place.topic, partition,
                                                      message.offset + 1, entry.error().what)};
      } else if (*entry) {
        first = std::move(**entry);
      }
    });
    if (!polled) return fail(polled.error());
  }
  if (fault) return fail(*fault);
  return first;
}

}  // namespace

std::array<std::uint8_t, 16> KafkaKey::bytes() const {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &node, sizeof node);
  std::memcpy(bytes.data() + sizeof node, &number, sizeof number);
  return bytes;
}

std::optional<KafkaKey> KafkaKey::of(std::span<const std::uint8_t> bytes) {
  KafkaKey key;
  if (bytes.size() != sizeof key.node + sizeof key.number) return {};
  std::memcpy(&key.node, bytes.data(), sizeof key.node);
  std::memcpy(&key.number, bytes.data() + sizeof key.node, sizeof key.number);
  return key;
}

Result<std::map<std::uint32_t, Installation>> find_installations(const KafkaPlace& place, std::uint32_t partitions) {
  auto consumer = kafka::Consumer::open(place.access, place.topic);
  if (!consumer) return fail(consumer.error());
  std::map<std::uint32_t, Installation> found;
  for (std::uint32_t partition = 0; partition < partitions; ++partition) {
    auto first = first_entry(place, *consumer, partition, answer_ms_max, message_ms_max);
    if (!first) return fail(first.error());
    if (!*first) continue;
    const auto* const installation = std::get_if<Installation>(&**first);
    if (!installation) return damaged(place, partition, 0, "the first entry is no installation record");
    if (installation->partitions == 0 || installation->partitions > limits::partitions_max) {
      return damaged(place, partition, 0, "the installation names an impossible number of partitions");
    }
    if (!found.empty() && found.begin()->second != *installation) {
      return damaged(place, partition, 0, "the installation record differs from that of another partition");
    }
    found.emplace(partition, *installation);
    if (partition == 0) partitions = installation->partitions;
  }
  return found;
}

Result<KafkaReader> KafkaReader::open(const KafkaPlace& place) {
  auto installed = find_installations(place, 1);
  if (!installed) return fail(installed.error());
  const std::uint32_t expected = installed->empty() ? 1 : installed->begin()->second.partitions;
  if (installed->size() != expected) {
    return fail(FaultKind::misconfigured,
                fmt::format("topic {} has the installation record in {} of {} partitions: firstcome topic create "
                            "--journal kafka://{}/{} writes what is missing {}",
                            place.topic, installed->size(), expected, place.access.brokers, place.topic, as_here));
  }
  auto consumer = kafka::Consumer::open(place.access, place.topic);
  if (!consumer) return fail(consumer.error());
  KafkaReader reader(place, std::move(*consumer), installed->begin()->second);
  std::map<std::uint32_t, std::int64_t> from;
  for (std::uint32_t partition = 0; partition < expected; ++partition) {
    reader.partitions_.push_back(partition);
    from[partition] = 0;
  }
  reader.installed_.resize(expected, false);
  if (auto assigned = reader.consumer_.assign(from); !assigned) return fail(assigned.error());
  return reader;
}

/// Who goes on by another connection sees that it has what was read so far.
Result<bool> KafkaReader::is_last_again(const kafka::Message& message) {
  const std::uint64_t hash = XXH3_64bits_withSeed(message.body.data(), message.body.size(),
                                                  XXH3_64bits(message.key.data(), message.key.size()));
  Last& last = last_[message.partition];
  const bool is_due = std::exchange(last.is_due_again, false);
  const bool is_same = message.offset == last.offset && message.stamp == last.stamp && hash == last.hash;
  if (is_due && !is_same) {
    return damaged(place_, message.partition, last.offset,
                   "another message than the one that was read: a part of the topic was lost, and others stand in its "
                   "place");
  }
  last = {.offset = message.offset, .stamp = message.stamp, .hash = hash};
  return is_due;
}

Result<void> KafkaReader::take(const kafka::Message& message, std::vector<Read>& into) {
  const auto again = is_last_again(message);
  if (!again) return fail(again.error());
  if (*again) return {};
  auto entry = decode(message.body);
  if (!entry && entry.error().kind == FaultKind::corrupt) {
    return damaged(place_, message.partition, message.offset, entry.error().what);
  }
  const auto where = [&] {
    return fmt::format("topic {} [{}], position {}", place_.topic, message.partition, message.offset + 1);
  };
  if (!entry) return fail(std::move(entry.error()).within(where()));
  if (!*entry) {
    skip(message);
    return {};
  }
  if (!message.stamped_by_broker && installed_[message.partition]) {
    skip(message);
    if (const auto key = KafkaKey::of(message.key)) skipped_keys_.push_back(*key);
    return {};
  }
  if (!message.stamped_by_broker) {
    return fail(FaultKind::misconfigured,
                where() +
                    " has a client's stamp, not the broker's: the topic was without "
                    "message.timestamp.type=LogAppendTime when it was made, and cannot be a journal");
  }
  if (!installed_[message.partition]) {
    const auto* const installation = std::get_if<Installation>(&**entry);
    if (!installation || *installation != installation_) {
      return damaged(place_, message.partition, message.offset, "another installation record was there before");
    }
    installed_[message.partition] = true;
  }
  into.push_back({.shown = {.position = static_cast<Position>(message.offset) + 1,
                            .stamp = message.stamp,
                            .entry = std::move(**entry),
                            .partition = message.partition},
                  .key = KafkaKey::of(message.key)});
  return {};
}

void KafkaReader::skip(const kafka::Message& message) {
  ++skipped_;
  skipped_last_ = {message.partition, message.offset};
}

std::string KafkaReader::skipped_last() const {
  return fmt::format("topic {} [{}], position {}", place_.topic, skipped_last_.first, skipped_last_.second + 1);
}

Result<void> KafkaReader::read(Millis wait, std::vector<Read>& into) {
  skipped_keys_.clear();
  std::optional<Fault> fault;
  auto polled = consumer_.poll(wait, read_messages_max, [&](const kafka::Message& message) {
    if (fault) return;
    if (auto taken = take(message, into); !taken) fault = taken.error();
  });
  if (fault) return fail(*fault);  // first: what stands behind it is left out
  if (!polled) {
    Fault lost = polled.error();
    if (lost.kind == FaultKind::corrupt) {
      lost.what +=
          ". A part of the journal is damaged or gone: restore the topic from a backup or from another replica";
    }
    return fail(std::move(lost));
  }
  return {};
}

Result<KafkaReader::Ends> KafkaReader::ends(Millis longest) { return consumer_.ends(partitions_, longest); }

bool KafkaReader::has_reached(const Ends& ends) const {
  if (std::ranges::any_of(last_, [](const auto& last) { return last.second.is_due_again; })) return false;
  return std::ranges::all_of(ends, [&](const auto& end) { return consumer_.reached(end.first) >= end.second; });
}

KafkaReader::Ends KafkaReader::reached() const {
  Ends ends;
  for (const std::uint32_t partition : partitions_) ends[partition] = consumer_.reached(partition);
  return ends;
}

Result<KafkaReader::Ends> KafkaReader::check_begin(Millis longest) const {
  auto consumer = kafka::Consumer::open(place_.access, place_.topic);
  if (!consumer) return fail(consumer.error());
  auto ends = consumer->ends(partitions_, longest);
  if (!ends) return ends;
  std::vector<std::uint32_t> others(partitions_.size() - 1);  // first_entry() looks at partition 0
  std::iota(others.begin(), others.end(), 1U);
  if (auto whole = check_begins(place_, *consumer, others, longest); !whole) return fail(whole.error());
  auto now = first_entry(place_, *consumer, 0, longest, longest);
  if (!now) return fail(now.error());
  if (*now != std::optional<Entry>(installation_)) {
    return damaged(place_, 0, 0, "the first entry is another one than before: the topic was deleted and made anew");
  }
  return ends;
}

Result<void> KafkaReader::exchange(kafka::Consumer& other) {
  Ends from = reached();
  for (const auto& [partition, last] : last_) from[partition] = last.offset;
  if (auto assigned = other.assign(from); !assigned) return assigned;
  for (auto& [partition, last] : last_) last.is_due_again = true;
  std::swap(consumer_, other);
  return {};
}

Result<void> read_kafka_journal(const KafkaPlace& place, const std::function<void(std::span<const Shown>)>& show) {
  if (auto found = find_topic(place); !found) return found;
  auto reader = KafkaReader::open(place);
  if (!reader) return fail(reader.error());
  auto ends = reader->ends(answer_ms_max);
  if (!ends) return fail(ends.error());
  std::vector<KafkaReader::Read> read;
  std::vector<Shown> batch;
  SystemClock clock;
  Uptime until = clock.uptime() + message_ms_max;
  while (!reader->has_reached(*ends)) {
    read.clear();
    if (auto done = reader->read(Millis(100), read); !done) return done;
    if (!read.empty()) until = clock.uptime() + message_ms_max;
    if (reader->refusal() || clock.uptime() >= until) {
      return fail(reader->refusal().value_or(
          Fault{FaultKind::timed_out, fmt::format("read topic {}: no more messages came", place.topic)}));
    }
    batch.clear();
    for (auto& one : read) batch.push_back(std::move(one.shown));
    show(batch);
  }
  return {};
}

}  // namespace firstcome
