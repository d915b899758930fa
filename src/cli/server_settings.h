#pragma once

#include <vector>

#include "cli/command.h"
#include "settings/settings.h"

namespace firstcome::cli {

/// --config, and a flag for every setting.
std::vector<Argument> server_arguments();

/// defaults < --config or FIRSTCOME_CONFIG < environment < flags.
Result<LoadedSettings> load_server_settings(const Words& words);

}  // namespace firstcome::cli
