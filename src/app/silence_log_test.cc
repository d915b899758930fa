// An outage of the journal leaves two lines in the log, its beginning and its end, however often it is looked at.
#include "app/silence_log.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "issuer/hand_store.h"

namespace firstcome {
namespace {

TEST(SilenceLog, tells_the_beginning_and_the_end_once_each) {
  hand::HandClock clock;
  SilenceLog silence(clock);
  const auto told = [&](const std::optional<std::string>& why) {
    testing::internal::CaptureStderr();
    for (int looks = 0; looks < 3; ++looks) silence.look(why);
    return testing::internal::GetCapturedStderr();
  };
  const auto lines = [](const std::string& log) { return std::ranges::count(log, '\n'); };

  EXPECT_EQ(told({}), "") << "in step from the start on";
  const std::string begin = told("nothing was heard for 5001 ms: no broker answers");
  EXPECT_EQ(lines(begin), 1) << begin;
  for (const char* part : {"warn", "503", "5001 ms", "no broker answers"}) {
    EXPECT_NE(begin.find(part), std::string::npos) << begin;
  }
  clock.move_to(clock.uptime() + Millis(4000));
  EXPECT_EQ(told("nothing was heard for 9001 ms"), "");
  const std::string end = told({});
  EXPECT_EQ(lines(end), 1) << end;
  EXPECT_NE(end.find("info"), std::string::npos) << end;
  EXPECT_NE(end.find("after_ms=4000"), std::string::npos) << end;
  EXPECT_EQ(lines(told("once more")), 1);
}

}  // namespace
}  // namespace firstcome
