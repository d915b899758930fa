#include "base/version.h"
#include "cli/api.h"

namespace firstcome::cli {
namespace {

int health(const Words& words) {
  Api api = Api::of_public(words);
  const auto told = api.ask_public("GET", "/readyz");
  if (!told) return complain(told.error());
  const bool ready = told->status == 200;
  std::string text = ready ? "ready" : "not ready";
  if (!ready && told->body.is_object() && told->body.contains("reasons")) {
    for (const auto& reason : told->body["reasons"]) text += ": " + reason.get<std::string>();
  }
  print(words, told->body, text);
  return ready ? exit_fine : exit_failed;
}

int show_version(const Words& words) {
  print(words, {{"version", version}}, "firstcome " + std::string(version));
  return exit_fine;
}

}  // namespace

std::vector<Command> health_commands() {
  return {{"health", "is the server ready; exit 0 when it is", public_arguments(), health},
          {"version", "which firstcome this is", {{"--json", "", "print JSON"}}, show_version}};
}

}  // namespace firstcome::cli
