#pragma once

#include <string>

#include "store/store.h"

namespace firstcome {

// Rows of a campaign `lunch` of 10, for tests of a store.

inline const CampaignId lunch = "lunch";

inline CouponRow coupon(std::uint32_t rank, std::uint32_t quota = 10) {
  Code code{};
  code[0] = static_cast<std::uint8_t>(rank);
  code[1] = static_cast<std::uint8_t>(rank >> 8);
  code[2] = static_cast<std::uint8_t>(rank >> 16);
  return {.campaign = lunch,
          .rank = rank,
          .quota = quota,
          .user = "user" + std::to_string(rank),
          .code = code,
          .position = 100 + rank,
          .issued_at = Time(Millis(1'700'000'000'000))};
}

inline Progress progress(std::uint32_t rank) {
  Progress progress{.campaign = lunch, .rank = rank, .position = 100 + rank};
  progress.chain[0] = static_cast<std::uint8_t>(rank + 1);
  return progress;
}

/// The campaign, and coupons 1..rank.
inline IssueBatch first_batch(std::uint32_t rank, std::uint32_t quota = 10) {
  IssueBatch batch{.next = progress(rank), .campaign = CampaignRow{.id = lunch, .name = "Lunch"}, .quotas = {quota}};
  for (std::uint32_t one = 1; one <= rank; ++one) batch.coupons.push_back(coupon(one, quota));
  return batch;
}

inline IssueBatch next_batch(std::uint32_t seen, std::uint32_t rank, std::uint32_t quota = 10) {
  IssueBatch batch{.seen = progress(seen), .next = progress(rank)};
  for (std::uint32_t one = seen + 1; one <= rank; ++one) batch.coupons.push_back(coupon(one, quota));
  return batch;
}

/// "committed", "fence lost", "refused: ..." or the fault.
inline std::string words(const Result<WriteOutcome>& outcome) {
  if (!outcome) return std::string(to_string(outcome.error().kind)) + ": " + outcome.error().what;
  if (const auto* refused = std::get_if<RowRefused>(&*outcome)) return "refused: " + refused->reason;
  return std::holds_alternative<Committed>(*outcome) ? "committed" : "fence lost";
}

}  // namespace firstcome
