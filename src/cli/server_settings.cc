#include "cli/server_settings.h"

#include <algorithm>

namespace firstcome::cli {

std::vector<Argument> server_arguments(const std::vector<std::string_view>& only) {
  std::vector<Argument> arguments{{"--config", "FILE", "settings in TOML (FIRSTCOME_CONFIG)"}};
  for (const auto& setting : all_settings()) {
    if (setting.secret || (!only.empty() && std::ranges::find(only, setting.name) == only.end())) continue;
    arguments.push_back({setting.flag(), std::string(setting.value), std::string(setting.help)});
  }
  return arguments;
}

Result<LoadedSettings> load_server_settings(const Words& words) {
  const auto environment = environment_now();
  auto file = words.get("--config");
  if (const auto named = environment.find("FIRSTCOME_CONFIG"); !file && named != environment.end())
    file = named->second;
  std::map<std::string, std::string> flags;
  for (const auto& setting : all_settings()) {
    if (const auto value = words.get(setting.flag())) flags[std::string(setting.name)] = *value;
  }
  return load_settings(file, environment, flags);
}

}  // namespace firstcome::cli
