#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

/// The command line, without the library that reads it: what each command is called and takes, so that help,
/// completion, the nearest known name and the check of docs/cli.md come from one list.
namespace firstcome::cli {

/// The exit codes of every command.
enum Exit : int {
  exit_fine = 0,
  exit_failed = 1,  ///< or coupons are parked
  exit_wrong_use = 2,
  exit_unreachable = 3,
  exit_broken = 4,  ///< a promise is broken
};

/// An argument. "--users N" takes a value, "--json" does not, "CAMPAIGN" stands in its place.
struct Argument {
  std::string name;   ///< "--users", or "CAMPAIGN" for one by place
  std::string value;  ///< "N"; empty: a switch (or by place)
  std::string help;
  bool required = false;
  bool repeated = false;
};

/// What was typed.
class Words {
 public:
  bool has(std::string_view name) const { return given.contains(name); }
  std::optional<std::string> get(std::string_view name) const;
  std::string get_or(std::string_view name, std::string_view otherwise) const;
  const std::vector<std::string>& all(std::string_view name) const;

  /// A number from `least` to `most`. Fails with misconfigured and the flag's name.
  Result<double> number(std::string_view name, double otherwise, double least, double most) const;
  Result<std::uint64_t> count(std::string_view name, std::uint64_t otherwise, std::uint64_t least = 0,
                              std::uint64_t most = std::numeric_limits<std::uint32_t>::max()) const;

  std::map<std::string, std::vector<std::string>, std::less<>> given;
};

struct Command {
  std::string name;  ///< "serve", "campaign create"
  std::string help;
  std::vector<Argument> arguments;
  std::function<int(const Words&)> run;
};

// One file a command, or a family of commands.
std::vector<Command> serve_commands();
std::vector<Command> campaign_commands();
std::vector<Command> claim_commands();
std::vector<Command> coupons_commands();
std::vector<Command> rush_commands();
std::vector<Command> verify_commands();
std::vector<Command> parked_commands();
std::vector<Command> topic_commands();
std::vector<Command> store_commands();
std::vector<Command> config_commands();
std::vector<Command> health_commands();
std::vector<Command> completion_commands();

/// All of them, in the order of the help.
const std::vector<Command>& all_commands();

/// Prints "firstcome: what" to stderr and gives the exit code that fits.
int complain(const Fault& fault);
int wrong_use(std::string_view what);

/// Reads the command line, runs the command, gives its exit code: exit_failed instead of exit_fine where stdout did not
/// take all that was printed. Commands print with stdio, which remembers a failed write; fmt::print throws.
int run(int argc, char** argv);

}  // namespace firstcome::cli
