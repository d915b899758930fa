#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/store.h"

namespace firstcome {

/// A row of any database, by column.
template <class Row>
concept TableRow = requires(const Row& row, int column) {
  { row.integer(column) } -> std::same_as<std::int64_t>;
  { row.real(column) } -> std::same_as<double>;
  { row.text(column) } -> std::same_as<std::string_view>;
  { row.blob(column) } -> std::same_as<std::span<const std::uint8_t>>;
  { row.is_null(column) } -> std::same_as<bool>;
};

/// Our rows out of a database's, with the columns in the order that stands at each. The databases' own rules let an
/// operator write what firstcome cannot have written.
///
///   Fails   corrupt, with the store (`store.db`, a URL), the row and the column.
template <TableRow Row>
class RowReader {
 public:
  RowReader(const Row& row, std::string_view store) : row_(row), store_(store) {}

  /// id, name, opens_at, closes_at, issue_rate, promise, paused, closed
  Result<CampaignRow> campaign() const {
    const auto id = row_.text(0);
    const std::string name = "campaign " + std::string(id);
    if (!is_campaign_id(id)) return impossible(name, "its id");
    CampaignRow campaign{.id = id, .name = std::string(row_.text(1)), .window = {maybe_time(2), maybe_time(3)}};
    if (!row_.is_null(4)) campaign.issue_rate = row_.real(4);
    if (row_.text(5) != "journal" && row_.text(5) != "store") return impossible(name, "its promise");
    campaign.promise = row_.text(5) == "store" ? Promise::store : Promise::journal;
    for (const int column : {6, 7}) {
      if (row_.integer(column) != 0 && row_.integer(column) != 1) return impossible(name, "its paused or closed");
    }
    campaign.paused = row_.integer(6) == 1;
    campaign.closed = row_.integer(7) == 1;
    return campaign;
  }

  /// campaign, quota
  Result<QuotaRow> quota() const {
    const auto quota = row_.integer(1);
    if (!is_campaign_id(row_.text(0)) || quota < 1 || quota > UINT32_MAX) {
      return impossible("campaign_quota of " + std::string(row_.text(0)), std::to_string(quota));
    }
    return QuotaRow{row_.text(0), static_cast<std::uint32_t>(quota)};
  }

  /// campaign, rank, quota, user, code, position, issued_at
  Result<CouponRow> coupon() const {
    const auto user_bytes = row_.blob(3);
    const std::string_view user(reinterpret_cast<const char*>(user_bytes.data()), user_bytes.size());
    const auto code_text = std::string(row_.text(4));
    const auto code = parse_code(code_text);
    const std::string name = "campaign " + std::string(row_.text(0)) + ", rank " + std::to_string(row_.integer(1));
    if (!is_campaign_id(row_.text(0))) return impossible(name, "its campaign");
    if (!is_count(row_.integer(1))) return impossible(name, "its rank");
    if (!is_count(row_.integer(2))) return impossible(name, "its quota");
    if (!is_user(user)) return impossible(name, "its user");
    if (!code || to_text(*code) != code_text) return impossible(name, "its code");
    return CouponRow{.campaign = row_.text(0),
                     .rank = static_cast<std::uint32_t>(row_.integer(1)),
                     .quota = static_cast<std::uint32_t>(row_.integer(2)),
                     .user = user,
                     .code = *code,
                     .position = static_cast<Position>(row_.integer(5)),
                     .issued_at = Time(Millis(row_.integer(6)))};
  }

  /// those of a coupon, with anything for issued_at; number, reason, parked_at
  Result<ParkedEntry> parked() const {
    auto row = coupon();
    if (!row) return fail(row.error());
    return ParkedEntry{.number = row_.integer(7),
                       .coupon = *row,
                       .reason = std::string(row_.text(8)),
                       .parked_at = Time(Millis(row_.integer(9)))};
  }

  /// campaign, rank, position, chain
  Result<Progress> progress() const {
    const auto chain = row_.blob(3);
    const std::string name = "progress of " + std::string(row_.text(0));
    Progress progress;
    if (!is_campaign_id(row_.text(0))) return impossible(name, "its campaign");
    if (!is_count(row_.integer(1))) return impossible(name, "its rank");
    if (chain.size() != progress.chain.size()) return impossible(name, "its chain");
    progress.campaign = row_.text(0);
    progress.rank = static_cast<std::uint32_t>(row_.integer(1));
    progress.position = static_cast<Position>(row_.integer(2));
    std::ranges::copy(chain, progress.chain.begin());
    return progress;
  }

  /// id
  Result<InstallationId> installation() const {
    InstallationId id{};
    const auto bytes = row_.blob(0);
    if (bytes.size() != id.size()) {
      return fail(FaultKind::corrupt, std::string(store_) + ": the installation was not written by firstcome");
    }
    std::ranges::copy(bytes, id.begin());
    return id;
  }

 private:
  std::unexpected<Fault> impossible(std::string_view row, std::string_view what) const {
    return fail(FaultKind::corrupt, std::string(store_) + ", " + std::string(row) + ": " + std::string(what) +
                                        " was not written by firstcome");
  }

  std::optional<Time> maybe_time(int column) const {
    if (row_.is_null(column)) return std::nullopt;
    return Time(Millis(row_.integer(column)));
  }

  static bool is_count(std::int64_t value) { return value >= 0 && value <= UINT32_MAX; }

  const Row& row_;
  std::string_view store_;
};

}  // namespace firstcome
