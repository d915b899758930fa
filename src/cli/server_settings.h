#pragma once

#include <vector>

#include "cli/command.h"
#include "journal/kafka_topic.h"
#include "settings/settings.h"

namespace firstcome::cli {

/// --config, and a flag for every setting, or for those named only.
std::vector<Argument> server_arguments(const std::vector<std::string_view>& only = {});

/// The topic that `journal` names.
Result<KafkaPlace> kafka_place(const Settings& settings);

/// defaults < --config or FIRSTCOME_CONFIG < environment < flags.
Result<LoadedSettings> load_server_settings(const Words& words);

}  // namespace firstcome::cli
