// What everybody stands on: times are read as people write them, a mailbox has a bound, a typo finds its word,
// a hash is the standard's.
#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/nearest.h"
#include "base/noun.h"
#include "base/sha256.h"

namespace firstcome {
namespace {

// FIPS 180-4's examples, of one block and of two.
TEST(Sha256, is_that_of_the_standard) {
  const auto hex_of = [](std::string_view text) {
    std::string hex;
    for (const std::uint8_t byte : sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()})) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
  };
  EXPECT_EQ(hex_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Clock, reads_and_writes_rfc_3339) {
  const auto time = parse_rfc3339("2026-11-24T18:00:00+09:00");
  ASSERT_TRUE(time);
  EXPECT_EQ(to_rfc3339(*time), "2026-11-24T09:00:00.000Z");
  EXPECT_EQ(*parse_rfc3339("2026-11-24T09:00:00.250Z"), *time + Millis(250));
  EXPECT_EQ(*parse_rfc3339("2026-11-24T09:00:00.2509Z"), *time + Millis(250));
  EXPECT_EQ(*parse_rfc3339("2026-11-24T04:30:00-04:30"), *time);
  EXPECT_EQ(*parse_rfc3339("2026-11-24t09:00:00.123456789z"), *time + Millis(123));
  EXPECT_TRUE(parse_rfc3339("2024-02-29T23:59:59Z"));
  EXPECT_EQ(to_rfc3339(Time(Millis(951'868'799'999))), "2000-02-29T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(Time(Millis(-1))), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, refuses_what_is_no_time) {
  for (const char* text : {"",
                           "now",
                           "2026-11-24",
                           "2026-11-24T09:00:00",
                           "2026-13-24T09:00:00Z",
                           "2026-11-24T25:00:00Z",
                           "2026-11-24T09:00:00Zx",
                           "2026-11-24 09:00:00Z",
                           "1700000000",
                           "2026-02-30T09:00:00Z",
                           "8650-01-01T00:00:00Z",
                           "1969-12-31T23:59:59Z",
                           "-999-01-01T00:00:00Z",
                           "86500-01-01T00:00:00Z",
                           "2026-11-24T020:00:00Z",
                           "2026-11-24T09:00:00.Z",
                           "2026-11-24T09:00:00+9:00",
                           "2026-11-24T09:00:00+0900",
                           "2026-11-24T09:00:60Z",
                           "2026-11-24T+9:00:00Z",
                           "2026-11-24T09:00:00+24:00",
                           "2025-02-29T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Mailbox, holds_its_limit_and_no_more) {
  Mailbox<int> mailbox(2);
  EXPECT_TRUE(mailbox.put(1));
  EXPECT_TRUE(mailbox.put(2));
  EXPECT_FALSE(mailbox.put(3));
  std::vector<int> taken;
  EXPECT_TRUE(mailbox.take(taken));
  EXPECT_EQ(taken, (std::vector{1, 2}));
  EXPECT_TRUE(mailbox.put(4));
  mailbox.close();
  EXPECT_FALSE(mailbox.put(5));
  taken.clear();
  EXPECT_TRUE(mailbox.take(taken)) << "what was put before the closing is still taken";
  EXPECT_EQ(taken, std::vector{4});
  taken.clear();
  EXPECT_FALSE(mailbox.take(taken));
}

TEST(Mailbox, loses_nothing_between_threads_and_keeps_the_order_of_each) {
  Mailbox<std::pair<int, int>> mailbox(64);
  std::vector<std::jthread> authors;
  for (int author = 0; author < 3; ++author) {
    authors.emplace_back([&, author] {
      for (int i = 0; i < 5000; ++i) {
        while (!mailbox.put({author, i})) std::this_thread::yield();
      }
    });
  }
  int next[3] = {};
  std::vector<std::pair<int, int>> taken;
  while (next[0] + next[1] + next[2] < 15000) {
    ASSERT_TRUE(mailbox.take(taken));
    ASSERT_LE(taken.size(), 64U);
    for (const auto& [author, i] : taken) ASSERT_EQ(i, next[author]++);
    taken.clear();
  }
}

TEST(Log, bears_what_is_no_utf_8) {
  for (const auto form : {log::Form::json, log::Form::text}) {
    log::set_form(form);
    testing::internal::CaptureStderr();
    log::info("a path", {{"data", "/srv/caf\xe9 x"}});
    EXPECT_NE(testing::internal::GetCapturedStderr().find("\"/srv/caf\xef\xbf\xbd x\""), std::string::npos);
  }
}

TEST(Noun, is_one_or_many) {
  EXPECT_EQ(noun(0, "winner"), "winners");
  EXPECT_EQ(noun(1, "winner"), "winner");
  EXPECT_EQ(noun(2, "winner"), "winners");
}

TEST(Nearest, finds_the_word_behind_a_typo) {
  constexpr std::string_view known[] = {"--listen", "--admin-listen", "--data", "--role"};
  EXPECT_EQ(nearest("--lisen", known), "--listen");
  EXPECT_EQ(nearest("--dta", known), "--data");
  EXPECT_EQ(nearest("--frobnicate", known), "");
  EXPECT_EQ(did_you_mean("--rol", known), "; did you mean --role?");
}

TEST(Nearest, does_not_compare_what_is_longer_than_any_name) {
  const std::string name(64, 'n');
  const std::string_view known[] = {name};
  EXPECT_EQ(nearest(name.substr(1), known), name);
  EXPECT_EQ(nearest(name, known), name);
  EXPECT_EQ(nearest(name + "n", known), "");
}

}  // namespace
}  // namespace firstcome
