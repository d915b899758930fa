#include <fmt/format.h>

#include "cli/api.h"

namespace firstcome::cli {
namespace {

using Json = nlohmann::ordered_json;

const Argument by_name{"CAMPAIGN", "", "the campaign's id", true};

std::string text_or(const Json& value, std::string_view otherwise) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? std::string(otherwise) : value.dump();
}

std::string line_of(const Json& campaign) {
  return fmt::format(
      "{}: {}, {} of {} left{}{}",
      text_or(campaign.value("id", Json()), text_or(campaign.value("campaign", Json()), "?")),
      text_or(campaign.value("state", Json()), "?"), campaign.value("remaining", 0), campaign.value("quota", 0),
      campaign.value("opens_at", Json()).is_string() ? ", opens " + text_or(campaign["opens_at"], "") : "",
      campaign.value("closes_at", Json()).is_string() ? ", closes " + text_or(campaign["closes_at"], "") : "");
}

int answer(const Words& words, const Result<Told>& told) {
  if (!told) return complain(told.error());
  if (told->status >= 300) return tell_problem(words, *told);
  print(words, told->body, line_of(told->body));
  return exit_fine;
}

int create(const Words& words) {
  const auto quota = words.count("--quota", 0, 1);
  if (!quota) return complain(quota.error());
  Json body{{"id", words.get_or("CAMPAIGN", "")}, {"quota", *quota}};
  if (const auto name = words.get("--name")) body["name"] = *name;
  if (const auto time = words.get("--opens-at")) body["opens_at"] = *time;
  if (const auto time = words.get("--closes-at")) body["closes_at"] = *time;
  if (const auto promise = words.get("--promise")) body["promise"] = *promise;
  if (words.has("--issue-rate")) {
    const auto rate = words.number("--issue-rate", 0, 0, 1e7);
    if (!rate) return complain(rate.error());
    body["issue_rate"] = *rate;
  }
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  return answer(words, api->ask_admin("POST", "/v1/campaigns", body));
}

int list(const Words& words) {
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  Json all = Json::array();
  std::string lines, after;
  for (;;) {
    const auto told = api->ask_admin("GET", "/v1/campaigns?limit=1000" + (after.empty() ? "" : "&after=" + after));
    if (!told) return complain(told.error());
    if (told->status >= 300) return tell_problem(words, *told);
    for (const auto& campaign : told->body["campaigns"]) {
      lines += (lines.empty() ? "" : "\n") + line_of(campaign);
      all.push_back(campaign);
    }
    if (!told->body["next"].is_string()) break;
    after = told->body["next"].get<std::string>();
  }
  print(words, all, lines.empty() ? "no campaigns" : lines);
  return exit_fine;
}

int show(const Words& words) {
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  const auto told = api->ask_admin("GET", "/v1/campaigns/" + words.get_or("CAMPAIGN", ""));
  if (!told) return complain(told.error());
  if (told->status >= 300) return tell_problem(words, *told);
  std::string lines;
  for (const auto& [name, value] : told->body.items()) {
    const auto* const absent = name == "issue_rate" ? "- (the server's)" : "-";
    lines += fmt::format("{}{:<12} {}", lines.empty() ? "" : "\n", name, text_or(value, absent));
  }
  print(words, told->body, lines);
  return exit_fine;
}

int patch(const Words& words, const Json& body) {
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  return answer(words, api->ask_admin("PATCH", "/v1/campaigns/" + words.get_or("CAMPAIGN", ""), body));
}

int close(const Words& words) {
  if (const auto time = words.get("--at")) return patch(words, {{"closes_at", *time}});
  return patch(words, {{"closed", true}});
}

int raise(const Words& words) {
  const auto quota = words.count("--quota", 0, 1);
  if (!quota) return complain(quota.error());
  return patch(words, {{"quota", *quota}});
}

}  // namespace

std::vector<Command> campaign_commands() {
  return {
      {"campaign create", "make a campaign; the same values again are fine, other ones for the same id are refused",
       with(
           {by_name,
            {"--quota", "N", "how many places there are", true},
            {"--name", "TEXT", "its name for people"},
            {"--opens-at", "TIME", "2026-12-01T09:00:00Z; left out: at once"},
            {"--closes-at", "TIME", "left out: never by itself"},
            {"--issue-rate", "R", "coupons per second into the store; 0: unlimited; left out: the server's"},
            {"--promise", "journal|store", "store: tell won and sold_out only after the store has committed them too"}},
           admin_arguments()),
       create},
      {"campaign list", "all campaigns, in the order in which they were made", admin_arguments(), list},
      {"campaign show", "one campaign with all its terms", with({by_name}, admin_arguments()), show},
      {"campaign raise", "raise the quota; it cannot be lowered",
       with({by_name, {"--quota", "N", "the new quota", true}}, admin_arguments()), raise},
      {"campaign pause", "take no claims for now", with({by_name}, admin_arguments()),
       [](const Words& words) { return patch(words, {{"paused", true}}); }},
      {"campaign resume", "take claims again", with({by_name}, admin_arguments()),
       [](const Words& words) { return patch(words, {{"paused", false}}); }},
      {"campaign close", "end it, for ever",
       with({by_name, {"--at", "TIME", "then, not now; until then another time may be given"}}, admin_arguments()),
       close},
  };
}

}  // namespace firstcome::cli
