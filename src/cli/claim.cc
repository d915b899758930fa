#include <fmt/format.h>

#include "cli/api.h"

namespace firstcome::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string word(const Json& body, const char* name) {
  return body.is_object() && body.contains(name)
             ? (body[name].is_string() ? body[name].get<std::string>() : body[name].dump())
             : std::string();
}

std::string won_line(const Json& body) {
  return fmt::format("{} won rank {} of {}, code {}", word(body, "user"), word(body, "rank"), word(body, "campaign"),
                     word(body, "code"));
}

int claim(const Words& words) {
  Api api = Api::of_public(words);
  const auto told = api.ask_public("POST", "/v1/campaigns/" + words.get_or("CAMPAIGN", "") + "/claims",
                                   {{words.get_or("--header", "X-User"), words.get_or("--user", "")}});
  if (!told) return complain(told.error());
  if (told->status == 202) {
    print(words, told->body, "pending: not decided yet; the claim is safe, ask again");
    return exit_failed;
  }
  if (told->status >= 300) return tell_problem(words, *told);
  print(words, told->body, won_line(told->body));
  return exit_fine;
}

int status(const Words& words) {
  Api api = Api::of_public(words);
  const std::string campaign = "/v1/campaigns/" + words.get_or("CAMPAIGN", "");
  if (const auto user = words.get("--user")) {
    const auto told = api.ask_public("GET", campaign + "/claims/me", {{words.get_or("--header", "X-User"), *user}});
    if (!told) return complain(told.error());
    if (told->status >= 300) return tell_problem(words, *told);
    const std::string answer = word(told->body, "answer");
    print(words, told->body, answer == "won" ? won_line(told->body) : fmt::format("{}: {}", *user, answer));
    return exit_fine;
  }
  const auto told = api.ask_public("GET", campaign);
  if (!told) return complain(told.error());
  if (told->status >= 300) return tell_problem(words, *told);
  print(words, told->body,
        fmt::format("{}: {}, {} of {} {} left", word(told->body, "campaign"), word(told->body, "state"),
                    word(told->body, "remaining"), word(told->body, "quota"),
                    word(told->body, "quota") == "1" ? "place" : "places"));
  return exit_fine;
}

}  // namespace

std::vector<Command> claim_commands() {
  const Argument campaign{"CAMPAIGN", "", "the campaign's id", true};
  const Argument header{"--header", "NAME", "the field that carries the user's name (X-User)"};
  return {
      {"claim", "ask for a place, as a user; exit 0 when it is won",
       with({campaign, {"--user", "NAME", "who asks", true}, header}, public_arguments()), claim},
      {"status", "how a campaign stands, or what is known of a user",
       with({campaign, {"--user", "NAME", "what is known of this user, without claiming"}, header}, public_arguments()),
       status},
  };
}

}  // namespace firstcome::cli
