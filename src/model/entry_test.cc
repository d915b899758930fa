// Every entry survives its encoding; nothing that was changed on the way is taken for an entry.
#include "model/entry.h"

#include <gtest/gtest.h>

namespace firstcome {
namespace {

std::vector<Entry> one_of_each() {
  const Time time{Millis(1'700'000'000'123)};
  return {
      Installation{.id = {1, 2, 3}, .partitions = 12},
      Opened{.campaign = "lunch",
             .name = "Lunch \xed\x95\x9c",
             .quota = 100,
             .opens_at = time,
             .closes_at = time + Millis(5),
             .issue_rate = 1.5,
             .promise = Promise::store},
      Opened{.campaign = "a", .name = {}, .quota = 1, .opens_at = {}, .closes_at = {}, .issue_rate = {}, .promise = {}},
      Ticket{.campaign = "lunch", .user = "alice", .code = {9, 8, 7}},
      QuotaRaised{.campaign = "lunch", .quota = 200},
      WindowChanged{.campaign = "lunch", .opens_at = {}, .closes_at = time, .seen = 7},
      Paused{.campaign = "lunch", .seen = 8},
      Resumed{.campaign = "lunch", .seen = 9},
      Closed{.campaign = "lunch", .by = ClosedBy::due},
      Issued{.campaign = "lunch", .rank = 50, .parked = {3, 4}},
  };
}

std::vector<std::uint8_t> encoded(const Entry& entry) {
  std::vector<std::uint8_t> bytes;
  encode(entry, bytes);
  return bytes;
}

TEST(Entry, survives_its_encoding) {
  for (const auto& entry : one_of_each()) {
    const auto read = decode(encoded(entry));
    ASSERT_TRUE(read && *read) << kind_name(entry);
    EXPECT_EQ(**read, entry) << kind_name(entry);
    EXPECT_LE(encoded(entry).size(), entry_bytes_max);
  }
}

TEST(Entry, with_any_bit_flipped_is_never_taken_for_an_entry) {
  for (const auto& entry : one_of_each()) {
    const auto good = encoded(entry);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      auto bad = good;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto read = decode(bad);
      if (bit < 16) {
        EXPECT_TRUE(read && !*read) << "without FC in front it is not ours";
      } else {
        ASSERT_FALSE(read) << kind_name(entry) << " bit " << bit;
        EXPECT_EQ(read.error().kind, FaultKind::corrupt);
      }
    }
  }
}

TEST(Entry, cut_or_lengthened_is_never_taken_for_an_entry) {
  for (const auto& entry : one_of_each()) {
    const auto good = encoded(entry);
    for (std::size_t size = 0; size < good.size(); ++size) {
      const auto read = decode(std::span(good).first(size));
      EXPECT_TRUE(!read || !*read);
    }
    auto longer = good;
    longer.push_back(0);
    EXPECT_FALSE(decode(longer));
  }
}

}  // namespace
}  // namespace firstcome
