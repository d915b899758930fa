// A history is read back as it was written; a cut last line is left out; anything else that is no attempt is refused by
// its line.
#include "verify/history.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace firstcome::verify {
namespace {

class History : public testing::Test {
 protected:
  History() {
    char name[] = "/tmp/history_test.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~History() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/history"; }
  void write(std::string_view text) const { std::ofstream(path(), std::ios::binary) << text; }
  std::string fault() const {
    const auto attempts = read_history(path());
    return attempts ? "none" : attempts.error().what;
  }

 private:
  std::string folder_;
};

constexpr auto cut_line = R"({"campaign":"c","user":"u","call_us":5,"status":0,"answer":"cut"})";

rc::Gen<std::string> printable(int most) {
  return rc::gen::mapcat(rc::gen::inRange(1, most + 1), [](int size) {
    return rc::gen::container<std::string>(static_cast<std::size_t>(size), rc::gen::inRange<char>('!', '~' + 1));
  });
}

rc::Gen<Attempt> any_attempt() {
  return rc::gen::exec([] {
    Attempt attempt;
    attempt.campaign = *printable(63);
    attempt.user = *printable(64);
    attempt.call_us = *rc::gen::inRange<std::int64_t>(0, INT64_MAX / 2);
    attempt.answer = *rc::gen::element<std::string>("won", "pending", "sold_out", "not_open", "closed", "paused",
                                                    "fault", "refused", "cut");
    if (attempt.answer != "cut") {
      attempt.return_us = attempt.call_us + *rc::gen::inRange<std::int64_t>(0, 1'000'000'000);
      attempt.status = *rc::gen::inRange(200, 600);
    }
    if (attempt.answer == "won") {
      attempt.rank = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
      attempt.code = *printable(27);
    }
    if (attempt.answer == "sold_out") attempt.quota = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
    return attempt;
  });
}

TEST_F(History, what_was_written_is_read) {
  EXPECT_TRUE(rc::check([this] {
    const auto attempts = *rc::gen::container<std::vector<Attempt>>(any_attempt());
    {
      auto writer = HistoryWriter::create(path());
      RC_ASSERT(writer.has_value());
      for (const auto& attempt : attempts) RC_ASSERT(writer->add(attempt).has_value());
    }
    const auto read = read_history(path());
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == attempts);
  }));
}

TEST_F(History, flush_puts_it_all_into_the_file) {
  auto writer = HistoryWriter::create(path());
  ASSERT_TRUE(writer);
  Attempt attempt{.campaign = "c", .user = "u", .call_us = 1, .return_us = 2, .status = 202, .answer = "pending"};
  ASSERT_TRUE(writer->add(attempt));
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read_history(path())->at(0), attempt);
}

TEST_F(History, a_cut_last_line_is_left_out) {
  write(std::string(cut_line) + "\n" + cut_line);
  EXPECT_EQ(read_history(path())->size(), 1u);
  write("");
  EXPECT_TRUE(read_history(path())->empty());
}

TEST_F(History, any_other_line_that_is_no_attempt_is_named) {
  write(std::string(cut_line) + "\n{\"campaign\":\n" + cut_line + "\n");
  EXPECT_NE(fault().find(path() + " line 2 is no attempt"), std::string::npos);
  EXPECT_EQ(read_history(path()).error().kind, FaultKind::misconfigured);
  for (const auto* line : {
           "",
           "[]",
           "7",
           R"({"campaign":"c","user":"u","call_us":5,"status":0,"answer":"lost"})",
           R"({"campaign":"c","user":"u","call_us":5,"status":200,"answer":"cut"})",
           R"({"campaign":"c","user":"u","call_us":5,"status":200,"answer":"pending"})",
           R"({"campaign":"c","user":"u","call_us":5,"return_us":4,"status":202,"answer":"pending"})",
           R"({"campaign":"c","user":"u","call_us":-5,"status":0,"answer":"cut"})",
           R"({"campaign":"c","user":"u","call_us":"5","status":0,"answer":"cut"})",
           R"({"campaign":"c","user":7,"call_us":5,"status":0,"answer":"cut"})",
           R"({"campaign":"c","user":"u","call_us":5,"status":0,"answer":"cut","why":"x"})",
           R"({"campaign":"c","user":"u","call_us":5,"return_us":6,"status":200,"answer":"won","rank":0,"code":"x"})",
           R"({"campaign":"c","user":"u","call_us":5,"return_us":6,"status":200,"answer":"won","rank":1})",
           R"({"campaign":"c","user":"u","call_us":5,"return_us":6,"status":409,"answer":"sold_out"})",
           R"({"campaign":"c","user":"u","call_us":99999999999999999999,"status":0,"answer":"cut"})",
           R"({"campaign":"c","user":"u","call_us":18446744073709551615,"status":0,"answer":"cut"})",
       }) {
    write(std::string(line) + "\n");
    EXPECT_NE(fault().find("line 1 is no attempt"), std::string::npos) << line;
  }
}

TEST_F(History, a_disk_that_does_not_take_it_is_a_fault) {
  EXPECT_EQ(HistoryWriter::create(path() + "/none").error().kind, FaultKind::misconfigured);
  EXPECT_EQ(read_history(path()).error().kind, FaultKind::misconfigured) << "a name that is no file's";
  auto full = HistoryWriter::create("/dev/full");
  ASSERT_TRUE(full);
  ASSERT_TRUE(full->add({.campaign = "c", .user = "u", .answer = "cut"}));  // it is still in the buffer
  const auto flushed = full->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().kind, FaultKind::unavailable);
  EXPECT_NE(flushed.error().what.find("/dev/full"), std::string::npos);
}

}  // namespace
}  // namespace firstcome::verify
