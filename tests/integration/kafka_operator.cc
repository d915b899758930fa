// kafka_operator add-partitions BROKERS TOPIC COUNT | delete BROKERS TOPIC: what an operator does to a topic with
// Kafka's own tools, which the broker's jars do not bring.
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "kafka_broker.h"

int main(int count, char** given) {
  using namespace firstcome;  // NOLINT(google-build-using-namespace)
  const std::span<char*> words(given, static_cast<std::size_t>(count));
  Result<void> done = fail(FaultKind::misconfigured, "wrong use");
  if (words.size() >= 4) {
    const KafkaPlace place{.access = {.brokers = words[2], .options = {}, .password = {}}, .topic = words[3]};
    if (std::string_view(words[1]) == "delete") done = delete_topic(place);
    if (std::string_view(words[1]) == "add-partitions" && words.size() == 5) {
      done = add_partitions(place, static_cast<std::size_t>(std::atoi(words[4])));
    }
  }
  if (!done) std::fprintf(stderr, "%s\n", done.error().what.c_str());
  return done ? 0 : 1;
}
