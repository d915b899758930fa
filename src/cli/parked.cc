#include <fmt/format.h>

#include "cli/api.h"

namespace firstcome::cli {
namespace {

int list(const Words& words) {
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  const auto told = api->ask_admin("GET", "/v1/parked");
  if (!told) return complain(told.error());
  if (told->status >= 300) return tell_problem(words, *told);
  const auto& parked = told->body["parked"];
  std::string lines;
  for (const auto& entry : parked) {
    lines += fmt::format("{}{}: {} rank {} for {}: {}", lines.empty() ? "" : "\n", entry["number"].dump(),
                         entry["campaign"].get<std::string>(), entry["rank"].dump(), entry["user"].get<std::string>(),
                         entry["reason"].get<std::string>());
  }
  print(words, told->body, lines.empty() ? "nothing is parked" : lines);
  return parked.empty() ? exit_fine : exit_failed;
}

int retry(const Words& words) {
  const auto number = words.count("NUMBER", 0, 1, std::numeric_limits<std::int64_t>::max());
  if (!number) return complain(number.error());
  auto api = Api::of_admin(words);
  if (!api) return complain(api.error());
  const auto told = api->ask_admin("POST", fmt::format("/v1/parked/{}/retry", *number));
  if (!told) return complain(told.error());
  if (told->status >= 300) return tell_problem(words, *told);
  print(words, told->body, fmt::format("coupon {} is issued", *number));
  return exit_fine;
}

}  // namespace

std::vector<Command> parked_commands() {
  return {
      {"parked list", "coupons that the store refused, with the reason; exit 1 when there are any", admin_arguments(),
       list},
      {"parked retry", "issue a parked coupon after its cause was mended",
       with({{"NUMBER", "", "as parked list shows it", true}}, admin_arguments()), retry},
  };
}

}  // namespace firstcome::cli
