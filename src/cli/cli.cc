#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <deque>

#include "base/nearest.h"
#include "base/version.h"
#include "cli/command.h"

namespace firstcome::cli {
namespace {

constexpr const char* about =
    "firstcome gives N things to the first N people who ask: exactly N, in order, one each, and proves it.\n"
    "Start with:  firstcome serve --data ./data";

/// A command's place in the library's tree, and what was typed for it.
struct Bound {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::map<std::string, bool, std::less<>> switches;
};

bool is_by_place(const Argument& argument) { return !argument.name.starts_with("--"); }

void bind(Bound& bound) {
  for (const auto& argument : bound.command->arguments) {
    if (!is_by_place(argument) && argument.value.empty()) {
      bound.app->add_flag(argument.name, bound.switches[argument.name], argument.help);
      continue;
    }
    auto* option = bound.app->add_option(argument.name, bound.values[argument.name], argument.help);
    option->type_name(is_by_place(argument) ? "" : argument.value)->required(argument.required);
    option->take_all();
    if (!argument.repeated) option->expected(1)->take_last();
  }
}

CLI::App* app_of(CLI::App& root, const std::string& name) {
  const auto space = name.find(' ');
  if (space == std::string::npos) return root.add_subcommand(name);
  const std::string family = name.substr(0, space);
  CLI::App* parent = nullptr;
  for (auto* const sub : root.get_subcommands({})) parent = sub->get_name() == family ? sub : parent;
  if (!parent) {
    parent = root.add_subcommand(family, family + " commands");
    parent->require_subcommand(1);
  }
  return parent->add_subcommand(name.substr(space + 1));
}

Words words_of(const Bound& bound) {
  Words words;
  for (const auto& [name, values] : bound.values) {
    if (!values.empty()) words.given[name] = values;
  }
  for (const auto& [name, given] : bound.switches) {
    if (given) words.given[name] = {};
  }
  return words;
}

/// The first word that nobody knows, and the one that was meant.
int unknown_word(const CLI::App& app, const std::vector<std::string>& extras) {
  std::string word = extras.empty() ? "" : extras.front();
  for (const auto& extra : extras) {
    if (extra.starts_with("-")) {
      word = extra.substr(0, extra.find('='));
      break;
    }
  }
  std::vector<std::string> names;
  for (const auto* const option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const auto* const sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string where = app.get_parent() ? app.get_name() + ": " : "";
  return wrong_use(where + "unknown " + (word.starts_with("-") ? "flag " : "word ") + word + did_you_mean(word, known) +
                   " (-h shows what there is)");
}

const CLI::App& deepest(const CLI::App& app) {
  const auto subs = app.get_subcommands();
  return subs.empty() ? app : deepest(*subs.back());
}

/// What is typed before a command's own name: "firstcome campaign" before "create".
std::string words_before(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  if (!parent) return "";
  const std::string before = words_before(*parent);
  return before + (before.empty() ? "" : " ") + parent->get_name();
}

int run_command(int argc, char** argv) {
  CLI::App root{about, "firstcome"};
  root.require_subcommand(1);
  root.set_help_flag("-h,--help", "show this");
  root.set_version_flag("--version", "firstcome " + std::string(version), "which firstcome this is");
  root.failure_message([](const CLI::App*, const CLI::Error&) { return std::string(); });
  std::deque<Bound> bounds;
  for (const auto& command : all_commands()) {
    Bound& bound = bounds.emplace_back();
    bound.command = &command;
    bound.app = app_of(root, command.name);
    bound.app->description(command.help);
    bind(bound);
  }
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(deepest(root).help(words_before(deepest(root))).c_str(), stdout);
    return exit_fine;
  } catch (const CLI::CallForVersion& asked) {
    std::printf("%s\n", asked.what());
    return exit_fine;
  } catch (const CLI::ExtrasError&) {
    return unknown_word(deepest(root), deepest(root).remaining_for_passthrough().empty() ? root.remaining(true)
                                                                                         : deepest(root).remaining());
  } catch (const CLI::ParseError& error) {
    // "A subcommand is required" says more when somebody typed one that there is not.
    if (argc > 1 && deepest(root).remaining().size() + root.remaining().size() > 0) {
      return unknown_word(deepest(root), root.remaining(true));
    }
    return wrong_use(std::string(error.what()) + " (-h shows what there is)");
  }
  for (const auto& bound : bounds) {
    if (bound.app->parsed() && bound.app->get_subcommands().empty()) return bound.command->run(words_of(bound));
  }
  return wrong_use("no command");
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> list;
    for (auto* const family :
         {serve_commands, campaign_commands, claim_commands, coupons_commands, rush_commands, verify_commands,
          parked_commands, topic_commands, store_commands, config_commands, health_commands, completion_commands}) {
      for (auto& command : family()) list.push_back(std::move(command));
    }
    return list;
  }();
  return all;
}

std::optional<std::string> Words::get(std::string_view name) const {
  const auto found = given.find(name);
  if (found == given.end() || found->second.empty()) return {};
  return found->second.back();
}

std::string Words::get_or(std::string_view name, std::string_view otherwise) const {
  return get(name).value_or(std::string(otherwise));
}

const std::vector<std::string>& Words::all(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = given.find(name);
  return found == given.end() ? none : found->second;
}

Result<double> Words::number(std::string_view name, double otherwise, double least, double most) const {
  const auto text = get(name);
  if (!text) return otherwise;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !(value >= least && value <= most)) {
    return fail(FaultKind::misconfigured,
                fmt::format("{}: \"{}\" is not a number from {} to {}", name, *text, least, most));
  }
  return value;
}

Result<std::uint64_t> Words::count(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                   std::uint64_t most) const {
  const auto text = get(name);
  if (!text) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < least || value > most) {
    return fail(FaultKind::misconfigured, std::string(name) + ": \"" + *text + "\" is not a whole number from " +
                                              std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

int complain(const Fault& fault) {
  std::fprintf(stderr, "firstcome: %s\n", fault.what.c_str());
  if (fault.kind == FaultKind::misconfigured) return exit_wrong_use;
  if (fault.kind == FaultKind::unavailable || fault.kind == FaultKind::timed_out) return exit_unreachable;
  return exit_failed;
}

int wrong_use(std::string_view what) { return complain({FaultKind::misconfigured, std::string(what)}); }

int run(int argc, char** argv) {
  const int code = run_command(argc, argv);
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  // The flush may have nothing left to write, where an earlier write failed.
  std::fprintf(stderr, "firstcome: what was to be printed could not be written whole%s%s\n", errno ? ": " : "",
               errno ? std::strerror(errno) : "");
  return code == exit_fine ? exit_failed : code;
}

}  // namespace firstcome::cli
