#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/nearest.h"
#include "settings/settings.h"

namespace firstcome {
namespace {

const Setting* find_setting(std::string_view name) {
  const auto found = std::ranges::find(all_settings(), name, &Setting::name);
  return found == all_settings().end() ? nullptr : &*found;
}

Result<void> set(LoadedSettings& loaded, const Setting& setting, std::string_view text, std::string origin) {
  if (auto done = setting.set(loaded.settings, text); !done) return fail(std::move(done.error()).within(origin));
  if (setting.name.ends_with("_file") && find_setting(setting.name.substr(0, setting.name.size() - 5))) {
    loaded.origin[std::string(setting.name.substr(0, setting.name.size() - 5))] =
        std::string(setting.name) + " " + std::string(text);
  }
  loaded.origin[std::string(setting.name)] = std::move(origin);
  return {};
}

/// A TOML value as the text of a flag; nothing for tables, dates and the like.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
  if (const auto* list = node.as_array()) {
    std::string joined;
    for (const auto& element : *list) {
      const auto text = text_of(element);
      if (!text || element.is_array()) return {};
      joined += (joined.empty() ? "" : ",") + *text;
    }
    return joined;
  }
  return {};
}

std::string at(const std::string& file, const toml::source_region& source) {
  return file + ":" + std::to_string(source.begin.line) + ":" + std::to_string(source.begin.column);
}

Result<void> load_file(LoadedSettings& loaded, const std::string& file) {
  std::ifstream in(file);
  std::stringstream content;
  content << in.rdbuf();
  if (!in || std::filesystem::is_directory(file)) {
    return fail(FaultKind::misconfigured, file + ": cannot be read, or is no file");
  }
  toml::table table;
  try {
    table = toml::parse(content.str());
  } catch (const toml::parse_error& error) {
    return fail(FaultKind::misconfigured, at(file, error.source()) + ": " + std::string(error.description()));
  }
  for (const auto& [key, node] : table) {
    const std::string where = at(file, key.source());
    const Setting* const setting = find_setting(key.str());
    if (!setting) {
      std::vector<std::string_view> names;
      for (const auto& known : all_settings()) names.push_back(known.name);
      return fail(FaultKind::misconfigured,
                  where + ": unknown setting \"" + std::string(key.str()) + "\"" + did_you_mean(key.str(), names));
    }
    if (setting->secret) {
      return fail(FaultKind::misconfigured,
                  where + ": a secret does not belong into this file: use " + std::string(setting->name) + "_file");
    }
    const auto text = text_of(node);
    if (!text) {
      return fail(FaultKind::misconfigured,
                  at(file, node.source()) + ": " + std::string(key.str()) + " wants " + std::string(setting->value));
    }
    if (auto done = set(loaded, *setting, *text, at(file, node.source())); !done) {
      return fail(std::move(done.error()).within(std::string(key.str())));
    }
  }
  return {};
}

/// Variables of ours that are no settings of a server.
bool is_other_variable(std::string_view name) {
  constexpr std::string_view others[] = {"FIRSTCOME_URL", "FIRSTCOME_ADMIN_URL", "FIRSTCOME_CONFIG",
                                         "FIRSTCOME_FAILPOINT"};
  return std::ranges::find(others, name) != std::end(others);
}

Result<void> load_environment(LoadedSettings& loaded, const std::map<std::string, std::string>& environment) {
  std::vector<std::string> names;
  for (const auto& setting : all_settings()) names.push_back(setting.environment());
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("FIRSTCOME_") || is_other_variable(name)) continue;
    const auto known = std::ranges::find(names, name);
    if (known == names.end()) {
      const std::vector<std::string_view> views(names.begin(), names.end());
      return fail(FaultKind::misconfigured, name + ": unknown variable" + did_you_mean(name, views));
    }
    const Setting& setting = all_settings()[static_cast<std::size_t>(known - names.begin())];
    if (auto done = set(loaded, setting, value, name); !done) return done;
  }
  // An empty one is as good as none: that is how compose files and units leave a variable out.
  const auto says = [&](const std::string& name) {
    const auto found = environment.find(name);
    return found != environment.end() && !found->second.empty();
  };
  for (const auto& setting : all_settings()) {
    const std::string secret = setting.environment();
    const std::string file = secret + "_FILE";
    if (setting.secret && says(secret) && says(file)) {
      return fail(FaultKind::misconfigured, fmt::format("{} and {} are both set: unset one of them", secret, file));
    }
  }
  return {};
}

}  // namespace

Result<std::string> read_secret(const std::string& file) {
  std::ifstream in(file);
  std::string secret;
  std::getline(in, secret);
  while (!secret.empty() && std::isspace(static_cast<unsigned char>(secret.back())) != 0) secret.pop_back();
  if (secret.empty()) return fail(FaultKind::misconfigured, file + ": nothing can be read from it");
  return secret;
}

Result<LoadedSettings> load_settings(const std::optional<std::string>& file,
                                     const std::map<std::string, std::string>& environment,
                                     const std::map<std::string, std::string>& flags) {
  LoadedSettings loaded;
  for (const auto& setting : all_settings()) loaded.origin[std::string(setting.name)] = "default";
  if (file) {
    if (auto done = load_file(loaded, *file); !done) return fail(done.error());
  }
  if (auto done = load_environment(loaded, environment); !done) return fail(done.error());
  for (const auto& [name, value] : flags) {
    const Setting* const setting = find_setting(name);
    if (!setting) return fail(FaultKind::misconfigured, "unknown setting " + name);
    if (auto done = set(loaded, *setting, value, setting->flag()); !done) return fail(done.error());
  }
  return loaded;
}

std::map<std::string, std::string> environment_now() {
  std::map<std::string, std::string> variables;
  for (char** line = environ; line && *line; ++line) {
    const std::string_view text(*line);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace firstcome
