#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/places.h"
#include "cli/command.h"
#include "cli/server_settings.h"

namespace firstcome::cli {
namespace {

int print_config(const Words& words) {
  const auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  std::size_t width = 0;
  for (const auto& setting : all_settings()) width = std::max(width, setting.name.size());
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const auto& setting : all_settings()) {
    const std::string shown = setting.show(loaded->settings);
    const std::string value = setting.secret ? (shown.empty() ? "" : "(set)") : shown;
    const std::string& origin = loaded->origin.at(std::string(setting.name));
    if (words.has("--json")) {
      all[std::string(setting.name)] = {{"value", value}, {"origin", origin}};
    } else {
      std::fputs(fmt::format("{:<{}} {:<28} # {}\n", setting.name, width, value.empty() ? "-" : value, origin).c_str(),
                 stdout);
    }
  }
  if (words.has("--json"))
    std::printf("%s\n", all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  return exit_fine;
}

int check_config(const Words& words) {
  const auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  if (const auto fits = check_settings(loaded->settings); !fits) return complain(fits.error());
  if (const auto fits = check_places(loaded->settings); !fits) return complain(fits.error());
  std::puts(words.has("--json") ? "{\"ok\":true}" : "the settings are fine");
  return exit_fine;
}

}  // namespace

std::vector<Command> config_commands() {
  auto arguments = server_arguments();
  arguments.push_back({"--json", "", "print JSON"});
  return {{"config print", "every setting, its value, and where the value came from", arguments, print_config},
          {"config check", "are the settings right; exit 2 and the mistake when not", arguments, check_config}};
}

}  // namespace firstcome::cli
