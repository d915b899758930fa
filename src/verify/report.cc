#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/noun.h"
#include "verify/verify.h"

namespace firstcome::verify {
namespace {

/// 1,234,567
std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return text;
}

std::string line_of(const CampaignOutcome& one) {
  auto line = fmt::format("campaign {}: {} of {} won", one.campaign, grouped(one.winners), grouped(one.quota));
  if (one.coupons) line += fmt::format(", {} {}", grouped(*one.coupons), noun(*one.coupons, "coupon"));
  if (one.owed.value_or(0) > 0) line += fmt::format(", {} owed", grouped(*one.owed));
  if (one.parked.value_or(0) > 0) line += fmt::format(" ({} parked)", grouped(*one.parked));
  if (one.scheduled) line += ", scheduled";
  if (one.sealed) line += ", sealed";
  if (one.closed) line += ", closed";
  return line + "\n";
}

}  // namespace

std::string render_text(const Report& report) {
  std::string text;
  for (const auto& one : report.campaigns) text += line_of(one);
  for (const auto& check : report.checks) {
    text += fmt::format("  {:<40} {:>12} checked   {}\n", check.name, grouped(check.checked),
                        check.ok() ? "exact" : "broken");
    for (const auto& failure : check.failures) text += fmt::format("      {}\n", failure);
    if (check.broken > check.failures.size()) {
      text += fmt::format("      and {} more\n", grouped(check.broken - check.failures.size()));
    }
  }
  for (const auto& one : report.not_checked) text += fmt::format("  not checked: {}\n", one);
  const auto broken = std::ranges::count_if(report.checks, [](const Check& check) { return !check.ok(); });
  if (broken > 0) return text + fmt::format("verify: broken, {} of {} checks\n", broken, report.checks.size());
  if (!report.exact()) return text + "verify: incomplete, what was checked is exact\n";
  return text + "verify: exact\n";
}

std::string render_json(const Report& report) {
  using Json = nlohmann::ordered_json;
  const auto known = [](const std::optional<std::uint64_t>& number) { return number ? Json(*number) : Json(); };
  Json campaigns = Json::array();
  for (const auto& one : report.campaigns) {
    campaigns.push_back({{"campaign", one.campaign},
                         {"quota", one.quota},
                         {"coupons", known(one.coupons)},
                         {"sealed", one.sealed},
                         {"closed", one.closed},
                         {"winners", one.winners},
                         {"owed", known(one.owed)},
                         {"parked", known(one.parked)},
                         {"scheduled", one.scheduled}});
  }
  Json checks = Json::array();
  for (const auto& check : report.checks) {
    Json one{{"name", check.name}, {"checked", check.checked}, {"ok", check.ok()}};
    if (!check.ok()) {
      one["broken"] = check.broken;
      one["failures"] = check.failures;
    }
    checks.push_back(std::move(one));
  }
  const Json all{{"exact", report.exact()},
                 {"campaigns", std::move(campaigns)},
                 {"checks", std::move(checks)},
                 {"not_checked", report.not_checked}};
  // A damaged row may hold any bytes.
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace firstcome::verify
