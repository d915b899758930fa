#include <cstdio>

#include "app/places.h"
#include "cli/command.h"
#include "cli/server_settings.h"
#include "journal/kafka_topic.h"

namespace firstcome::cli {
namespace {

int create(const Words& words) {
  const auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  const Settings& settings = loaded->settings;
  if (!settings.is_distributed()) return wrong_use("topic create wants --journal kafka://HOST:PORT,.../TOPIC");
  const auto partitions = words.count("--partitions", 0, 1, limits::partitions_max);
  if (!partitions) return complain(partitions.error());
  const auto replication = words.count("--replication", 0, 1, 32);
  if (!replication) return complain(replication.error());
  NewTopic wanted;
  if (words.has("--partitions")) wanted.partitions = static_cast<std::uint32_t>(*partitions);
  if (words.has("--replication")) wanted.replication = static_cast<std::uint32_t>(*replication);
  SystemRandom random;
  const auto place = journal_place(settings);
  if (!place) return complain(place.error());
  const auto made = make_topic(*place, wanted, random);
  if (!made) return complain(made.error());
  std::printf("%s\n", made->c_str());
  return exit_fine;
}

}  // namespace

std::vector<Command> topic_commands() {
  std::vector<Argument> arguments = server_arguments({"journal", "journal_options", "journal_password_file"});
  arguments.push_back(
      {"--partitions", "N", "of the topic, for ever; a campaign lives in one (1, or as many as there are)"});
  arguments.push_back({"--replication", "N", "copies of each entry; left out: three, or as many as there are brokers"});
  return {{"topic create", "make the topic of a journal, or what is missing of it; changes nothing that is there",
           arguments, create}};
}

}  // namespace firstcome::cli
