#pragma once

#include <vector>

#include "cli/command.h"
#include "settings/settings.h"

namespace firstcome::cli {

/// --config, and a flag for every setting, or for those named only.
std::vector<Argument> server_arguments(const std::vector<std::string_view>& only = {});

/// defaults < --config or FIRSTCOME_CONFIG < environment < flags.
Result<LoadedSettings> load_server_settings(const Words& words);

}  // namespace firstcome::cli
