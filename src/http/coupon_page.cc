#include "http/coupon_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "http/problem.h"
#include "model/code.h"

namespace firstcome::http {
namespace {

std::string json_of(const CouponRow& row) {
  return fmt::format(R"({{"rank":{},"user":{},"code":"{}","position":{},"issued_at":"{}"}})", row.rank,
                     json_string(row.user), to_text(row.code), row.position, to_rfc3339(row.issued_at));
}

/// RFC 4180: a value with a quote, a comma or a line end is quoted, and its quotes are doubled.
std::string csv_value(std::string_view text) {
  if (text.find_first_of("\",\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_of(const CouponRow& row) {
  return fmt::format("{},{},{},{},{}\r\n", row.rank, csv_value(row.user), csv_value(to_text(row.code)), row.position,
                     to_rfc3339(row.issued_at));
}

}  // namespace

Response coupon_page(const std::vector<CouponRow>& rows, std::size_t limit, CouponForm form) {
  const std::size_t count = std::min(rows.size(), limit);
  const bool has_next = rows.size() > limit;
  Response response{.fields = {{"Cache-Control", "no-store"}}, .body = {}};
  std::string& body = response.body;
  if (form == CouponForm::json) {
    body = R"({"coupons":[)";
    for (std::size_t i = 0; i < count; ++i) body += (i == 0 ? "" : ",") + json_of(rows[i]);
    body += fmt::format(R"(],"next":{}}})", has_next ? std::to_string(rows[count - 1].rank) : "null");
    return response;
  }
  response.content_type = form == CouponForm::csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson";
  if (form == CouponForm::csv) body = "rank,user,code,position,issued_at\r\n";
  for (std::size_t i = 0; i < count; ++i) body += form == CouponForm::csv ? csv_of(rows[i]) : json_of(rows[i]) + "\n";
  if (has_next) response.fields.emplace_back("Next-After", std::to_string(rows[count - 1].rank));
  return response;
}

Response parked_page(const std::vector<ParkedEntry>& parked) {
  std::string body = R"({"parked":[)";
  for (const ParkedEntry& entry : parked) {
    body += fmt::format(R"({}{{"number":{},"campaign":"{}","rank":{},"user":{},"reason":{},"parked_at":"{}"}})",
                        body.ends_with('[') ? "" : ",", entry.number, entry.coupon.campaign.view(), entry.coupon.rank,
                        json_string(entry.coupon.user), json_string(entry.reason), to_rfc3339(entry.parked_at));
  }
  return {.fields = {{"Cache-Control", "no-store"}}, .body = body + "]}"};
}

}  // namespace firstcome::http
