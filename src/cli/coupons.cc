#include <fmt/format.h>

#include "base/noun.h"
#include "cli/api.h"

namespace firstcome::cli {
namespace {

using Json = nlohmann::ordered_json;

/// A list that is not all of the winners says so, beside the list.
int tell_missing(const Words& words, Api& api, std::uint64_t listed) {
  const auto told = api.ask_admin("GET", "/v1/campaigns/" + words.get_or("CAMPAIGN", ""));
  if (!told) return complain(told.error());
  if (told->status >= 300) return tell_problem(words, *told);
  const auto winners = told->body["quota"].get<std::uint64_t>() - told->body["remaining"].get<std::uint64_t>();
  if (winners > listed) {
    std::fputs(fmt::format("firstcome: {} of {} {}: the coupons of the others are not in the store yet, or parked "
                           "(firstcome parked list); ask again later\n",
                           listed, winners, noun(winners, "winner"))
                   .c_str(),
               stderr);
  }
  return exit_fine;
}

/// All pages; at most --limit rows.
int coupons(const Words& words) {
  const auto limit = words.count("--limit", std::numeric_limits<std::uint32_t>::max(), 1);
  if (!limit) return complain(limit.error());
  const std::string format = words.get_or("--format", words.has("--json") ? "jsonl" : "table");
  if (format != "table" && format != "jsonl" && format != "csv") return wrong_use("--format is table, jsonl or csv");
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  if (format == "csv") std::printf("rank,user,code,position,issued_at\n");
  std::uint64_t left = *limit, after = 0;
  while (left > 0) {
    const auto told =
        api->ask_admin("GET", fmt::format("/v1/campaigns/{}/coupons?limit={}&after={}", words.get_or("CAMPAIGN", ""),
                                          std::min<std::uint64_t>(left, 1000), after));
    if (!told) return complain(told.error());
    if (told->status >= 300) return tell_problem(words, *told);
    for (const auto& coupon : told->body["coupons"]) {
      const auto user = coupon["user"].get<std::string>(), code = coupon["code"].get<std::string>();
      const auto issued_at = coupon["issued_at"].get<std::string>();
      const auto rank = coupon["rank"].get<std::uint64_t>(), position = coupon["position"].get<std::uint64_t>();
      if (format == "jsonl") {
        std::printf("%s\n", coupon.dump().c_str());
      } else if (format == "csv") {
        std::string quoted = "\"";
        for (const char c : user) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
        std::fputs(fmt::format("{},{}\",{},{},{}\n", rank, quoted, code, position, issued_at).c_str(), stdout);
      } else {
        std::fputs(fmt::format("{:>8}  {:<20}  {}  {}\n", rank, user, code, issued_at).c_str(), stdout);
      }
      --left;
    }
    if (!told->body["next"].is_number()) break;
    after = told->body["next"].get<std::uint64_t>();
  }
  return left > 0 ? tell_missing(words, *api, *limit - left) : exit_fine;
}

}  // namespace

std::vector<Command> coupons_commands() {
  return {{"coupons", "the coupons that are in the store, in rank order",
           with({{"CAMPAIGN", "", "the campaign's id", true},
                 {"--limit", "N", "at most so many"},
                 {"--format", "table|jsonl|csv", "how they are printed (table)"}},
                admin_arguments()),
           coupons}};
}

}  // namespace firstcome::cli
