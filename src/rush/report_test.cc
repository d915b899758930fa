// What a person and what a program read at the end and on the way.
#include "rush/report.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "rush/progress.h"
#include "rush/words.h"

namespace firstcome::rush {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Report some_report() {
  Report report;
  report.campaign = "lunch";
  report.users = 10'000;
  of(report.users_told, Told::won) = 100;
  of(report.users_told, Told::sold_out) = 9'900;
  of(report.attempts_told, Told::won) = 100;
  of(report.attempts_told, Told::sold_out) = 9'900;
  report.attempts = 10'000;
  report.seconds = 2;
  report.quota = 100;
  report.winners = report.rank_max = 100;
  for (int i = 0; i < 9'999; ++i) report.latency.add(300);
  report.latency.add(70'000);
  return report;
}

TEST(Report, text_says_who_got_what_and_how_fast) {
  const auto text = render_text(some_report());
  EXPECT_TRUE(has(text, "rush on lunch: 10,000 users")) << text;
  EXPECT_TRUE(has(text, "won 100, sold_out 9,900")) << text;
  EXPECT_TRUE(has(text, "5,000/s")) << text;
  EXPECT_TRUE(has(text, "p50   300 µs") || has(text, "p50  300 µs")) << text;
  EXPECT_TRUE(has(text, "max  70.0 ms")) << text;
  EXPECT_TRUE(has(text, "<  512 µs        9,999  ▇▇▇")) << text;
  EXPECT_TRUE(has(text, "kept, as far as clients can see: quota 100, 100 winners")) << text;
}

TEST(Report, text_counts_one_as_one) {
  auto report = some_report();
  report.users = report.repeats = report.retries = report.connections = report.winners = report.malformed = 1;
  of(report.attempts_told, Told::cut) = 1;
  const auto text = render_text(report);
  for (const char* part : {"1 user, 1 repeat,", "1 retry, 1 cut (", "1 connection,", "1 answer that", "1 winner,"}) {
    EXPECT_TRUE(has(text, part)) << part << ":\n" << text;
  }
}

TEST(Report, text_does_not_hide_a_broken_promise) {
  auto report = some_report();
  report.broken = 1;
  report.sentences = {"rank 1 was given to u1 and to u2"};
  const auto text = render_text(report);
  EXPECT_TRUE(has(text, "BROKEN 1 time:"));
  EXPECT_TRUE(has(text, "rank 1 was given to u1 and to u2"));
  EXPECT_FALSE(has(text, "kept"));
}

TEST(Report, json_has_it_all) {
  const auto json = nlohmann::json::parse(render_json(some_report()));
  EXPECT_EQ(json["users"], 10'000);
  EXPECT_EQ(json["users_told"]["won"], 100);
  EXPECT_EQ(json["attempts_told"]["cut"], 0);
  EXPECT_EQ(json["latency_us"]["p50"], 300);
  EXPECT_EQ(json["latency_us"]["max"], 70'000);
  EXPECT_EQ(json["quota"], 100);
  EXPECT_EQ(json["kept"], true);
  EXPECT_EQ(json["ending"], "all_answered");
  EXPECT_TRUE(nlohmann::json::parse(render_json(Report()))["quota"].is_null());
}

TEST(Report, says_when_the_rushs_own_connections_were_the_limit) {
  auto report = some_report();
  report.connections = 64;
  report.queued.add(900'000);
  report.service.add(100'000);
  EXPECT_FALSE(has(render_text(report), "--connections N")) << "nobody notices that";
  report.queued.add(3'000'000);
  EXPECT_TRUE(has(render_text(report), "one of the rush's 64 connections than for the server: --connections N"));
  EXPECT_EQ(nlohmann::json::parse(render_json(report))["connections_were_the_limit"], true);
  EXPECT_EQ(nlohmann::json::parse(render_json(report))["queued_us"]["max"], 3'000'000);
  auto busy = some_report();
  busy.queued.add(3'000'000);
  busy.service.add(1000);
  EXPECT_FALSE(has(render_text(busy), "--connections N")) << "the server answers at once: more of them do not help";
  report.service.add(9'000'000);
  EXPECT_FALSE(has(render_text(report), "--connections N")) << "the server took longer";
}

TEST(Report, what_was_never_timed_has_no_times_and_no_line_ends_in_blanks) {
  const auto text = render_text(some_report());  // with a gap in its latencies
  EXPECT_TRUE(has(text, "  to final   none\n")) << text;
  EXPECT_TRUE(has(text, " 0\n")) << text;
  EXPECT_FALSE(has(text, " \n")) << text;
}

TEST(Report, an_empty_one_can_be_shown) { EXPECT_TRUE(has(render_text(Report()), "nothing")); }

TEST(Words, numbers_and_times) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(spoken_us(999), "999 µs");
  EXPECT_EQ(spoken_us(1'500), "1.50 ms");
  EXPECT_EQ(spoken_us(99'960), "100.0 ms");
  EXPECT_EQ(spoken_us(999'499), "999 ms");
  EXPECT_EQ(spoken_us(999'500), "1.00 s");
  EXPECT_EQ(spoken_us(3'600'000'000), "3600 s");
}

TEST(Progress, is_one_line_that_fits) {
  Progress progress{.seconds = 3, .arrivals = 10'000, .arrived = 8'000, .ended = 5'000};
  of(progress.attempts, Told::won) = 100;
  const auto line = render_progress(progress, 41'200, 200);
  EXPECT_EQ(line, "[##########..........]  50 %  3 s  5,000 of 10,000 done  won 100  41,200/s");
  EXPECT_EQ(render_progress(progress, 41'200, 30).size(), 30u);
  progress.broken = 2;
  EXPECT_TRUE(render_progress(progress, 0, 200).starts_with("BROKEN 2"));
}

TEST(Progress, without_a_terminal_it_is_a_line_now_and_then) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const auto show = show_progress(file);
  for (int tenth = 0; tenth <= 100; ++tenth) show({.seconds = tenth / 10.0, .arrivals = 1, .over = tenth == 100});
  ASSERT_EQ(std::fseek(file, 0, SEEK_SET), 0);
  int lines = 0;
  for (int byte = 0; (byte = std::fgetc(file)) != EOF;) {
    EXPECT_NE(byte, '\r');
    lines += byte == '\n' ? 1 : 0;
  }
  std::fclose(file);
  EXPECT_EQ(lines, 3);
}

}  // namespace
}  // namespace firstcome::rush
