#include <fmt/format.h>

#include <cstdio>
#include <set>

#include "cli/command.h"

namespace firstcome::cli {
namespace {

/// "campaign create" -> {"campaign", "create"}; "serve" -> {"serve", ""}
std::pair<std::string, std::string> split(const std::string& name) {
  const auto space = name.find(' ');
  if (space == std::string::npos) return {name, ""};
  return {name.substr(0, space), name.substr(space + 1)};
}

std::string flags_of(const Command& command) {
  std::string flags;
  for (const auto& argument : command.arguments) {
    if (argument.name.starts_with("--")) flags += argument.name + " ";
  }
  return flags + "--help";
}

/// What may follow the words so far, as lines of a shell `case`.
std::string cases() {
  std::map<std::string, std::string> families;
  std::string lines;
  for (const auto& command : all_commands()) {
    const auto [first, second] = split(command.name);
    if (!second.empty()) families[first] += second + " ";
    lines += fmt::format("    \"{}\") words=\"{}\" ;;\n", command.name, flags_of(command));
  }
  std::string heads;
  std::set<std::string> seen;
  for (const auto& command : all_commands()) {
    const auto first = split(command.name).first;
    if (seen.insert(first).second) heads += first + " ";
  }
  std::string family_lines;
  for (const auto& [first, seconds] : families)
    family_lines += fmt::format("    \"{}\") words=\"{}\" ;;\n", first, seconds);
  return fmt::format("    \"\") words=\"{}--version --help\" ;;\n{}{}", heads, family_lines, lines);
}

std::string families_pattern() {
  std::set<std::string> names;
  for (const auto& command : all_commands()) {
    const auto [first, second] = split(command.name);
    if (!second.empty()) names.insert(first);
  }
  std::string pattern;
  for (const auto& name : names) pattern += (pattern.empty() ? "" : "|") + name;
  return pattern;
}

constexpr std::string_view bash_script = R"(# firstcome completion for bash: source <(firstcome completion bash)
_firstcome() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words="" path=""
  if (( COMP_CWORD > 1 )); then path="${{COMP_WORDS[1]}}"; fi
  case "$path" in {}) if (( COMP_CWORD > 2 )); then path="$path ${{COMP_WORDS[2]}}"; fi ;; esac
  case "$path" in
{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _firstcome firstcome
)";

constexpr std::string_view zsh_script = R"(#compdef firstcome
# firstcome completion for zsh: source <(firstcome completion zsh)
_firstcome() {{
  local words_typed=("${{words[@]}}") path=""
  local index=$CURRENT
  if (( index > 2 )); then path="${{words_typed[2]}}"; fi
  case "$path" in {}) if (( index > 3 )); then path="$path ${{words_typed[3]}}"; fi ;; esac
  local words=""
  case "$path" in
{}  esac
  compadd -- ${{=words}}
}}
compdef _firstcome firstcome
)";

int completion(const Words& words) {
  const std::string shell = words.get_or("SHELL", "");
  if (shell != "bash" && shell != "zsh")
    return wrong_use("completion is there for bash and zsh, not for \"" + shell + "\"");
  const auto script = fmt::runtime(shell == "bash" ? bash_script : zsh_script);
  std::fputs(fmt::format(script, families_pattern(), cases()).c_str(), stdout);
  return exit_fine;
}

}  // namespace

std::vector<Command> completion_commands() {
  return {{"completion",
           "a completion script: source <(firstcome completion bash)",
           {{"SHELL", "", "bash or zsh", true}},
           completion}};
}

}  // namespace firstcome::cli
